// Snapshots of PostgreSQL, and which transactions they show.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "compare/session.h"

namespace holdfast::compare {
namespace {

constexpr uint64_t kMostAsked = 20'000;  // transaction ids whose state is asked for at a time

// What a server shows in this moment: the end of its log, and the ids that have not ended, of which a standby's
// snapshot says nothing. The log's end is that of the primary's inserts: a standby can know of no commit beyond it.
constexpr const char* kLook = R"(
WITH now AS MATERIALIZED (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest,
                                 pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next)
SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END AS p,
       pg_is_in_recovery()::text AS standby, next,
       CASE WHEN next - oldest <= {} THEN
         array_to_string(ARRAY(SELECT x FROM generate_series(oldest, next - 1) x
                               WHERE pg_xact_status(x::text::xid8) = 'in progress'), ',') END AS running
FROM now)";

uint64_t number(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::vector<uint64_t> numbers(std::string_view text) {
  std::vector<uint64_t> values;
  for (size_t from = 0; from < text.size();) {
    const size_t end = std::min(text.find(',', from), text.size());
    values.push_back(number(text.substr(from, end - from)));
    from = end + 1;
  }
  std::ranges::sort(values);
  return values;
}

/// "16/B374D848"
uint64_t lsn_of(std::string_view text) {
  const auto hex = [](std::string_view digits) {
    uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    return value;
  };
  const size_t slash = std::min(text.find('/'), text.size());
  return hex(text.substr(0, slash)) << 32 | hex(text.substr(std::min(slash + 1, text.size())));
}

/// One of `ids` and of [from, below) that committed; `below` is not above the first id this server has not met.
Result<std::optional<uint64_t>> committed(sql::PostgresConnection& connection, const std::vector<uint64_t>& ids,
                                          uint64_t from, uint64_t below, Deadline deadline, std::stop_token stop) {
  if (below > from && below - from > kMostAsked) return below - 1;
  const auto rows = TRY(connection.query(
      fmt::format("SELECT x FROM (SELECT unnest(ARRAY[{}]::bigint[]) UNION ALL SELECT generate_series({}::bigint, {})) "
                  "ids(x) WHERE CASE WHEN x < {} THEN pg_xact_status(x::text::xid8) END = 'committed' LIMIT 1",
                  fmt::join(ids, ","), from, static_cast<int64_t>(below) - 1, below),
      deadline, stop));
  if (rows.empty()) return std::nullopt;
  return number(rows.text("x", 0));
}

}  // namespace

Result<std::optional<std::string>> Session::take_postgres(Role role, Deadline deadline, std::stop_token stop) {
  auto& connection = databases_.begin()->second;
  if (in_snapshot_) TRY(connection.query("ROLLBACK", deadline, stop));
  in_snapshot_ = true;
  const std::string look = fmt::format(kLook, kMostAsked);
  const auto before = TRY(connection.query(look, deadline, stop));
  const auto rows = TRY(connection.query(
      "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SELECT pg_current_snapshot()::text AS s, CASE WHEN "
      "pg_is_in_recovery() THEN NULL ELSE pg_current_wal_insert_lsn() END AS p",
      deadline, stop));
  const std::string shown = rows.text("s", 0);  // "oldest:next:running,running"
  const size_t first = shown.find(':'), second = shown.find(':', first + 1);
  if (second == std::string::npos) return std::nullopt;

  visible_ = {};
  visible_.next = number(std::string_view(shown).substr(first + 1, second - first - 1));
  if (role == Role::follower) {
    visible_.lsn = lsn_of(before.text("p"));
    if (before.value("running")) {
      visible_.maybe_running = numbers(before.text("running"));
      for (uint64_t id = number(before.text("next")); id < visible_.next; ++id) visible_.maybe_running->push_back(id);
    }
    return before.text("p");
  }
  std::string position = rows.text("p", 0);
  visible_.running = numbers(std::string_view(shown).substr(second + 1));
  if (before.text("standby") == "true") {
    const auto after = TRY(connection.query(look, deadline, stop));
    const bool still = before.text("p") == after.text("p") && before.value("running") == after.value("running") &&
                       before.text("next") == after.text("next") && number(before.text("next")) == visible_.next;
    if (!still || !before.value("running")) return std::nullopt;
    position = before.text("p");
    visible_.running = numbers(before.text("running"));
  }
  visible_.lsn = lsn_of(position);
  return position.empty() ? std::nullopt : std::optional(position + " " + shown);
}

Result<std::optional<uint64_t>> Session::shows_beyond(const Visible& reference, Deadline deadline,
                                                      std::stop_token stop) {
  return committed(databases_.begin()->second, reference.running, reference.next, visible_.next, deadline, stop);
}

Result<std::optional<uint64_t>> Session::shows_beyond_follower(const Visible& follower, Deadline deadline,
                                                               std::stop_token stop) {
  if (follower.lsn >= visible_.lsn) return std::nullopt;
  if (!follower.maybe_running) return visible_.next - 1;
  std::vector<uint64_t> ids;
  std::ranges::set_difference(*follower.maybe_running, visible_.running, std::back_inserter(ids));
  return committed(databases_.begin()->second, ids, follower.next, visible_.next, deadline, stop);
}

}  // namespace holdfast::compare
