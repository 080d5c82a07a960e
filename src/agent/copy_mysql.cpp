// MySQL: CLONE of the running donor. Where both servers run as the same user the donor writes the copy into our
// directory itself (CLONE LOCAL), as fast as files can be copied; otherwise, or where it cannot reach that directory, a
// helper server of our own asks for it over the network (CLONE INSTANCE).
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "agent/binlog_start.h"
#include "agent/copy.h"
#include "agent/data_dir.h"
#include "agent/early_writeback.h"
#include "agent/launch.h"
#include "sys/beneath.h"
#include "sys/file.h"

namespace holdfast::agent::detail {

using codec::Value;
using sql::MariadbConnection;

namespace {

constexpr const char* kCloneLibrary = "mysql_clone.so";
constexpr std::chrono::seconds kLongestSilence{120};  ///< of a donor
/// Before its first byte: it may wait for a statement that changes tables (clone_ddl_timeout, 5 minutes).
constexpr std::chrono::seconds kLongestBeginning{360};
constexpr const char* kCannotReach = "agent.donor_cannot_reach";  ///< never leaves this file

struct DonorFacts {
  std::string version, uuid;
};

Result<bool> has_clone(const CopyJob& job, MariadbConnection& connection) {
  auto rows = TRY(connection.query(
      "SELECT PLUGIN_STATUS AS s FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'clone'", job.deadline, job.stop));
  return rows.text("s") == "ACTIVE";
}

/// Loads the plug-in where it is not loaded; a replica that refuses even us is opened for that statement alone.
Status prepare_donor(const CopyJob& job, DonorFacts& facts) {
  auto connection = TRY(MariadbConnection::connect(job.donor.socket, job.deadline, job.stop));
  auto run = [&](const std::string& statement) { return connection.query(statement, job.deadline, job.stop); };
  auto rows = TRY(run("SELECT @@GLOBAL.version AS v, @@GLOBAL.server_uuid AS u, @@GLOBAL.super_read_only AS r"));
  facts.version = rows.text("v");
  facts.uuid = rows.text("u");
  auto outside = TRY(run("SELECT count(*) AS n FROM information_schema.INNODB_DATAFILES WHERE PATH LIKE '/%'"));
  if (outside.text("n") != "0")
    return fail(ErrorClass::refused, "agent.donor", "the donor keeps tables outside of its data directory",
                "move them inside; a copy would share them with the donor");
  if (TRY(has_clone(job, connection))) return {};
  const bool closed = rows.text("r") == "1";
  TRY_VOID(note_donor_change(job, "clonePlugin", true));
  if (closed) TRY_VOID(note_donor_change(job, "superReadOnly", true));
  TRY(run("SET SESSION sql_log_bin = 0"));
  if (closed) TRY(run("SET GLOBAL super_read_only = OFF"));
  auto installed = run(fmt::format("INSTALL PLUGIN clone SONAME '{}'", kCloneLibrary));
  if (closed) TRY(run("SET GLOBAL super_read_only = ON"));
  if (!installed)
    return fail(ErrorClass::failed, "agent.no_clone",
                "the donor cannot load its clone plug-in: " + installed.error().to_string(),
                fmt::format("install {} beside the donor's server, or seed the member from a backup", kCloneLibrary));
  return {};
}

/// What a server that clones says of it; "" while its own disk alone is waited for.
Result<std::string> clone_progress(const sql::Target& target, Deadline deadline, const std::stop_token& stop) {
  auto connection = TRY(MariadbConnection::connect(target, deadline, stop));
  auto rows = TRY(connection.query(
      "SELECT COUNT(*) AS n, COALESCE(SUM(DATA), 0) AS data, COALESCE(SUM(NETWORK), 0) AS network, "
      "COALESCE(SUM(STATE = 'Completed'), 0) AS done, COALESCE(SUM(STAGE = 'FILE SYNC' AND STATE = 'In Progress'), 0) "
      "AS syncing FROM performance_schema.clone_progress",
      deadline, stop));
  if (rows.text("syncing") != "0") return "";
  return fmt::format("{}/{}/{}/{}", rows.text("n"), rows.text("done"), rows.text("data"), rows.text("network"));
}

/// Requests `silence` once the server at `target` has cloned for long without anything new from its donor: the server
/// itself waits for ever where the network drops what is sent. What it says of bytes it may say at the end of a stage
/// only, so that what has come to `into` counts as well.
void watch_for_silence(const sql::Target& target, const MemberConfig& config, const std::string& into,
                       std::stop_source& silence, const std::stop_token& over) {
  using Clock = std::chrono::steady_clock;
  std::string last;
  auto changed = Clock::now();
  bool begun = false;  // bytes have come
  while (Clock::now() - changed < (begun ? kLongestSilence : kLongestBeginning)) {
    (void)sys::wait_until([] { return false; }, Deadline::in(std::chrono::seconds(2)), over);
    if (over.stop_requested()) return;
    const auto now = clone_progress(target, Deadline::in(std::chrono::seconds(20)), over);
    const uint64_t there = bytes_on_disk(config, into);
    begun = begun || there > uint64_t{1} << 20;
    const std::string seen = now && !now->empty() ? fmt::format("{}/{}", *now, there) : "";
    if (!seen.empty() && seen == last) continue;
    last = seen;
    changed = Clock::now();  // also where it cannot be asked: then it is not known to be silent
  }
  silence.request_stop();
}

/// `into` must be inside the data directory of the helper's user.
Status clone_over_network(const CopyJob& job, const std::string& into) {
  MemberConfig helper = job.config;
  helper.data_name = kHelperName;
  helper.work = "helper";
  (void)sys::remove_tree(helper.data_dir());
  const MemberConfig& donor = job.donor.config;
  job.progress.step("helper");
  TRY_VOID(make_data_dir(helper, [&] { return initialise_mysql(helper, job.deadline, job.stop); }));
  auto cloned = with_private_server(job, helper, Afterwards::kill, [&](MariadbConnection& connection) -> Status {
    auto run = [&](const std::string& statement) { return connection.query(statement, job.deadline, job.stop); };
    if (!TRY(has_clone(job, connection))) {
      auto installed = run(fmt::format("INSTALL PLUGIN clone SONAME '{}'", kCloneLibrary));
      if (!installed)
        return fail(ErrorClass::failed, "agent.no_clone",
                    "this MySQL has no clone plug-in: " + installed.error().to_string(),
                    fmt::format("install {}, or seed the member from a backup", kCloneLibrary));
    }
    job.progress.step("copy");
    if (job.rate > 0)
      TRY(run(fmt::format("SET GLOBAL clone_max_data_bandwidth = {}", std::max<uint64_t>(1, job.rate >> 20))));
    TRY(run(fmt::format("SET GLOBAL clone_valid_donor_list = '{}:{}'", donor.host, donor.port)));
    Secret statement(fmt::format("CLONE INSTANCE FROM {}@{}:{} IDENTIFIED BY ", sql::quote_mysql(job.donor.socket.user),
                                 sql::quote_mysql(donor.host), donor.port));
    statement.append(sql::quote_mysql(job.donor.socket.password)).append(" DATA DIRECTORY = " + sql::quote_mysql(into));
    std::stop_source end;  // of the statement
    const std::stop_callback on_stop(job.stop, [&end] { end.request_stop(); });
    const sql::Target target = TRY(admin_target(helper));
    std::jthread watch([&](const std::stop_token& over) { watch_for_silence(target, job.config, into, end, over); });
    auto done = connection.query(statement.reveal(), job.deadline, end.get_token());
    if (done) return {};
    if (job.stop.stop_requested()) return fail(ErrorClass::interrupted, "agent.cancelled", "stopped on request");
    if (end.stop_requested())
      return fail(ErrorClass::unavailable, "agent.timeout", donor.member + " has sent nothing of its clone for minutes",
                  "see that the donor and the network work, then run the command again");
    return fail(ErrorClass::failed, "agent.copy", "CLONE INSTANCE failed: " + done.error().to_string(),
                "the helper's log is " + helper.log_file());
  });
  (void)sys::remove_tree(helper.data_dir());
  return cloned;
}

/// kCannotReach when the donor cannot make that directory: nothing was copied then.
Status clone_locally(const CopyJob& job, const std::string& into) {
  const std::string statement = "CLONE LOCAL DATA DIRECTORY = " + sql::quote_mysql(into);
  TRY_VOID(note_donor_change(job, "cloneStatement", statement));  // it goes on when we die
  auto connection = TRY(MariadbConnection::connect(job.donor.socket, job.deadline, job.stop));
  job.progress.step("copy");
  const auto pid = read_as_server(job.donor.config, job.donor.config.pid_file());
  if (pid) job.progress.watch(std::atoi(pid->c_str()));
  auto done = connection.query(statement, job.deadline, job.stop);
  job.progress.watch(0);
  if (done) return {};
  if (job.stop.stop_requested()) return fail(ErrorClass::interrupted, "agent.cancelled", "stopped on request");
  if (done.error().message.find("[1006]") != std::string::npos)  // ER_CANT_CREATE_DB
    return fail(ErrorClass::unavailable, kCannotReach, done.error().message);
  return fail(ErrorClass::failed, "agent.copy", "CLONE LOCAL failed: " + done.error().to_string(),
              "the donor's log is " + job.donor.config.log_file());
}

Status check_clone(const MemberConfig& c, const std::string& path) {
  const sys::Fd fd = TRY(sys::open_last_directory(path));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail(sys::errno_error(errno, "stat " + path));
  if (!server_identity(c) || info.st_uid == c.uid) return {};
  return fail(ErrorClass::refused, "sys.foreign_file",
              fmt::format("{} belongs to user {}, not to the server's", path, info.st_uid));
}

/// By which way it came.
Result<std::string> clone_into(const CopyJob& job, const std::string& into) {
  // A local clone knows no rate but one for all of the donor's clones.
  if (!job.donor.remote && job.donor.config.uid == job.config.uid && job.rate == 0) {
    auto cloned = clone_locally(job, into);
    if (cloned) return "files";
    if (cloned.error().id != kCannotReach) return fail(std::move(cloned).error());
  }
  TRY_VOID(clone_over_network(job, into));
  return "network";
}

}  // namespace

Result<Value> copy_mysql(const CopyJob& job) {
  const MemberConfig& c = job.config;
  DonorFacts facts;
  TRY_VOID(prepare_donor(job, facts));
  // The server makes the clone's directory itself, and may do so only inside one that is its own.
  const std::string inside = c.data_dir() + "/clone", beside = c.data_dir() + ".clone";
  {
    const sys::ActAs as_owner(beside_identity(c));
    TRY_VOID(sys::remove_tree(beside));
  }
  const std::string way = TRY([&] {
    const EarlyWriteback writeback(inside, server_identity(c));
    return clone_into(job, inside);
  }());
  // The server's user may have put anything there: out of its reach first, then looked at, then taken.
  {
    const sys::ActAs as_owner(beside_identity(c));
    if (::rename(inside.c_str(), beside.c_str()) != 0) return fail(sys::errno_error(errno, "rename " + inside));
    TRY_VOID(check_clone(c, beside));
    if (::rename(beside.c_str(), c.data_dir().c_str()) != 0) return fail(sys::errno_error(errno, "rename " + beside));
  }
  TRY_VOID(make_server_dir(c, c.data_dir(), 0700));
  job.progress.step("position");
  MemberConfig clone = c;
  clone.work = "prepare";
  Value result = Value::object({{"method", "clone"}, {"way", way}, {"lineage", facts.uuid}});
  std::string log;  // its first one; "" = it has none
  // Killed, not stopped: what it has committed is durable, and its shutdown would take longer than its next recovery.
  TRY_VOID(with_private_server(job, clone, Afterwards::kill, [&](MariadbConnection& connection) -> Status {
    auto run = [&](const char* statement) { return connection.query(statement, job.deadline, job.stop); };
    // A replica's clone knows the donor's source and relay logs: the new member is told its own.
    if (!TRY(run("SHOW REPLICA STATUS")).empty()) TRY(run("RESET REPLICA ALL"));
    auto rows =
        TRY(run("SELECT @@GLOBAL.gtid_executed AS g, @@GLOBAL.server_uuid AS u, IF(@@GLOBAL.log_bin, "
                "@@GLOBAL.log_bin_basename, '') AS b"));
    if (const std::string base = rows.text("b"); !base.empty()) log = base + ".000001";
    std::string position = rows.text("g");
    std::erase(position, '\n');
    result.set("position", position);
    result.set("serverUuid", rows.text("u"));
    if (rows.text("u") != facts.uuid) return {};
    return fail(ErrorClass::failed, "agent.copy", "the clone has the server uuid of its donor");
  }));
  // A position it cannot read is one it cannot write either: then the copy is as the server made it.
  // One outside of its data is the server's that runs there now.
  const bool among_data = log.starts_with(c.data_dir() + "/");
  if (auto executed = position::GtidSet::parse(result["position"].text()); executed && among_data)
    TRY([&] {
      const sys::ActAs as_server(server_identity(c));
      return begin_binlog_behind(log, *executed);
    }());
  return result;
}

}  // namespace holdfast::agent::detail
