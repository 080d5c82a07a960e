#include "engine/postgres/missing_pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <future>
#include <map>
#include <set>
#include <thread>

#include "position/wal.h"
#include "sql/postgres.h"

namespace holdfast::engine::postgres {

using sql::PostgresConnection;
using std::chrono::milliseconds;

namespace {

/// Until the standby has replayed what its primary has: a busy machine needs seconds for that, and what was not
/// compared counts as whole. One that is paused or delayed on purpose gets no closer.
constexpr milliseconds kUntilLevel(3000), kUntilLevelHeld(500), kBetween(500);
constexpr size_t kMostFiles = 64;                   ///< looked at in one go, those that lack most first
constexpr uint64_t kLooks = 4, kLooksOfEmpty = 16;  ///< pages of each

/// Expressions cost a fifth of the whole, and a row for each file as much again on the way. No name of a file has a
/// '/'. The planner takes the listings for long, and would compile the query for half a second.
constexpr const char* kFiles = R"(SET jit = off;
WITH d(d) AS (
  SELECT 'global' UNION ALL
  SELECT 'base/' || b FROM pg_ls_dir('base') b WHERE b ~ '^[0-9]+$' UNION ALL
  SELECT 'pg_tblspc/' || t || '/' || v || '/' || b FROM pg_ls_dir('pg_tblspc') t,
    LATERAL pg_ls_dir('pg_tblspc/' || t, true, false) v, LATERAL pg_ls_dir('pg_tblspc/' || t || '/' || v, true, false) b
    WHERE v ~ '^PG_' AND b ~ '^[0-9]+$')
SELECT d AS folder, string_agg((pg_stat_file(d || '/' || f, true)).size || ' ' || f, '/') AS files,
  current_setting('block_size') AS block
FROM d, LATERAL pg_ls_dir(d, true, false) f WHERE f COLLATE "C" >= '0' AND f COLLATE "C" < ':' GROUP BY d)";

Result<FileSizes> file_sizes(PostgresConnection& server, Deadline deadline, const std::stop_token& stop) {
  const auto rows = TRY(server.query(kFiles, deadline, stop));
  FileSizes sizes;
  if (!rows.empty()) sizes.block = std::stoull(rows.text("block"));
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    const std::string folder = rows.text("folder", i) + "/", files = rows.text("files", i);
    for (size_t at = 0; at < files.size();) {
      const size_t end = std::min(files.find('/', at), files.size()), space = files.find(' ', at);
      if (space < end)
        sizes.bytes.emplace_back(folder + files.substr(space + 1, end - space - 1),
                                 std::strtoull(files.c_str() + at, nullptr, 10));
      at = end + 1;
    }
  }
  return sizes;
}

using Pages = std::map<std::string, uint64_t>;  ///< by file

/// Of main forks. Unlogged tables, which have an init fork as well, are others on a standby.
Pages pages_of(const FileSizes& sizes) {
  constexpr std::string_view kInit = "_init";
  std::set<std::string> unlogged;
  for (const auto& [file, bytes] : sizes.bytes)
    if (file.ends_with(kInit)) unlogged.insert(file.substr(0, file.size() - kInit.size()));
  Pages pages;
  for (const auto& [file, bytes] : sizes.bytes)
    if (detail::is_table_file(file) && file.find('_', file.rfind('/')) == std::string::npos &&
        !unlogged.contains(file.substr(0, file.rfind('.'))))
      pages[file] = bytes / sizes.block;
  return pages;
}

/// Pages that one of two servers may lack.
struct Gap {
  std::string file;
  uint64_t first = 0, end = 0;
  bool empty = false;           ///< they are there, and empty; otherwise the file ends before them
  std::vector<uint64_t> looks;  ///< those of them that are looked at
};

Gap gap(std::string file, uint64_t first, uint64_t end, bool empty) {
  Gap gap{std::move(file), first, end, empty, {}};
  const uint64_t step = std::max<uint64_t>(1, (end - first) / (empty ? kLooksOfEmpty : kLooks));
  for (uint64_t page = first; page < end; page += step) gap.looks.push_back(page);
  return gap;
}

/// What `own` may lack of `other`: where its files end earlier or are gone, and its empty pages.
std::vector<Gap> gaps_of(const Pages& own, const Pages& other, const std::vector<cluster::PageRun>& empty) {
  std::vector<Gap> gaps;
  for (const auto& [file, pages] : other) {
    const auto here = own.find(file);
    if (here == own.end() ? pages > 0 : here->second < pages)
      gaps.push_back(gap(file, here == own.end() ? 0 : here->second, pages, false));
  }
  std::ranges::stable_sort(gaps, std::greater(), [](const Gap& g) { return g.end - g.first; });
  if (gaps.size() > kMostFiles) gaps.resize(kMostFiles);
  for (const auto& run : empty)
    if (other.contains(run.file)) gaps.push_back(gap(run.file, run.first, run.first + run.pages, true));
  return gaps;
}

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> parts(1);
  for (const char c : path)
    if (c == '/')
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

