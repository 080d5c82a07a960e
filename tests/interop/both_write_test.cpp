// holdfast and restic write, prune and lock the same repository in turn and at the same time.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "base/deadline.h"
#include "tests/cli_support/awkward_tree.h"
#include "tests/interop/interop.h"
#include "tests/interop/json.h"

namespace holdfast::test {
namespace {

class BothWrite : public Interop {
 protected:
  void SetUp() override {
    Interop::SetUp();
    if (!HasFatalFailure() && !IsSkipped()) init_by_restic();
  }
  uint64_t stored() {
    uint64_t sum = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(repo + "/data")) {
      if (entry.is_regular_file()) sum += entry.file_size();
    }
    return sum;
  }
  std::string lock_json(bool exclusive, const std::string& time, const std::string& host, int pid) {
    return R"({"time":")" + time + R"(","exclusive":)" + (exclusive ? "true" : "false") + R"(,"hostname":")" + host +
           R"(","username":"root","pid":)" + std::to_string(pid) + "}";
  }
  std::string now() {
    const auto outcome = run({.argv = {"date", "-u", "+%Y-%m-%dT%H:%M:%S.%NZ"}});
    return outcome.out.substr(0, outcome.out.size() - 1);
  }
};

TEST_F(BothWrite, the_same_stream_is_stored_once) {
  const auto content = some_dump(20'000'000, 1);
  restic_stream(content, "s");
  const auto before = stored();
  holdfast_stream(content, "s");
  EXPECT_LT(stored(), before + 20'000) << "holdfast stored again what restic had stored";
  restic_stream(content, "s");
  EXPECT_LT(stored(), before + 40'000);
  expect_clean();
}

TEST_F(BothWrite, the_same_tree_is_stored_once) {
  make_awkward_tree(path("tree"), {.many_files = 100});
  holdfast({"backup", "--tree", path("tree")});
  const auto before = stored();
  const auto lines = parse_lines(restic({"backup", "--json", path("tree")}).out);
  EXPECT_EQ(lines.back()["files_unmodified"].get<int>() > 100, true)
      << "restic takes our snapshot as parent: " << lines.back();
  EXPECT_LT(stored(), before + 5'000);
  holdfast({"backup", "--tree", path("tree")});
  EXPECT_LT(stored(), before + 10'000);
  expect_clean();
}

TEST_F(BothWrite, writers_at_the_same_time) {
  for (unsigned round = 0; round < 3; ++round) {
    std::vector<Running> writers;
    for (unsigned i = 0; i < 4; ++i) {
      const auto name = "w" + std::to_string(i);
      auto command = i % 2 ? box.restic({"backup", "--stdin", "--stdin-filename", name, "-r", repo})
                           : box.holdfast({"backup", "--stdin", "--path", name, "-r", repo});
      command.stdin_file = path("input" + std::to_string(i / 2 + round));
      // Two of each read the same bytes: they race to store the same blobs.
      if (!std::filesystem::exists(command.stdin_file))
        sys::publish_file(command.stdin_file, as_bytes(some_dump(8'000'000, 10 + i / 2 + round)), 0600).value();
      writers.emplace_back(std::move(command));
    }
    for (auto& writer : writers) {
      const auto outcome = writer.wait();
      EXPECT_TRUE(outcome.ok()) << outcome.describe();
    }
  }
  expect_clean();
  for (unsigned i = 0; i < 4; ++i) {
    const auto name = "w" + std::to_string(i);
    EXPECT_TRUE(holdfast({"dump", "--path", "/" + name, "latest", "/" + name}).out ==
                some_dump(8'000'000, 10 + i / 2 + 2))
        << name;
  }
}

TEST_F(BothWrite, prune_by_turns) {
  std::vector<std::string> contents;
  for (unsigned i = 0; i < 6; ++i) {
    contents.push_back(some_dump(3'000'000, 30 + i) + some_dump(3'000'000, 29 + i));
    i % 2 ? restic_stream(contents[i], "s") : holdfast_stream(contents[i], "s");
  }
  holdfast({"prune", "--keep-last", "4", "--max-unused", "0"});
  expect_clean();
  EXPECT_EQ(parse_value(restic({"snapshots", "--json"}).out).size(), 4u);
  EXPECT_TRUE(restic({"dump", "latest", "/s"}).out == contents[5]);
  restic({"forget", "--keep-last", "3", "--prune", "--max-unused", "0"});
  expect_clean();
  EXPECT_TRUE(holdfast({"dump", "latest", "/s"}).out == contents[5]);
  holdfast({"prune", "--keep-last", "1", "--max-unused", "0"});
  expect_clean();
  EXPECT_TRUE(restic({"dump", "latest", "/s"}).out == contents[5]);
  restic({"repair", "index", "--read-all-packs"});
  expect_clean();
}

TEST_F(BothWrite, duplicate_packs_are_legal_and_prune_takes_one_away) {
  // Two programs that did not see each other: the same content in two repositories with one key and one polynomial,
  // merged.
  const auto content = some_dump(4'000'000, 50);
  std::filesystem::copy(repo, path("twin"), std::filesystem::copy_options::recursive);
  restic_stream(content, "s");
  const auto once = stored();
  const auto first = std::exchange(repo, path("twin"));
  restic_stream(content, "s");
  for (const char* folder : {"data", "index", "snapshots"}) {
    std::filesystem::copy(path("twin/") + folder, first + "/" + folder,
                          std::filesystem::copy_options::recursive | std::filesystem::copy_options::skip_existing);
  }
  repo = first;
  EXPECT_GT(stored(), once * 3 / 2);
  expect_clean();
  EXPECT_TRUE(holdfast({"dump", "latest", "/s"}).out == content);
  holdfast({"prune", "--max-unused", "0"});
  expect_clean();
  EXPECT_LT(stored(), once * 11 / 10);
  EXPECT_TRUE(restic({"dump", "latest", "/s"}).out == content);
}

TEST_F(BothWrite, our_repair_index_serves_restic) {
  make_awkward_tree(path("tree"), {.many_files = 10});
  restic({"backup", path("tree")});
  holdfast_stream(some_dump(3'000'000, 60), "s");
  std::filesystem::remove_all(repo + "/index");
  std::filesystem::create_directory(repo + "/index");
  holdfast({"repo", "repair-index"});
  expect_clean();
  holdfast({"repo", "repair-index", "--read-all-packs"});
  expect_clean();
}

TEST_F(BothWrite, our_copy_is_complete_for_restic) {
  make_awkward_tree(path("tree"), {.many_files = 10});
  restic({"backup", "--tag", "x,y", path("tree")});
  holdfast_stream(some_dump(3'000'000, 61), "s");
  holdfast_at(path("second"), {"repo", "init"});
  sys::publish_file(path("pw"), as_bytes(kPassword), 0600).value();
  holdfast_at(path("second"), {"repo", "copy", "--from-repo", repo, "--from-password-file", path("pw")});
  restic_at(path("second"), {"check", "--read-data"});
  const auto copied = parse_value(restic_at(path("second"), {"snapshots", "--json"}).out);
  ASSERT_EQ(copied.size(), 2u);
  EXPECT_EQ(copied[0]["tags"], Json({"x", "y"}));
  restic_at(path("second"), {"restore", copied[0]["id"], "--target", path("out")});
  const auto differences = compare_trees(path("tree"), path("out") + path("tree"));
  EXPECT_TRUE(differences.empty()) << summary(differences);
  // Once more copies nothing.
  holdfast_at(path("second"), {"repo", "copy", "--from-repo", repo, "--from-password-file", path("pw")});
  EXPECT_EQ(parse_value(restic_at(path("second"), {"snapshots", "--json"}).out).size(), 2u);
}

TEST_F(BothWrite, a_foreign_exclusive_lock_stops_us_and_is_left_alone) {
  const auto key = master_key(box, repo);
  const auto id = add_sealed(repo, key, "locks", lock_json(true, now(), "another-host", 4242));
  for (const Args& args : {Args{"backup", "--tree", "/etc/hostname"}, {"prune", "--keep-last", "1"}, {"check"}}) {
    auto command = box.holdfast(args);
    command.argv.insert(command.argv.end(), {"-r", repo});
    const auto outcome = run(command);
    EXPECT_EQ(outcome.code, 7) << args[0] << outcome.describe();
    EXPECT_NE(outcome.err.find("HINT:"), std::string::npos) << outcome.describe();
    EXPECT_NE(outcome.err.find("another-host"), std::string::npos) << outcome.describe();
    EXPECT_TRUE(std::filesystem::exists(repo + "/locks/" + id));
  }
  restic({"unlock", "--remove-all"});
  holdfast({"check"});
}

TEST_F(BothWrite, a_foreign_shared_lock_lets_us_write_but_not_prune) {
  const auto key = master_key(box, repo);
  add_sealed(repo, key, "locks", lock_json(false, now(), "another-host", 4242));
  holdfast_stream("content", "s");
  auto command = box.holdfast({"prune", "--keep-last", "1", "-r", repo});
  EXPECT_EQ(run(command).code, 7);
  holdfast({"repo", "unlock", "--remove-all"});
  holdfast({"prune", "--keep-last", "1"});
}

TEST_F(BothWrite, stale_locks_go_and_live_ones_stay_with_unlock) {
  const auto key = master_key(box, repo);
  const auto stale = add_sealed(repo, key, "locks", lock_json(true, "2020-01-01T00:00:00Z", "another-host", 4242));
  const auto live = add_sealed(repo, key, "locks", lock_json(false, now(), "another-host", 4243));
  holdfast({"repo", "unlock"});
  EXPECT_FALSE(std::filesystem::exists(repo + "/locks/" + stale));
  EXPECT_TRUE(std::filesystem::exists(repo + "/locks/" + live));
}

TEST_F(BothWrite, our_lock_is_seen_by_restic_and_goes_with_the_run) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const sys::Fd read_end(ends[0]);
  std::optional<sys::Fd> write_end(ends[1]);
  auto command = box.holdfast({"backup", "--stdin", "--path", "s", "-r", repo});
  command.stdin_fd = read_end.get();
  ::fcntl(write_end->get(), F_SETFD, FD_CLOEXEC);
  Running writer(std::move(command));
  const auto deadline = Deadline::in(std::chrono::seconds(20));
  while (std::filesystem::is_empty(repo + "/locks") && !deadline.passed()) ::usleep(10'000);
  ASSERT_FALSE(std::filesystem::is_empty(repo + "/locks"));
  restic({"forget", "--keep-last", "1", "--prune"}, 11);  // restic: failed to lock
  restic({"unlock"});                                     // not stale: its owner lives
  EXPECT_FALSE(std::filesystem::is_empty(repo + "/locks"));
  ASSERT_EQ(::write(write_end->get(), "data", 4), 4);
  write_end.reset();
  const auto outcome = writer.wait();
  EXPECT_TRUE(outcome.ok()) << outcome.describe();
  EXPECT_TRUE(std::filesystem::is_empty(repo + "/locks"));
  restic({"forget", "--keep-last", "1", "--prune"});
}

}  // namespace
}  // namespace holdfast::test
