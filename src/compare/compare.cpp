#include "compare/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <map>
#include <set>
#include <thread>

namespace holdfast::compare {
namespace {

using cluster::Engine;
using std::chrono::hours;
using std::chrono::seconds;

constexpr int kPoints = 3;           // at which a range must differ
constexpr int kLost = 5;             // times a snapshot may be lost (a standby that had to replay, a broken connection)
constexpr uint64_t kShownKeys = 20;  // of a range that differs
constexpr uint64_t kMostSuspects = 2000;

struct Suspect {
  Table table;
  KeyRange range;
};

enum class Unequal { missing, extra, different };  // a row of a member, next to the reference's

struct Sum {
  std::string rows, digest;
  bool operator==(const Sum&) const = default;
};

bool is_lost(const Error& error) {
  return error.id == "sql.lost" || error.id == "sql.timeout" || error.id == "sql.unreachable" ||
         error.message.find("conflict with recovery") != std::string::npos;
}

class Comparison {
 public:
  Comparison(Engine engine, const std::vector<Source>& sources, const Options& options, std::stop_token stop)
      : engine_(engine), sources_(sources), options_(options), stop_(std::move(stop)) {}

  Result<Outcome> run() {
    outcome_.reference = sources_[0].member;
    for (const auto& source : sources_) outcome_.members.push_back(source.member);
    TRY_VOID(meet());
    const auto tables = TRY(survey());
    for (const auto& table : tables) {
      if (std::ranges::find(options_.done, table.text()) != options_.done.end()) {
        outcome_.not_compared.push_back(table.text() + " (found equal by the run before)");
        continue;
      }
      TRY_VOID(walk(table));
    }
    TRY_VOID(confirm());
    return std::move(outcome_);
  }

 private:
  Status meet() {
    point_ = {};
    point_ = TRY(find_common_point(engine_, sources_, Deadline::in(options_.meet), stop_));
    met_at_ = std::chrono::steady_clock::now();
    if (outcome_.positions.empty() || outcome_.positions.back() != point_.position)
      outcome_.positions.push_back(point_.position);
    return {};
  }

  Status renew_when_old() {
    if (std::chrono::steady_clock::now() - met_at_ < options_.renew) return {};
    return meet();
  }

  /// The same statement on all members at once.
  Result<std::vector<Result<sql::Rows>>> ask(const std::string& database, const std::string& statement) {
    std::vector<std::future<Result<sql::Rows>>> asked;
    for (auto& session : point_.sessions)
      asked.push_back(std::async(std::launch::async, [&, member = session.get()] {
        return member->query(database, statement, Deadline::in(hours(6)), stop_);
      }));
    std::vector<Result<sql::Rows>> answers;
    for (auto& answer : asked) answers.push_back(answer.get());
    if (stop_.stop_requested()) return fail(ErrorClass::interrupted, "sys.interrupted", "interrupted");
    return answers;
  }

  /// What is to be compared; tables that are not alike everywhere are differences already.
  Result<std::vector<Table>> survey() {
    std::vector<std::vector<Table>> lists;
    for (auto& session : point_.sessions)
      lists.push_back(TRY(list_tables(engine_, *session, Deadline::in(seconds(120)), stop_)));
    std::vector<Table> alike;
    for (const auto& table : lists[0]) {
      bool same = true;
      for (size_t i = 1; i < lists.size(); ++i) {
        const auto found = std::ranges::find(lists[i], table);
        const bool missing = found == lists[i].end();
        if (!missing && found->definition == table.definition) continue;
        same = false;
        unlike_.push_back({table, sources_[i].member, missing ? "table is missing" : "its columns differ"});
      }
      if (!table.not_compared.empty())
        outcome_.not_compared.push_back(fmt::format("{} ({})", table.text(), table.not_compared));
      else if (same)
        alike.push_back(table);
    }
    for (size_t i = 1; i < lists.size(); ++i)
      for (const auto& table : lists[i])
        if (std::ranges::find(lists[0], table) == lists[0].end())
          unlike_.push_back({table, sources_[i].member, "table is on this member alone"});
    return alike;
  }

