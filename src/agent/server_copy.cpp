// The changes of a server's data that take long: made anew, copied from a donor, swapped in, rewound.
#include <unistd.h>

#include <functional>

#include "agent/copy.h"
#include "agent/dir_users.h"
#include "agent/last_data.h"
#include "agent/server.h"
#include "agent/tree_copy.h"
#include "base/log.h"
#include "engine/postgres/wal_room.h"
#include "position/wal.h"

namespace holdfast::agent {

using codec::Value;
using std::chrono::seconds;

namespace {

/// What stays free beside a copy when the caller does not say: room for the server's own logs.
constexpr uint64_t kReserve = 128 << 20;

/// A long change: told by status(), ended by cancel() and by what the caller brought.
class LongChange {
 public:
  LongChange(const std::string& op, Progress& progress, std::stop_source source, std::stop_token outer)
      : progress_(progress), source_(std::move(source)), chain_(std::move(outer), [this] { source_.request_stop(); }) {
    progress_.begin(op);
  }
  ~LongChange() { progress_.end(); }
  LongChange(const LongChange&) = delete;
  LongChange& operator=(const LongChange&) = delete;
  std::stop_token token() const { return source_.get_token(); }

 private:
  Progress& progress_;
  std::stop_source source_;
  std::stop_callback<std::function<void()>> chain_;
};

/// A donor that is gone for now is asked again at the next occasion; it must not keep this member from another one.
void warn_unless_undone(const MemberConfig& config) {
  auto undone = undo_donor_changes(config, Deadline::in(seconds(5)), {});
  if (!undone) log(LogLevel::warn, "{}: {}", config.member, undone.error().to_string());
}

/// What keeps a directory from being rewound keeps nobody from being copied; only what would stop the copy too is told.
bool may_copy_instead(const Error& error, Deadline deadline, const std::stop_token& stop) {
  if (stop.stop_requested() || deadline.passed() || error.error_class == ErrorClass::interrupted) return false;
  return error.id != "agent.running" && error.id != "agent.lineage" && error.id != "agent.not_empty" &&
         error.id != "agent.timeout";
}

}  // namespace

Result<Value> Server::initialise(const Initialise& what, Deadline deadline, std::stop_token stop) {
  auto lock = TRY(begin());
  std::stop_source source;
  {
    MutexLock guard(mutex_);
    cancel_ = source;
  }
  LongChange change("initialise", progress_, source, std::move(stop));
  auto made = initialise_locked(what, deadline, change.token());
  remove_work_dirs(config());
  return made;
}

Status Server::initialise(From from, const std::string& path, Deadline deadline, std::stop_token stop) {
  TRY(initialise(Initialise{.from = from, .path = path, .donor = {}, .side = false, .reserve = {}}, deadline,
                 std::move(stop)));
  return {};
}

Result<Value> Server::initialise_locked(const Initialise& what, Deadline deadline, std::stop_token stop) {
  if (runs_on(what.side) || (pid() > 0 && !what.side)) return fail(running_error());
  if (pid() < 0) TRY_VOID(finish_swap(config()));
  if (sweeper_.joinable()) sweeper_.join();
  const MemberConfig config = what.side ? side_of(this->config()) : this->config();
  Value result = Value::object();
  switch (what.from) {
    case From::empty:
      TRY_VOID(initialise_empty(config, deadline, stop));
      return result;
    case From::copy: {
      if (!what.donor.empty()) {
        TRY_VOID(copy_stopped_peer(config, what.donor, deadline, stop));
        return result;
      }
      TRY_VOID(check_unused(what.path));
      const uint64_t needed = detail::bytes_on_disk(config, what.path);
      progress_.expect(needed);
      if (what.side) TRY_VOID(check_space(config, needed, what.reserve.value_or(kReserve)));
      TRY_VOID(initialise_copy(config, what.path, deadline, stop));
      return result;
    }
    case From::basebackup:
      TRY_VOID(initialise_basebackup(config, deadline, stop));
      return result;
    case From::donor:
    case From::rewind:
      break;
  }
  warn_unless_undone(config);
  const Donor donor = TRY(find_donor(config, what.donor, deadline, stop));
  const auto begun = std::chrono::steady_clock::now();
  std::string not_rewound;
  if (what.from == From::rewind) {
    auto rewound =
        rewind_beside({config, donor, progress_, deadline, stop, what.rate}, what.reserve.value_or(kReserve));
    if (!rewound && !may_copy_instead(rewound.error(), deadline, stop)) return rewound;
    if (rewound) {
      rewound->set("donor", what.donor);
      rewound->set("path", config.data_dir());
      rewound->set("bytes", detail::bytes_on_disk(config, config.data_dir()));
      rewound->set("seconds", std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
      return rewound;
    }
    not_rewound = rewound.error().to_string();
    log(LogLevel::warn, "{} is not rewound but copied: {}", config.member, not_rewound);
  }
  TRY_VOID(check_space(config, donor.bytes, what.reserve.value_or(kReserve)));
  progress_.expect(donor.bytes);
  TRY_VOID(make_data_dir(config, [&]() -> Status {
    result = TRY(copy_from_donor({config, donor, progress_, deadline, stop, what.rate}));
    return {};
  }));
  result.set("donor", what.donor);
  result.set("path", config.data_dir());
  result.set("bytes", detail::bytes_on_disk(config, config.data_dir()));
  result.set("seconds", std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
  if (!not_rewound.empty()) result.set("notRewound", not_rewound);
  return result;
}

/// The member's own directory is copied and the copy rewound: what goes wrong then costs the copy alone.
Result<Value> Server::rewind_beside(const CopyJob& job, uint64_t reserve) {
  const MemberConfig main = this->config();
  if (job.config.data_name == main.data_name || pid() > 0)
    return fail(ErrorClass::refused, "agent.running", "its server must be stopped, and the copy must be beside",
                "stop it");
  TRY_VOID(check_stopped());
  TRY_VOID(check_startable(main));
  const uint64_t needed = detail::bytes_on_disk(main, main.data_dir());
  TRY_VOID(check_space(job.config, needed, reserve));
  progress_.expect(needed);
  Value result;
  auto made = make_data_dir(job.config, [&]() -> Status {
    result = TRY(copy_rewound(job, main.data_dir()));
    return {};
  });
  if (!made) {
    warn_unless_undone(main);
    return fail(std::move(made).error());
  }
  return result;
}

Result<Value> Server::rewind(const std::string& name, Deadline deadline, std::stop_token stop) {
  auto lock = TRY(begin());
  TRY_VOID(check_stopped());
  const MemberConfig config = this->config();
  TRY_VOID(finish_swap(config));
  TRY_VOID(check_startable(config));
  std::stop_source source;
  {
    MutexLock guard(mutex_);
    cancel_ = source;
  }
  LongChange change("rewind", progress_, source, std::move(stop));
  const Donor donor = TRY(find_donor(config, name, deadline, change.token()));
  return rewind_to_donor({config, donor, progress_, deadline, change.token()});
}

Result<Value> Server::free_wal(const std::string& keep_from, const std::vector<std::string>& drop_slots) {
  auto lock = TRY(begin());
  const MemberConfig config = this->config();
  if (config.engine != cluster::Engine::postgres)
    return fail(ErrorClass::usage, "agent.free_wal", "only a PostgreSQL member has WAL");
  TRY_VOID(check_stopped());
  TRY_VOID(finish_swap(config));
  TRY_VOID(check_startable(config));
  const auto from = TRY(position::Lsn::parse(keep_from));
  const sys::ActAs as_server(server_identity(config));
  const auto freed = TRY(engine::postgres::free_wal(config.data_dir(), from.value, drop_slots));
  log(LogLevel::info, "{}: removed {} WAL segments that are no longer needed", config.member, freed.segments);
  return Value::object({{"segments", freed.segments}, {"bytes", freed.bytes}});
}

Status Server::discard_side() {
  auto lock = TRY(begin());
  if (runs_on(true))
    return fail(ErrorClass::refused, "agent.running", "the server runs on the side directory", "stop it first");
  return discard_side_dir(config());
}

Result<std::string> Server::swap_side() {
  auto lock = TRY(begin());
  if (pid() > 0) return fail(running_error());
  TRY_VOID(finish_swap(config()));
  return swap_in_side(config());
}

Status Server::drop_aside(const std::string& path) {
  auto lock = TRY(begin());
  if (sweeper_.joinable()) sweeper_.join();
  return drop_data_aside(config(), path);
}

void Server::settle_with_donors(const std::stop_token& stop) {
  const MemberConfig config = this->config();
  // Asked first: who waits for a silent donor with the lock keeps everybody else from the member.
  if (!can_undo_donor_changes(config, Deadline::in(seconds(5)), stop)) return;
  const auto lock = begin();
  if (!lock) return;
  auto undone = undo_donor_changes(config, Deadline::in(seconds(5)), stop);
  if (undone)
    log(LogLevel::info, "{}: what its last copy had changed on a donor is undone", config.member);
  else
    log(LogLevel::warn, "{}: {}", config.member, undone.error().to_string());
}

bool Server::cancel() {
  MutexLock guard(mutex_);
  return !progress_.value().is_null() && cancel_.request_stop();
}

Status Server::recover() {
  const MemberConfig config = this->config();
  warn_unless_undone(config);
  for (const char* name : {"copy.cnf", "copy.pgpass", "rewind.pgpass"})
    ::unlink((config.etc_dir() + "/" + name).c_str());
  remove_work_dirs(config);
  sweeper_ = std::jthread([config] { sweep_leftovers(config); });
  if (!remembers_data(config)) note_data(config);
  auto swapped = finish_swap(config);
  if (swapped || swapped.error().id != "agent.in_use") return swapped;
  log(LogLevel::warn, "{}: {}", config.member, swapped.error().to_string());  // each next change completes it first
  return {};
}

}  // namespace holdfast::agent
