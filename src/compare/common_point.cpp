#include "compare/common_point.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

namespace holdfast::compare {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kOffers = 24;  // snapshots, each a connection, that the reference keeps open at a time
constexpr auto kOfferInterval = milliseconds(3);
constexpr auto kPatience = seconds(3);  // without a match, the offers are too old: new ones are made

/// What the members' threads share.
class Meeting {
 public:
  explicit Meeting(size_t members) : open_(members), last_(members) {}

  /// Keeps the session when its position is one that may still be met; true when all have met.
  bool offer(size_t member, const std::string& position, std::unique_ptr<Session>& session) {
    std::lock_guard lock(mutex_);
    last_[member] = position;
    if (met_ || (member != 0 && !open_[0].contains(position))) return met_;
    if (open_[member].contains(position)) return false;  // an idle member offers one position for ever
    open_[member][position] = std::move(session);
    for (const auto& sessions : open_)
      if (!sessions.contains(position)) return false;
    position_ = position;
    met_ = true;
    changed_.notify_all();
    return true;
  }
  struct Reference {
    std::string position;
    Visible visible;
  };
  /// The newest of the reference's snapshots of PostgreSQL that show no id beyond a follower's.
  std::optional<Reference> reference_for(const Visible& follower) {
    std::lock_guard lock(mutex_);
    std::optional<Reference> newest;
    if (met_) return newest;
    for (const auto& [position, session] : open_[0]) {
      const Visible& visible = session->visible();
      if (visible.next > follower.next) continue;
      if (!newest || std::pair(newest->visible.next, newest->visible.lsn) < std::pair(visible.next, visible.lsn))
        newest = {position, visible};
    }
    return newest;
  }
  /// Asks the reference's own session; nullopt: it shows nothing beyond the follower, or is given up.
  Result<std::optional<uint64_t>> reference_shows_beyond(const std::string& position, const Visible& follower,
                                                         Deadline deadline, const std::stop_token& stop) {
    std::lock_guard lock(mutex_);
    const auto found = open_[0].find(position);
    if (met_ || found == open_[0].end()) return std::nullopt;
    return found->second->shows_beyond_follower(follower, deadline, stop);
  }
  void stands_at(size_t member, std::string text) {
    std::lock_guard lock(mutex_);
    last_[member] = std::move(text);
  }
  void clear() {
    std::lock_guard lock(mutex_);
    if (met_) return;
    for (auto& sessions : open_) sessions.clear();
  }
  void failed(Error error) {
    std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
    over_ = true;
    changed_.notify_all();
  }
  void give_up() {
    std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }
  bool over() {
    std::lock_guard lock(mutex_);
    return over_ || met_;
  }
  size_t offers() {
    std::lock_guard lock(mutex_);
    return open_[0].size();
  }
  /// True when it is over before `span` has passed.
  bool wait(milliseconds span) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, span, [&] { return over_ || met_; });
  }

  // Once all threads have ended.
  Result<CommonPoint> result(const std::vector<Source>& sources) {
    if (error_) return fail(std::move(*error_));
    if (met_) {
      CommonPoint point{position_, {}};
      for (auto& sessions : open_) point.sessions.push_back(std::move(sessions[position_]));
      return point;
    }
    std::string stood;
    for (size_t i = 0; i < sources.size(); ++i)
      stood +=
          fmt::format("{}{} at {}", i ? ", " : "", sources[i].member, last_[i].empty() ? "no quiet moment" : last_[i]);
    return fail(
        ErrorClass::unavailable, "compare.no_common_point",
        fmt::format("the members were never seen at one position ({})", stood),
        "run it again when less is written, or with a longer --meet-timeout; a replica that lags must catch up first");
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::map<std::string, std::unique_ptr<Session>>> open_;
  std::vector<std::string> last_;
  std::string position_;
  std::optional<Error> error_;
  bool met_ = false, over_ = false;
};

