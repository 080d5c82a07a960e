// The unit of systemd that a server belongs to: asked for, started and stopped with systemctl, whose commands and
// output for programs (show -p) are stable. Thread-safe.
#pragma once

#include <sys/types.h>

#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "sys/process.h"

namespace holdfast::agent {

struct UnitState {
  std::string load;                   ///< "loaded"; "not-found", "masked": it cannot be started
  std::string active;                 ///< "active", "activating", "deactivating", "inactive", "failed"
  std::string result;                 ///< of its last run: "success", "exit-code", "signal", ...
  pid_t main_pid = 0;                 ///< 0 = none
  pid_t ended_pid = 0;                ///< the last main process that has ended; 0 = none, or the next one runs
  sys::ExitStatus ended;              ///< how
  std::vector<std::string> triggers;  ///< units that start it when somebody connects (sockets)

  bool is_loaded() const { return load == "loaded"; }
  /// Nothing of it runs, and nothing is about to.
  bool is_down() const { return active == "inactive" || active == "failed"; }
};

/// "agent.unit" (unavailable) where systemd does not answer.
Result<UnitState> unit_state(const std::string& unit, Deadline deadline, std::stop_token stop = {});
/// How it starts its server, as `systemctl show` says it: ExecStart and Environment. "agent.unit" as above.
Result<std::string> unit_start(const std::string& unit, Deadline deadline, std::stop_token stop = {});
/// Asks for its start, or its stop; does not wait for it. "agent.unit" (failed) with what systemd says when it refuses.
/// `triggers` with it, in the right order: a socket would start a stopped service again with the next client.
Status start_unit(const std::string& unit, const std::vector<std::string>& triggers, Deadline deadline,
                  std::stop_token stop = {});
Status stop_unit(const std::string& unit, const std::vector<std::string>& triggers, Deadline deadline,
                 std::stop_token stop = {});
/// Started at each boot, and now, again where it runs already; the reverse. Both are waited for.
Status enable_unit(const std::string& unit, Deadline deadline, std::stop_token stop = {});
Status disable_unit(const std::string& unit, Deadline deadline, std::stop_token stop = {});
/// Has systemd read its units again: a file beside one counts from then on. What runs runs on.
Status reload_units(Deadline deadline, std::stop_token stop = {});
/// SIGKILL to all its processes.
Status kill_unit(const std::string& unit, Deadline deadline);
/// The last lines of its journal; "" when they cannot be read.
std::string unit_log(const std::string& unit, int lines);

/// What its journal has behind `cursor`, a message a line; "" = the last of it. Bounded: of a unit that says much the
/// rest comes with the next question.
struct JournalPart {
  std::string text;
  std::string cursor;  ///< to go on from
};
/// An empty text where nothing is new, and where it cannot be read.
JournalPart unit_journal(const std::string& unit, const std::string& cursor, Deadline deadline);

/// The service a process runs in, by its control group ("postgresql@15-main.service"); "" when it runs in none.
/// Source: /proc/PID/cgroup, of both versions.
std::string unit_of(pid_t pid);
/// The same of the text of such a file.
std::string unit_in(std::string_view cgroups);

}  // namespace holdfast::agent