uint64_t bytes_of(const FileSizes& sizes) {
  uint64_t sum = 0;
  for (const auto& [file, bytes] : sizes.bytes) sum += bytes;
  return sum;
}

using Heads = std::map<std::pair<std::string, uint64_t>, std::string>;  ///< first 16 bytes in hex, by file and page

class Comparison {
 public:
  Comparison(PostgresConnection& primary, PostgresConnection& standby, const sql::Target& at_primary, uint64_t block,
             Deadline deadline, const std::stop_token& stop)
      : primary_(primary),
        standby_(standby),
        at_primary_(at_primary),
        deadline_(deadline),
        stop_(stop),
        block_(block) {}

  /// `there`: the files of the primary, which has these gaps as well as the standby.
  Status confirm(MissingPages& missing, std::vector<Gap> of_standby, std::vector<Gap> of_primary, const Pages& there) {
    // Half a second is left for the pause between two looks, and some for the looks.
    const auto left = std::max(deadline_.left() - kBetween, milliseconds(0));
    patience_ = deadline_.at_most(std::min(kUntilLevel, left * 3 / 4));
    missing.of_standby = TRY(confirmed(false, std::move(of_standby)));
    TRY_VOID(leave_what_was_dropped(of_primary, there));
    missing.of_primary = TRY(confirmed(true, std::move(of_primary)));
    return {};
  }

 private:
  using Told = std::optional<std::vector<std::string>>;

  Result<Told> confirmed(bool of_primary, std::vector<Gap> gaps) {
    PostgresConnection& own = of_primary ? primary_ : standby_;
    PostgresConnection& other = of_primary ? standby_ : primary_;
    for (int look = 0; look < 2 && !gaps.empty(); ++look) {
      if (look > 0) std::this_thread::sleep_for(std::min(deadline_.left(), kBetween));
      const std::string before = TRY(end_of_log("flush"));
      if (!of_primary && !TRY(replays(before))) return std::nullopt;
      const uint64_t passed = TRY(position::Lsn::parse(before)).value, on_disk = TRY(checkpoint(own));
      gaps = TRY(that_lack(own, std::move(gaps)));
      if (gaps.empty()) break;
      // What the primary cuts off on purpose is in its log before it does so, though not always on its disk. What it
      // lacked at the first look it had cut off by then.
      if (of_primary && look == 0 && !TRY(replays_all_cuts())) return std::nullopt;
      const Heads heads = TRY(heads_of(other, gaps));
      std::erase_if(gaps, [&](const Gap& g) {
        return std::ranges::none_of(g.looks, [&](uint64_t page) {
          const auto head = heads.find({g.file, page});
          const uint64_t lsn = head == heads.end() ? 0 : detail::lsn_of_page(head->second);
          return lsn > 0 && lsn <= (g.empty ? std::min(on_disk, passed) : passed);
        });
      });
    }
    std::vector<std::string> told;
    for (const Gap& g : gaps) told.push_back(fmt::format("page {} of {}", g.first, g.file));
    return told;
  }

  /// Of files that the primary lacks as a whole, those stay that a relation of its catalogue has. The others it has
  /// dropped and the standby has not yet, or a crash has left them on the standby. Of a database that is being dropped
  /// or moved, files go before the log says so.
  Status leave_what_was_dropped(std::vector<Gap>& gaps, const Pages& own) {
    std::map<std::string, std::string> files_by_database;  ///< by OID, for SQL; "" = shared by all
    for (const Gap& g : gaps) {
      if (g.empty || own.contains(g.file)) continue;
      const auto parts = split(g.file);
      const std::string node = parts.back().substr(0, parts.back().find('.'));
      const std::string space = parts[0] == "global" ? "1664" : parts[0] == "base" ? "1663" : parts[1];
      std::string& files = files_by_database[parts[0] == "global" ? "" : parts[parts.size() - 2]];
      files += fmt::format("{}({}, {}, {})", files.empty() ? "" : ", ", sql::quote_postgres(g.file), space, node);
    }
    if (files_by_database.empty()) return {};
    const auto databases = TRY(primary_.query(
        "SELECT d.oid AS id, d.datname AS name FROM pg_database d WHERE datallowconn AND datconnlimit <> -2 AND NOT "
        "EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'object' AND l.classid = 'pg_database'::regclass AND "
        "l.objid "
        "= d.oid AND l.mode = 'AccessExclusiveLock')",
        deadline_, stop_));
    std::set<std::string> known;
    for (const auto& [id, files] : files_by_database) {
      sql::Target target = at_primary_;
      for (size_t i = 0; i < databases.rows.size() && !id.empty(); ++i)
        if (databases.text("id", i) == id) target.database = databases.text("name", i);
      if (!id.empty() && target.database.empty()) continue;
      auto connection = TRY(PostgresConnection::connect(target, deadline_, stop_));
      const auto rows = TRY(connection.query(
          fmt::format("SELECT f FROM (VALUES {}) v(f, t, n) WHERE pg_filenode_relation(t, n) IS NOT NULL", files),
          deadline_, stop_));
      for (size_t i = 0; i < rows.rows.size(); ++i) known.insert(rows.text("f", i));
    }
    std::erase_if(gaps, [&](const Gap& g) { return !g.empty && !own.contains(g.file) && !known.contains(g.file); });
    return {};
  }

