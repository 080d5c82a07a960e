// Every command on the runbook's pages, and on those of the guide that people reach from them, is run against real
// clusters: one of each engine, first as it should be, then with a member's server gone. What would change something is
// run with --dry-run. A page's command may find the cluster unhealthy (4), be refused for a reason the documentation
// names (3), or not reach the member that is gone (6); it is never wrongly written (2), and never fails in another way.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "engine/programs.h"
#include "tests/support/lab_guard.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using cluster::Engine;
using codec::Value;

using Words = std::vector<std::string>;
/// A command as it stands on a page -> the pages.
using Commands = std::map<Words, std::set<std::string>>;

std::string text_of(const fs::path& path) {
  auto bytes = sys::read_file(path.string());
  EXPECT_TRUE(bytes) << path;
  return bytes ? std::string(as_text(bytes->span())) : "";
}

std::vector<fs::path> pages() {
  const fs::path docs = fs::path(HOLDFAST_SOURCE_DIR) / "docs";
  std::vector<fs::path> found = {docs / "guide/triage.md", docs / "guide/repair.md"};
  for (const auto& entry : fs::directory_iterator(docs / "runbook"))
    if (entry.path().extension() == ".md") found.push_back(entry.path());
  return found;
}

Words words_of(const std::string& command) {
  std::istringstream text(command);
  Words words;
  for (std::string word; text >> word;) {
    if (word == "|" || word.starts_with("#") || word.starts_with(">")) break;
    while (word.ends_with(',') || word.ends_with(';') || word.ends_with(':')) word.pop_back();
    if (word.find('|') == std::string::npos) words.push_back(word);  // "list|show"
  }
  return words;
}

/// Between backticks in running text, and in blocks that are not run as they stand (those named sh are: guide_test).
Commands commands_of(const std::vector<fs::path>& files) {
  Commands found;
  for (const auto& file : files) {
    auto add = [&](const std::string& command) { found[words_of(command)].insert(file.filename().string()); };
    std::istringstream lines(text_of(file));
    std::string prose, fence;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("```")) {
        fence = fence.empty() ? line : "";
        continue;
      }
      if (fence.empty()) {
        prose += line + "\n";
        continue;
      }
      if (fence.starts_with("```sh")) continue;
      for (size_t at = line.find("holdfast "); at != std::string::npos; at = line.find("holdfast ", at + 1))
        if (at == 0 || line[at - 1] == ' ') {
          std::string command = line.substr(at);
          if (const size_t more = command.find(", then "); more != std::string::npos) command.resize(more);
          add(command);
        }
    }
    const std::string mark = "`holdfast ";
    for (size_t at = prose.find(mark); at != std::string::npos; at = prose.find(mark, at + 1))
      add(prose.substr(at + 1, prose.find('`', at + 1) - at - 1));
  }
  return found;
}

bool is_one_of(const std::string& word, std::initializer_list<const char*> all) {
  return std::ranges::any_of(all, [&](const char* one) { return word == one; });
}

bool has(const Words& words, const std::string& word) {
  return std::ranges::find(words, word) != words.end();
}

const std::set<std::string>& cluster_names() {
  static const std::set<std::string> names = {"shop-mariadb", "shop-galera", "shop-mysql", "shop-postgres"};
  return names;
}

/// The lab cluster a word names, as "shop/shop-mysql", "shop-mysql-1" or "shop-mysql"; "" = none.
std::string cluster_in(const std::string& word) {
  for (const auto& name : cluster_names())
    if (word.find(name) != std::string::npos) return name;
  return "";
}

struct World {
  LabGuard lab;
  std::string cluster, repository, operation;
  bool broken = false;
  int runs = 0;
  std::set<Words> seen;  ///< of the state the cluster is in
};

/// What stands for what: the same names on all pages (docs/runbook/README.md).
std::string replaced(std::string word, World& world) {
  const std::vector<std::pair<std::string, std::string>> names = {
      {"CLUSTER", "shop/" + world.cluster},
      {"NAME", world.cluster},
      {"MEMBER", world.cluster + "-1"},
      {"REPOSITORY", world.repository},
      {"DIR", world.lab.state_dir() + "/out-" + std::to_string(world.runs)},
      {"N", "1"}};
  for (const auto& [name, meant] : names) {
    if (word == name) return meant;
    if (word.ends_with(":" + name)) return word.substr(0, word.size() - name.size()) + meant;
  }
  return word;
}

