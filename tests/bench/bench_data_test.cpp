// The generated data is what it says: same seed, same bytes; sizes met; changes as large as asked for.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "sys/file.h"
#include "tests/bench/innodb_data.h"
#include "tests/bench/sql_data.h"
#include "tests/bench/tree_data.h"

namespace holdfast::bench {
namespace {

template <class Options>
std::string generated(void (*write)(const Options&, Output&), const Options& options) {
  const int fd = ::memfd_create("data", 0);
  {
    Output out(fd);
    write(options, out);
  }
  std::string text(static_cast<size_t>(::lseek(fd, 0, SEEK_END)), '\0');
  EXPECT_EQ(::pread(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  ::close(fd);
  return text;
}

TEST(BenchData, a_stream_is_repeatable_and_as_long_as_asked) {
  const SqlOptions options{.size = 20'000'000, .seed = 5};
  const auto text = generated(write_sql, options);
  EXPECT_EQ(text, generated(write_sql, options));
  EXPECT_NEAR(static_cast<double>(text.size()), 20e6, 0.2e6);
  EXPECT_NE(text, generated(write_sql, SqlOptions{.size = 20'000'000, .seed = 6}));
  EXPECT_TRUE(text.ends_with("-- Dump completed on 2026-11-21 12:00:00\n"));
}

TEST(BenchData, changed_rows_are_runs_and_the_rest_stays) {
  const auto lines = [](SqlOptions::Change change, double share) {
    std::string text = generated(write_sql, SqlOptions{.size = 40'000'000, .change = change, .share = share});
    std::vector<std::string> rows;  // rows are divided by "),("
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find("),(", at), text.size());
      rows.push_back(text.substr(at, end - at));
      at = end + 3;
    }
    return rows;
  };
  const auto before = lines(SqlOptions::Change::none, 0);
  for (const auto& [change, least, most] :
       {std::tuple{SqlOptions::Change::runs, 0.005, 0.2}, {SqlOptions::Change::random, 0.005, 0.02}}) {
    const auto after = lines(change, change == SqlOptions::Change::runs ? 1.0 / 3 : 0.01);
    ASSERT_EQ(before.size(), after.size());
    size_t changed = 0, edges = 0;
    for (size_t i = 0; i < before.size(); ++i) {
      changed += before[i] != after[i];
      edges += i > 0 && (before[i] != after[i]) != (before[i - 1] != after[i - 1]);
    }
    EXPECT_GT(changed, least * static_cast<double>(before.size()));
    EXPECT_LT(changed, most * static_cast<double>(before.size()));
    if (change == SqlOptions::Change::runs) {
      EXPECT_LT(edges * 200, changed);  // long runs have few edges
    }
  }
}

TEST(BenchData, half_of_an_innodb_file_is_zero_pages_and_changes_keep_the_rest) {
  const auto before = generated(write_innodb, InnodbOptions{.size = 32 << 20});
  ASSERT_EQ(before.size(), 32u << 20);
  const auto after = generated(write_innodb, InnodbOptions{.size = 32 << 20, .changed_share = 0.05});
  const std::string zero(16384, '\0');
  size_t zeros = 0, changed = 0;
  for (size_t at = 0; at < before.size(); at += zero.size()) {
    zeros += before.compare(at, zero.size(), zero) == 0;
    changed += before.compare(at, zero.size(), after, at, zero.size()) != 0;
  }
  EXPECT_NEAR(static_cast<double>(zeros), 1024, 260);
  EXPECT_GT(changed, 20u);
  EXPECT_LT(changed, 100u);
}

TEST(BenchData, a_tree_has_the_files_and_bytes_asked_for) {
  auto directory = sys::TempDir::create("tree_data");
  ASSERT_TRUE(directory);
  write_tree({.files = 1500, .size = 30'000'000, .seed = 3}, directory->path() + "/t");
  uint64_t files = 0, bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory->path() + "/t")) {
    if (!entry.is_regular_file() || entry.is_symlink() || entry.path().filename().string().starts_with("hard_"))
      continue;
    ++files;
    bytes += entry.file_size();
  }
  EXPECT_EQ(files, 1500u);
  EXPECT_NEAR(static_cast<double>(bytes), 30e6, 0.3e6);
}

}  // namespace
}  // namespace holdfast::bench
