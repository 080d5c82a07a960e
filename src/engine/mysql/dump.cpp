// mysqldump of a MySQL server. --single-transaction with GTIDs on takes the snapshot and the GTID set at one point
// (under a short global read lock); the set stands in the dump, commented, as GTID_PURGED.
#include <fmt/format.h>

#include "engine/mysql/accounts.h"
#include "engine/mysql/objects.h"
#include "engine/mysql_family/completeness.h"
#include "engine/mysql_family/directories.h"
#include "engine/mysql_family/disabled_keys.h"
#include "engine/mysql_family/events.h"
#include "engine/mysql_family/exact_dump.h"
#include "engine/mysql_family/routines.h"
#include "engine/mysql_family/statements.h"
#include "engine/mysql_family_dump.h"
#include "engine/programs.h"
#include "sql/transport.h"

namespace holdfast::engine {
namespace {

using std::chrono::seconds;

// The set in "/* SET @@GLOBAL.GTID_PURGED='+uuid:1-5,\nuuid:1-3';*/"; "" where there is none.
std::string gtid_purged(const std::string& lines) {
  const size_t at = lines.find("GTID_PURGED=");
  const size_t open = at == std::string::npos ? at : lines.find('\'', at);
  const size_t close = open == std::string::npos ? open : lines.find('\'', open + 1);
  std::string set;
  if (close == std::string::npos) return set;
  for (const char c : lines.substr(open + 1, close - open - 1)) {
    if (c != '\n' && c != ' ' && c != '+') set += c;  // a leading + only says "add to what is there"
  }
  return set;
}

class MysqlDump : public MysqlFamilyDump {
 public:
  using MysqlFamilyDump::MysqlFamilyDump;

 private:
  Status settle() override {
    info_.log_file = noted("SOURCE_LOG_FILE='", "'");
    info_.log_offset = std::strtoull(noted("SOURCE_LOG_POS=", ";").c_str(), nullptr, 10);
    if (const std::string set = gtid_purged(noted()); !set.empty()) {
      info_.position = set;
      info_.position_exact = true;
      return {};
    }
    auto rows = TRY(connection_.query("SELECT @@GLOBAL.gtid_executed AS p", Deadline::in(seconds(20))));
    settle_between(rows.text("p"));
    return {};
  }
};

}  // namespace

Result<std::unique_ptr<DumpStream>> open_mysql_dump(const DumpRequest& request, std::stop_token stop) {
  const std::string program = TRY(find_program(request.engine, "mysqldump"));
  auto connection = TRY(sql::MariadbConnection::connect(request.target, Deadline::in(seconds(20)), stop));
  TRY_VOID(check_select_limit(connection, request.member, stop));
  TRY(connection.query(without_limits(false), Deadline::in(seconds(20)), stop));
  DumpInfo info;
  info.server_version = connection.server_version();
  info.tool_version = TRY(dump_tool_version(program, stop));
  auto facts = TRY(connection.query(
      "SELECT @@GLOBAL.log_bin AS b, @@GLOBAL.gtid_executed AS p, @@GLOBAL.server_uuid AS u, @@GLOBAL.gtid_mode AS m",
      Deadline::in(seconds(20)), stop));
  info.lineage = facts.text("u");
  info.position_from = facts.text("p");
  std::erase(info.position_from, '\n');

  // A foreign key may refer to a key that is not unique, where the server was older or allows it.
  OwnStatements own{std::string(kAsTheyWereMade) + "/*!80400 SET SESSION restrict_fk_on_non_standard_key = OFF */;\n",
                    ""};
  Peers peers = connect_peers(request, stop);
  const Sources sources{connection, peers.primary, peers.nodes, request.is_replica, peers.all_nodes, stop};
  TRY_VOID(note_directories(sources, info.notes));
  own.before += TRY(definers_of_views(connection, stop));
  own.before += TRY(mysql_objects_before(sources, info.notes));
  own.after += TRY(routine_comments(sources));
  own.after += TRY(disabled_keys(sources));
  TRY_VOID(note_character_sets(sources, info.notes));
  TRY_VOID(note_filters(sources, info.notes));
  own.after += event_statements(TRY(read_events(sources, info.notes)));
  own.after += TRY(mysql_objects_after(sources, info.notes));
  info.settings = TRY(mysql_persisted_settings(sources));
  auto options = TRY(PrivateFile::create("client.cnf", TRY(mysql_option_file(request.engine, request.target)),
                                         sql::peer_of(request.target)));
  sys::Command command = dump_everything(program, options);
  run_as_peer(command, request.target);
  // Loose: older programs do not know it.
  command.argv.push_back("--loose-init-command=" + without_limits(false));
  TRY_VOID(look_at_tables(connection, info, own, command, stop));
  for (const auto& table : account_tables()) command.argv.push_back("--ignore-table=mysql." + table);
  for (const char* table : kLoadedTables) command.argv.push_back(std::string("--ignore-table=mysql.") + table);
  own.after += TRY(account_statements(connection, info.notes, stop));
  if (facts.text("m") == "ON") command.argv.push_back("--set-gtid-purged=COMMENTED");
  if (facts.text("b") == "1") command.argv.push_back("--source-data=2");
  auto exact = TRY(prepare_exact(sources, request.target, {}, request.checksums, info.notes));
  own.before += exact_structures(exact.tables);
  leave_out(exact.tables, command);
  auto producer = TRY(Producer::start(std::move(command), request.stall_limit, stop));
  auto dump = std::make_unique<MysqlDump>(request, std::move(connection), std::move(options), std::move(producer),
                                          std::move(info), std::move(own));
  TRY_VOID(dump->start(std::move(exact), stop));
  return Result<std::unique_ptr<DumpStream>>(std::move(dump));
}

}  // namespace holdfast::engine
