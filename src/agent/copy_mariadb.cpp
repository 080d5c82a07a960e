// MariaDB and Galera: mariadb-backup of the running donor, written into the directory and prepared there. On one
// machine not as a stream: mbstream unpacks it at 600 MB/s, and the backup waits for it. From another host it comes as
// one (agent/peer_copy).
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "agent/copy.h"
#include "agent/early_writeback.h"
#include "agent/gtid_state.h"
#include "agent/launch.h"
#include "agent/peer_copy.h"
#include "agent/rate_limit.h"
#include "engine/private_files.h"
#include "engine/programs.h"
#include "position/gtid_vector.h"
#include "sys/beneath.h"
#include "sys/file.h"

namespace holdfast::agent::detail {

namespace fs = std::filesystem;
using cluster::Engine;
using codec::Value;
using position::GtidState;
using position::GtidVector;

namespace {

/// The first of these files that is there; newer versions of mariadb-backup renamed them.
Result<std::string> info_file(const MemberConfig& c, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (auto text = read_as_server(c, c.data_dir() + "/" + name)) return text;
  return fail(ErrorClass::failed, "agent.copy", fmt::format("mariadb-backup left no {}", *names.begin()));
}

/// As a stream through our hands. The program's own --throttle counts pieces, of which each small file is one.
Status at_rate(const CopyJob& job, sys::Command backup, const std::string& scratch) {
  const MemberConfig& c = job.config;
  const std::string log_path = c.dir + "/log/copy.log";
  const sys::Fd log = TRY(open_log(c, log_path));
  const off_t log_start = ::lseek(log.get(), 0, SEEK_END);
  for (auto& argument : backup.argv)
    if (argument.starts_with("--target-dir=")) argument = "--target-dir=" + scratch;
  backup.argv.emplace_back("--stream=mbstream");
  backup.in = sys::Stdio::null();
  backup.out = sys::Stdio::pipe();
  backup.err = sys::Stdio::to(log.get());
  TRY_VOID(make_server_dir(c, c.data_dir(), 0700));
  auto unpack = base_command(c, {TRY(engine::find_program(Engine::mariadb, "mbstream")), "-x", "-C", c.data_dir()});
  unpack.in = sys::Stdio::pipe();
  unpack.out = unpack.err = sys::Stdio::to(log.get());
  unpack.umask = 0077;
  auto reading = TRY(sys::spawn(backup)), writing = TRY(sys::spawn(unpack));  // killed with these objects
  const sys::Fd from = reading.take_stdout();
  sys::Fd to = writing.take_stdin();
  sys::widen_pipe(from.get());
  sys::widen_pipe(to.get());
  job.progress.watch(writing.pid());
  RateLimit limit(job.rate);
  Buffer bytes(1 << 20);
  Status moved;
  for (ssize_t n = 1; moved && n > 0;) {
    const auto ready = sys::wait_fd(from.get(), POLLIN, job.deadline, job.stop);
    if (!ready || !*ready) {
      job.progress.watch(0);
      if (job.stop.stop_requested()) return fail(ErrorClass::interrupted, "agent.cancelled", "stopped on request");
      return fail(ErrorClass::unavailable, "agent.timeout", "mariadb-backup took too long and was killed");
    }
    n = ::read(from.get(), bytes.data(), bytes.size());
    if (n <= 0) break;
    limit.passed(static_cast<size_t>(n), job.stop);
    moved = sys::write_all(to.get(), ByteSpan(bytes).first(static_cast<size_t>(n)));
  }
  to.reset();
  const auto read = TRY(reading.wait(job.deadline, job.stop)), written = TRY(writing.wait(job.deadline, job.stop));
  job.progress.watch(0);
  if (read.ok() && written.ok() && moved) return {};
  return fail(ErrorClass::failed, "agent.copy",
              fmt::format("mariadb-backup ended with {}, mbstream with {}: {}", read.to_string(), written.to_string(),
                          tail_as_server(c, log_path, 1200, log_start)),
              "the whole log is " + log_path);
}

/// As the donor's user, who may read what is there; what it wrote is the member's afterwards.
Status copy(const CopyJob& job) {
  const MemberConfig& c = job.config;
  const MemberConfig& donor = job.donor.config;
  auto secret =
      TRY(SecretFile::create(c, donor, "copy.cnf", TRY(engine::mysql_option_file(c.engine, job.donor.socket))));
  MemberConfig writer = donor;
  writer.dir = c.dir;
  if (writer.uid == c.uid) writer.gid = c.gid;
  const std::string scratch = c.dir + "/tmp.copy";
  (void)sys::remove_tree(scratch);
  TRY_VOID(make_server_dir(writer, scratch, 0700));
  if (job.rate == 0) TRY_VOID(make_server_dir(writer, c.data_dir(), 0700));
  auto backup =
      base_command(writer, {TRY(engine::find_program(Engine::mariadb, "mariadb-backup")),
                            "--defaults-file=" + secret.path(), "--backup", copy_threads(), kThroughPageCache,
                            "--datadir=" + job.donor.data_dir, "--target-dir=" + c.data_dir(), "--tmpdir=" + scratch});
  if (c.engine == Engine::galera) backup.argv.push_back("--galera-info");
  if (job.rate > 0) {
    auto streamed = at_rate(job, std::move(backup), scratch);
    (void)sys::remove_tree(scratch);
    return streamed;
  }
  auto done = run_logged(job, std::move(backup));
  (void)sys::remove_tree(scratch);
  TRY_VOID(std::move(done));
  if (!server_identity(c)) return {};
  return sys::give_tree(c.data_dir(), donor.uid, c.uid, c.gid);
}

Status prepare(const CopyJob& job) {
  const MemberConfig& c = job.config;
  return run_logged(job, base_command(c, {TRY(engine::find_program(Engine::mariadb, "mariadb-backup")), "--no-defaults",
                                          "--prepare", "--use-memory=256M", kThroughPageCache,
                                          "--tmpdir=" + c.tmp_dir(), "--target-dir=" + c.data_dir()}));
}

/// Gives the copy the binary log state the donor had at `at`. It has no binary log yet, so the state may be set;
/// nothing that ever served is reset.
Status set_position(const CopyJob& job, const GtidState& state, const GtidVector& at) {
  MemberConfig c = job.config;
  c.work = "prepare";
  return with_private_server(job, c, Afterwards::stop, [&](sql::MariadbConnection& connection) -> Status {
    auto run = [&](const std::string& statement) { return connection.query(statement, job.deadline, job.stop); };
    TRY(run(fmt::format("SET GLOBAL gtid_binlog_state = '{}'", state.to_string())));
    TRY(run(fmt::format("SET GLOBAL gtid_slave_pos = '{}'", at.to_string())));
    auto now = TRY(run("SELECT @@GLOBAL.gtid_binlog_state AS state, @@GLOBAL.gtid_current_pos AS current"));
    auto state_now = TRY(GtidState::parse(now.text("state")));
    auto current = TRY(GtidVector::parse(now.text("current")));
    if (state_now == state && current == at) return {};
    return fail(ErrorClass::failed, "agent.copy",
                fmt::format("the copy is at {} with binary log state {}, not at {} with {}", current.to_string(),
                            state_now.to_string(), at.to_string(), state.to_string()));
  });
}

}  // namespace

Result<Value> copy_mariadb(const CopyJob& job) {
  const MemberConfig& c = job.config;
  auto state_of_donor = [&]() -> Result<GtidState> {
    auto connection = TRY(sql::MariadbConnection::connect(job.donor.socket, job.deadline, job.stop));
    auto rows = TRY(connection.query("SELECT @@GLOBAL.gtid_binlog_state AS s", job.deadline, job.stop));
    return GtidState::parse(rows.text("s"));
  };
  const GtidState before = TRY(state_of_donor());
  job.progress.step("copy");
  {
    const EarlyWriteback writeback(c.data_dir(), server_identity(c));
    TRY_VOID(job.donor.remote ? take_backup(job) : copy(job));
  }
  const GtidState after = TRY(state_of_donor().context("the donor, after the copy"));
  job.progress.step("prepare");
  TRY_VOID(prepare(job));
  Value result = Value::object({{"method", "mariadb-backup"}});
  auto noted = info_file(c, {"mariadb_backup_binlog_info", "xtrabackup_binlog_info"});
  // A node needs no binary log, and without one there is no such note.
  if (!noted && c.engine != Engine::galera) return fail(std::move(noted).error());
  const std::string log_position = noted.value_or("");
  std::string gtid = log_position.substr(std::min(log_position.size(), log_position.rfind('\t') + 1));
  std::erase_if(gtid, [](char ch) { return ch == '\n'; });
  const GtidVector at = TRY(GtidVector::parse(gtid).context("the position of the copy"));
  if (c.engine == Engine::galera) {
    const std::string text = TRY(info_file(c, {"mariadb_backup_galera_info", "xtrabackup_galera_info"}));
    const std::string where = text.substr(0, text.find_first_of(" \n"));
    const auto colon = where.find(':');
    if (colon == std::string::npos || where.size() == colon + 1)
      return fail(ErrorClass::failed, "agent.copy", "mariadb-backup printed no Galera position: " + text);
    Grastate state;
    state.uuid = where.substr(0, colon);
    state.seqno = std::strtoll(where.c_str() + colon + 1, nullptr, 10);
    TRY_VOID(write_grastate(c, state));
    result.set("position", where);
    result.set("lineage", state.uuid);
    result.set("gtid", at.to_string());
  } else {
    const GtidState state = binlog_state_at(before, after, at);
    job.progress.step("position");
    TRY_VOID(set_position(job, state, at));
    result.set("position", at.to_string());
    result.set("binlogState", state.to_string());
  }
  remove_files(c, {"backup-my.cnf", "xtrabackup_info", "xtrabackup_checkpoints", "xtrabackup_binlog_info",
                   "xtrabackup_galera_info", "xtrabackup_slave_info", "mariadb_backup_info",
                   "mariadb_backup_checkpoints", "mariadb_backup_binlog_info", "mariadb_backup_galera_info",
                   "mariadb_backup_slave_info", "xtrabackup_binlog_pos_innodb", "xtrabackup_logfile"});
  return result;
}

}  // namespace holdfast::agent::detail
