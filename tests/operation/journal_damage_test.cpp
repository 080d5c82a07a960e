// Journals cut short and changed from outside: a torn tail is cut, everything else is told, and nothing is guessed.
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/operation/sweep.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void spill(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class JournalDamage : public testing::Test {
 protected:
  void SetUp() override {
    dir_.emplace();
    make_toy(root());
    start_ = toy_files(root());
    // Stopped at the swap, whose undo fails: unfinished, half of it undone.
    operation::Executor executor(toy_options(root(), {}, {.fail_step = "start-m1"}));
    ASSERT_FALSE(executor.execute(toy_plan(root())));
    id_ = executor.operation();
    journal_ = root() + "/state/operations/" + id_ + "/journal.jsonl";
    good_ = slurp(journal_);
    ASSERT_FALSE(good_.empty());
    for (const char c : good_) lines_ += c == '\n';
  }
  std::string root() const { return dir_->path(); }
  operation::FileOperationStore store() const { return operation::FileOperationStore(root() + "/state"); }
  operation::StoredOperation stored() const { return *store().read(id_); }

  std::optional<Folder> dir_;
  Files start_;
  std::string id_, journal_, good_;
  size_t lines_ = 0;
};

TEST_F(JournalDamage, cut_at_every_byte_is_a_torn_tail) {
  const auto lock = store().acquire({kToys, id_, "test"});
  ASSERT_TRUE(lock);
  for (size_t length = good_.find('\n') + 1; length <= good_.size(); ++length) {
    spill(journal_, good_.substr(0, length));
    const auto read = stored();
    ASSERT_EQ(read.damage, "") << length;
    size_t whole = 0;
    for (size_t i = 0; i < length; ++i) whole += good_[i] == '\n';
    const bool only_newline_gone = length < good_.size() && good_[length] == '\n';
    ASSERT_EQ(read.records.size(), whole + only_newline_gone) << length;
    ASSERT_EQ(read.torn, good_[length - 1] != '\n' && !only_newline_gone) << length;
    const auto opened = store().open(**lock, id_);
    ASSERT_TRUE(opened) << length;
    const std::string after = slurp(journal_);
    ASSERT_TRUE(good_.starts_with(after) && after.ends_with('\n')) << length;
  }
}

TEST_F(JournalDamage, a_tail_of_zeros_is_torn) {
  const size_t last = good_.rfind('\n', good_.size() - 2) + 1;
  for (const size_t length : {size_t{1}, size_t{7}, size_t{200}, size_t{4096}}) {
    spill(journal_, good_ + std::string(length, '\0'));
    EXPECT_TRUE(stored().torn);
    EXPECT_EQ(stored().records.size(), lines_);
    spill(journal_, good_.substr(0, last) + std::string(length, '\0'));
    EXPECT_EQ(stored().damage, "");
    EXPECT_EQ(stored().records.size(), lines_ - 1);
  }
  // The second page of the last record was written, the first was not.
  std::string holed = good_;
  for (size_t i = last; i < last + 100; ++i) holed[i] = '\0';
  spill(journal_, holed);
  EXPECT_TRUE(stored().torn);
}

TEST_F(JournalDamage, every_flipped_bit_is_told_and_changes_nothing) {
  const Files before = toy_files(root());
  for (size_t at = 0; at < good_.size(); ++at) {
    std::string bad = good_;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
    spill(journal_, bad);
    const auto read = stored();
    ASSERT_NE(read.damage, "") << "byte " << at << " of " << good_.size() << ": '" << bad[at] << "'";
    if (at % 50 == 0) {
      operation::Executor executor(toy_options(root()));
      for (const auto& report : {executor.resume(id_), executor.undo(id_)}) {
        ASSERT_FALSE(report);
        EXPECT_EQ(report.error().id, "operation.journal_damaged");
        EXPECT_EQ(exit_code(report.error().error_class), 9);
      }
      ASSERT_EQ(slurp(journal_), bad);
    }
  }
  EXPECT_EQ(toy_files(root()), before);
}

TEST_F(JournalDamage, lines_dropped_swapped_repeated_or_foreign_are_told) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < good_.size();) {
    const size_t end = good_.find('\n', at) + 1;
    lines.push_back(good_.substr(at, end - at));
    at = end;
  }
  const auto joined = [](const std::vector<std::string>& all) {
    std::string text;
    for (const auto& line : all) text += line;
    return text;
  };
  for (size_t i = 0; i + 1 < lines.size(); ++i) {
    auto dropped = lines, swapped = lines, repeated = lines;
    dropped.erase(dropped.begin() + static_cast<long>(i));
    std::swap(swapped[i], swapped[i + 1]);
    repeated.insert(repeated.begin() + static_cast<long>(i), lines[i]);
    for (const auto& text : {joined(dropped), joined(swapped), joined(repeated)}) {
      spill(journal_, text);
      EXPECT_NE(stored().damage, "") << i;
    }
  }
  spill(journal_, "");
  EXPECT_NE(stored().damage, "");
  fs::remove(journal_);
  EXPECT_NE(stored().damage, "");
}

TEST_F(JournalDamage, a_changed_plan_is_told) {
  const std::string path = root() + "/state/operations/" + id_ + "/plan.json";
  const std::string plan = slurp(path);
  const auto at = plan.find("Remove the copy");
  ASSERT_NE(at, std::string::npos);
  std::string bad = plan;
  bad[at] = 'r';
  spill(path, bad);
  EXPECT_NE(stored().damage.find("plan.json"), std::string::npos);
  spill(path, plan.substr(0, plan.size() / 2));
  EXPECT_NE(stored().damage, "");
  fs::remove(path);
  EXPECT_NE(stored().damage, "");
}

TEST_F(JournalDamage, a_damaged_one_stands_in_the_way_until_it_is_abandoned) {
  spill(journal_, good_.substr(0, 40) + "x" + good_.substr(41));
  operation::Executor executor(toy_options(root()));
  const auto refused = executor.execute(toy_plan(root()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "operation.unfinished");
  EXPECT_NE(refused.error().hint.find("abandon " + id_), std::string::npos);
  ASSERT_TRUE(executor.abandon(id_));
  EXPECT_EQ(executor.abandon(id_).error().id, "operation.over");
  EXPECT_EQ(store().list()->front().state, "abandoned");
  EXPECT_TRUE(store().acquire({kToys, "next", "test"}));
}

}  // namespace
}  // namespace holdfast::test
