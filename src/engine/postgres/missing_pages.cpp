#include "engine/postgres/missing_pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "position/wal.h"
#include "sql/postgres.h"

namespace holdfast::engine::postgres {

using sql::PostgresConnection;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kUntilLevel(500), kBetween(500);
constexpr size_t kMostFiles = 64;  ///< looked at in one go, those that lack most first
constexpr uint64_t kLooks = 4;     ///< pages of each

/// Main and init forks. The planner takes the listings for long, and would compile the query for half a second.
constexpr const char* kFiles = R"(SET jit = off;
WITH d(d) AS (
  SELECT 'global' UNION ALL
  SELECT 'base/' || b FROM pg_ls_dir('base') b WHERE b ~ '^[0-9]+$' UNION ALL
  SELECT 'pg_tblspc/' || t || '/' || v || '/' || b FROM pg_ls_dir('pg_tblspc') t,
    LATERAL pg_ls_dir('pg_tblspc/' || t, true, false) v, LATERAL pg_ls_dir('pg_tblspc/' || t || '/' || v, true, false) b
    WHERE v ~ '^PG_' AND b ~ '^[0-9]+$')
SELECT d || '/' || f AS file, (pg_stat_file(d || '/' || f, true)).size AS size
FROM d, LATERAL pg_ls_dir(d, true, false) f WHERE f ~ '^[0-9]+(_init)?(\.[0-9]+)?$')";

using Pages = std::map<std::string, uint64_t>;  ///< by file

/// Of main forks. Unlogged tables, which have an init fork as well, are others on a standby.
Pages pages_of(const sql::Rows& rows, uint64_t block) {
  constexpr std::string_view kInit = "_init";
  std::set<std::string> unlogged;
  for (size_t i = 0; i < rows.rows.size(); ++i)
    if (const std::string file = rows.text("file", i); file.ends_with(kInit))
      unlogged.insert(file.substr(0, file.size() - kInit.size()));
  Pages pages;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    const std::string file = rows.text("file", i);
    const auto size = rows.value("size", i);
    if (size && file.find('_', file.rfind('/')) == std::string::npos &&
        !unlogged.contains(file.substr(0, file.rfind('.'))))
      pages[file] = std::stoull(*size) / block;
  }
  return pages;
}

struct Short {
  std::string file;
  uint64_t has = 0, should = 0;  ///< pages
};

/// Files of the standby that are there, and shorter than the primary's.
std::vector<Short> shorter(const Pages& primary, const Pages& standby) {
  std::vector<Short> files;
  for (const auto& [file, pages] : primary)
    if (const auto own = standby.find(file); own != standby.end() && own->second < pages)
      files.push_back({file, own->second, pages});
  std::ranges::sort(files, [](const Short& a, const Short& b) { return a.should - a.has > b.should - b.has; });
  if (files.size() > kMostFiles) files.resize(kMostFiles);
  return files;
}

class Comparison {
 public:
  Comparison(PostgresConnection& primary, PostgresConnection& standby, Deadline deadline, const std::stop_token& stop)
      : primary_(primary), standby_(standby), deadline_(deadline), stop_(stop) {}

  Result<std::optional<std::vector<std::string>>> run() {
    block_ = std::stoull(TRY(primary_.query("SELECT current_setting('block_size') AS b", deadline_, stop_)).text("b"));
    const Pages there = pages_of(TRY(primary_.query(kFiles, deadline_, stop_)), block_);
    auto files = shorter(there, pages_of(TRY(standby_.query(kFiles, deadline_, stop_)), block_));
    if (files.empty()) return std::vector<std::string>();
    const std::string flushed =
        TRY(primary_.query("SELECT pg_current_wal_flush_lsn() AS lsn", deadline_, stop_)).text("lsn");
    reached_ = TRY(position::Lsn::parse(flushed)).value;
    if (!TRY(replays(flushed))) return std::nullopt;
    for (int look = 0; look < 2 && !files.empty(); ++look) {
      if (look > 0) std::this_thread::sleep_for(std::min(deadline_.left(), kBetween));
      files = TRY(that_lack(files));
    }
    std::vector<std::string> told;
    for (const auto& file : files) told.push_back(fmt::format("page {} of {}", file.has, file.file));
    return told;
  }