  /// The checksums of one range; nullopt: it was not compared (said in the outcome).
  Result<std::optional<std::vector<Sum>>> sums(const Table& table, const KeyRange& range) {
    for (int attempt = 0;; ++attempt) {
      TRY_VOID(renew_when_old());
      auto answers = TRY(ask(table.database, checksum_query(engine_, table, range)));
      std::vector<Sum> sums;
      bool again = false;
      for (size_t i = 0; i < answers.size(); ++i) {
        if (answers[i]) {
          sums.push_back({answers[i]->text("n"), answers[i]->text("s")});
          continue;
        }
        const Error& error = answers[i].error();
        if (!is_lost(error)) {
          outcome_.unread.push_back(fmt::format("{} ({}: {})", table.text(), sources_[i].member, error.message));
          return std::nullopt;
        }
        if (attempt == kLost)
          return fail(
              ErrorClass::unavailable, "compare.lost",
              fmt::format("{} lost its snapshot {} times: {}", sources_[i].member, kLost + 1, error.message),
              "run it again with --resume when the member is quiet; PostgreSQL: hot_standby_feedback = on keeps "
              "a standby's snapshots");
        again = true;
      }
      if (!again) return sums;
      TRY_VOID(meet());
    }
  }

  static bool equal(const std::vector<Sum>& sums) {
    return std::ranges::all_of(sums, [&](const Sum& sum) { return sum == sums[0]; });
  }

  void throttle(uint64_t rows) {
    if (options_.rows_per_second == 0 || rows == 0) return;
    const auto until = Deadline::in(std::chrono::milliseconds(rows * 1000 / options_.rows_per_second));
    while (!until.passed() && !stop_.stop_requested())
      std::this_thread::sleep_for(std::min(until.left(), std::chrono::milliseconds(50)));
  }

  Status walk(const Table& table) {
    KeyRange range;
    bool table_equal = true;
    for (;;) {
      range.up_to.reset();
      if (!table.key.empty()) {
        auto boundary =
            point_.sessions[0]->query(table.database, boundary_query(engine_, table, range.after, options_.range_rows),
                                      Deadline::in(hours(6)), stop_);
        if (!boundary && is_lost(boundary.error()) && !stop_.stop_requested()) {
          TRY_VOID(meet());
          continue;
        }
        if (boundary && !boundary->empty()) {
          Key key;
          for (size_t i = 0; i < table.key.size(); ++i) key.push_back(boundary->text(fmt::format("k{}", i)));
          range.up_to = std::move(key);
        }
      }
      const auto found = TRY(sums(table, range));
      if (!found) return {};
      ++outcome_.ranges;
      const uint64_t rows = std::strtoull((*found)[0].rows.c_str(), nullptr, 10);
      outcome_.rows += rows;
      if (!equal(*found)) {
        table_equal = false;
        if (suspects_.size() < kMostSuspects) suspects_.push_back({table, range});
      }
      if (options_.progress) options_.progress(table.text(), rows);
      throttle(rows);
      if (!range.up_to) break;
      range.after = range.up_to;
    }
    ++outcome_.tables;
    if (table_equal && options_.table_done) options_.table_done(table.text());
    return {};
  }

  /// What differed once is looked at again, at other points; what stays different is described at the last of them.
  Status confirm() {
    for (int point = 1; point < kPoints && !(suspects_.empty() && unlike_.empty()); ++point) {
      TRY_VOID(meet());
      if (!unlike_.empty()) {
        const auto before = std::exchange(unlike_, {});
        const auto compared = outcome_.not_compared.size();
        (void)TRY(survey());
        outcome_.not_compared.resize(compared);
        std::erase_if(unlike_, [&](const Unlike& now) {
          return std::ranges::none_of(before, [&](const Unlike& then) {
            return then.table == now.table && then.member == now.member && then.what == now.what;
          });
        });
      }
      std::vector<Suspect> still;
      for (auto& suspect : suspects_) {
        const auto found = TRY(sums(suspect.table, suspect.range));
        if (found && !equal(*found)) still.push_back(std::move(suspect));
      }
      suspects_ = std::move(still);
    }
    for (const auto& unlike : unlike_)
      outcome_.differences.push_back({unlike.table, {}, unlike.member, unlike.what, 0, 0, 0, {}});
    for (const auto& suspect : suspects_) TRY_VOID(describe(suspect));
    return {};
  }

