// PostgreSQL: a base backup of a running member (leader or standby), verified against its manifest.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "agent/copy.h"
#include "agent/early_writeback.h"
#include "agent/launch.h"
#include "agent/peer_copy.h"
#include "agent/wal_dir.h"
#include "sql/postgres.h"
#include "sys/file.h"

namespace holdfast::agent::detail {

namespace fs = std::filesystem;
using codec::Value;
using sql::PostgresConnection;

namespace {

std::string tool(const MemberConfig& c, const char* name) {
  return (fs::path(c.server_program).parent_path() / name).string();
}

/// What the manifest says the copy needs to become consistent: {timeline, start, end}.
struct WalRange {
  std::string timeline, start, end;
};

Result<std::vector<WalRange>> wal_ranges(const MemberConfig& c) {
  const std::string manifest_path = c.data_dir() + "/backup_manifest";
  const std::string text = TRY(read_as_server(c, manifest_path, size_t{1} << 32));
  // The list stands near the end of a file that can be big.
  const std::string_view all = text;
  const auto at = all.rfind("\"WAL-Ranges\"");
  const auto open = at == all.npos ? at : all.find('[', at);
  const auto close = open == all.npos ? open : all.find(']', open);
  if (close == all.npos) return fail(ErrorClass::failed, "agent.copy", manifest_path + " has no WAL range");
  auto list = TRY(codec::parse_value(all.substr(open, close - open + 1)));
  std::vector<WalRange> ranges;
  for (const auto& range : list.items())
    ranges.push_back({std::to_string(range["Timeline"].integer()), range["Start-LSN"].text(), range["End-LSN"].text()});
  if (ranges.empty()) return fail(ErrorClass::failed, "agent.copy", manifest_path + " has no WAL range");
  return ranges;
}

Status verify(const CopyJob& job, const std::vector<WalRange>& ranges) {
  const MemberConfig& c = job.config;
  // pg_verifybackup would run pg_waldump through a shell, which outlives a killed agent: it is run by ourselves.
  TRY_VOID(run_logged(job, base_command(c, {tool(c, "pg_verifybackup"), "--no-parse-wal", "--exit-on-error", "--quiet",
                                            c.data_dir()})));
  for (const auto& range : ranges) {
    TRY_VOID(run_logged(
        job, base_command(c, {tool(c, "pg_waldump"), "--quiet", "--path=" + c.data_dir() + "/pg_wal",
                              "--timeline=" + range.timeline, "--start=" + range.start, "--end=" + range.end})));
  }
  return {};
}

}  // namespace

Result<bool> hold_wal(const CopyJob& job, const sql::Target& target) {
  auto connection = TRY(PostgresConnection::connect(target, job.deadline, job.stop));
  const std::string slot = sql::quote_postgres(job.config.slot_name());
  auto rows =
      TRY(connection.query("SELECT wal_status, active::int AS active, restart_lsn IS NULL AS fresh FROM "
                           "pg_replication_slots WHERE slot_name = " +
                               slot,
                           job.deadline, job.stop));
  if (!rows.empty() && rows.text("wal_status") != "lost" && rows.text("fresh") != "t") return false;
  if (!rows.empty() && rows.text("active") == "1")
    return fail(ErrorClass::conflict, "agent.slot", "another receiver uses the slot " + job.config.slot_name());
  if (!rows.empty()) TRY(connection.query("SELECT pg_drop_replication_slot(" + slot + ")", job.deadline, job.stop));
  TRY(connection.query("SELECT pg_create_physical_replication_slot(" + slot + ", true)", job.deadline, job.stop));
  return true;
}

Result<Value> copy_postgres(const CopyJob& job) {
  const MemberConfig& c = job.config;
  const MemberConfig& d = job.donor.config;
  auto connection = TRY(PostgresConnection::connect(job.donor.socket, job.deadline, job.stop));
  auto spaces = TRY(connection.query("SELECT count(*) AS n FROM pg_tablespace WHERE spcname NOT LIKE 'pg\\_%'",
                                     job.deadline, job.stop));
  if (spaces.text("n") != "0")
    return fail(ErrorClass::refused, "agent.donor", "the donor has tablespaces outside of its data directory",
                "on one machine a copy would share them with the donor, and another may have no such path");
  auto system = TRY(connection.query("SELECT system_identifier AS i FROM pg_control_system()", job.deadline, job.stop));
  // The upstream keeps WAL for the time after the copy, the donor for its duration.
  bool made_slot = false;
  const std::string upstream = c.upstream.empty() ? d.member : c.upstream;
  if (upstream != d.member && upstream != c.member) {
    // An upstream that is down gets the slot from whoever starts it again.
    if (auto admin = peer_admin(c, upstream, job.deadline.at_most(std::chrono::seconds(10)), job.stop))
      made_slot = TRY(hold_wal(job, *admin).context("the slot on " + upstream));
  }
  // Noted before it exists: a slot that nobody remembers fills the donor's disk.
  auto there =
      TRY(connection.query("SELECT 1 FROM pg_replication_slots WHERE slot_name = " + sql::quote_postgres(c.slot_name()),
                           job.deadline, job.stop));
  const bool borrowed = there.empty();
  if (borrowed) TRY_VOID(note_donor_change(job, "slot", c.slot_name()));
  TRY(hold_wal(job, job.donor.socket).context("the slot on " + d.member));

  auto passfile = TRY(SecretFile::create(c, c, "copy.pgpass", TRY(replication_passfile(c))));
  job.progress.step("copy");
  // -X fetch keeps it one process (the streaming way forks a child that a SIGKILL of its parent would leave behind);
  // the slot sees to it that the WAL is still there to be fetched.
  const std::string donor = TRY(replication_conninfo(c, d.host, d.port, passfile.path())).append(kNoticesSilence);
  auto backup = base_command(c, {tool(c, "pg_basebackup"), "-d", donor, "-D", c.data_dir(), "-X", "fetch", "-c", "fast",
                                 "--no-sync", "--no-password"});
  backup.umask = 0077;
  if (const std::string wal = TRY(make_wal_dir(c)); !wal.empty()) backup.argv.push_back("--waldir=" + wal);
  // It takes kilobytes from 32 to a gigabyte.
  if (job.rate > 0)
    backup.argv.push_back(fmt::format("--max-rate={}", std::clamp<uint64_t>(job.rate / 1024, 32, 1 << 20)));
  {
    const EarlyWriteback writeback(c.data_dir(), server_identity(c));
    TRY_VOID(run_logged(job, std::move(backup)));
  }
  job.progress.step("verify");
  const auto ranges = TRY(wal_ranges(c));
  TRY_VOID(verify(job, ranges));
  remove_files(c, {"postgresql.auto.conf.tmp", "recovery.signal", "postmaster.opts"});
  TRY_VOID(become_standby(c));
  if (borrowed && upstream == d.member) TRY_VOID(keep_donor_changes(job));  // the member is going to use it
  return Value::object({{"method", "pg_basebackup"},
                        {"position", ranges.back().end},
                        {"start", ranges.front().start},
                        {"timeline", std::strtoll(ranges.back().timeline.c_str(), nullptr, 10)},
                        {"lineage", system.text("i")},
                        {"slotMade", borrowed || made_slot}});
}

}  // namespace holdfast::agent::detail
