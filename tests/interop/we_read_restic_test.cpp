// holdfast on what restic wrote, in every format restic can write.
#include <sys/stat.h>

#include <filesystem>

#include "tests/cli_support/awkward_tree.h"
#include "tests/interop/interop.h"
#include "tests/interop/json.h"

namespace holdfast::test {
namespace {

class WeReadRestic : public Interop {
 protected:
  std::string tree_backup(unsigned many_files = 3000) {
    make_awkward_tree(path("tree"), {.many_files = many_files});
    restic({"backup", path("tree")});
    return path("tree");
  }
  void expect_restored(const std::string& tree) {
    holdfast({"restore", "--snapshot", "latest", "--into", path("out")});
    const auto differences = compare_trees(tree, path("out") + tree);
    EXPECT_TRUE(differences.empty()) << summary(differences);
    std::filesystem::remove_all(path("out"));
  }
};

TEST_F(WeReadRestic, snapshots_with_every_field) {
  init_by_restic();
  restic_stream(some_dump(100'000, 1), "a",
                {"--tag", "one,two", "--host", "elsewhere", "--time", "2023-10-29 02:30:00"});
  restic_stream(some_dump(200'000, 2), "b");
  restic({"tag", "--add", "later", "latest"});
  const auto ours = snapshots_of(holdfast({"get", "snapshots", "-o", "json"}).out);
  const auto theirs = parse_value(restic({"snapshots", "--json"}).out);
  ASSERT_EQ(ours.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    for (const auto& [name, value] : theirs[i].items()) {
      EXPECT_EQ(ours[i].value(name, Json()), value) << name << " of " << ours[i];
    }
  }
}

TEST_F(WeReadRestic, an_empty_repository) {
  init_by_restic();
  EXPECT_EQ(snapshots_of(holdfast({"get", "snapshots", "-o", "json"}).out).size(), 0u);
  holdfast({"check", "--read-data"});
}

TEST_F(WeReadRestic, a_stream_dumped_and_restored) {
  init_by_restic();
  const auto content = some_dump(9'000'000, 3);
  restic_stream(content, "ns/app/dump.sql");
  EXPECT_TRUE(holdfast({"dump", "latest", "/ns/app/dump.sql"}).out == content);
  EXPECT_TRUE(holdfast({"dump", "latest", "ns/app/dump.sql"}).out == content);
  const auto id = snapshots_of(holdfast({"get", "snapshots", "-o", "json"}).out)[0]["id"].get<std::string>();
  for (const size_t digits : {8u, 12u, 64u}) {
    EXPECT_TRUE(holdfast({"dump", id.substr(0, digits), "/ns/app/dump.sql"}).out == content) << digits;
  }
  holdfast({"restore", "--snapshot", "latest", "--into", path("out")});
  EXPECT_TRUE(as_text(sys::read_file(path("out/ns/app/dump.sql")).value()) == content);
  expect_clean();
}

TEST_F(WeReadRestic, the_awkward_tree_in_format_2) {
  init_by_restic();
  const auto tree = tree_backup();
  expect_restored(tree);
  expect_clean();
}

TEST_F(WeReadRestic, the_awkward_tree_in_format_1) {
  init_by_restic({"--repository-version", "1"});
  const auto tree = tree_backup(50);
  restic_stream(some_dump(2'000'000, 4), "s");
  expect_clean();
  EXPECT_TRUE(holdfast({"dump", "latest", "/s"}).out == some_dump(2'000'000, 4));
  restic({"forget", "latest"});
  expect_restored(tree);
}

TEST_F(WeReadRestic, all_compression_modes_and_pack_sizes) {
  init_by_restic();
  for (const std::string mode : {"off", "max", "auto", "fastest", "better"}) {
    restic_stream(some_dump(6'000'000, 50 + mode.size()), mode,
                  {"--compression", mode, "--pack-size", mode == "max" ? "128" : "4"});
    EXPECT_TRUE(holdfast({"dump", "latest", "/" + mode}).out == some_dump(6'000'000, 50 + mode.size())) << mode;
  }
  expect_clean();
}

TEST_F(WeReadRestic, sparse_restore) {
  init_by_restic();
  const auto tree = tree_backup(10);
  holdfast({"restore", "--snapshot", "latest", "--into", path("out"), "--sparse"});
  const auto differences = compare_trees(tree, path("out") + tree);
  EXPECT_TRUE(differences.empty()) << summary(differences);
  struct stat hole{};
  ASSERT_EQ(::stat((path("out") + tree + "/contents/hole-inside").c_str(), &hole), 0);
  EXPECT_LT(hole.st_blocks * 512, hole.st_size / 4);
}

TEST_F(WeReadRestic, restore_over_an_older_restore_puts_everything_right) {
  init_by_restic();
  const auto tree = tree_backup(20);
  holdfast({"restore", "--snapshot", "latest", "--into", path("out")});
  change_awkward_tree(path("out") + tree);
  std::filesystem::remove(path("out") + tree + "/contents/added");
  std::filesystem::remove(path("out") + tree + "/many/renamed");
  std::filesystem::remove_all(path("out") + tree + "/links/dangling");
  std::filesystem::remove_all(path("out") + tree + "/empty-dir");
  holdfast({"restore", "--snapshot", "latest", "--into", path("out")});
  const auto differences = compare_trees(tree, path("out") + tree);
  EXPECT_TRUE(differences.empty()) << summary(differences);
}

TEST_F(WeReadRestic, a_wrong_password_is_told_apart_and_hinted) {
  init_by_restic();
  restic_stream("x", "x");
  box.env()["RESTIC_PASSWORD"] = "not it";
  for (const Args& args : {Args{"get", "snapshots"},
                           {"dump", "latest", "/x"},
                           {"check"},
                           {"restore", "--snapshot", "latest", "--into", path("out")}}) {
    auto command = box.holdfast(args);
    command.argv.insert(command.argv.end(), {"-r", repo});
    const auto outcome = run(command);
    EXPECT_NE(outcome.code, 0);
    EXPECT_NE(outcome.code, 1) << "1 is for bugs";
    EXPECT_NE(outcome.err.find("HINT:"), std::string::npos) << outcome.describe();
    EXPECT_EQ(outcome.out, "");
  }
}

TEST_F(WeReadRestic, no_repository_is_not_a_bug) {
  auto command = box.holdfast({"get", "snapshots", "-r", path("nothing-here")});
  const auto outcome = run(command);
  EXPECT_GT(outcome.code, 1) << outcome.describe();
  EXPECT_NE(outcome.err.find("HINT:"), std::string::npos) << outcome.describe();
  EXPECT_FALSE(std::filesystem::exists(path("nothing-here")));
}

TEST_F(WeReadRestic, unknown_snapshots_and_paths) {
  init_by_restic();
  restic_stream("x", "a/b");
  for (const Args& args : {Args{"dump", "00000000", "/a/b"},
                           {"dump", "latest", "/a/c"},
                           {"dump", "latest", "/b"},
                           {"restore", "--snapshot", "feed", "--into", path("out")}}) {
    auto command = box.holdfast(args);
    command.argv.insert(command.argv.end(), {"-r", repo});
    const auto outcome = run(command);
    EXPECT_GT(outcome.code, 1) << outcome.describe();
    EXPECT_EQ(outcome.out, "");
  }
}

}  // namespace
}  // namespace holdfast::test