 private:
  Result<bool> replays(const std::string& lsn) {
    const Deadline patience = deadline_.at_most(kUntilLevel);
    for (;;) {
      const auto rows = TRY(standby_.query(
          fmt::format("SELECT pg_last_wal_replay_lsn() >= {}::pg_lsn AS level", sql::quote_postgres(lsn)), deadline_,
          stop_));
      if (rows.text("level") == "t") return true;
      if (patience.passed()) return false;
      std::this_thread::sleep_for(milliseconds(20));
    }
  }

  /// Those of them that still end before a page which the standby has replayed.
  Result<std::vector<Short>> that_lack(const std::vector<Short>& files) {
    std::string names;
    for (const auto& file : files)
      names += (names.empty() ? "" : ", ") + fmt::format("({})", sql::quote_postgres(file.file));
    const Pages now = pages_of(TRY(standby_.query(fmt::format("SELECT f AS file, (pg_stat_file(f, true)).size AS size "
                                                              "FROM (VALUES {}) v(f)",
                                                              names),
                                                  deadline_, stop_)),
                               block_);
    std::vector<Short> still;
    std::string pages;
    for (Short file : files) {
      const auto own = now.find(file.file);
      if (own == now.end() || own->second >= file.should) continue;
      file.has = own->second;
      const uint64_t step = std::max<uint64_t>(1, (file.should - file.has) / kLooks);
      for (uint64_t page = file.has; page < file.should; page += step)
        pages +=
            fmt::format("{}({}, {}::bigint)", pages.empty() ? "" : ", ", sql::quote_postgres(file.file), page * block_);
      still.push_back(std::move(file));
    }
    if (still.empty()) return still;
    const auto rows = TRY(primary_.query(
        fmt::format(
            "SELECT f AS file, encode(pg_read_binary_file(f, o, 16, true), 'hex') AS head FROM (VALUES {}) v(f, o)",
            pages),
        deadline_, stop_));
    std::erase_if(still, [&](const Short& file) {
      for (size_t i = 0; i < rows.rows.size(); ++i) {
        const uint64_t lsn = rows.text("file", i) == file.file ? detail::lsn_of_page(rows.text("head", i)) : 0;
        if (lsn > 0 && lsn <= reached_) return false;
      }
      return true;
    });
    return still;
  }

  PostgresConnection& primary_;
  PostgresConnection& standby_;
  const Deadline deadline_;
  const std::stop_token& stop_;
  uint64_t block_ = 8192, reached_ = 0;
};

}  // namespace

uint64_t detail::lsn_of_page(const std::string& hex) {
  if (hex.size() != 32 || hex.find_first_not_of("0123456789abcdef") != std::string::npos) return 0;
  const auto byte = [&](size_t at) { return uint64_t{std::stoul(hex.substr(2 * at, 2), nullptr, 16)}; };
  const auto four = [&](size_t at) { return byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16 | byte(at + 3) << 24; };
  const bool written = (byte(14) | byte(15) << 8) != 0;  // where its free space ends
  return written ? four(0) << 32 | four(4) : 0;
}

Result<std::optional<std::vector<std::string>>> missing_pages(const sql::Target& primary, const sql::Target& standby,
                                                              Deadline deadline, std::stop_token stop) {
  auto of_primary = TRY(PostgresConnection::connect(primary, deadline, stop));
  auto of_standby = TRY(PostgresConnection::connect(standby, deadline, stop));
  return Comparison(of_primary, of_standby, deadline, stop).run();
}

}  // namespace holdfast::engine::postgres