/// Ready to be run; empty when it is of another cluster, or cannot be run by itself.
Words prepared(Words words, World& world) {
  words.erase(words.begin());  // holdfast
  const std::string verb = words.empty() ? "" : words[0];
  if (verb.empty() || is_one_of(verb, {"agent", "..."})) return {};  // an agent runs until it is ended
  for (const auto& word : words)
    if (const auto named = cluster_in(word); !named.empty() && named != world.cluster) return {};
  // Of Galera alone.
  if (is_one_of(verb, {"bootstrap", "inspect"}) && world.cluster != "shop-galera") return {};
  std::erase(words, "...");
  const bool explains = verb == "explain";
  for (auto& word : words)
    word = word == "ID" ? (explains ? "server-crashed" : world.operation) : replaced(word, world);
  // A mention ("run `holdfast repair`") means the command with what it always needs.
  if (is_one_of(verb, {"triage", "repair", "bootstrap", "inspect", "backup"}) && !has(words, "-c"))
    words.insert(words.end(), {"-c", world.cluster});
  if (verb == "cluster" && has(words, "accounts") && !has(words, "--show") && !has(words, "--create"))
    words.insert(words.end(), {"--show", "-c", world.cluster});
  if (verb == "export" && !has(words, "-o")) words.insert(words.end(), {"-o", world.lab.state_dir() + "/dump.sql"});
  if (verb == "restore" && !has(words, "--into") && !has(words, "-c")) words.insert(words.end(), {"--into", "DIR"});
  if (verb == "operations" && words.size() == 2 && is_one_of(words[1], {"show", "resume", "undo", "abandon"}))
    words.push_back(world.operation);
  const bool changes =
      is_one_of(verb, {"repair", "bootstrap", "inspect", "backup", "restore", "prune", "export"}) ||
      (verb == "lab" && words.size() > 1 && is_one_of(words[1], {"up", "down", "break", "heal", "load"})) ||
      (verb == "cluster" && has(words, "--create")) ||
      (verb == "operations" && words.size() > 1 && is_one_of(words[1], {"resume", "undo", "abandon"}));
  if (changes && !has(words, "--dry-run")) words.push_back("--dry-run");
  return words;
}

/// Every id some page names in backticks.
const std::string& documentation() {
  static const std::string text = [] {
    std::string all;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(HOLDFAST_SOURCE_DIR) / "docs"))
      if (entry.path().extension() == ".md") all += text_of(entry.path());
    return all;
  }();
  return text;
}

void run_one(const Words& words, World& world, const std::set<std::string>& where) {
  std::string shown = "holdfast";
  for (const auto& word : words) shown += " " + word;
  std::string on;
  for (const auto& page : where) on += " " + page;
  SCOPED_TRACE(shown + "\non" + on);
  ++world.runs;
  if (has(words, "--watch")) {
    // It ends when it is told to.
    Words argv = {"timeout", "--preserve-status", "-s", "INT", "3", holdfast_binary()};
    argv.insert(argv.end(), words.begin(), words.end());
    argv.insert(argv.end(), {"--state-dir", world.lab.state_dir()});
    const auto done = run_program(argv);
    EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
    EXPECT_NE(done.out.find(world.cluster), std::string::npos) << done.out;
    return;
  }
  Words args = words;
  const auto output = std::ranges::find(args, "-o");
  const bool own_format = output != args.end() && words[0] != "export";
  if (!own_format) args.insert(args.end(), {"--output", "json"});
  const auto done = world.lab.holdfast(args);
  if (done.exit_code == 0) return;
  const Value said = codec::parse_value(done.out).value_or(Value());
  // What has to ask a member that is gone says so.
  const bool gone = world.broken && done.exit_code == 6;
  EXPECT_TRUE(done.exit_code == 3 || done.exit_code == 4 || gone)
      << "exit " << done.exit_code << " " << codec::to_json(said["errors"]) << done.err;
  if (done.exit_code == 4 || own_format) return;
  ASSERT_EQ(said["errors"].items().size(), 1u) << done.out;
  const std::string id = said["errors"].items()[0]["id"].text();
  EXPECT_NE(documentation().find("`" + id + "`"), std::string::npos) << id << " is on no page: " << done.err;
}

void run_all(const Commands& commands, World& world) {
  world.seen.clear();
  for (const auto& [command, where] : commands) {
    const Words words = prepared(command, world);
    Words key = words;
    for (auto& word : key)
      if (word.find("/out-") != std::string::npos) word = "DIR";
    if (words.empty() || !world.seen.insert(key).second) continue;
    run_one(words, world, where);
  }
}