  /// Of the primary: what is on its disk ("flush"), or all ("insert").
  Result<std::string> end_of_log(std::string_view what) {
    return TRY(primary_.query(fmt::format("SELECT pg_current_wal_{}_lsn() AS lsn", what), deadline_, stop_))
        .text("lsn");
  }
  /// All changes before it are on the server's disk.
  Result<uint64_t> checkpoint(PostgresConnection& server) {
    const auto rows = TRY(server.query("SELECT redo_lsn AS lsn FROM pg_control_checkpoint()", deadline_, stop_));
    return TRY(position::Lsn::parse(rows.text("lsn"))).value;
  }

  /// All that the primary has cut off by now. What it logs without a commit (hints, pruned pages) may stay in its
  /// memory for a quarter of a minute when it idles, where no standby gets it. Once its log writer has had its time
  /// there is no cut among that, unless one is being made: TRUNCATE, DROP and VACUUM end with a commit.
  Result<bool> replays_all_cuts() {
    const std::string end = TRY(end_of_log("insert"));
    const auto since = std::chrono::steady_clock::now();
    for (;;) {
      const Replay replay = TRY(replay_of(end));
      if (replay.reached) return true;
      const auto rows = TRY(primary_.query(
          "SELECT pg_current_wal_flush_lsn() AS flushed, (SELECT 3 * setting::bigint + 200 FROM pg_settings WHERE name "
          "= 'wal_writer_delay') AS writer_ms, (EXISTS (SELECT FROM pg_locks WHERE locktype = 'relation' AND granted "
          "AND mode = 'AccessExclusiveLock') OR EXISTS (SELECT FROM pg_stat_progress_vacuum))::text AS cuts",
          deadline_, stop_));
      const auto passed = std::chrono::steady_clock::now() - since;
      const bool written = passed > milliseconds(std::stoll(rows.text("writer_ms")));
      if (written && rows.text("cuts") == "false") return replays(rows.text("flushed"));
      if (patience_.passed() || (replay.held && passed > kUntilLevelHeld)) return false;
      std::this_thread::sleep_for(milliseconds(20));
    }
  }

  Result<bool> replays(const std::string& lsn) {
    const Deadline held = deadline_.at_most(kUntilLevelHeld);
    for (;;) {
      const Replay replay = TRY(replay_of(lsn));
      if (replay.reached) return true;
      if (held.passed() && (patience_.passed() || replay.held)) return false;
      std::this_thread::sleep_for(milliseconds(20));
    }
  }

  struct Replay {
    bool reached;  ///< a position of the primary
    bool held;     ///< it is paused or delayed on purpose, and gets no closer
  };
  Result<Replay> replay_of(const std::string& lsn) {
    const auto rows = TRY(
        standby_.query(fmt::format("SELECT pg_last_wal_replay_lsn() >= {}::pg_lsn AS level, pg_is_wal_replay_paused() "
                                   "OR coalesce(current_setting('recovery_min_apply_delay', true), '0') <> '0' AS held",
                                   sql::quote_postgres(lsn)),
                       deadline_, stop_));
    return Replay{rows.text("level") == "t", rows.text("held") == "t"};
  }

  /// Those of them that are still so. Of a file that is gone: its folder is there, which comes first when a database is
  /// made or moved.
  Result<std::vector<Gap>> that_lack(PostgresConnection& own, std::vector<Gap> gaps) {
    std::string names;
    for (const Gap& g : gaps)
      if (!g.empty) names += (names.empty() ? "" : ", ") + fmt::format("({})", sql::quote_postgres(g.file));
    std::map<std::string, uint64_t> sizes;
    if (!names.empty()) {
      const auto rows = TRY(own.query(fmt::format("SELECT f AS file, coalesce((pg_stat_file(f, true)).size, 0) AS size "
                                                  "FROM (VALUES {}) v(f) "
                                                  "WHERE (pg_stat_file(regexp_replace(f, '/[^/]*$', ''), true)).isdir",
                                                  names),
                                      deadline_, stop_));
      for (size_t i = 0; i < rows.rows.size(); ++i)
        sizes[rows.text("file", i)] = std::stoull(rows.text("size", i)) / block_;
    }
    const Heads heads = TRY(heads_of(own, gaps, true));
    std::vector<Gap> still;
    for (Gap& g : gaps) {
      if (g.empty) {
        std::erase_if(g.looks, [&](uint64_t page) {
          const auto head = heads.find({g.file, page});
          return head == heads.end() || head->second != std::string(32, '0');
        });
        if (!g.looks.empty()) still.push_back(std::move(g));
      } else if (const auto size = sizes.find(g.file); size != sizes.end() && size->second < g.end) {
        still.push_back(gap(g.file, size->second, g.end, false));
      }
    }
    return still;
  }

