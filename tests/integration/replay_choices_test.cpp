// Dumps of MariaDB and MySQL with objects that fail: each is named, the rest is restored where that is accepted, and
// --skip leaves one out. Nothing of a dump reaches a shell.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>

#include "engine/programs.h"
#include "engine/stand_alone.h"
#include "sql/mariadb.h"
#include "sys/process.h"
#include "tests/support/lab_guard.h"
#include "tests/support/member_sql.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;
namespace fs = std::filesystem;

const std::string kEnd = "\n-- Dump completed\n";

std::string dump_with_failures(const std::string& mark) {
  return "CREATE DATABASE `shop`;\nUSE `shop`;\n"
         "CREATE TABLE `good` (i int primary key);\nINSERT INTO `good` VALUES (1),(2);\n"
         "DROP TABLE IF EXISTS `broken`;\nCREATE TABLE `broken` (i int primary key) ENGINE=NoSuchEngine;\n"
         "LOCK TABLES `broken` WRITE;\nINSERT INTO `broken` VALUES (1),(2),(3);\nUNLOCK TABLES;\n"
         "DELIMITER ;;\nCREATE TRIGGER on_broken BEFORE INSERT ON broken FOR EACH ROW SET @a = 1 ;;\nDELIMITER ;\n"
         "CREATE TABLE `rows` (i int primary key);\nINSERT INTO `rows` VALUES (1);\nINSERT INTO `rows` VALUES "
         "(1),(2);\n"
         "/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50001 VIEW `lost` AS select `no_such_function`() AS `a` */;\n"
         "CREATE ALGORITHM=UNDEFINED VIEW `of_nothing` AS select i from `shop`.`nothing`;\n"
         "\\! touch " +
         mark + "\n;\nsystem touch " + mark +
         "\n;\n"
         "CREATE DATABASE `other` CHARACTER SET nosuchset;\nUSE `other`;\nCREATE TABLE `good` (i int);\n"
         "INSERT INTO `good` VALUES (7);\n"
         "CREATE DATABASE `last`;\nUSE `last`;\nCREATE TABLE `good` (i int primary key);\nINSERT INTO `good` VALUES "
         "(3);\nCREATE USER 'kept'@'%';\n" +
         kEnd;
}

class ReplayChoices : public testing::TestWithParam<Engine> {
 protected:
  void SetUp() override {
    HOLDFAST_NEED(std::string(cluster::engine_name(GetParam())),
                  engine::find_program(GetParam(), GetParam() == Engine::mysql ? "mysqld" : "mariadbd").has_value(),
                  "its server is not installed");
    ::setenv("RESTIC_PASSWORD", "test", 1);
    lab_.emplace();
    repository_ = lab_->state_dir() + "/repository";
    ASSERT_EQ(lab_->holdfast({"repo", "init", "-r", repository_}).exit_code, 0);
  }

  RunResult restore(const std::string& dump, const std::string& into, const std::vector<std::string>& flags) {
    std::vector<std::string> store = {"backup", "--stdin", "--path", "shop/changed/mysqldump.sql", "-r", repository_};
    for (const std::string tag : {"type=backup", "method=dump", "namespace=shop", "cluster=changed"})
      store.insert(store.end(), {"--tag", tag});
    store.insert(store.end(), {"--tag", "engine=" + std::string(cluster::engine_name(GetParam()))});
    RunOptions input;
    input.input = dump;
    const auto stored = run_holdfast(store, input);
    EXPECT_EQ(stored.exit_code, 0) << stored.err;
    std::vector<std::string> command = {"restore", "-c",       "changed", "-r",  repository_,
                                        "--into",  path(into), "-o",      "json"};
    command.insert(command.end(), flags.begin(), flags.end());
    return lab_->holdfast(command);
  }
  std::string path(const std::string& into) { return lab_->state_dir() + "/" + into; }