struct Lab {
  Engine engine;
  const char* server;
  const char* cluster;
};
void PrintTo(const Lab& lab, std::ostream* out) {
  *out << lab.cluster;
}

class RunbookCommands : public ::testing::TestWithParam<Lab> {};

TEST_P(RunbookCommands, Run) {
  const Lab& it = GetParam();
  HOLDFAST_NEED(it.cluster, engine::find_program(it.engine, it.server).has_value(), "no server of it here");
  World world;
  world.cluster = it.cluster;
  world.repository = world.lab.state_dir() + "/repository";
  ::setenv("RESTIC_PASSWORD", "test", 1);
  ::setenv("RESTIC_REPOSITORY", world.repository.c_str(), 1);
  auto must = [&](const Words& words) {
    const auto done = world.lab.holdfast(words);
    ASSERT_EQ(done.exit_code, 0) << words[0] << ": " << done.out << done.err;
  };
  const std::string member = world.cluster + "-1";
  ASSERT_NO_FATAL_FAILURE(must({"lab", "up", world.cluster}));
  ASSERT_NO_FATAL_FAILURE(must({"repo", "init"}));
  ASSERT_NO_FATAL_FAILURE(must({"backup", "-c", world.cluster}));
  // So that there is an operation, and a copy that a repair kept.
  auto kill_one = [&] {
    ASSERT_NO_FATAL_FAILURE(must({"lab", "break", "kill", member}));
    // Until its death has been noticed it is unknown.
    auto noticed = sys::wait_until(
        [&] {
          const auto seen = world.lab.holdfast({"triage", "-c", world.cluster, "-o", "json"});
          return codec::parse_value(seen.out).value_or(Value())["data"]["members"].items()[1]["verdict"].text() ==
                 "stopped";
        },
        Deadline::in(std::chrono::seconds(30)));
    ASSERT_TRUE(noticed && *noticed);
  };
  ASSERT_NO_FATAL_FAILURE(kill_one());
  const auto repaired = world.lab.holdfast({"repair", "-c", world.cluster, "-o", "json"});
  ASSERT_EQ(repaired.exit_code, 0) << repaired.out << repaired.err;
  world.operation = codec::parse_value(repaired.out).value_or(Value())["data"]["operation"].text();
  ASSERT_NE(world.operation, "");

  const auto commands = commands_of(pages());
  run_all(commands, world);
  const int healthy = world.runs;
  EXPECT_GT(healthy, 30);
  const auto seen = world.lab.holdfast({"triage", "-c", world.cluster});
  EXPECT_EQ(seen.exit_code, 0) << "one of the commands changed something\n" << seen.out << seen.err;

  ASSERT_NO_FATAL_FAILURE(kill_one());
  world.broken = true;
  run_all(commands, world);
  EXPECT_GT(world.runs, healthy + 30);
  const auto broken = world.lab.holdfast({"triage", "-c", world.cluster});
  EXPECT_EQ(broken.exit_code, 4) << "one of the commands changed something\n" << broken.out;
}

INSTANTIATE_TEST_SUITE_P(Engines, RunbookCommands,
                         ::testing::Values(Lab{Engine::mariadb, "mariadbd", "shop-mariadb"},
                                           Lab{Engine::galera, "mariadbd", "shop-galera"},
                                           Lab{Engine::mysql, "mysqld", "shop-mysql"},
                                           Lab{Engine::postgres, "postgres", "shop-postgres"}),
                         [](const auto& info) { return std::string(cluster::engine_name(info.param.engine)); });

// A word in capitals is a placeholder, and all of them are known: a command with another one would be run by nobody.
TEST(RunbookPages, NameThingsByTheSameWords) {
  const auto commands = commands_of(pages());
  EXPECT_GT(commands.size(), 60u);
  const std::set<std::string> known = {"CLUSTER", "NAME", "MEMBER", "REPOSITORY", "DIR", "N", "ID"};
  for (const auto& [words, where] : commands)
    for (const auto& word : words) {
      const std::string last = word.substr(word.find_last_of(":=") + 1);
      const bool capitals = !last.empty() && std::ranges::all_of(last, [](char c) { return c >= 'A' && c <= 'Z'; });
      EXPECT_TRUE(!capitals || known.contains(last)) << last << " on " << *where.begin();
    }
}

}  // namespace
}  // namespace holdfast::test