  /// Of each member: the keys of rows that are not as on the reference. Nullopt where rows have no key, or cannot be
  /// listed.
  using Keys = std::map<std::string, Unequal>;
  Result<std::vector<std::optional<Keys>>> unequal_keys(const Suspect& suspect) {
    std::vector<std::optional<Keys>> keys(sources_.size());
    if (suspect.table.key.empty()) return keys;
    const auto rows =
        TRY(ask(suspect.table.database, digests_query(engine_, suspect.table, suspect.range, options_.range_rows * 2)));
    for (size_t i = 1; i < rows.size(); ++i)
      if (rows[0] && rows[i]) keys[i] = unequal_rows(*rows[0], *rows[i]);
    return keys;
  }

  /// Looks twice, at two points: rows that are being written may be unequal for a moment, and then these are others.
  Status describe(const Suspect& suspect) {
    const auto earlier = TRY(unequal_keys(suspect));
    TRY_VOID(meet());
    const auto found = TRY(sums(suspect.table, suspect.range));
    if (!found || equal(*found)) return {};
    auto keys = TRY(unequal_keys(suspect));
    for (size_t i = 1; i < found->size(); ++i) {
      if ((*found)[i] == (*found)[0]) continue;
      Difference difference{suspect.table, suspect.range, sources_[i].member, "", 0, 0, 0, {}};
      if (keys[i] && earlier[i]) {
        std::erase_if(*keys[i], [&](const auto& key) { return !earlier[i]->contains(key.first); });
        if (keys[i]->empty()) continue;
        count(*keys[i], difference);
        difference.what = fmt::format("{} rows missing, {} on this member alone, {} with other values",
                                      difference.missing, difference.extra, difference.different);
      } else {
        difference.what = fmt::format("{} rows here, {} on {}; the sums of their contents differ", (*found)[i].rows,
                                      (*found)[0].rows, sources_[0].member);
      }
      outcome_.differences.push_back(std::move(difference));
    }
    return {};
  }

  static Keys unequal_rows(const sql::Rows& reference, const sql::Rows& member) {
    const auto by_key = [](const sql::Rows& rows) {
      std::map<std::string, std::string> found;
      for (const auto& row : rows.rows) {
        std::string key;
        for (size_t i = 0; i + 1 < row.size(); ++i) key += (i ? ", " : "") + row[i].value_or("NULL");
        found[key] = row.back().value_or("");
      }
      return found;
    };
    const auto here = by_key(reference), there = by_key(member);
    Keys keys;
    for (const auto& [key, digest] : here) {
      const auto other = there.find(key);
      if (other == there.end())
        keys[key] = Unequal::missing;
      else if (other->second != digest)
        keys[key] = Unequal::different;
    }
    for (const auto& [key, digest] : there)
      if (!here.contains(key)) keys[key] = Unequal::extra;
    return keys;
  }

  static void count(const Keys& keys, Difference& difference) {
    for (const auto& [key, how] : keys) {
      ++(how == Unequal::missing ? difference.missing
         : how == Unequal::extra ? difference.extra
                                 : difference.different);
      if (difference.keys.size() < kShownKeys) difference.keys.push_back(key);
    }
  }

  struct Unlike {
    Table table;
    std::string member, what;
  };

  const Engine engine_;
  const std::vector<Source>& sources_;
  const Options& options_;
  const std::stop_token stop_;
  CommonPoint point_;
  std::chrono::steady_clock::time_point met_at_;
  std::vector<Suspect> suspects_;
  std::vector<Unlike> unlike_;
  Outcome outcome_;
};

}  // namespace

Result<Outcome> compare_members(Engine engine, const std::vector<Source>& sources, const Options& options,
                                std::stop_token stop) {
  return Comparison(engine, sources, options, std::move(stop)).run();
}

}  // namespace holdfast::compare
