// One database server under supervision: initialised, started, watched through its pidfd, stopped, moved aside.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "agent/config.h"
#include "agent/data_dir.h"
#include "agent/launch.h"
#include "agent/progress.h"
#include "agent/running_server.h"
#include "base/deadline.h"
#include "base/mutex.h"
#include "cluster/facts.h"
#include "codec/value.h"

namespace holdfast::agent {

struct CopyJob;

enum class ServerState { stopped, starting, running, stopping, failed };
std::string_view server_state_name(ServerState state);
/// "agent.running": what is asked needs a server that stands still.
Error running_error();
/// remember_data(); what cannot be noted is a warning in the agent's log.
void note_data(const MemberConfig& config);

enum class StopMode {
  fast,       ///< an orderly shutdown, clients are not waited for
  immediate,  ///< SIGKILL: the next start recovers from the logs
};

/// Thread-safe. Requests that change the server (start, stop, initialise, ...) exclude each other: a second one is
/// refused with "agent.busy" (conflict) instead of waiting. status() never waits for them.
class Server {
 public:
  explicit Server(MemberConfig config);
  ~Server();  ///< kills a server that still runs, or leaves it where it survives its agent

  /// Where servers survive their agents, once, before all else: takes over the member's server if one runs and is
  /// proven to be that (find_running). True when one was adopted.
  bool adopt();
  /// Until an adopted server that was starting answers, or one whose stop was cut off and never reached it; true when
  /// it serves its clients. False when it is stopped or ends before, and on `stop`.
  bool await_adopted(const std::stop_token& stop);

  /// Spawns the server and waits until it serves; on failure the server is stopped and the end of its log is in the
  /// error.
  Status start(const LaunchOptions& options, Deadline deadline, std::stop_token stop = {});
  /// Fine when it does not run. In fast mode SIGKILL follows when the deadline passes.
  Status stop(StopMode mode, Deadline deadline, std::stop_token stop = {});
  Status restart(const LaunchOptions& options, Deadline deadline, std::stop_token stop = {});

  /// Processes of the server that a signal has stopped go on (SIGCONT); waits until it serves. Returns how many were
  /// stopped. "agent.not_running" when there is none, or it ends; "agent.not_ready" when it does not answer in time.
  Result<int> continue_stopped(Deadline deadline, std::stop_token stop = {});

  enum class From { empty, copy, basebackup, donor, rewind };
  struct Initialise {
    From from = From::empty;
    std::string path, donor;          ///< a stopped server's data directory; a member: stopped for copy, else running
    bool side = false;                ///< the side directory; a server on the other one may go on
    uint64_t rate = 0;                ///< of a copy of a donor: bytes a second; 0 = as fast as it goes
    std::optional<uint64_t> reserve;  ///< bytes that must stay free on the volume
  };
  /// What a copy of a donor is a copy of (position, lineage, ...), see agent.h.
  Result<codec::Value> initialise(const Initialise& what, Deadline deadline, std::stop_token stop = {});
  Status initialise(From from, const std::string& path, Deadline deadline, std::stop_token stop = {});
  /// See agent/data_dir.h. A side directory that a server runs on is refused ("agent.running").
  Status discard_side();
  Result<std::string> swap_side();
  Status drop_aside(const std::string& path);
  /// What copies that were cut off left changed on their donors is undone, once these answer again. Nothing while a
  /// change is under way: that may be a copy.
  void settle_with_donors(const std::stop_token& stop);
  /// PostgreSQL, server stopped: pg_rewind onto a running member; {rewound, fromTimeline, toTimeline}.
  Result<codec::Value> rewind(const std::string& donor, Deadline deadline, std::stop_token stop = {});
  /// PostgreSQL, server stopped: see agent.h.
  Result<codec::Value> free_wal(const std::string& keep_from, const std::vector<std::string>& drop_slots);
  /// Ends a copy or rewind that is under way; false when there is none.
  bool cancel();
  /// Once, when an agent starts: completes a swap, gives a donor back what a crash left changed there, removes
  /// left-overs.
  Status recover();
  /// Renames the data directory of a stopped server to "<dataDir>.replaced-<UTC time>"; returns the new path, or an
  /// empty one when there was none.
  Result<std::string> set_aside();
  /// The reverse: puts a directory that set_aside() returned back as the data directory (which must not exist, or is
  /// set aside).
  Status put_back(const std::string& aside);
  /// Galera: what `mariadbd --wsrep-recover` says of a stopped server: "uuid:seqno". It runs InnoDB's crash recovery:
  /// log files and data pages change as at any start; grastate.dat and galera.cache do not. Remembered, see
  /// recovered().
  Result<std::string> recover_position(Deadline deadline, std::stop_token stop = {});
  /// Galera: the position of a stopped server: what grastate.dat says, or what recover_position() finds after a crash.
  Result<std::string> galera_position(Deadline deadline, std::stop_token stop = {});

  /// Galera, server stopped: whether grastate.dat says safe_to_bootstrap, after setting it when asked to.
  Result<bool> safe_to_bootstrap(std::optional<bool> set);

