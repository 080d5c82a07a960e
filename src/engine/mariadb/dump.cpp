// mariadb-dump of a replicated or stand-alone MariaDB server, or of a Galera node.
//
// With the binary log on, --single-transaction --master-data gives the binary log position of the very snapshot the
// dump reads (binlog_snapshot_position), without any global lock; --gtid turns it into a GTID position. Members log
// what they replicate, so this holds on a replica too. Galera: the Xid event before that position carries the seqno.
#include <fmt/format.h>

#include "engine/mariadb/objects.h"
#include "engine/mariadb/storage_engines.h"
#include "engine/mysql_family/completeness.h"
#include "engine/mysql_family/directories.h"
#include "engine/mysql_family/disabled_keys.h"
#include "engine/mysql_family/events.h"
#include "engine/mysql_family/exact_dump.h"
#include "engine/mysql_family/memory_tables.h"
#include "engine/mysql_family/routines.h"
#include "engine/mysql_family/statements.h"
#include "engine/mysql_family_dump.h"
#include "engine/programs.h"
#include "sql/transport.h"

namespace holdfast::engine {
namespace {

using cluster::Engine;
using std::chrono::seconds;

class MariadbDump : public MysqlFamilyDump {
 public:
  /// `log_holds_all`: the member's binary log has what it replicates, too; else its end says nothing of the data.
  MariadbDump(DumpRequest request, sql::MariadbConnection connection, PrivateFile options, Producer producer,
              DumpInfo info, OwnStatements own, bool log_holds_all)
      : MysqlFamilyDump(std::move(request), std::move(connection), std::move(options), std::move(producer),
                        std::move(info), std::move(own)),
        log_holds_all_(log_holds_all) {}

 private:
  Status settle() override {
    info_.log_file = noted("MASTER_LOG_FILE='", "'");
    info_.log_offset = std::strtoull(noted("MASTER_LOG_POS=", ";").c_str(), nullptr, 10);
    if (request_.engine == Engine::galera) return settle_galera();
    if (!info_.log_file.empty() && log_holds_all_) {
      info_.position = noted("gtid_slave_pos='", "'");
      info_.position_exact = true;
      return {};
    }
    auto rows = TRY(connection_.query("SELECT @@GLOBAL.gtid_current_pos AS p", Deadline::in(seconds(20))));
    settle_between(rows.text("p"));
    return {};
  }

  // The seqno of the last transaction before the binary log position of the dump's snapshot.
  Status settle_galera() {
    auto status = TRY(connection_.query("SHOW GLOBAL STATUS LIKE 'wsrep_last_committed'", Deadline::in(seconds(20))));
    settle_between(info_.lineage + ":" + status.text("Value"));
    constexpr uint64_t kXidEvent = 31;  // 19 header + 8 xid + 4 checksum
    if (info_.position_exact || info_.log_file.empty() || info_.log_offset <= kXidEvent) return {};
    auto events = connection_.query(fmt::format("SHOW BINLOG EVENTS IN {} FROM {} LIMIT 1",
                                                sql::quote_mysql(info_.log_file), info_.log_offset - kXidEvent),
                                    Deadline::in(seconds(20)));
    if (!events || events->text("Event_type") != "Xid" ||
        events->text("End_log_pos") != std::to_string(info_.log_offset)) {
      return {};  // the last event was no transaction's commit: the bounds must do
    }
    const std::string xid = events->text("Info").substr(events->text("Info").find('=') + 1);
    info_.position = info_.lineage + ":" + xid.substr(0, xid.find_first_not_of("0123456789"));
    info_.position_exact = true;
    return {};
  }

