// restic on what holdfast wrote: every command of restic that reads, rewrites or cleans a repository.
#include <sys/stat.h>

#include <filesystem>
#include <map>

#include "tests/cli_support/awkward_tree.h"
#include "tests/interop/interop.h"
#include "tests/interop/json.h"

namespace holdfast::test {
namespace {

class ResticReadsOurs : public Interop {
 protected:
  void SetUp() override {
    Interop::SetUp();
    if (!HasFatalFailure() && !IsSkipped()) init_by_holdfast();
  }
  Json restic_snapshots() { return parse_value(restic({"snapshots", "--json"}).out); }
  /// Backs the awkward tree up by holdfast.
  std::string tree_backup(unsigned many_files = 3000) {
    make_awkward_tree(path("tree"), {.many_files = many_files});
    holdfast({"backup", "--tree", path("tree")});
    return path("tree");
  }
};

TEST_F(ResticReadsOurs, an_empty_repository) {
  expect_clean();
  const auto config = parse_value(restic({"cat", "config"}).out);
  EXPECT_EQ(config["version"], 2);
  EXPECT_EQ(config["id"].get<std::string>().size(), 64u);
  restic({"init"}, 1);  // refuses: there is one already
}

TEST_F(ResticReadsOurs, a_stream_with_its_metadata) {
  const auto content = some_dump(7'000'000, 1);
  holdfast_stream(content, "ns/app/dump.sql",
                  {"--tag", "engine=mysql,type=backup", "--tag", "third", "--host", "db1", "--time",
                   "2024-03-31T02:30:15.25+01:00"});
  expect_clean();
  const auto snapshots = restic_snapshots();
  ASSERT_EQ(snapshots.size(), 1u);
  EXPECT_EQ(snapshots[0]["paths"], Json({"/ns/app/dump.sql"}));
  EXPECT_EQ(snapshots[0]["hostname"], "db1");
  EXPECT_EQ(snapshots[0]["tags"], Json({"engine=mysql", "type=backup", "third"}));
  EXPECT_EQ(snapshots[0]["time"], "2024-03-31T02:30:15.25+01:00");
  EXPECT_EQ(snapshots[0]["summary"]["total_bytes_processed"], content.size());
  EXPECT_EQ(restic({"dump", "latest", "/ns/app/dump.sql"}).out, content);
  const auto nodes = parse_lines(restic({"ls", "latest", "--json"}).out);
  ASSERT_EQ(nodes.size(), 4u);  // the snapshot, /ns, /ns/app, the file
  EXPECT_EQ(nodes[1]["path"], "/ns");
  EXPECT_EQ(nodes[1]["type"], "dir");
  EXPECT_EQ(nodes[3]["path"], "/ns/app/dump.sql");
  EXPECT_EQ(nodes[3]["size"], content.size());
  EXPECT_EQ(nodes[3]["permissions"], "-rw-r--r--");
}

TEST_F(ResticReadsOurs, streams_of_awkward_sizes) {
  constexpr size_t kMin = 512 << 10, kMax = 8 << 20;
  std::map<std::string, std::string> contents = {
      {"one", "x"},
      {"min-1", some_dump(kMin - 1, 2)},
      {"min", some_dump(kMin, 3)},
      {"min+1", some_dump(kMin + 1, 4)},
      {"zeros", std::string(5 << 20, '\0')},
      {"ones", std::string(kMax + 12345, '\1')},
      {"zero-runs", some_dump(700'000, 5) + std::string(kMin * 3, '\0') + some_dump(100, 6)}};
  for (const auto& [name, content] : contents) holdfast_stream(content, name);
  expect_clean();
  for (const auto& [name, content] : contents) {
    SCOPED_TRACE(name);
    EXPECT_TRUE(restic({"dump", "--path", "/" + name, "latest", "/" + name}).out == content);
    EXPECT_TRUE(holdfast({"dump", "--path", "/" + name, "latest", "/" + name}).out == content);
  }
}

TEST_F(ResticReadsOurs, cuts_streams_where_restic_does) {
  const auto content = some_dump(12'000'000, 7) + std::string(3 << 20, '\0') + some_dump(9'000'000, 8);
  holdfast_stream(content, "a");
  const auto ours = restic({"stats", "--mode", "raw-data", "--json"}).out;
  const auto added = parse_lines(restic_stream(content, "a", {"--json"}).out);
  ASSERT_FALSE(added.empty());
  EXPECT_EQ(added.back()["data_blobs"], 0) << "restic had to store blobs anew: cut points differ";
  EXPECT_GT(parse_value(ours)["total_blob_count"], 5);
}

TEST_F(ResticReadsOurs, the_awkward_tree_comes_back_unchanged) {
  const auto tree = tree_backup();
  expect_clean();
  restic({"restore", "latest", "--target", path("out"), "--verify"});
  const auto differences = compare_trees(tree, path("out") + tree);
  EXPECT_TRUE(differences.empty()) << summary(differences);
}

TEST_F(ResticReadsOurs, sparse_restore_finds_the_zero_runs) {
  const auto tree = tree_backup(10);
  restic({"restore", "latest", "--target", path("out"), "--sparse"});
  const auto differences = compare_trees(tree, path("out") + tree);
  EXPECT_TRUE(differences.empty()) << summary(differences);
  struct stat hole{};
  ASSERT_EQ(::stat((path("out") + tree + "/contents/hole-inside").c_str(), &hole), 0);
  EXPECT_LT(hole.st_blocks * 512, hole.st_size / 4);
}

TEST_F(ResticReadsOurs, the_same_tree_gives_the_same_nodes) {
  const auto tree = tree_backup(20);
  restic({"backup", tree});
  const auto snapshots = restic_snapshots();
  ASSERT_EQ(snapshots.size(), 2u);
  // The folders above change between the two runs; the tree itself does not.
  std::string changes;
  for (const auto& line :
       parse_lines(restic({"diff", "--metadata", "--json", snapshots[0]["id"], snapshots[1]["id"]}).out)) {
    const auto changed = line.value("path", "");
    if (changed.starts_with(tree + "/")) changes += line["modifier"].get<std::string>() + " " + changed + "\n";
  }
  EXPECT_EQ(changes, "") << "restic stores these differently";
  const auto nodes = [&](size_t i) {
    return restic({"cat", "tree", snapshots[i]["id"].get<std::string>() + ":" + tree}).out;
  };
  EXPECT_EQ(nodes(0), nodes(1));
}

TEST_F(ResticReadsOurs, diff_and_find_over_changes) {
  const auto tree = tree_backup(20);
  change_awkward_tree(tree);
  holdfast({"backup", "--tree", tree});
  const auto snapshots = restic_snapshots();
  ASSERT_EQ(snapshots.size(), 2u);
  const auto diff = restic({"diff", snapshots[0]["id"], snapshots[1]["id"]}).out;
  EXPECT_NE(diff.find("M    " + tree + "/contents/text"), std::string::npos) << diff;
  EXPECT_NE(diff.find("+    " + tree + "/contents/added"), std::string::npos) << diff;
  EXPECT_NE(diff.find("-    " + tree + "/contents/same-text"), std::string::npos) << diff;
  EXPECT_NE(restic({"find", "bottom"}).out.find("/deep/d0/"), std::string::npos);
  expect_clean();
}

TEST_F(ResticReadsOurs, copy_into_a_restic_repository_and_back) {
  tree_backup(20);
  holdfast_stream(some_dump(3'000'000, 9), "ns/dump.sql", {"--tag", "a,b"});
  restic_at(path("other"), {"init", "--from-repo", repo, "--from-password-command", std::string("echo ") + kPassword,
                            "--copy-chunker-params"});
  use_cheap_key(box, path("other"));
  const Args from = {"--from-repo", repo, "--from-password-command", std::string("echo ") + kPassword};
  Args copy = {"copy"};
  copy.insert(copy.end(), from.begin(), from.end());
  restic_at(path("other"), copy);
  restic_at(path("other"), {"check", "--read-data"});
  EXPECT_EQ(parse_value(restic_at(path("other"), {"snapshots", "--json"}).out).size(), 2u);
  holdfast_at(path("other"), {"check", "--read-data"});
}

TEST_F(ResticReadsOurs, tag_and_rewrite_keep_what_they_do_not_change) {
  const auto tree = tree_backup(20);
  holdfast_stream(some_dump(1'000'000, 10), "ns/dump.sql");
  restic({"tag", "--add", "new-tag", "latest"});
  EXPECT_EQ(restic_snapshots()[1]["tags"], Json({"new-tag"}));
  // rewrite encodes every tree again and refuses when its bytes come out different.
  restic({"rewrite", "--exclude", "large-noise", "--forget"});
  for (const auto& snapshot : restic_snapshots())
    EXPECT_TRUE(snapshot.contains("original") || snapshot["paths"][0] == "/ns/dump.sql") << snapshot;
  expect_clean();
  restic({"restore", "latest", "--path", tree, "--target", path("out")});
  std::filesystem::remove(tree + "/contents/large-noise");
  const auto differences = compare_trees(tree, path("out") + tree, {.times = false});
  EXPECT_TRUE(differences.empty()) << summary(differences);
}

TEST_F(ResticReadsOurs, forget_and_prune) {
  std::vector<std::string> contents;
  for (unsigned i = 0; i < 5; ++i) {
    contents.push_back(some_dump(2'000'000, 20 + i));
    holdfast_stream(contents.back(), "ns/dump.sql");
  }
  restic({"forget", "--keep-last", "2", "--prune", "--max-unused", "0"});
  expect_clean();
  EXPECT_EQ(restic_snapshots().size(), 2u);
  EXPECT_TRUE(holdfast({"dump", "latest", "/ns/dump.sql"}).out == contents[4]);
  holdfast_stream(contents[0], "ns/dump.sql");
  expect_clean();
  EXPECT_TRUE(restic({"dump", "latest", "/ns/dump.sql"}).out == contents[0]);
}

TEST_F(ResticReadsOurs, repair_index_from_nothing) {
  tree_backup(20);
  std::filesystem::remove_all(repo + "/index");
  std::filesystem::create_directory(repo + "/index");
  restic({"repair", "index"});
  expect_clean();
  restic({"repair", "index", "--read-all-packs"});
  expect_clean();
}

TEST_F(ResticReadsOurs, all_compression_modes) {
  for (const std::string mode : {"auto", "off", "max"}) {
    holdfast_stream(some_dump(2'000'000, 30 + mode.size()), "ns/" + mode, {"--compression", mode});
    EXPECT_TRUE(restic({"dump", "latest", "/ns/" + mode}).out == some_dump(2'000'000, 30 + mode.size())) << mode;
  }
  expect_clean();
}

TEST_F(ResticReadsOurs, keys_added_by_either_open_for_both) {
  const auto content = some_dump(600'000, 40);
  holdfast_stream(content, "ns/dump.sql");
  sys::publish_file(path("second"), as_bytes("second password\n"), 0600).value();
  sys::publish_file(path("third"), as_bytes("third password\n"), 0600).value();
  holdfast({"repo", "key", "add", "--new-password-file", path("second")});
  restic({"key", "add", "--new-password-file", path("third")});
  for (const char* file : {"second", "third"}) {
    box.env().erase("RESTIC_PASSWORD");
    box.env()["RESTIC_PASSWORD_FILE"] = path(file);
    EXPECT_TRUE(restic({"dump", "latest", "/ns/dump.sql"}).out == content) << file;
    EXPECT_TRUE(holdfast({"dump", "latest", "/ns/dump.sql"}).out == content) << file;
  }
}

}  // namespace
}  // namespace holdfast::test
