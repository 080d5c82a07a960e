#include "engine/postgres/observe.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <set>
#include <sstream>
#include <thread>

#include "crypto/certificate.h"
#include "engine/missing_rights.h"
#include "engine/postgres/waits.h"
#include "sql/postgres.h"
#include "sys/process.h"

namespace holdfast::engine::postgres {

using cluster::Following;
using cluster::MemberFacts;
using cluster::MemberRole;

namespace {

using Ask = Asker<sql::PostgresConnection>;

/// How far it is. 13 and later: pg_control_recovery() tells the timeline of the minimum recovery point.
constexpr std::string_view kPosition =
    "pg_is_in_recovery() AS in_recovery, s.system_identifier AS system_id, c.timeline_id AS checkpoint_timeline, "
    "r.min_recovery_end_timeline AS recovery_timeline, "
    "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END AS lsn, "
    "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() END AS received, "
    "CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_flush_lsn() END AS flushed, "
    "CASE WHEN NOT pg_is_in_recovery() THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END AS timeline_hex";
constexpr std::string_view kControl = "pg_control_system() s, pg_control_checkpoint() c, pg_control_recovery() r";

/// All else that takes no rights of its own, in one go: each question takes a third of a millisecond only to be asked.
/// Here and below functions are asked and not the views over them (pg_stat_activity, pg_stat_replication): what those
/// join besides takes a new session twice as long to plan.
constexpr std::string_view kState =
    R"sql(
    current_setting('server_version') AS version, current_setting('default_transaction_read_only') AS read_only,
      extract(epoch FROM clock_timestamp()) AS now, current_setting('data_checksums') AS checksums,
      current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
      current_setting('synchronous_commit') AS synchronous_commit, current_setting('synchronous_standby_names') AS
      standby_names, current_setting('max_connections') AS max_connections, current_setting('max_worker_processes') AS
      max_worker_processes, current_setting('max_wal_senders') AS max_wal_senders,
      current_setting('max_prepared_transactions') AS max_prepared_transactions,
      current_setting('max_locks_per_transaction') AS max_locks_per_transaction, (SELECT count(*) FROM
        pg_stat_get_activity(NULL) WHERE backend_type = 'client backend') AS connections,
      current_setting('primary_slot_name') AS slot,
      current_setting('primary_conninfo') <> '' AS has_conninfo, CASE WHEN pg_is_in_recovery() THEN
      pg_is_wal_replay_paused() END AS paused, current_setting('data_directory') AS folder, pg_postmaster_start_time()
      AS started, extract(epoch FROM pg_postmaster_start_time()) AS started_at, current_setting('ssl') AS ssl,
      current_setting('ssl_cert_file') AS certificate, )sql"
    "extract(epoch FROM current_setting('recovery_min_apply_delay')::interval) AS delay, "
    "current_setting('restore_command') <> '' AS restores, "
    "substring(current_setting('primary_conninfo') from 'host=''?([^'' ]+)') AS conninfo_host, "
    "substring(current_setting('primary_conninfo') from 'port=''?([0-9]+)') AS conninfo_port, "
    "substring(current_setting('primary_conninfo') from 'application_name=''?([^'' ]+)') AS conninfo_name, "
    "current_setting('cluster_name') AS cluster_name, current_setting('port') AS port, "
    "current_setting('listen_addresses') AS listens, host(inet_server_addr()) AS own_address, "
    "w.failed_count, w.last_failed_wal, w.last_failed_time, current_setting('archive_mode') <> 'off' AND "
    "coalesce(w.last_failed_time > coalesce(w.last_archived_time, '-infinity'), false) AS archive_fails, "
    "a.xid_age, a.multixact_age, a.checksum_failures";
/// An idle primary sends nothing: all received and all applied is no lag, however old the last transaction is. What a
/// receiver has just been started with is rounded down to a segment, below what was replayed from files.
constexpr std::string_view kLag =
    "CASE WHEN NOT pg_is_in_recovery() OR pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() THEN 0 "
    "ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END AS lag";
/// Checksum failures of what all databases share are counted under 0.
constexpr std::string_view kTotals =
    "pg_stat_get_archiver() w, "
    "(SELECT max(age(datfrozenxid)) AS xid_age, max(mxid_age(datminmxid)) AS multixact_age, "
    "sum(pg_stat_get_db_checksum_failures(oid)) + coalesce(pg_stat_get_db_checksum_failures(0), 0) AS "
    "checksum_failures FROM pg_database) a";

bool later(const std::string& a, const std::string& b) {
  unsigned long ah = 0, al = 0, bh = 0, bl = 0;
  if (std::sscanf(a.c_str(), "%lX/%lX", &ah, &al) != 2) return false;
  if (std::sscanf(b.c_str(), "%lX/%lX", &bh, &bl) != 2) return true;
  return ah != bh ? ah > bh : al > bl;
}

void take_position(MemberFacts& facts, const sql::Rows& state, const std::string& streaming_timeline) {
  const bool standby = state.text("in_recovery") == "t";
  facts.lineage = state.text("system_id");
  uint32_t timeline = 0;
  if (auto hex = state.value("timeline_hex")) timeline = static_cast<uint32_t>(std::strtoul(hex->c_str(), nullptr, 16));
  for (const auto& text : {streaming_timeline, state.text("recovery_timeline"), state.text("checkpoint_timeline")})
    if (standby) timeline = std::max(timeline, static_cast<uint32_t>(std::strtoul(text.c_str(), nullptr, 10)));
  facts.timeline = timeline;
  facts.executed = state.text("lsn");
  facts.received = state.text("received");
  facts.offered = state.text("flushed");
  // Streaming starts at the beginning of a segment, so what was received may be told lower than what is replayed.
  if (!later(facts.received, facts.executed)) facts.received = facts.executed;
  facts.position = fmt::format("{}/{}", timeline, facts.executed);
  note(facts, "system_identifier", facts.lineage, "SQL pg_control_system()");
  note(facts, "timeline", std::to_string(timeline),
       standby ? "SQL pg_stat_wal_receiver, pg_control" : "SQL pg_walfile_name()");
  note(facts, standby ? "replayed" : "written", facts.executed, "SQL");
  if (standby) note(facts, "received", facts.received, "SQL pg_last_wal_receive_lsn()");
}

/// Of a standby, too: others may follow it.
void look_at_slots(MemberFacts& facts, Ask& ask, const std::string& now) {
  if (auto rows = ask("slots",
                      "SELECT slot_name, slot_type, active, wal_status, "
                      "pg_wal_lsn_diff(" +
                          now +
                          ", restart_lsn)::bigint AS kept FROM pg_get_replication_slots() "
                          "WHERE NOT temporary")) {
    facts.postgres.slots.emplace();
    for (size_t i = 0; i < rows->rows.size(); ++i) {
      cluster::Slot slot;
      slot.name = rows->text("slot_name", i);
      slot.physical = rows->text("slot_type", i) == "physical";
      slot.active = rows->text("active", i) == "t";
      slot.wal_status = rows->text("wal_status", i);
      if (auto kept = rows->value("kept", i))
        slot.retained_bytes = std::max(0LL, std::strtoll(kept->c_str(), nullptr, 10));
      facts.postgres.slots->push_back(std::move(slot));
    }
  }
}

AskIfAllowed if_allowed(Ask& ask) {
  return [&ask](const std::string& name, const std::string& statement) { return ask.if_allowed(name, statement); };
}

/// A standby that has replayed no transaction since its start knows no lag while a record of its idle primary is on its
/// way through: it is asked again, until it has replayed that.
std::optional<double> lag_of(const sql::Rows& state, Ask& ask) {
  auto lag = state.value("lag");
  if (!lag && state.text("paused") == "f") {
    const auto known = [&] {
      if (auto rows = ask("lag", fmt::format("SELECT {}", kLag))) return (lag = rows->value("lag")).has_value();
      return true;
    };
    (void)sys::wait_until(known, Deadline::in(std::chrono::milliseconds(300)));
  }
  if (!lag) return std::nullopt;
  return std::strtod(lag->c_str(), nullptr);
}

/// Under which addresses it says it can be reached.
void take_addresses(MemberFacts& facts, const sql::Rows& state) {
  facts.own.port = std::atoi(state.text("port").c_str());
  if (const std::string here = state.text("own_address"); !here.empty()) facts.own.names.push_back(here);
  std::istringstream listens(state.text("listens"));
  for (std::string address; std::getline(listens, address, ',');)
    if (const size_t first = address.find_first_not_of(' '); first != std::string::npos)
      facts.own.names.push_back(address.substr(first));
}

/// Those that are connected; how many of them receive. nullopt = not known.
std::optional<int> take_followers(MemberFacts& facts, Ask& ask) {
  auto rows = ask("followers",
                  "SELECT a.application_name, w.state, w.sync_state, w.replay_lsn, host(a.client_addr) AS address, "
                  "a.ssl OR a.gss_enc AS ssl FROM pg_stat_get_wal_senders() w JOIN pg_stat_get_activity(NULL) a "
                  "USING (pid) WHERE a.application_name IS DISTINCT FROM 'pg_basebackup'");
  if (!rows) return std::nullopt;
  int streaming = 0;
  for (size_t i = 0; i < rows->rows.size(); ++i) {
    streaming += rows->text("state", i) == "streaming" || rows->text("state", i) == "catchup";
    cluster::Follower follower{rows->text("application_name", i), rows->text("state", i), rows->text("sync_state", i),
                               rows->text("replay_lsn", i), rows->text("address", i)};
    if (auto tls = rows->value("ssl", i)) follower.encrypted = *tls == "t";
    facts.follower_list.push_back(std::move(follower));
  }
  facts.followers_listed = true;
  return streaming;
}

void look_at_standby(MemberFacts& facts, const sql::Rows& state, Ask& ask) {
  facts.role = MemberRole::replica;
  if (const std::string name = state.text("conninfo_name"), cluster = state.text("cluster_name");
      state.value("has_conninfo"))
    facts.application_name = !name.empty() ? name : cluster.empty() ? "walreceiver" : cluster;
  facts.read_only = true;
  Following f;
  f.slot = state.text("slot");
  f.uses_gtid = std::nullopt;
  if (state.text("has_conninfo") != "t") f.conninfo_problem = "primary_conninfo is not set";
  std::string streaming_timeline;
  if (auto rows = ask("receiver",
                      "SELECT status, sender_host, sender_port, received_tli, slot_name FROM pg_stat_wal_receiver")) {
    f.receive_state = rows->text("status");
    f.receiving = f.receive_state == "streaming";
    if (!rows->empty()) {
      f.upstream = rows->text("sender_host") + ":" + rows->text("sender_port");
      streaming_timeline = rows->text("received_tli");
    }
  }
  if (f.receiving == true) f.lag_seconds = lag_of(state, ask);
  f.applying = state.text("paused") == "f";
  facts.postgres.replay_paused = !*f.applying;
  if (const int delay = std::atoi(state.text("delay").c_str()); delay > 0) f.delay_seconds = delay;
  f.from_archive = state.text("restores") == "t" && !f.conninfo_problem.empty();
  if (f.upstream.empty() && state.value("conninfo_host"))
    f.upstream = state.text("conninfo_host") + ":" + state.value("conninfo_port").value_or("5432");
  take_position(facts, state, streaming_timeline);
  // It has received nothing since its start: what its pg_wal has beyond what is replayed SQL does not tell. All others
  // replay what they have before they ask for more.
  if (f.receiving != true && !state.value("received") && (f.delay_seconds || *facts.postgres.replay_paused)) {
    facts.received.clear();
    note_unknown(facts, "received", "SQL", "it applies later, and has received nothing since its start");
  }
  facts.following.push_back(std::move(f));
  (void)take_followers(facts, ask);  // of a chain
  look_at_slots(facts, ask, "pg_last_wal_replay_lsn()");
  look_at_replay_waits(facts, if_allowed(ask));
}

/// An archiver that hangs fails never: what tells is that segments wait and none goes.
void take_archive_state(MemberFacts& facts, Ask& ask) {
  auto rows = ask.if_allowed("archive",
                             R"sql(
      SELECT current_setting('archive_mode') AS mode, current_setting('archive_command', true) AS command, (SELECT
          extract(epoch FROM now() - last_archived_time) FROM pg_stat_get_archiver()) AS ago, r.n AS waiting,
        least(extract(epoch FROM now() - r.oldest), extract(epoch FROM now() - pg_postmaster_start_time())) AS waits
      FROM (SELECT count(*) AS n, min(modification) AS oldest FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready')
        r)sql");
  if (!rows) return;
  facts.postgres.archives = rows->text("mode") != "off";
  if (!*facts.postgres.archives) return note(facts, "archive", "archive_mode is off", "SQL settings");
  facts.postgres.archive_command = rows->text("command");
  facts.postgres.archive_waiting = std::atoi(rows->text("waiting").c_str());
  facts.postgres.archive_waits_seconds = std::strtod(rows->text("waits").c_str(), nullptr);
  if (auto ago = rows->value("ago")) facts.postgres.archived_seconds_ago = std::strtod(ago->c_str(), nullptr);
  note(facts, "archive",
       fmt::format("{} segments wait, {}", *facts.postgres.archive_waiting,
                   facts.postgres.archived_seconds_ago
                       ? fmt::format("last success {:.0f} s ago", *facts.postgres.archived_seconds_ago)
                       : "no success yet"),
       "SQL pg_stat_archiver, pg_ls_archive_statusdir()");
}

/// Does a commit get through? Told by those that wait; never tried.
void note_write_path(MemberFacts& facts) {
  double longest = 0;
  for (const auto& commit : facts.stuck_commits) longest = std::max(longest, commit.seconds);
  note(facts, "write path",
       facts.stuck_commits.empty() ? "no commit waits for a standby"
                                   : fmt::format("{} commits wait for a standby, the longest for {:.0f} s",
                                                 facts.stuck_commits.size(), longest),
       "SQL pg_stat_activity");
}

/// Commits that wait for a standby, and idle open transactions.
void take_sessions(MemberFacts& facts, Ask& ask) {
  auto rows = ask.if_allowed("transactions",
                             R"sql(
                     SELECT gid AS id, 'prepared' AS what, extract(epoch FROM now() - prepared) AS age
                     FROM pg_prepared_xact()
                     UNION ALL SELECT pid::text, CASE wait_event WHEN 'SyncRep' THEN 'waits'
                       ELSE 'idle' END, extract(epoch FROM now() - state_change)
                     FROM pg_stat_get_activity(NULL)
                     WHERE wait_event = 'SyncRep' OR (state LIKE 'idle in transaction%' AND (backend_xmin IS NOT NULL OR
                           backend_xid IS NOT NULL)))sql");
  if (!rows) return;
  for (size_t i = 0; i < rows->rows.size(); ++i) {
    const std::string id = rows->text("id", i), what = rows->text("what", i);
    const double age = std::max(0.0, std::strtod(rows->text("age", i).c_str(), nullptr));
    if (what == "waits")
      facts.stuck_commits.push_back({std::strtoull(id.c_str(), nullptr, 10), age, "SyncRep"});
    else
      facts.open_transactions.push_back({what == "idle" ? "of session " + id : id, what == "prepared", age});
  }
  note_write_path(facts);
  note(facts, "idle open transactions", std::to_string(facts.open_transactions.size()),
       "SQL pg_prepared_xacts, pg_stat_activity");
}

/// As its file says, which is what the server will show to new connections once it has read it.
void take_certificate(MemberFacts& facts, const sql::Rows& state, Ask& ask) {
  const std::string file = state.text("certificate");
  if (state.text("ssl") != "on" || file.empty()) return note(facts, "certificate", "none: ssl is off", "SQL settings");
  auto rows = ask.if_allowed("certificate", "SELECT pg_read_file(" + sql::quote_postgres(file) + ") AS pem");
  if (!rows) return;
  auto end = crypto::certificate_end(rows->text("pem"));
  if (!end) return note_unknown(facts, "certificate", file, end.error().message);
  facts.certificate_seconds_left = std::difftime(*end, std::time(nullptr));
  note(facts, "certificate_not_after", crypto::utc_time_text(*end), file);
}

void look_at_primary(MemberFacts& facts, const sql::Rows& state, Ask& ask) {
  facts.role = MemberRole::primary;
  facts.read_only = false;
  facts.postgres.default_read_only = state.text("read_only") == "on";
  facts.postgres.synchronous_standby_names = state.text("standby_names");
  take_position(facts, state, "");
  facts.followers = take_followers(facts, ask);
  if (auto rows = ask("oldest WAL",
                      "SELECT pg_size_bytes(current_setting('wal_segment_size')) AS size, min(substr(name, 9)) AS "
                      "oldest FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'");
      rows && rows->text("oldest").size() == 16) {
    const std::string oldest = rows->text("oldest");
    const uint64_t segment = std::strtoull(oldest.substr(8).c_str(), nullptr, 16);
    facts.postgres.oldest_wal = fmt::format("{:X}/{:X}", std::strtoul(oldest.substr(0, 8).c_str(), nullptr, 16),
                                            segment * std::strtoull(rows->text("size").c_str(), nullptr, 10));
  }
  look_at_slots(facts, ask, "pg_current_wal_lsn()");
  look_for_lost_wal(facts, if_allowed(ask));
  if (state.text("archive_fails") == "t")
    facts.postgres.archive_problem = fmt::format("{} failures, the last for {} at {}", state.text("failed_count"),
                                                 state.text("last_failed_wal"), state.text("last_failed_time"));
  take_archive_state(facts, ask);
  facts.postgres.xid_age = std::strtoull(state.text("xid_age").c_str(), nullptr, 10);
  facts.postgres.multixact_age = std::strtoull(state.text("multixact_age").c_str(), nullptr, 10);
  take_sessions(facts, ask);
}

/// A walsender tells it to whoever may replicate; files are read by pg_read_server_files only.
Result<std::string> history_by_protocol(uint32_t timeline, sql::Target target, Deadline deadline,
                                        const std::stop_token& stop) {
  target.replication = true;
  auto connection = TRY(sql::PostgresConnection::connect(target, deadline, stop));
  const auto rows = TRY(connection.query(fmt::format("TIMELINE_HISTORY {}", timeline), deadline, stop));
  return rows.text("content");
}

/// Of a database whose folder is gone no session sees anything before one connects to it. One that is being dropped
/// loses its folder a moment before its name.
void look_for_databases(MemberFacts& facts, Ask& ask) {
  std::set<std::string> missing;
  for (int look = 0; look < 2 && (look == 0 || !missing.empty()); ++look) {
    if (look > 0) std::this_thread::sleep_for(std::chrono::milliseconds(500));
    const auto rows = ask.if_allowed("folders of databases",
                                     R"sql(
        SELECT 'base/' || d.oid AS folder
        FROM pg_database d
        JOIN pg_tablespace t ON t.oid = d.dattablespace
        WHERE d.datconnlimit <> -2 AND t.spcname = 'pg_default' AND (pg_stat_file('base/' || d.oid, true)).isdir IS NULL
        UNION ALL SELECT 'pg_tblspc/' || t.oid || '/*/' || d.oid
        FROM pg_database d
        JOIN pg_tablespace t ON t.oid = d.dattablespace
        WHERE d.datconnlimit <> -2 AND t.spcname <> 'pg_default' AND NOT EXISTS (SELECT FROM pg_ls_dir('pg_tblspc/' ||
              t.oid, true, false) v WHERE (pg_stat_file('pg_tblspc/' || t.oid || '/' || v || '/' || d.oid, true)).isdir))sql");
    if (!rows) return;
    std::set<std::string> now;
    for (size_t i = 0; i < rows->rows.size(); ++i)
      if (const std::string folder = rows->text("folder", i); look == 0 || missing.contains(folder)) now.insert(folder);
    missing = std::move(now);
  }
  facts.missing_files.insert(facts.missing_files.end(), missing.begin(), missing.end());
}

void take_history(MemberFacts& facts, Ask& ask, const sql::Target& target, Deadline deadline,
                  const std::stop_token& stop) {
  if (facts.timeline <= 1) return;
  const std::string file = fmt::format("pg_wal/{:08X}.history", facts.timeline);
  if (auto rows = ask.if_allowed("history", "SELECT pg_read_file('" + file + "', 0, 1000000, true) AS text"))
    facts.history = rows->text("text");
  if (!facts.history.empty() || facts.reach != cluster::Reach::reachable) return;
  auto told = history_by_protocol(facts.timeline, target, deadline, stop);
  std::erase_if(facts.readings, [](const cluster::Reading& r) { return r.name == "history"; });
  if (told) facts.history = std::move(*told);
  if (!facts.history.empty())
    note(facts, "history", file, "TIMELINE_HISTORY");
  else
    note_unknown(facts, "history", file,
                 told ? "the file is not there"
                      : told.error().message +
                            " (the account needs pg_read_server_files, or REPLICATION and an entry "
                            "in pg_hba.conf)");
}

void look(MemberFacts& facts, Ask& ask, const sql::Target& target, Deadline deadline, const std::stop_token& stop,
          std::chrono::system_clock::time_point before) {
  auto state = ask("state", fmt::format("SELECT {}, {}, {} FROM {}, {}", kPosition, kState, kLag, kControl, kTotals));
  if (!state) return;
  const auto after = std::chrono::system_clock::now();
  if (after - before < std::chrono::seconds(1))
    facts.clock_offset_seconds = std::strtod(state->text("now").c_str(), nullptr) -
                                 std::chrono::duration<double>(after.time_since_epoch()).count();
  facts.version = state->text("version");
  facts.instance = fmt::format("{} {} {}", state->text("system_id"), state->text("folder"), state->text("started"));
  facts.started_at = std::strtod(state->text("started_at").c_str(), nullptr);
  facts.checksums = state->text("checksums") == "on";
  facts.max_connections = std::atoi(state->text("max_connections").c_str());
  facts.connections = std::atoi(state->text("connections").c_str());
  for (const char* name : {"max_connections", "max_worker_processes", "max_wal_senders", "max_prepared_transactions",
                           "max_locks_per_transaction"})
    if (auto value = state->value(name))
      facts.postgres.standby_limits[name] = std::strtoll(value->c_str(), nullptr, 10);
  for (const char* name : {"fsync", "full_page_writes"})
    if (state->text(name) == "off") facts.durability_gaps.push_back(fmt::format("{}=off (safe: on)", name));
  if (state->text("synchronous_commit") == "off")
    facts.durability_gaps.emplace_back("synchronous_commit=off (safe: on)");
  take_addresses(facts, *state);
  if (state->text("in_recovery") == "t")
    look_at_standby(facts, *state, ask);
  else
    look_at_primary(facts, *state, ask);
  take_history(facts, ask, target, deadline, stop);
  take_certificate(facts, *state, ask);
  if (auto n = state->value("checksum_failures"))
    facts.postgres.checksum_failures = std::strtoll(n->c_str(), nullptr, 10);
  look_for_databases(facts, ask);
}

}  // namespace

void observe(MemberFacts& facts, const sql::Target& target, Deadline deadline, std::stop_token stop,
             sql::KeptPostgres* kept) {
  const auto before = std::chrono::system_clock::now();
  auto session = sql::KeptPostgres::lease(kept, target, deadline, stop);
  if (!session) return note_failure(facts, session.error());
  facts.reach = cluster::Reach::reachable;
  Ask ask(facts, **session, deadline, stop);
  look(facts, ask, target, deadline, stop, before);
  note_missing_rights(cluster::Engine::postgres, facts, ask.refused(),
                      [&](const std::string& statement) { return (**session).query(statement, deadline, stop); });
}

void observe_size(MemberFacts& facts, const sql::Target& target, Deadline deadline, std::stop_token stop,
                  sql::KeptPostgres* kept) {
  // A server that dies now answered when it was asked for what counts: that stays as it was.
  auto session = sql::KeptPostgres::lease(kept, target, deadline, stop);
  auto rows = session ? (**session).query("SELECT sum(pg_database_size(oid)) AS bytes FROM pg_database", deadline, stop)
                      : Result<sql::Rows>(fail(session.error()));
  if (!rows) return note_unknown(facts, "size", "SQL", rows.error().message);
  if (rows->value("bytes")) facts.data_bytes = std::strtoull(rows->text("bytes").c_str(), nullptr, 10);
}

void observe_position(MemberFacts& facts, const sql::Target& target, Deadline deadline, std::stop_token stop,
                      sql::KeptPostgres* kept) {
  auto session = sql::KeptPostgres::lease(kept, target, deadline, stop);
  if (!session) return note_failure(facts, session.error());
  Ask ask(facts, **session, deadline, stop);
  if (auto state = ask("state", fmt::format("SELECT {} FROM {}", kPosition, kControl)))
    take_position(facts, *state, "");
}

}  // namespace holdfast::engine::postgres
