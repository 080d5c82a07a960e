#include "engine/postgres/observe.h"

#include <cstdlib>

#include "engine/observe.h"
#include "sql/postgres.h"

namespace holdfast::engine::postgres {

using cluster::Following;
using cluster::MemberRole;

void observe(cluster::MemberFacts& facts, const sql::Target& target, Deadline deadline, std::stop_token stop) {
  auto connection = sql::PostgresConnection::connect(target, deadline, stop);
  if (!connection) return note_failure(facts, connection.error());
  facts.reach = cluster::Reach::reachable;
  auto ask = [&](const char* statement) -> std::optional<sql::Rows> {
    auto rows = connection->query(statement, deadline, stop);
    if (rows) return std::move(*rows);
    note_failure(facts, rows.error());
    return std::nullopt;
  };
  auto state =
      ask("SELECT pg_is_in_recovery() AS in_recovery, current_setting('server_version') AS version, "
          "s.system_identifier AS system_id, "
          "c.timeline_id AS checkpoint_timeline, CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE "
          "pg_current_wal_lsn() END AS lsn, "
          "CASE WHEN pg_is_in_recovery() THEN NULL ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END AS "
          "timeline_hex, "
          "current_setting('transaction_read_only') AS read_only "
          "FROM pg_control_system() s, pg_control_checkpoint() c");
  if (!state) return;
  facts.version = state->text("version");
  facts.lineage = state->text("system_id");
  const bool standby = state->text("in_recovery") == "t";
  facts.read_only = standby || state->text("read_only") == "on";
  std::string timeline = state->text("checkpoint_timeline");
  if (auto hex = state->value("timeline_hex")) timeline = std::to_string(std::strtoul(hex->c_str(), nullptr, 16));
  facts.position = timeline + "/" + state->text("lsn");
  if (standby) {
    facts.role = MemberRole::replica;
    Following follow;
    auto receiver = ask("SELECT status, sender_host, sender_port, received_tli FROM pg_stat_wal_receiver");
    if (receiver) {
      follow.receiving = receiver->text("status") == "streaming";
      if (!receiver->empty()) {
        follow.upstream = receiver->text("sender_host") + ":" + receiver->text("sender_port");
        facts.position = receiver->text("received_tli") + "/" + state->text("lsn");
      }
    }
    // An idle primary sends nothing: all received and all applied is no lag, however old the last transaction is.
    auto replay =
        ask("SELECT pg_is_wal_replay_paused() AS paused, CASE WHEN pg_last_wal_receive_lsn() = "
            "pg_last_wal_replay_lsn() THEN 0 "
            "ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END AS lag");
    if (replay) {
      follow.applying = replay->text("paused") == "f";
      if (follow.receiving == true)
        if (auto lag = replay->value("lag")) follow.lag_seconds = std::strtod(lag->c_str(), nullptr);
    }
    facts.following = follow;
  } else {
    facts.role = MemberRole::primary;
    if (auto rows = ask("SELECT count(*) AS n FROM pg_stat_replication WHERE state = 'streaming' AND application_name "
                        "<> 'pg_basebackup'"))
      facts.followers = std::atoi(rows->text("n").c_str());
  }
  if (auto rows = ask("SELECT sum(pg_database_size(oid)) AS bytes FROM pg_database"); rows && rows->value("bytes"))
    facts.data_bytes = std::strtoull(rows->text("bytes").c_str(), nullptr, 10);
}

}  // namespace holdfast::engine::postgres
