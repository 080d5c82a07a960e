// A cluster of the lab that is broken and repaired by the program: what the tests of repair ask and expect.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cluster/types.h"
#include "codec/value.h"
#include "engine/programs.h"
#include "lab/content.h"
#include "sys/process.h"
#include "tests/support/lab_guard.h"
#include "tests/support/require.h"

namespace holdfast::test {

/// What a file holds; "" and a failure when it cannot be read.
std::string bytes_of(const std::string& path);

/// A lab cluster with data, and a repository.
class RepairWorld {
 public:
  RepairWorld(cluster::Engine engine, std::string cluster) : engine_(engine), cluster_(std::move(cluster)) {
    ::setenv("RESTIC_PASSWORD", "test", 1);
    repository = lab.state_dir() + "/repository";
  }

  /// `how`: further arguments of `lab up`.
  void up(std::vector<std::string> how = {});

  const std::string& cluster() const { return cluster_; }
  std::string name(int i) const { return cluster_ + "-" + std::to_string(i); }
  codec::Value member(int i) { return lab.member(name(i)); }

  /// First column of the first row, or the error.
  std::string ask(int i, const std::string& statement, const std::string& database = "");

  void break_member(const std::string& what, int i);
  /// Its agent stops its server in order, or starts it.
  void agent_stop(int i) { agent(i, "stop"); }
  void agent(int i, const std::string& op, codec::Value arguments = codec::Value::object());

  /// holdfast repair -c CLUSTER ARGS... -o json
  RunResult repair(std::vector<std::string> args = {}) { return run("repair", std::move(args)); }
  RunResult run(const std::string& verb, std::vector<std::string> args = {});
  static codec::Value envelope(const RunResult& result) {
    return codec::parse_value(result.out).value_or(codec::Value());
  }
  static codec::Value data(const RunResult& result) { return envelope(result)["data"]; }
  static void expect_refused(const RunResult& result, const std::string& id, int code = 3);
  static std::string hint_of(const RunResult& result);

  int triage() { return run("triage").exit_code; }
  void expect_healthy();
  lab::Content content(int i);
  /// Replication is not synchronous: equal before a deadline.
  void expect_equal(int i, int primary = 0);
  void expect_mended(int i);
  /// Untargeted repair mends it.
  void expect_repaired(int i);
  /// Every row the writer's journal names is on this member.
  void expect_acknowledged(int i);
  /// A writer until stop_writer(); returns when it has written.
  void start_writer();
  void stop_writer() { EXPECT_TRUE(writer_.stop(std::chrono::milliseconds(3000))); }

  /// What a MariaDB or MySQL replica has of its own.
  void make_errant(int i);
  /// What the plan asks to be accepted, bound to it.
  std::string acceptance(const std::vector<std::string>& args);

  LabGuard lab;
  std::string repository;

 private:
  const cluster::Engine engine_;
  const std::string cluster_;
  sys::Process writer_;
};

}  // namespace holdfast::test
