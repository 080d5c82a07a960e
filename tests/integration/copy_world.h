// A lab cluster whose members are copied, killed and swapped: agent requests, SQL and the writer, in a test's words.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "agent/config.h"
#include "codec/value.h"
#include "sql/rows.h"
#include "sys/process.h"
#include "tests/support/lab_guard.h"
#include "tests/support/program.h"

namespace holdfast::test {

class CopyWorld {
 public:
  explicit CopyWorld(std::string cluster) : cluster_(std::move(cluster)) {}
  /// `lab up` with further arguments, and `lab load`.
  void up(const std::string& size = "12MB", std::vector<std::string> how = {});

  LabGuard lab;
  const std::string& cluster() const { return cluster_; }
  std::string name(int ordinal) const { return cluster_ + "-" + std::to_string(ordinal); }
  std::string dir(int ordinal) const { return lab.state_dir() + "/lab/" + cluster_ + "/" + name(ordinal); }
  agent::MemberConfig config(int ordinal) const;

  /// A request to a member's agent; its answer or its error.
  Result<codec::Value> call(int ordinal, const std::string& op, codec::Value arguments = codec::Value::object()) const;
  /// The same, and the test fails when the agent says no.
  codec::Value must(int ordinal, const std::string& op, codec::Value arguments = codec::Value::object()) const;
  codec::Value server(int ordinal) const { return must(ordinal, "status")["server"]; }

  /// First column of the first row (over the unix socket), or the error.
  std::string ask(int ordinal, const std::string& statement) const;
  Result<sql::Rows> query(int ordinal, const std::string& statement) const;

  /// Rows of shop.ledger, a commit each, until stop_writer(). Its table is on all members, and on disk there, but for
  /// the one that does not follow.
  void start_writer(int not_following = -1);
  void stop_writer();

  /// The member's server follows `upstream` (SQL of its engine; nothing to do for Galera and PostgreSQL).
  void follow(int ordinal, int upstream) const;
  std::string position(int ordinal) const;  ///< GTID state or LSN as the server tells it
  /// Both stand at the same place and hold the same, before a deadline.
  void expect_equal(int a, int b);
  bool exists(int ordinal, const std::string& file) const;
  /// Processes that name this file or folder of the member in their command line.
  size_t processes_of(int ordinal, const std::string& file) const;
  /// Kills the agent and waits until it and its server are gone.
  void kill_agent(int ordinal);

 private:
  std::string cluster_;
  sys::Process writer_;
};

}  // namespace holdfast::test
