// mariadb-dump of a replicated or stand-alone MariaDB server, or of a Galera node.
//
// With the binary log on, --single-transaction --master-data gives the binary log position of the very snapshot the
// dump reads (binlog_snapshot_position), without any global lock; --gtid turns it into a GTID position. Members log
// what they replicate, so this holds on a replica too. Galera: the Xid event before that position carries the seqno.
#include <fmt/format.h>

#include "engine/dump.h"
#include "engine/private_files.h"
#include "engine/producer.h"
#include "engine/programs.h"
#include "sql/mariadb.h"

namespace holdfast::engine {
namespace {

using cluster::Engine;
using std::chrono::seconds;

std::string between(const std::string& text, std::string_view before, std::string_view after) {
  size_t at = text.rfind(before);
  if (at == std::string::npos) return "";
  at += before.size();
  const size_t end = text.find(after, at);
  return end == std::string::npos ? "" : text.substr(at, end - at);
}

class MariadbDump : public DumpStream {
 public:
  MariadbDump(DumpRequest request, sql::MariadbConnection connection, PrivateFile options, Producer producer,
              DumpInfo info)
      : request_(std::move(request)),
        connection_(std::move(connection)),
        options_(std::move(options)),
        producer_(std::move(producer)),
        info_(std::move(info)) {}

  Result<size_t> read(MutableByteSpan into) override {
    const size_t got = TRY(producer_.read(into));
    if (got > 0) {
      scanner_.feed({into.data(), got});
      return got;
    }
    if (!done_) TRY_VOID(finish());
    done_ = true;
    return 0;
  }
  const DumpInfo& info() const override { return info_; }

 private:
  Status finish() {
    if (!scanner_.complete()) {
      return fail(ErrorClass::failed, "engine.dump_incomplete",
                  fmt::format("the dump of {} ends without \"-- Dump completed\"", request_.member),
                  kDumpIncompleteHint);
    }
    info_.counts = scanner_.counts();
    const std::string& lines = scanner_.position_lines();
    info_.log_file = between(lines, "MASTER_LOG_FILE='", "'");
    info_.log_offset = std::strtoull(between(lines, "MASTER_LOG_POS=", ";").c_str(), nullptr, 10);
    if (request_.engine == Engine::galera) return finish_galera();
    if (!info_.log_file.empty()) {
      info_.position = between(lines, "gtid_slave_pos='", "'");
      info_.position_exact = true;
      return {};
    }
    auto rows = TRY(connection_.query("SELECT @@GLOBAL.gtid_current_pos AS p", Deadline::in(seconds(20))));
    info_.position_to = rows.text("p");
    info_.position = info_.position_from;
    info_.position_exact = info_.position_from == info_.position_to;
    return {};
  }

  // The seqno of the last transaction before the binary log position of the dump's snapshot.
  Status finish_galera() {
    auto status = TRY(connection_.query("SHOW GLOBAL STATUS LIKE 'wsrep_last_committed'", Deadline::in(seconds(20))));
    info_.position_to = info_.lineage + ":" + status.text("Value");
    info_.position = info_.position_from;
    info_.position_exact = info_.position_from == info_.position_to;
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

  const DumpRequest request_;
  sql::MariadbConnection connection_;
  PrivateFile options_;
  Producer producer_;
  DumpScanner scanner_{DumpFlavour::mysql};
  DumpInfo info_;
  bool done_ = false;
};

}  // namespace

Result<std::unique_ptr<DumpStream>> open_mariadb_dump(const DumpRequest& request, std::stop_token stop) {
  const std::string program = TRY(find_program(request.engine, "mariadb-dump"));
  auto connection = TRY(sql::MariadbConnection::connect(request.target, Deadline::in(seconds(20)), stop));
  DumpInfo info;
  info.server_version = connection.server_version();
  auto version = TRY(sys::run_ok({.argv = {program, "--no-defaults", "--version"}}, Deadline::in(seconds(20)), stop));
  info.tool_version = version.out.substr(0, version.out.find('\n'));
  auto facts =
      TRY(connection.query("SELECT @@GLOBAL.log_bin AS b, @@GLOBAL.gtid_current_pos AS p, @@GLOBAL.server_id AS i",
                           Deadline::in(seconds(20)), stop));
  const bool log_bin = facts.text("b") == "1";
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
  auto engines =
      TRY(connection.query("SELECT CONCAT(table_schema,'.',table_name) AS t, engine AS e FROM "
                           "information_schema.tables WHERE table_type='BASE TABLE' AND "
                           "engine NOT IN ('InnoDB','ROCKSDB','MEMORY','BLACKHOLE') AND table_schema NOT IN "
                           "('mysql','information_schema','performance_schema','sys') LIMIT 20",
                           Deadline::in(seconds(60)), stop));
  for (size_t i = 0; i < engines.rows.size(); ++i) {
    info.remarks.push_back(fmt::format("table {} is {}: it is not part of the consistent point", engines.text("t", i),
                                       engines.text("e", i)));
  }

  auto options = TRY(PrivateFile::create("client.cnf", mysql_option_file(request.target)));
  sys::Command command;
  command.argv = {program,
                  "--defaults-file=" + options.path(),
                  "--all-databases",
                  "--single-transaction",
                  "--quick",
                  "--routines",
                  "--triggers",
                  "--events",
                  "--hex-blob",
                  "--skip-dump-date",
                  "--default-character-set=utf8mb4",
                  "--max-allowed-packet=1G"};
  if (log_bin) {
    command.argv.push_back("--master-data=2");
    command.argv.push_back("--gtid");
  }
  if (request.target.tls) {
    command.argv.push_back("--ssl-verify-server-cert");
    if (!request.target.tls_ca.empty()) command.argv.push_back("--ssl-ca=" + request.target.tls_ca);
  }
  auto producer = TRY(Producer::start(std::move(command), request.stall_limit, stop));
  return std::make_unique<MariadbDump>(request, std::move(connection), std::move(options), std::move(producer),
                                       std::move(info));
}

}  // namespace holdfast::engine
