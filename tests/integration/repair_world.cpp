#include "tests/integration/repair_world.h"

#include <signal.h>

#include <filesystem>
#include <set>
#include <sstream>

#include "agent/client.h"
#include "agent/config.h"
#include "sql/mariadb.h"
#include "sys/file.h"
#include "tests/support/member_sql.h"

namespace holdfast::test {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;
namespace fs = std::filesystem;

std::string bytes_of(const std::string& path) {
  auto text = sys::read_file(path);
  EXPECT_TRUE(text) << path;
  return text ? std::string(as_text(text->span())) : "";
}

void RepairWorld::up(std::vector<std::string> how) {
  const bool on_hosts = !how.empty() && how[0] == "--hosts";
  how.insert(how.begin(), {"lab", "up"});
  how.push_back(cluster_);
  const auto up = lab.holdfast(how);
  ASSERT_EQ(up.exit_code, 0) << up.err;
  const auto load = lab.holdfast({"lab", "load", "-c", cluster_, "--size", "2MB"});
  ASSERT_EQ(load.exit_code, 0) << load.err;
  if (on_hosts) lab.hide_members(cluster_);
  const auto init = lab.holdfast({"repo", "init", "-r", repository});
  ASSERT_EQ(init.exit_code, 0) << init.err;
  ASSERT_NO_FATAL_FAILURE(expect_healthy());
}

std::string RepairWorld::ask(int i, const std::string& statement, const std::string& database) {
  sql::Target target = target_of(member(i));
  target.database = database;
  return test::ask(engine_, target, statement);
}

void RepairWorld::break_member(const std::string& what, int i) {
  const auto done = lab.holdfast({"lab", "break", what, name(i)});
  ASSERT_EQ(done.exit_code, 0) << done.err;
}

void RepairWorld::agent(int i, const std::string& op, Value arguments) {
  const auto config = agent::read_config(lab.state_dir() + "/lab/" + cluster_ + "/" + name(i));
  ASSERT_TRUE(config) << config.error().to_string();
  auto client = agent::Client::connect(config->agent_socket(), Deadline::in(seconds(5)));
  ASSERT_TRUE(client) << client.error().to_string();
  const auto done = client->call_now(op, std::move(arguments), Deadline::in(seconds(60)));
  ASSERT_TRUE(done) << op << ": " << done.error().to_string();
}

RunResult RepairWorld::run(const std::string& verb, std::vector<std::string> args) {
  std::vector<std::string> words = {verb, "-c", cluster_, "-o", "json"};
  words.insert(words.end(), args.begin(), args.end());
  return lab.holdfast(words);
}

void RepairWorld::expect_refused(const RunResult& result, const std::string& id, int code) {
  const Value said = envelope(result);
  ASSERT_EQ(said["errors"].items().size(), 1u) << result.out << result.err;
  EXPECT_EQ(said["errors"].items()[0]["id"].text(), id) << codec::to_json(said["errors"]);
  EXPECT_EQ(result.exit_code, code) << codec::to_json(said["errors"]);
  EXPECT_NE(said["errors"].items()[0]["hint"].text(), "");
}

std::string RepairWorld::hint_of(const RunResult& result) {
  const Value said = envelope(result);
  return said["errors"].items().empty() ? "" : said["errors"].items()[0]["hint"].text();
}

void RepairWorld::expect_healthy() {
  const auto seen = run("triage");
  EXPECT_EQ(seen.exit_code, 0) << data(seen)["sentence"].text() << codec::to_json(data(seen)["diagnoses"]);
}

lab::Content RepairWorld::content(int i) {
  auto content = lab::content_of(engine_, target_of(member(i)));
  return content ? std::move(*content) : lab::Content{{"error", content.error().to_string()}};
}

void RepairWorld::expect_equal(int i, int primary) {
  lab::Content is, wanted;
  auto equal = sys::wait_until(
      [&] {
        wanted = content(primary);
        is = content(i);
        return is == wanted;
      },
      Deadline::in(seconds(30)));
  EXPECT_TRUE(equal && *equal) << name(i) << " differs from " << name(primary);
  EXPECT_GT(wanted.size(), 3u) << "of " << name(primary);
}

void RepairWorld::expect_mended(int i) {
  expect_healthy();
  expect_equal(i);
}

void RepairWorld::expect_repaired(int i) {
  EXPECT_NE(triage(), 0) << "nothing is broken";
  const auto done = repair();
  EXPECT_EQ(done.exit_code, 0) << codec::to_json(envelope(done)["errors"]) << done.err;
  EXPECT_NE(data(done)["operation"].text(), "");
  expect_mended(i);
}

void RepairWorld::expect_acknowledged(int i) {
  std::istringstream lines(bytes_of(lab.state_dir() + "/lab/" + cluster_ + "/acknowledged.journal"));
  std::set<std::string> wanted;
  for (std::string line; std::getline(lines, line);) wanted.insert(line.substr(0, line.find(' ')));
  ASSERT_GT(wanted.size(), 0u);
  auto connection = sql::MariadbConnection::connect(target_of(member(i)), Deadline::in(seconds(30)));
  ASSERT_TRUE(connection) << connection.error().to_string();
  auto rows = connection->query("SELECT id FROM shop.ledger", Deadline::in(seconds(30)));
  ASSERT_TRUE(rows) << rows.error().to_string();
  for (const auto& row : rows->rows) wanted.erase(row[0].value_or(""));
  EXPECT_TRUE(wanted.empty()) << wanted.size() << " acknowledged rows are not on " << name(i) << ", the first "
                              << *wanted.begin();
}

void RepairWorld::start_writer() {
  sys::Command command;
  command.argv = {holdfast_binary(), "lab", "load",    "-c",          cluster_,       "--write",
                  "--seconds",       "120", "--quiet", "--state-dir", lab.state_dir()};
  command.out = sys::Stdio::null();
  command.die_with_parent = SIGKILL;
  auto writer = sys::spawn(command);
  ASSERT_TRUE(writer);
  writer_ = std::move(*writer);
  const std::string journal = lab.state_dir() + "/lab/" + cluster_ + "/acknowledged.journal";
  std::error_code error;
  auto writes = sys::wait_until([&] { return fs::exists(journal, error) && fs::file_size(journal, error) > 2000; },
                                Deadline::in(seconds(20)));
  ASSERT_TRUE(writes && *writes);
}

void RepairWorld::make_errant(int i) {
  const char* lock = engine_ == Engine::mysql ? "super_read_only" : "read_only";
  EXPECT_EQ(ask(i, std::string("SET GLOBAL ") + lock + "=OFF"), "");
  EXPECT_EQ(ask(i, "CREATE TABLE shop.errant (i int primary key)"), "");
  EXPECT_EQ(ask(i, "INSERT INTO shop.errant VALUES (1), (2)"), "");
  if (engine_ == Engine::mysql) {
    EXPECT_EQ(ask(i, "SET GLOBAL super_read_only=ON"), "");
  } else {
    EXPECT_EQ(ask(i, "SET GLOBAL read_only=ON"), "");
  }
  ASSERT_NE(triage(), 0);
}

std::string RepairWorld::acceptance(const std::vector<std::string>& args) {
  auto words = args;
  words.push_back("--dry-run");
  const auto dry = repair(words);
  EXPECT_EQ(dry.exit_code, 0) << dry.out << dry.err;
  const Value plan = data(dry)["plan"];
  EXPECT_EQ(plan["losses"].items().size(), 1u) << codec::to_json(plan);
  if (plan["losses"].items().empty()) return "";
  return "--accept=" + plan["losses"].items()[0]["acceptance"].text() + "@" + plan["hash"].text().substr(0, 12);
}

}  // namespace holdfast::test