  Result<Heads> heads_of(PostgresConnection& server, const std::vector<Gap>& gaps, bool only_empty = false) {
    std::string pages;
    for (const Gap& g : gaps)
      for (const uint64_t page : g.looks)
        if (g.empty || !only_empty)
          pages += fmt::format("{}({}, {}::bigint)", pages.empty() ? "" : ", ", sql::quote_postgres(g.file), page);
    Heads heads;
    if (pages.empty()) return heads;
    const auto rows = TRY(server.query(
        fmt::format("SELECT f AS file, p AS page, encode(pg_read_binary_file(f, p * {}, 16, true), 'hex') AS head "
                    "FROM (VALUES {}) v(f, p)",
                    block_, pages),
        deadline_, stop_));
    for (size_t i = 0; i < rows.rows.size(); ++i)
      heads[{rows.text("file", i), std::stoull(rows.text("page", i))}] = rows.text("head", i);
    return heads;
  }

  PostgresConnection& primary_;
  PostgresConnection& standby_;
  const sql::Target& at_primary_;
  const Deadline deadline_;
  const std::stop_token& stop_;
  Deadline patience_ = Deadline::never();
  const uint64_t block_;
};

}  // namespace

bool detail::is_table_file(std::string_view file) {
  std::string_view name = file.substr(file.rfind('/') + 1);
  const auto drop = [&name](std::string_view first, const char* of) {
    if (!first.empty() && !name.starts_with(first)) return true;
    const size_t end = std::min(name.find_first_not_of(of, first.size()), name.size());
    if (end == first.size()) return false;
    name.remove_prefix(end);
    return true;
  };
  constexpr const char* kDigits = "0123456789";
  return drop("", kDigits) && drop("_", "abcdefghijklmnopqrstuvwxyz") && drop(".", kDigits) && name.empty();
}

uint64_t detail::lsn_of_page(const std::string& hex) {
  if (hex.size() != 32 || hex.find_first_not_of("0123456789abcdef") != std::string::npos) return 0;
  const auto byte = [&](size_t at) { return uint64_t{std::stoul(hex.substr(2 * at, 2), nullptr, 16)}; };
  const auto four = [&](size_t at) { return byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16 | byte(at + 3) << 24; };
  const bool written = (byte(14) | byte(15) << 8) != 0;  // where its free space ends
  return written ? four(0) << 32 | four(4) : 0;
}

Result<MissingPages> missing_pages(const Compared& primary, const Compared& standby, Deadline deadline,
                                   std::stop_token stop, sql::KeptPostgres* kept) {
  auto listing = std::async(std::launch::async, [&] { return standby.files->get(deadline, stop); });
  const auto of_primary = primary.files->get(deadline, stop);
  const auto of_standby = TRY(listing.get());
  const Pages here = pages_of(of_standby), there = pages_of(TRY(of_primary));
  MissingPages missing;
  missing.bytes_of_primary = bytes_of(*of_primary);
  missing.bytes_of_standby = bytes_of(of_standby);
  auto gaps = gaps_of(here, there, standby.empty), gaps_of_primary = gaps_of(there, here, primary.empty);
  missing.of_standby.emplace();
  missing.of_primary.emplace();
  if (gaps.empty() && gaps_of_primary.empty()) return missing;
  auto at_primary = TRY(sql::KeptPostgres::lease(kept, primary.target, deadline, stop));
  auto at_standby = TRY(sql::KeptPostgres::lease(kept, standby.target, deadline, stop));
  TRY_VOID(Comparison(*at_primary, *at_standby, primary.target, of_standby.block, deadline, stop)
               .confirm(missing, std::move(gaps), std::move(gaps_of_primary), there));
  return missing;
}

Result<FileSizes> TableFiles::get(Deadline deadline, const std::stop_token& stop) {
  std::call_once(once_, [&] {
    auto session = sql::KeptPostgres::lease(kept_, target_, deadline, stop);
    if (session)
      files_ = file_sizes(**session, deadline, stop);
    else
      files_ = fail(session.error());
  });
  return files_;
}

}  // namespace holdfast::engine::postgres
