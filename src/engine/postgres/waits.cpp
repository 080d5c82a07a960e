#include "engine/postgres/waits.h"

#include <fmt/format.h>

#include <cstdlib>

namespace holdfast::engine::postgres {

namespace {

constexpr long long kLongest = 60'000;  ///< milliseconds: who allows more waits for whatever a query takes

/// The sessions that can be in the way of `what` replay waits for, the oldest first.
const char* holders_of(bool of_lock) {
  return of_lock
             ? R"sql(
             SELECT DISTINCT a.pid, a.usename, a.client_addr, a.state, a.xact_start, extract(epoch FROM now() -
                 a.xact_start) AS age
             FROM pg_locks w
             JOIN pg_locks h ON h.granted AND h.pid <> w.pid AND h.locktype = w.locktype
               AND h.database IS NOT DISTINCT FROM w.database AND h.relation IS NOT DISTINCT FROM w.relation
               AND h.transactionid IS NOT DISTINCT FROM w.transactionid AND h.classid IS NOT DISTINCT FROM w.classid
               AND h.objid IS NOT DISTINCT FROM w.objid
             JOIN pg_stat_activity a ON a.pid = h.pid
             JOIN pg_stat_activity s ON s.pid = w.pid AND s.backend_type = 'startup'
             WHERE NOT w.granted
             ORDER BY a.xact_start)sql"
             : "SELECT pid, usename, client_addr, state, xact_start, extract(epoch FROM now() - xact_start) AS age "
               "FROM "
               "pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start IS "
               "NOT NULL ORDER BY xact_start";
}

constexpr std::string_view kReplayWaits =
    "backend_type = 'startup' AND (wait_event_type IN ('Lock', 'BufferPin') OR wait_event LIKE 'RecoveryConflict%')";

std::string words_of(const sql::Rows& rows, size_t i) {
  const std::string address = rows.text("client_addr", i);
  return fmt::format("{}{}, in a transaction for {:.0f} s, {}", rows.text("usename", i),
                     address.empty() ? "" : "@" + address, std::strtod(rows.text("age", i).c_str(), nullptr),
                     rows.text("state", i));
}

}  // namespace

void look_at_replay_waits(cluster::MemberFacts& facts, const AskIfAllowed& if_allowed) {
  // Mostly it waits for nothing, and what follows takes a new session five times as long to plan.
  const auto some =
      if_allowed("waits of replay", fmt::format("SELECT 1 FROM pg_stat_get_activity(NULL) WHERE {}", kReplayWaits));
  if (!some || some->empty()) return;
  // Not all versions say when a wait for a lock began; what comes next of its primary replay has waited for since.
  const auto waits = if_allowed("waits of replay",
                                R"sql(
      SELECT a.pid, a.wait_event_type AS type, a.wait_event AS event, extract(epoch FROM
          current_setting('max_standby_streaming_delay')::interval) * 1000 AS delay, to_char(b.began AT TIME ZONE 'UTC',
          'YYYY-MM-DD HH24:MI:SS "UTC"') AS since, extract(epoch FROM now() - b.began) AS seconds
      FROM pg_stat_get_activity(NULL) a
      LEFT JOIN LATERAL (SELECT min((to_jsonb(l) ->> 'waitstart')::timestamptz) AS waitstart FROM pg_locks l WHERE l.pid
          = a.pid AND NOT l.granted) w ON true CROSS JOIN LATERAL (SELECT coalesce(w.waitstart,
            pg_last_xact_replay_timestamp(), now()) AS began) b
      WHERE )sql" + std::string(kReplayWaits));
  if (!waits || waits->empty()) return;
  const bool of_lock = waits->text("type") == "Lock";
  const long long delay = std::atoll(waits->text("delay").c_str());  // milliseconds; -1 = for ever
  const std::string limit =
      delay < 0 || delay > kLongest ? "no limit" : fmt::format("ended after {:.0f} s at most", delay / 1000.0);
  cluster::StuckCommit wait{std::strtoull(waits->text("pid").c_str(), nullptr, 10),
                            std::strtod(waits->text("seconds").c_str(), nullptr),
                            fmt::format("replay waits: {} {} ({})", waits->text("type"), waits->text("event"), limit),
                            waits->text("since"),
                            {},
                            of_lock};
  const auto holders = if_allowed("what replay waits for", holders_of(of_lock));
  for (size_t i = 0; holders && i < holders->rows.size(); ++i)
    wait.holders.push_back({std::strtoull(holders->text("pid", i).c_str(), nullptr, 10), words_of(*holders, i)});
  facts.applier_waits.push_back(std::move(wait));
}

void look_for_lost_wal(cluster::MemberFacts& facts, const AskIfAllowed& if_allowed) {
  // Segments by their number alone: those before a switch of timelines have another first part. The last may not have
  // been made yet.
  const auto rows = if_allowed("WAL that is needed",
                               R"sql(
      WITH size AS (SELECT pg_size_bytes(current_setting('wal_segment_size')) AS bytes),
      needed AS (SELECT restart_lsn AS lsn, false AS crash
        FROM pg_get_replication_slots()
        WHERE restart_lsn IS NOT NULL AND wal_status IS DISTINCT FROM 'lost'
        UNION ALL SELECT redo_lsn, true
        FROM pg_control_checkpoint()),
      numbers AS (SELECT (min(lsn) - '0/0')::bigint / bytes AS first, (min(lsn) FILTER (WHERE crash) - '0/0')::bigint /
          bytes AS crash, (pg_current_wal_insert_lsn() - '0/0')::bigint / bytes AS last, bytes
        FROM needed, size
        GROUP BY bytes),
      there AS (SELECT DISTINCT substr(name, 9) AS name
        FROM pg_ls_waldir()
        WHERE name ~ '^[0-9A-F]{24}$')
      SELECT substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) || n.name AS name, n.number >= numbers.crash AS
        crash
      FROM numbers CROSS JOIN LATERAL (SELECT number, upper(lpad(to_hex(number / (4294967296 / bytes)), 8, '0') ||
            lpad(to_hex(number % (4294967296 / bytes)), 8, '0')) AS name FROM generate_series(first, last - 1) AS
          number) n
      WHERE n.name NOT IN (SELECT name FROM there)
      ORDER BY n.number LIMIT 10)sql");
  for (size_t i = 0; rows && i < rows->rows.size(); ++i) {
    facts.lost_logs.push_back(rows->text("name", i));
    facts.postgres.lost_for_recovery = facts.postgres.lost_for_recovery || rows->text("crash", i) == "t";
  }
}

}  // namespace holdfast::engine::postgres
