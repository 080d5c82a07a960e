// A lab cluster on which operations are cut off at an exact record of their journal (journal_cut.cpp), and ended.
#pragma once

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "agent/config.h"
#include "cluster/types.h"
#include "codec/value.h"
#include "lab/content.h"
#include "sql/rows.h"
#include "sys/process.h"
#include "tests/support/lab_guard.h"

namespace holdfast::test {

/// Where an operation is cut off; see journal_cut.cpp.
struct Cut {
  std::string type, step, when, action = "kill";
  std::string text() const { return type + " " + step + " " + when + " " + action; }
};

class KillWorld {
 public:
  KillWorld(cluster::Engine engine, std::string cluster);

  /// Cluster, 2 MB of data, repository. `how`: further arguments of `lab up`; on hosts all that is waited for may take
  /// longer.
  void up(std::vector<std::string> how = {});

  cluster::Engine engine() const { return engine_; }
  const std::string& cluster() const { return cluster_; }
  std::string name(int i) const { return cluster_ + "-" + std::to_string(i); }
  std::string dir(int i) const { return lab.state_dir() + "/lab/" + cluster_ + "/" + name(i); }

  agent::MemberConfig config(int i) const;
  /// First column of the first row, or the error. By the server's own socket: no network is between it and the test.
  std::string ask(int i, const std::string& statement, const std::string& database = "");
  codec::Value agent(int i, const std::string& op, codec::Value arguments = codec::Value::object(),
                     bool may_fail = false);
  std::string agent_error(int i, const std::string& op, codec::Value arguments);
  void break_member(const std::string& what, int i);
  /// Until its agent has seen it.
  void kill_server(int i);
  /// SIGKILL: its server dies with it. And a new agent, as an init system would start it; the server stays down.
  void crash_agent(int i);

  /// holdfast VERB -c CLUSTER ARGS... -o json
  RunResult run(const std::string& verb, std::vector<std::string> args = {});
  static codec::Value envelope(const RunResult& result);
  static codec::Value data(const RunResult& result) { return envelope(result)["data"]; }
  static std::string error_id(const RunResult& result);
  codec::Value triage() { return data(run("triage")); }
  codec::Value report_of(int i, const codec::Value& triage) const;
  std::string verdict(int i) { return report_of(i, triage())["verdict"].text(); }
  /// Sooner or later.
  void expect_verdict(int i, const std::string& wanted);
  bool says(const codec::Value& triage, const std::string& diagnosis, int member) const;

  /// `holdfast ARGS...` until the cut; what it said. With action "stop" it goes on living as `paused`.
  RunResult cut_off(const std::vector<std::string>& args, const Cut& cut);
  sys::Process start_cut(const std::vector<std::string>& args, const Cut& cut, const std::string& log);

  /// Ids of operations that are not over.
  std::vector<std::string> unfinished();
  /// For a command that did not end: what the operation says, and the ends of the logs of all members.
  std::string where_it_stands(const std::string& id);
  RunResult resume(const std::string& id, std::vector<std::string> args = {});
  RunResult undo(const std::string& id, std::vector<std::string> args = {});
  /// Steps of the plan that `VERB ARGS --dry-run` shows; its losses as --accept flags.
  std::vector<std::string> plan_steps(const std::string& verb, const std::vector<std::string>& args,
                                      std::vector<std::string>* accept = nullptr);

  void expect_healthy();
  void expect_equal(int i, int primary = 0);
  /// No operation, no lock, no side directory, no directory aside, no agent at work.
  /// `but`: how the names of files begin that may be there all the same (a slot on a donor that could not be reached is
  /// given back later).
  void expect_nothing_left(const std::string& but = "-");
  std::set<std::string> leftovers(int i) const;
  /// Snapshots of type escrow with this job; each restored whole, and their files named.
  size_t escrows(const std::string& job);
  std::set<std::string> escrow_files(const std::string& job);

  LabGuard lab;
  std::string repository;

 private:
  sql::Target by_socket(int i) const;

  const cluster::Engine engine_;
  const std::string cluster_;
  std::chrono::seconds patience_{30};
  std::vector<sys::Process> agents_;  ///< those we started
};

}  // namespace holdfast::test