  struct Recovered {
    std::string position;
    std::chrono::steady_clock::time_point at;
  };
  /// What recover_position() last found, while it still holds: no server ran since, and InnoDB's log and system files
  /// and grastate.dat are the ones it left. Never waits.
  std::optional<Recovered> recovered() const;

  /// Changes the configuration (role, upstream, ports, peers); takes effect at the next start.
  Status reconfigure(const codec::Value& changes);

  MemberConfig config() const;
  /// The same while the server serves its clients on its own data directory.
  std::optional<MemberConfig> serving() const;
  /// state, pid, adopted, mode, startedAt, lastExit, initialised, argv, env...: the "server" part of the agent's
  /// status.
  codec::Value status() const;
  pid_t pid() const;
  /// Processes that use its data directories outside this agent; the one its own server runs on is that server's.
  std::vector<cluster::OutsideProcess> outside() const;

 private:
  Result<std::unique_lock<std::mutex>> begin();
  Status start_until_stopped(const LaunchOptions& options, Deadline deadline, std::stop_token stop);
  Status start_locked(const LaunchOptions& options, Deadline deadline, std::stop_token stop);
  /// Of a server whose unit starts it (server_unit.cpp).
  Status start_by_unit(const MemberConfig& config, const LaunchOptions& options, Deadline deadline,
                       const std::stop_token& stop);
  Status stop_by_unit(const MemberConfig& config, StopMode mode, Deadline deadline, const std::stop_token& stop);
  /// Waits for a server that its unit starts without us (at boot, after a crash, by hand), and makes it ours; its
  /// pidfd, or none on `stop`.
  sys::Fd look_for_unit(const std::stop_token& stop);
  /// That, and what becomes of it, again and again.
  void watch_unit(const std::stop_token& stop);
  /// One that its unit has started, to its end; false when it is left running.
  bool watch_taken(int pidfd, const std::stop_token& stop);
  /// Begins to, where the server has a unit and nothing is watched.
  void await_unit();
  bool adopt_running();
  MemberConfig config_now() const REQUIRES(mutex_);
  /// A running server becomes ours.
  void take(const RunningServer& found, const MemberConfig& config) REQUIRES(mutex_);
  /// Ends the thread that watches what has ended.
  void leave_watch();
  /// Ends a start that waits for its server; true when there is one.
  bool give_start_up();
  Status stop_locked(StopMode mode, Deadline deadline, std::stop_token stop);
  Result<std::string> set_aside_locked();
  Result<std::string> recover_locked(const MemberConfig& config, Deadline deadline, std::stop_token stop);
  Result<std::string> galera_position_locked(const MemberConfig& config, Deadline deadline, std::stop_token stop);
  Result<codec::Value> initialise_locked(const Initialise& what, Deadline deadline, std::stop_token stop);
  Result<codec::Value> rewind_beside(const CopyJob& job, uint64_t reserve);
  bool runs_on(bool side) const;
  /// "agent.running" while our server runs, "agent.in_use" while another process uses its data directory.
  Status check_stopped() const;
  /// Whether there is a server, and none that was killed a moment ago: its process lives until the kernel is done with
  /// it, which is waited for. One that neither answers within two seconds nor is ending runs.
  Result<bool> still_runs(const MemberConfig& config, Deadline deadline, const std::stop_token& stop) const;
  /// Until an adopted server is neither starting nor ending any more; fine with a child. "agent.stopping"
  /// (unavailable) when one does not end by the deadline.
  Status settle(Deadline deadline, const std::stop_token& stop);
  ServerState state() const;
  void watch(int pidfd, const std::stop_token& stop);
  void note_end();
  std::string log_tail() const;

  std::mutex changing_;  ///< held through one whole change
  mutable Mutex mutex_;
  MemberConfig config_ GUARDED_BY(mutex_);
  ServerState state_ GUARDED_BY(mutex_) = ServerState::stopped;
  ServerProcess process_ GUARDED_BY(mutex_);
  bool by_unit_ GUARDED_BY(mutex_) = false;       ///< what runs was started by its unit
  bool apart_ GUARDED_BY(mutex_) = false;         ///< an existing server that was last started by an agent
  bool cut_off_stop_ GUARDED_BY(mutex_) = false;  ///< `stopping` by the note of an agent before us: it may serve on
  LaunchOptions options_ GUARDED_BY(mutex_);
  sys::Command command_ GUARDED_BY(mutex_);
  std::optional<Recovered> recovered_ GUARDED_BY(mutex_);
  std::string recovered_files_ GUARDED_BY(mutex_);  ///< what they were then
  std::string started_at_ GUARDED_BY(mutex_), last_exit_ GUARDED_BY(mutex_), last_exit_at_ GUARDED_BY(mutex_);
  std::stop_source cancel_ GUARDED_BY(mutex_){std::nostopstate};  ///< of the long change under way
  std::stop_source start_ GUARDED_BY(mutex_){std::nostopstate};   ///< of the start under way
  Progress progress_;
  std::jthread watcher_, sweeper_;
};

}  // namespace holdfast::agent
