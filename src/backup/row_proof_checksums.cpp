#include <fmt/format.h>

#include <algorithm>

#include "backup/row_proof.h"
#include "engine/postgres/dump_statements.h"
#include "engine/row_checksum.h"
#include "engine/table_checksums.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"

namespace holdfast::backup {
namespace {

using cluster::Engine;
using engine::ChecksumResults;
using engine::TableName;

constexpr auto kConnect = std::chrono::seconds(30);

/// What the server holds of the tables of `wanted`, all of one database where that matters.
Result<ChecksumResults> sums_of(const engine::AskSession& ask, Result<std::vector<engine::ChecksumShape>> listed,
                                const std::map<TableName, engine::TableChecksum>& wanted, const std::stop_token& stop) {
  auto shapes = TRY(std::move(listed));
  std::erase_if(shapes, [&](const auto& shape) { return !wanted.contains(shape.name); });
  return engine::take_checksums(shapes, ask, stop);
}

Result<ChecksumResults> mysql_sums(Engine engine, const sql::Target& target,
                                   const std::map<TableName, engine::TableChecksum>& wanted,
                                   const std::stop_token& stop) {
  auto connection = TRY(sql::MariadbConnection::connect(target, Deadline::in(kConnect), stop));
  const engine::AskSession ask = [&](const std::string& statement, const std::stop_token& asked) {
    return connection.query(statement, Deadline::in(std::chrono::hours(24 * 7)), asked);
  };
  TRY(ask(engine::session_settings(engine), stop));
  TRY(ask("START TRANSACTION", stop));  // savepoints need one
  const auto history = [&](const TableName& name) {
    const auto found = wanted.find(name);
    return found != wanted.end() && found->second.history;
  };
  return sums_of(ask, engine::mysql_checksum_shapes(engine, ask, history, stop), wanted, stop);
}

Result<ChecksumResults> postgres_sums(sql::Target target, const std::map<TableName, engine::TableChecksum>& wanted,
                                      const std::stop_token& stop) {
  ChecksumResults all;
  for (auto at = wanted.begin(); at != wanted.end();) {
    const std::string database = at->first.database;
    while (at != wanted.end() && at->first.database == database) ++at;
    target.database = database;
    auto connection = TRY(sql::PostgresConnection::connect(target, Deadline::in(kConnect), stop));
    const engine::AskSession ask = [&](const std::string& statement, const std::stop_token& asked) {
      return connection.query(statement, Deadline::never(), asked);
    };
    TRY(engine::speak_own_encoding(connection, stop));
    TRY(ask(engine::session_settings(Engine::postgres) + "; SET role = none; BEGIN", stop));
    auto found = TRY(sums_of(ask, engine::postgres_checksum_shapes(ask, database, stop), wanted, stop));
    all.sums.merge(found.sums);
    all.without.merge(found.without);
  }
  return all;
}

}  // namespace

Result<RowProof> verify_checksums(Engine engine, const sql::Target& target, const engine::DumpCounts& counts,
                                  const std::map<TableName, std::string>& uncounted, const ChecksumResults& kept,
                                  std::stop_token stop) {
  auto wanted = kept.sums;
  std::erase_if(wanted, [&](const auto& table) { return uncounted.contains(table.first); });
  const ChecksumResults found =
      TRY(engine == Engine::postgres ? postgres_sums(target, wanted, stop) : mysql_sums(engine, target, wanted, stop));
  std::string differing;
  size_t differ = 0;
  for (const auto& [name, checksum] : wanted) {
    const auto at = found.sums.find(name);
    if (at != found.sums.end() && at->second.rows == checksum.rows && at->second.sum == checksum.sum) continue;
    const auto without = found.without.find(name);
    if (++differ > 5) continue;
    differing += fmt::format("{}{}", differing.empty() ? "" : "; ", name.text());
    if (at != found.sums.end() && at->second.rows == checksum.rows) {
      differing += fmt::format(": {} rows as on the source, with other values", checksum.rows);
    } else if (at != found.sums.end()) {
      differing += fmt::format(": {} rows on the source, {} restored", checksum.rows, at->second.rows);
    } else {
      differing += ": " + (without == found.without.end() ? "it is not there" : without->second);
    }
  }
  if (differ > 0) {
    return fail(ErrorClass::verification_failed, "restore.checksums_differ",
                fmt::format("{} tables are not what the source had at the point of the dump: {}", differ, differing),
                "--verify=rows restores it nevertheless; another snapshot may be right: holdfast get backups");
  }
  // The others by their number of rows alone.
  engine::DumpCounts rest = counts;
  std::erase_if(rest.table_rows, [&](const auto& table) { return wanted.contains(table.first); });
  RowProof proof = TRY(verify_rows(engine, target, rest, uncounted, stop));
  for (const auto& [name, rows] : rest.table_rows) {
    if (proof.skipped.contains(name) || is_system_table(name)) continue;
    const auto why = kept.without.find(name);
    proof.only_counted[name] = why == kept.without.end() ? "the backup has no checksum of it" : why->second;
  }
  // What holds no rows of the dump, such as materialized views.
  for (const auto& [name, why] : kept.without)
    if (!counts.table_rows.contains(name)) proof.skipped.emplace(name, why);
  proof.by_checksum = true;
  proof.equal = wanted.size();
  proof.tables += wanted.size();
  for (const auto& [name, checksum] : wanted) proof.rows += checksum.rows;
  return proof;
}

}  // namespace holdfast::backup
