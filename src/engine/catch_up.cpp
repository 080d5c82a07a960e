#include "engine/catch_up.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <functional>
#include <map>
#include <vector>

#include "base/units.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/process.h"

namespace holdfast::engine {
namespace {

using cluster::Engine;
using std::chrono::milliseconds;

const std::string kNotCompared = "cannot be compared with its primary: ";

uint64_t number(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// The next piece before `separator`, which is cut off `rest`; white space around it is not part of it.
std::string_view next_piece(std::string_view& rest, char separator) {
  const size_t end = rest.find(separator);
  std::string_view piece = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  while (!piece.empty() && std::isspace(static_cast<unsigned char>(piece.front()))) piece.remove_prefix(1);
  while (!piece.empty() && std::isspace(static_cast<unsigned char>(piece.back()))) piece.remove_suffix(1);
  return piece;
}

std::map<uint64_t, uint64_t> sequence_by_domain(std::string_view position) {
  std::map<uint64_t, uint64_t> domains;
  while (!position.empty()) {
    std::string_view gtid = next_piece(position, ',');
    if (gtid.empty()) continue;
    const uint64_t domain = number(next_piece(gtid, '-'));
    next_piece(gtid, '-');  // the server
    auto& sequence = domains[domain];
    sequence = std::max(sequence, number(gtid));
  }
  return domains;
}

using Missing = std::function<Result<uint64_t>()>;

/// Asks until the verdict is not "wait".
Result<CatchUp> watch(const Missing& missing, const std::function<std::string(uint64_t)>& amount,
                      const LagLimits& limits, Deadline deadline, std::stop_token stop) {
  const auto begun = std::chrono::steady_clock::now();
  std::vector<LagSample> samples;
  LagVerdict verdict;
  Status asked;
  (void)TRY(sys::wait_until(
      [&] {
        auto now = missing();
        if (!now) {
          asked = std::unexpected(std::move(now).error());
          return true;
        }
        samples.push_back({std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun), *now});
        verdict = judge_lag(samples, limits);
        return verdict.kind != LagVerdict::Kind::wait;
      },
      deadline, stop));
  TRY_VOID(std::move(asked));
  CatchUp result;
  result.level = verdict.kind == LagVerdict::Kind::level;
  if (result.level) return result;
  if (samples.empty()) {
    result.why = "could not be asked in time how far it is behind";
    return result;
  }
  result.why = fmt::format("lacks {} of its primary and ", amount(samples.back().missing));
  result.why +=
      verdict.needed ? fmt::format("would need about {} to catch up", human_span(*verdict.needed)) : "did not catch up";
  return result;
}

Result<CatchUp> watch_postgres(const sql::Target& primary, const sql::Target& replica, const LagLimits& limits,
                               Deadline deadline, std::stop_token stop) {
  auto writer = TRY(sql::PostgresConnection::connect(primary, deadline, stop));
  const std::string lsn = TRY(writer.query("SELECT pg_current_wal_flush_lsn() AS l", deadline, stop)).text("l");
  auto connection = TRY(sql::PostgresConnection::connect(replica, deadline, stop));
  const std::string question = fmt::format(
      "SELECT GREATEST(pg_wal_lsn_diff({}::pg_lsn, COALESCE(pg_last_wal_replay_lsn(), '0/0')), 0)::bigint AS m",
      sql::quote_postgres(lsn));
  return watch([&]() -> Result<uint64_t> { return number(TRY(connection.query(question, deadline, stop)).text("m")); },
               [](uint64_t bytes) { return human_size(bytes) + " of write-ahead log"; }, limits, deadline, stop);
}

Result<CatchUp> watch_mysql(bool mysql, const sql::Target& primary, const sql::Target& replica, const LagLimits& limits,
                            Deadline deadline, std::stop_token stop) {
  auto writer = TRY(sql::MariadbConnection::connect(primary, deadline, stop));
  auto connection = TRY(sql::MariadbConnection::connect(replica, deadline, stop));
  const char* const where = mysql ? "SELECT @@GLOBAL.gtid_executed AS p" : "SELECT @@GLOBAL.gtid_current_pos AS p";
  const std::string wanted = TRY(writer.query(where, deadline, stop)).text("p");
  const std::string question =
      mysql ? fmt::format("SELECT GTID_SUBTRACT({}, @@GLOBAL.gtid_executed) AS p", sql::quote_mysql(wanted))
            : "SELECT @@GLOBAL.gtid_slave_pos AS p";
  return watch(
      [&]() -> Result<uint64_t> {
        const std::string answer = TRY(connection.query(question, deadline, stop)).text("p");
        return mysql ? count_mysql_gtids(answer) : count_mariadb_gtids_between(answer, wanted);
      },
      [](uint64_t count) { return fmt::format("{} transaction{}", count, count == 1 ? "" : "s"); }, limits, deadline,
      stop);
}

}  // namespace

LagVerdict judge_lag(std::span<const LagSample> samples, const LagLimits& limits) {
  using Kind = LagVerdict::Kind;
  const LagSample& last = samples.back();
  if (last.missing == 0) return {Kind::level, milliseconds(0)};
  const LagSample* base = nullptr;  // the newest that is old enough
  for (const LagSample& sample : samples) {
    if (last.at - sample.at >= limits.watch) base = &sample;
  }
  if (!base) return {Kind::wait, std::nullopt};
  if (base->missing <= last.missing) return {Kind::give_up, std::nullopt};
  const double per_ms =
      static_cast<double>(base->missing - last.missing) / static_cast<double>((last.at - base->at).count());
  // A replica that has just begun to apply may seem to need years; the sentence stays readable, the number fits.
  const double needed_ms = std::min(static_cast<double>(last.missing) / per_ms, 1e12);
  const milliseconds needed(static_cast<int64_t>(needed_ms));
  return {needed <= limits.bound ? Kind::wait : Kind::give_up, needed};
}

uint64_t count_mysql_gtids(std::string_view set) {
  uint64_t count = 0;
  while (!set.empty()) {
    std::string_view source = next_piece(set, ',');
    next_piece(source, ':');  // the server
    while (!source.empty()) {
      std::string_view interval = next_piece(source, ':');
      if (interval.empty() || interval.front() < '0' || interval.front() > '9') continue;  // a tag
      const uint64_t first = number(next_piece(interval, '-'));
      const uint64_t last = interval.empty() ? first : number(interval);
      if (last >= first) count += last - first + 1;
    }
  }
  return count;
}

uint64_t count_mariadb_gtids_between(std::string_view have, std::string_view wanted) {
  const auto held = sequence_by_domain(have);
  uint64_t count = 0;
  for (const auto& [domain, sequence] : sequence_by_domain(wanted)) {
    const auto found = held.find(domain);
    const uint64_t from = found == held.end() ? 0 : found->second;
    if (sequence > from) count += sequence - from;
  }
  return count;
}

Result<CatchUp> catch_up(Engine engine, const MemberView& source, const std::vector<MemberView>& views,
                         const LagLimits& limits, Deadline deadline, std::stop_token stop) {
  CatchUp result;
  if (engine == Engine::galera) {
    auto connection = TRY(sql::MariadbConnection::connect(*source.target, deadline, stop));
    TRY(connection.query("SET SESSION wsrep_sync_wait = 1", deadline, stop));
    const auto synced = connection.query("SELECT COUNT(*) FROM information_schema.schemata", deadline, stop);
    result.level = synced.has_value();
    if (!synced) result.why = "did not apply what the cluster had committed: " + synced.error().to_string();
    return result;
  }
  auto primary = find_primary(views);
  if (!primary) {
    result.why = kNotCompared + primary.error().message;
    return result;
  }
  if (primary->member == source.member) {
    result.level = true;
  } else {
    auto watched = engine == Engine::postgres
                       ? watch_postgres(*primary->target, *source.target, limits, deadline, stop)
                       : watch_mysql(engine == Engine::mysql, *primary->target, *source.target, limits, deadline, stop);
    if (watched) {
      result = std::move(*watched);
    } else if (stop.stop_requested()) {
      return std::unexpected(std::move(watched).error());
    } else {
      result.why = kNotCompared + watched.error().message;
    }
  }
  result.primary = std::move(*primary);
  return result;
}

}  // namespace holdfast::engine