  /// What a server on the restored folder answers to each.
  std::vector<std::string> ask_folder(const std::string& into, const std::vector<std::string>& statements) {
    sql::Target target;
    target.socket = path(into) + "/data/copy.sock";
    target.user = "holdfast";
    std::ifstream file(path(into) + "/admin.password");
    std::string password;
    std::getline(file, password);
    target.password = Secret(password);
    sys::Command command;
    command.argv = {"/bin/sh", "-c", "exec " + engine::stand_alone_command(GetParam(), path(into) + "/data")};
    command.new_session = true;
    command.die_with_parent = SIGKILL;
    command.out = command.err = sys::Stdio::null();
    auto process = sys::spawn(command);
    EXPECT_TRUE(process);
    const auto up =
        sys::wait_until([&] { return sql::MariadbConnection::connect(target, Deadline::in(seconds(2))).has_value(); },
                        Deadline::in(seconds(60)));
    EXPECT_TRUE(up && *up);
    std::vector<std::string> answers;
    for (const auto& statement : statements) answers.push_back(ask(GetParam(), target, statement));
    (void)process->signal_group(SIGKILL);
    return answers;
  }

  std::optional<LabGuard> lab_;
  std::string repository_;
};

TEST_P(ReplayChoices, NoObjectIsADeadEndAndNothingReachesAShell) {
  const std::string mark = path("mark"), dump = dump_with_failures(mark);
  const auto failed = restore(dump, "failed", {});
  EXPECT_EQ(failed.exit_code, 8) << failed.out;
  EXPECT_NE(failed.out.find("restore.objects_failed"), std::string::npos) << failed.out;
  for (const char* name :
       {"shop: TABLE broken", "shop: TABLE DATA rows", "shop: VIEW lost", "shop: VIEW of_nothing", "DATABASE other"})
    EXPECT_NE((failed.out + failed.err).find(name), std::string::npos) << name << "\n" << failed.out << failed.err;
  EXPECT_FALSE(fs::exists(path("failed") + "/data"));

  const auto partial = restore(dump, "partial", {"--continue-on=object-errors"});
  EXPECT_EQ(partial.exit_code, 5) << partial.out << partial.err;
  const Value data = codec::parse_value(partial.out).value()["data"];
  std::string named;
  for (const auto& object : data["failed"].items())
    named += object["object"].text() + ": " + object["error"].text() + "\n";
  EXPECT_NE(named.find("shop: TABLE broken: "), std::string::npos) << named;
  EXPECT_NE(named.find("DATABASE other: "), std::string::npos) << named;
  EXPECT_EQ(named.find("on_broken"), std::string::npos) << "left out with its table\n" << named;
  EXPECT_EQ(named.find("TABLE DATA broken"), std::string::npos) << "left out with its table\n" << named;
  std::string not_compared;
  for (const auto& table : data["proof"]["notCompared"].items()) not_compared += table["table"].text() + "\n";
  EXPECT_EQ(not_compared, "other.good\nshop.broken\nshop.rows\n");
  EXPECT_FALSE(fs::exists(mark));
  EXPECT_EQ(ask_folder("partial", {"SELECT COUNT(*) FROM shop.good", "SELECT COUNT(*) FROM `last`.good",
                                   "SELECT COUNT(*) FROM shop.rows",
                                   "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'other'",
                                   "SELECT COUNT(*) FROM mysql.user WHERE User = 'kept'"}),
            (std::vector<std::string>{"2", "1", "1", "0", "1"}));

  std::vector<std::string> skip;
  for (const auto& object : data["failed"].items()) skip.insert(skip.end(), {"--skip", object["object"].text()});
  skip.insert(skip.end(), {"--skip", "shop: TABLE good", "--skip", "DATABASE last"});
  const auto skipped = restore(dump, "skipped", skip);
  ASSERT_EQ(skipped.exit_code, 0) << skipped.out << skipped.err;
  EXPECT_EQ(codec::parse_value(skipped.out).value()["data"]["failed"].items().size(), 0u) << skipped.out;
  EXPECT_EQ(ask_folder("skipped", {"SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME = 'good'",
                                   "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop'"}),
            (std::vector<std::string>{"0", "1"}));
}

INSTANTIATE_TEST_SUITE_P(Engines, ReplayChoices, testing::Values(Engine::mariadb, Engine::mysql),
                         [](const auto& info) { return std::string(cluster::engine_name(info.param)); });

}  // namespace
}  // namespace holdfast::test
