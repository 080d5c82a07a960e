// A lab cluster that things are done to: broken in named ways, looked at by triage, and put back as it was.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "codec/value.h"
#include "lab/content.h"
#include "tests/support/lab_guard.h"

namespace holdfast::test {

class Patient {
 public:
  Patient(LabGuard& lab, std::string cluster);
  ~Patient();

  /// Brings the cluster up, fills it, keeps a copy of every member's directory, and starts a writer. False (and a
  /// failed test) when that does not work.
  /// `hosts`: members on so many hosts; 0 = all on this machine.
  bool prepare(int hosts = 0);
  /// Everything as it was after prepare(), whatever has happened since.
  void restore();
  void start_writer();
  void stop_writer();

  int size() const { return size_; }
  std::string name(int i) const { return cluster_ + "-" + std::to_string(i); }
  const std::string& cluster() const { return cluster_; }
  bool is_postgres() const { return cluster_ == "shop-postgres"; }
  bool is_galera() const { return cluster_ == "shop-galera"; }
  std::string dir(int i) const { return lab_.state_dir() + "/lab/" + cluster_ + "/" + name(i); }
  std::string data(int i) const { return dir(i) + "/data"; }
  int port(int i) const;
  std::string host(int i) const;  ///< its address
  /// Of its host, for Command::net_namespace; none on this machine.
  sys::Fd host_namespace(int i) const;
  LabGuard& lab() { return lab_; }
  /// Where repairs keep copies; made by prepare().
  const std::string& repository() const { return repository_; }
  lab::Content content(int i) const;
  /// Ids of rows the writer was told are committed, and that this member does not have.
  std::vector<std::string> acknowledged_rows_missing(int i);

  /// Runs statements, one after another in one session on the member's socket; a failure fails the test. Returns the
  /// first column of the last row there was.
  std::string sql(int i, const std::vector<std::string>& statements, const std::string& database = {});
  /// The first row's value of a column by its name, for statements such as SHOW REPLICA STATUS.
  std::string field(int i, const std::string& statement, const std::string& column);
  /// All rows of one statement, a line each, columns parted by a tab.
  std::string table(int i, const std::string& statement, const std::string& database = {});
  /// Runs statements in a session that stays open, and keeps its locks, for as long as what is returned lives.
  std::shared_ptr<void> hold(int i, const std::vector<std::string>& statements);
  /// The same as sql() for a statement that may fail or never end: nothing is checked.
  std::string try_sql(int i, const std::vector<std::string>& statements, std::chrono::milliseconds limit,
                      const std::string& database = {});
  /// Asks the member's agent; a failure fails the test unless `may_fail`, and is {error: {id, message}} then.
  codec::Value agent(int i, const std::string& op, codec::Value arguments = codec::Value::object(),
                     bool may_fail = false);
  void stop(int i);  ///< an orderly shutdown
  void kill(int i);  ///< SIGKILL, as a crash: the agent sees its server die
  void freeze(int i);
  void thaw(int i);
  void start(int i) { agent(i, "start"); }
  /// Asks for a start, and does not wait for what comes of it.
  void start_unheard(int i, const std::vector<std::string>& extra_args = {});
  /// A start that is expected to fail.
  void start_in_vain(int i) { agent(i, "start", codec::Value::object({{"timeoutSeconds", 50}}), true); }
  void kill_agent(int i);
  /// Stops the member's server, and starts it as an administrator does by hand: the same program with the same
  /// arguments, of which its agent knows nothing. Returns its pid once it answers.
  pid_t start_outside(int i);
  /// Ends it in order, and waits for that.
  void stop_outside(int i);
  void lab_break(const std::string& kind, int i);
  void lab_heal(int i);

  struct Look {
    int exit_code = -1;
    codec::Value data;  ///< of `triage -o json`, found to be as its schema says
    std::string text;   ///< the whole document
    double seconds = 0;
  };
  Look triage(const std::vector<std::string>& more = {});
  /// `lab up`: agents and servers that are gone come back. False (and a failed test) when they do not.
  bool bring_up();

 private:
  codec::Value config(int i) const;
  std::string journal() const { return lab_.state_dir() + "/lab/" + cluster_ + "/acknowledged.journal"; }

  LabGuard& lab_;
  std::string cluster_;
  std::string repository_;
  int size_ = 0, hosts_ = 0;
  std::optional<sys::Process> writer_;
  std::vector<std::jthread> unheard_;
  std::map<int, sys::Process> outside_;
};

/// Copies, removes, truncates and overwrites; each fails the test when it cannot.
void copy_tree(const std::string& from, const std::string& to);
void remove_tree(const std::string& path);
/// Overwrites `length` bytes at `offset` with what no page looks like, or with zeros.
void spoil(const std::string& path, uint64_t offset, uint64_t length, char by = '\xa5');
/// The file's text, or "" and a failed test.
std::string text_of(const std::string& path);
/// Writes the text into the file that is there already: owner and mode stay.
void rewrite(const std::string& path, const std::string& text);
/// Waits for a condition; a failed test when it does not come.
void await(const std::string& what, const std::function<bool()>& done, std::chrono::seconds limit);

}  // namespace holdfast::test