/// A snapshot's position; nullopt when it cannot serve. PostgreSQL's followers take the position of a reference that
/// shows the same transactions.
Result<std::optional<std::string>> take(cluster::Engine engine, Session& session, size_t index, Meeting& meeting,
                                        Deadline deadline, const std::stop_token& stop) {
  auto position = TRY(session.take(index == 0 ? Role::reference : Role::follower, deadline, stop));
  if (index == 0 || !position || engine != cluster::Engine::postgres) return position;
  const auto reference = meeting.reference_for(session.visible());
  if (!reference) {
    meeting.stands_at(index, *position);
    return std::nullopt;
  }
  if (const auto id = TRY(session.shows_beyond(reference->visible, deadline, stop))) {
    meeting.stands_at(index,
                      fmt::format("{} with transaction {}, which the reference does not show yet", *position, *id));
    return std::nullopt;
  }
  if (const auto id = TRY(meeting.reference_shows_beyond(reference->position, session.visible(), deadline, stop))) {
    meeting.stands_at(index, fmt::format("{} without transaction {} of the reference", *position, *id));
    return std::nullopt;
  }
  return reference->position;
}

void look_for_point(cluster::Engine engine, const Source& source, size_t index, Meeting& meeting, Deadline deadline,
                    const std::stop_token& stop) {
  auto round_ends = Deadline::in(kPatience);
  std::unique_ptr<Session> session;
  while (!meeting.over()) {
    if (deadline.passed() || stop.stop_requested()) return meeting.give_up();
    if (index == 0) {
      if (round_ends.passed()) {
        meeting.clear();
        round_ends = Deadline::in(kPatience);
      }
      if (meeting.offers() >= kOffers) {
        if (meeting.wait(milliseconds(20))) return;
        continue;
      }
    }
    if (!session) {
      auto connected = Session::connect(engine, source.target, deadline.at_most(seconds(10)), stop);
      if (!connected && deadline.passed()) return meeting.give_up();
      if (!connected) return meeting.failed(std::move(connected).error().with_context(source.member));
      session = std::move(*connected);
    }
    auto taken = take(engine, *session, index, meeting, deadline.at_most(seconds(10)), stop);
    if (!taken && deadline.passed()) return meeting.give_up();
    if (!taken) return meeting.failed(std::move(taken).error().with_context(source.member));
    if (*taken && meeting.offer(index, **taken, session)) return;
    if (index == 0 && meeting.wait(kOfferInterval)) return;
    if (index != 0 && meeting.wait(milliseconds(1))) return;
  }
}

Result<CommonPoint> meet(cluster::Engine engine, const std::vector<Source>& sources, Deadline deadline,
                         const std::stop_token& stop) {
  Meeting meeting(sources.size());
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < sources.size(); ++i)
      threads.emplace_back([&, i] { look_for_point(engine, sources[i], i, meeting, deadline, stop); });
  }
  if (stop.stop_requested()) return fail(ErrorClass::interrupted, "sys.interrupted", "interrupted");
  return meeting.result(sources);
}

Result<std::vector<std::string>> databases_of(sql::Target target, Deadline deadline, const std::stop_token& stop) {
  target.database.clear();
  auto connection = TRY(sql::PostgresConnection::connect(target, deadline, stop));
  const auto rows = TRY(connection.query(
      "SELECT datname AS d FROM pg_database WHERE datallowconn AND datname <> 'template0' ORDER BY 1", deadline, stop));
  std::vector<std::string> names;
  for (size_t i = 0; i < rows.rows.size(); ++i) names.push_back(rows.text("d", i));
  return names;
}

}  // namespace

// A transaction of PostgreSQL changes one database, and a snapshot serves one: each is met by itself.
Result<CommonPoint> find_common_point(cluster::Engine engine, const std::vector<Source>& sources, Deadline deadline,
                                      std::stop_token stop) {
  if (engine != cluster::Engine::postgres) return meet(engine, sources, deadline, stop);
  auto names = databases_of(sources[0].target, deadline.at_most(seconds(10)), stop);
  if (!names) return fail(std::move(names).error().with_context(sources[0].member));
  CommonPoint all;
  for (const auto& name : *names) {
    auto of_database = sources;
    for (auto& source : of_database) source.target.database = name;
    auto point = TRY(meet(engine, of_database, deadline, stop));
    all.position = point.position.substr(0, point.position.find(' '));
    if (all.sessions.empty()) {
      all.sessions = std::move(point.sessions);
      continue;
    }
    for (size_t i = 0; i < all.sessions.size(); ++i) all.sessions[i]->join(std::move(*point.sessions[i]));
  }
  return all;
}

}  // namespace holdfast::compare
