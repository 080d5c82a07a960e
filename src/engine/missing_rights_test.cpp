#include "engine/missing_rights.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::engine {
namespace {

using cluster::Engine;
using cluster::MemberFacts;

Error refusal(const std::string& message) {
  return {ErrorClass::failed, "sql.error", message, {}, {}};
}

const std::string kNoProcess = "[1227] Access denied; you need (at least one of) the PROCESS privilege(s)";

/// Readings as an Asker leaves them, and what it remembers.
struct Look {
  MemberFacts facts;
  std::vector<Refused> refused;
  std::vector<std::string> asked;
  sql::Rows answer;

  void fails(const std::string& name, const std::string& message) {
    note_unknown(facts, name, "SQL", message);
    if (lacks_right(refusal(message))) refused.push_back({name, message});
  }
  void judge(Engine engine) {
    note_missing_rights(engine, facts, refused, [&](const std::string& statement) -> Result<sql::Rows> {
      asked.push_back(statement);
      return answer;
    });
  }
  std::string unknown(const std::string& name) const {
    for (const auto& reading : facts.readings)
      if (reading.name == name) return reading.unknown;
    return "none";
  }
};

sql::Rows rows(std::vector<std::string> names, std::vector<std::string> values) {
  sql::Rows found;
  found.columns = std::move(names);
  found.rows.emplace_back();
  for (auto& value : values) found.rows[0].emplace_back(std::move(value));
  return found;
}

TEST(MissingRights, ARefusalIsToldFromOtherFailures) {
  for (const char* message : {"[1142] SELECT command denied", "[1143] SELECT command denied for column",
                              "[1227] Access denied", "[1370] execute command denied", "[42501] permission denied"})
    EXPECT_TRUE(lacks_right(refusal(message))) << message;
  for (const char* message : {"[1146] Table 'x' doesn't exist", "[1064] You have an error in your SQL syntax",
                              "[42P01] relation does not exist", "[57014] canceling statement", "Access denied"})
    EXPECT_FALSE(lacks_right(refusal(message))) << message;
  EXPECT_FALSE(lacks_right({ErrorClass::refused, "sql.denied", "[1227] Access denied", {}, {}}));
}

TEST(MissingRights, TheFactSaysWhichRightIsMissing) {
  Look look;
  look.facts.version = "10.11.6-MariaDB";
  look.answer = rows({"account"}, {"watch@10.0.0.%"});
  look.fails("transactions", kNoProcess);
  look.fails("size", kNoProcess);
  look.fails("user tables", "[1146] Table doesn't exist");
  look.judge(Engine::mariadb);
  ASSERT_EQ(look.facts.missing_rights.size(), 1u);
  const auto& missing = look.facts.missing_rights[0];
  EXPECT_EQ(missing.account, "'watch'@'10.0.0.%'");
  EXPECT_EQ(missing.right, "PROCESS ON *.*");
  EXPECT_EQ(missing.grant, "GRANT PROCESS ON *.* TO 'watch'@'10.0.0.%'");
  EXPECT_EQ(missing.unknown, (std::vector<std::string>{"transactions", "size"}));
  EXPECT_EQ(look.unknown("size"), kNoProcess + " (the account 'watch'@'10.0.0.%' lacks PROCESS ON *.*)");
  EXPECT_EQ(look.unknown("user tables"), "[1146] Table doesn't exist");
}

/// What the role does without, and what failed for another reason: nothing is asked or said.
TEST(MissingRights, OtherRefusalsAreNoLackOfTheRole) {
  Look look;
  look.fails("accounts", "[1142] SELECT command denied to user for table 'user'");
  look.fails("replicas", "[1227] Access denied; you need REPLICATION MASTER ADMIN");
  look.fails("transactions", "[1205] Lock wait timeout exceeded");
  look.judge(Engine::mariadb);
  EXPECT_TRUE(look.asked.empty());
  EXPECT_TRUE(look.facts.missing_rights.empty());
  EXPECT_EQ(look.unknown("transactions"), "[1205] Lock wait timeout exceeded");
  Look other;  // the same question, for another reason beside one that was refused
  other.answer = rows({"account"}, {"watch@%"});
  other.fails("binary log filters", "[1227] Access denied; you need REPLICATION CLIENT");
  other.fails("binary log filters", "[1064] You have an error in your SQL syntax");
  other.judge(Engine::mysql);
  ASSERT_EQ(other.facts.readings.size(), 2u);
  EXPECT_NE(other.facts.readings[0].unknown.find("lacks REPLICATION CLIENT ON *.*"), std::string::npos);
  EXPECT_EQ(other.facts.readings[1].unknown, "[1064] You have an error in your SQL syntax");
}

/// Of what is asked without a note.
TEST(MissingRights, AFactWithoutAReadingGetsOne) {
  Look look;
  look.answer = rows({"account"}, {"watch@%"});
  look.refused.push_back({"holders of locks", "[1142] SELECT command denied to user for table 'metadata_locks'"});
  look.judge(Engine::mysql);
  EXPECT_NE(look.unknown("holders of locks").find("lacks SELECT ON `performance_schema`.*"), std::string::npos);
  Look mariadb;  // has other ways to know it
  mariadb.refused = look.refused;
  mariadb.judge(Engine::mariadb);
  EXPECT_EQ(mariadb.unknown("holders of locks"), "none");
}

TEST(MissingRights, PostgresSaysItself) {
  Look look;
  look.answer = rows({"account", "r0", "r1", "r2", "r3"}, {"watch", "t", "t", "f", "f"});
  look.fails("folders of databases", "[42501] permission denied for function pg_ls_dir");
  look.fails("certificate", "[42501] permission denied for function pg_read_file");
  look.judge(Engine::postgres);
  ASSERT_EQ(look.asked.size(), 1u);
  EXPECT_NE(look.asked[0].find("pg_has_role(current_user, 'pg_monitor', 'USAGE')"), std::string::npos);
  EXPECT_NE(look.asked[0].find("has_function_privilege(current_user, 'pg_stat_file(text,boolean)', 'EXECUTE')"),
            std::string::npos);
  ASSERT_EQ(look.facts.missing_rights.size(), 2u);
  EXPECT_EQ(look.facts.missing_rights[0].right, "EXECUTE ON FUNCTION pg_ls_dir(text,boolean,boolean)");
  EXPECT_EQ(look.facts.missing_rights[0].unknown, std::vector<std::string>{"folders of databases"});
  EXPECT_EQ(look.facts.missing_rights[1].grant, "GRANT EXECUTE ON FUNCTION pg_ls_dir(text) TO \"watch\"");
  EXPECT_TRUE(look.facts.missing_rights[1].unknown.empty()) << "not asked for yet";
  EXPECT_EQ(look.unknown("certificate"), "[42501] permission denied for function pg_read_file");

  Look has_all;
  has_all.answer = rows({"account", "r0", "r1", "r2", "r3"}, {"watch", "t", "t", "t", "t"});
  has_all.fails("archive", "[42501] permission denied for something else");
  has_all.judge(Engine::postgres);
  EXPECT_TRUE(has_all.facts.missing_rights.empty());
}

TEST(MissingRights, OfAServerTooOldToBeKnownNothingIsSaid) {
  Look look;
  look.facts.version = "10.4.34-MariaDB";
  look.fails("size", kNoProcess);
  look.judge(Engine::mariadb);
  EXPECT_TRUE(look.facts.missing_rights.empty());
}

TEST(MissingRights, ALaterFailureForAnotherReasonAsksNobody) {
  MemberFacts facts;
  const sql::Target nowhere;
  note_refused(Engine::postgres, facts, "missing pages", refusal("[57014] canceling statement"), nowhere,
               Deadline::in(std::chrono::seconds(1)), {});
  EXPECT_TRUE(facts.missing_rights.empty());
  ASSERT_EQ(facts.readings.size(), 1u);
  EXPECT_EQ(facts.readings[0].unknown, "[57014] canceling statement");
}

}  // namespace
}  // namespace holdfast::engine