  const bool log_holds_all_;
};

}  // namespace

Result<std::unique_ptr<DumpStream>> open_mariadb_dump(const DumpRequest& request, std::stop_token stop) {
  const std::string program = TRY(find_program(request.engine, "mariadb-dump"));
  auto connection = TRY(sql::MariadbConnection::connect(request.target, Deadline::in(seconds(20)), stop));
  TRY_VOID(check_select_limit(connection, request.member, stop));
  TRY(connection.query(without_limits(true), Deadline::in(seconds(20)), stop));
  DumpInfo info;
  info.server_version = connection.server_version();
  info.tool_version = TRY(dump_tool_version(program, stop));
  auto facts =
      TRY(connection.query("SELECT @@GLOBAL.log_bin AS b, @@GLOBAL.gtid_current_pos AS p, @@GLOBAL.server_id AS i, "
                           "@@GLOBAL.log_slave_updates AS l, @@GLOBAL.gtid_slave_pos <> '' AS r",
                           Deadline::in(seconds(20)), stop));
  const bool log_bin = facts.text("b") == "1";
  // Who replicates, or once did, and did not log it has transactions no place in the binary log stands for.
  const bool replicated = request.is_replica || facts.text("r") == "1";
  const bool log_holds_all = facts.text("l") == "1" || !replicated;
  info.position_from = facts.text("p");
  info.lineage = "server-id:" + facts.text("i");
  if (auto uid = connection.query("SELECT @@GLOBAL.server_uid AS u", Deadline::in(seconds(20)), stop))
    info.lineage = uid->text("u");
  if (request.engine == Engine::galera) {
    auto status = TRY(connection.query(
        "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_state_uuid','wsrep_last_committed')",
        Deadline::in(seconds(20)), stop));
    std::string seqno;
    for (const auto& row : status.rows)
      (row[0].value_or("") == "wsrep_last_committed" ? seqno : info.lineage) = row[1].value_or("");
    info.position_from = info.lineage + ":" + seqno;
  }
  auto engines = TRY(connection.query(
      R"sql(
      SELECT CONCAT(table_schema,'.',table_name) AS t, engine AS e
      FROM information_schema.tables
      WHERE table_type='BASE TABLE' AND engine NOT IN
        ('InnoDB','ROCKSDB','MEMORY','BLACKHOLE','MRG_MYISAM','FEDERATED','CONNECT','SPIDER')
        AND table_schema NOT IN ('mysql','information_schema','performance_schema','sys') LIMIT 20)sql",
      Deadline::in(seconds(60)), stop));
  for (size_t i = 0; i < engines.rows.size(); ++i) {
    info.remarks.push_back(fmt::format("table {} is {}: it is not part of the consistent point", engines.text("t", i),
                                       engines.text("e", i)));
  }

  auto engines_used = TRY(storage_engines(connection, stop));
  // Rows that were written while nobody checked them, or before the server changed its mind, come back as well.
  OwnStatements own{
      std::string(kAsTheyWereMade) + "/*M!100201 SET SESSION check_constraint_checks = 0 */;\n" + engines_used.before,
      ""};
  info.notes = std::move(engines_used.notes);
  Peers peers = connect_peers(request, stop);
  const Sources sources{connection, peers.primary, peers.nodes, request.is_replica, peers.all_nodes, stop};
  TRY_VOID(note_directories(sources, info.notes));
  if (request.engine == Engine::galera) TRY_VOID(note_memory_tables(sources, request.member, info.notes));
  own.before += TRY(mariadb_roles(sources));
  const MariadbSequences sequences = TRY(mariadb_sequences(sources));
  own.before += sequences.before;
  own.after += TRY(routine_comments(sources));
  own.after += TRY(disabled_keys(sources));
  TRY_VOID(note_character_sets(sources, info.notes));
  TRY_VOID(note_filters(sources, info.notes));
  own.after += event_statements(TRY(read_events(sources, info.notes)));
  own.after += TRY(mariadb_objects_after(sources, info.notes));
  own.after += sequences.after;
  // The accounts came as rows; a plain client's server would know them after its next start only.
  own.after += "FLUSH PRIVILEGES;\n";
  auto options = TRY(PrivateFile::create("client.cnf", TRY(mysql_option_file(request.engine, request.target)),
                                         sql::peer_of(request.target)));
  sys::Command command = dump_everything(program, options);
  run_as_peer(command, request.target);
  TRY_VOID(look_at_tables(connection, info, own, command, stop));
  for (const auto& name : engines_used.ignore) command.argv.push_back("--ignore-table=" + name);
  HistoryPlan history = TRY(mariadb_history(sources, info.tool_version, info.notes));
  auto exact = TRY(prepare_exact(sources, request.target, history, request.checksums, info.notes));
  if (exact.tables.empty() && !history.by_transaction.empty()) {
    // The program ends at the first table whose history is kept by transaction, and it could not be left out.
    history.dumped = false;
    info.notes.push_back({"history.missing", "", "the dump has no history of system-versioned tables"});
  }
  if (history.dumped) command.argv.push_back("--dump-history");
  own.before += exact_structures(exact.tables);
  leave_out(exact.tables, command);
  // A table that asks a sequence cannot be filled while only it is locked.
  if (sequences.used()) command.argv.push_back("--skip-add-locks");
  if (log_bin) {
    command.argv.push_back("--master-data=2");
    command.argv.push_back("--gtid");
  }
  auto producer = TRY(Producer::start(std::move(command), request.stall_limit, stop));
  auto dump = std::make_unique<MariadbDump>(request, std::move(connection), std::move(options), std::move(producer),
                                            std::move(info), std::move(own), log_holds_all);
  TRY_VOID(dump->start(std::move(exact), stop));
  return Result<std::unique_ptr<DumpStream>>(std::move(dump));
}

}  // namespace holdfast::engine
