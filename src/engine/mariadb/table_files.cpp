#include "engine/mariadb/table_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <set>
#include <thread>

#include "engine/pages/table_files.h"
#include "engine/stored/files.h"
#include "sql/mariadb.h"

namespace holdfast::engine::mariadb {

namespace {

constexpr size_t kMostTables = 64;
constexpr std::chrono::milliseconds kBetween(300);

bool is_innodb(const std::string& definition) {
  constexpr uint8_t kBinary[] = {0xfe, 0x01};
  constexpr uint8_t kInnodb = 12;  // at 3; a partitioned table has another number there
  std::array<uint8_t, 4> head{};
  const auto fd = stored::open_regular(definition);
  return fd && pages::read_at(fd->get(), {head.data(), head.size()}, 0) == head.size() && head[0] == kBinary[0] &&
         head[1] == kBinary[1] && head[3] == kInnodb;
}

std::set<std::string> without_file(const std::string& data_dir) {
  std::set<std::string> tables;
  for (const std::string& database : pages::names_in(data_dir)) {
    std::error_code error;
    if (!std::filesystem::is_directory(data_dir + "/" + database, error)) continue;
    const auto listed = pages::names_in(data_dir + "/" + database);
    const std::set<std::string> names(listed.begin(), listed.end());
    for (const std::string& name : names) {
      if (!name.ends_with(".frm") || name.starts_with("#sql")) continue;
      const std::string table = name.substr(0, name.size() - 4);
      const std::string path = database + "/" + table;
      if (!names.contains(table + ".ibd") && !names.contains(table + ".isl") &&
          is_innodb(data_dir + "/" + path + ".frm"))
        tables.insert(path);
      if (tables.size() == kMostTables) return tables;
    }
  }
  return tables;
}

}  // namespace

std::vector<std::string> tables_without_file(const std::string& data_dir) {
  const auto first = without_file(data_dir);
  if (first.empty()) return {};
  std::this_thread::sleep_for(kBetween);
  const auto second = without_file(data_dir);
  std::vector<std::string> tables;
  std::ranges::set_intersection(first, second, std::back_inserter(tables));
  return tables;
}

Result<std::vector<std::string>> that_should_have_one(const std::vector<std::string>& tables, const sql::Target& target,
                                                      Deadline deadline, std::stop_token stop) {
  std::vector<std::string> missing;
  auto connection = TRY(sql::MariadbConnection::connect(target, deadline, stop));
  std::string names;
  for (const auto& table : tables) names += (names.empty() ? "" : ", ") + sql::quote_mysql(table);
  if (names.empty()) return missing;
  TRY(connection.query("SET SESSION lock_wait_timeout = 1", deadline, stop));
  const auto rows = TRY(connection.query(
      fmt::format("SELECT NAME AS name FROM information_schema.INNODB_SYS_TABLES WHERE SPACE <> 0 AND NAME IN ({})",
                  names),
      deadline, stop));
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    const std::string table = rows.text("name", i);
    const size_t slash = table.find('/');
    if (slash == std::string::npos) continue;
    // The dictionary has names as files have them, statements as people write them.
    const auto named = TRY(connection.query(
        fmt::format("SELECT CONVERT(_filename {} USING utf8mb4) AS d, CONVERT(_filename {} USING utf8mb4) AS t",
                    sql::quote_mysql(table.substr(0, slash)), sql::quote_mysql(table.substr(slash + 1))),
        deadline, stop));
    // That it was discarded the server says when it is to read it, not when it opens it.
    const auto read =
        connection.query(fmt::format("SET STATEMENT max_statement_time = 1 FOR SELECT 1 FROM {}.{} LIMIT 1",
                                     sql::quote_mysql_name(named.text("d")), sql::quote_mysql_name(named.text("t"))),
                         deadline, stop);
    constexpr std::string_view kDiscarded = "[1814]";
    if (!read && read.error().id != "sql.error") return std::unexpected(read.error());
    if (read || read.error().message.find(kDiscarded) == std::string::npos) missing.push_back(table + ".ibd");
  }
  return missing;
}

}  // namespace holdfast::engine::mariadb
