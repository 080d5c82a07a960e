#include "backup/replay_watch.h"

#include <fmt/format.h>

#include "base/units.h"
#include "sql/postgres.h"

namespace holdfast::backup {

using std::chrono::seconds;
using std::chrono::steady_clock;

namespace {
constexpr auto kLong = seconds(30);
}  // namespace

ReplayWatch::ReplayWatch(const sql::Target& target, Say say)
    : target_(target), say_(std::move(say)), thread_([this](const std::stop_token& stop) { run(stop); }) {}

ReplayWatch::~ReplayWatch() = default;

void ReplayWatch::working(const std::string& label, int pid) {
  std::lock_guard lock(mutex_);
  label_ = label;
  pid_ = pid;
  ++turn_;
}

void ReplayWatch::idle() {
  std::lock_guard lock(mutex_);
  pid_ = 0;
  ++turn_;
}

std::string ReplayWatch::activity(int pid) {
  auto connection = sql::PostgresConnection::connect(target_, Deadline::in(seconds(5)));
  if (!connection) return connection.error().message;
  auto rows = connection->query(
      fmt::format("SELECT a.state, coalesce(a.wait_event_type || ' ' || a.wait_event, '') AS wait, "
                  "coalesce(p.phase, '') AS phase, coalesce(round(100.0 * greatest(p.blocks_done::numeric / "
                  "nullif(p.blocks_total, 0), p.tuples_done::numeric / nullif(p.tuples_total, 0)))::text, '') AS done "
                  "FROM pg_stat_activity a LEFT JOIN pg_stat_progress_create_index p USING (pid) WHERE a.pid = {}",
                  pid),
      Deadline::in(seconds(5)));
  if (!rows) return rows.error().message;
  if (rows->empty()) return "its session is gone";
  std::string text = "the server is " + rows->text("state");
  if (!rows->text("phase").empty()) text += ", " + rows->text("phase");
  if (!rows->text("done").empty()) text += " " + rows->text("done") + " %";
  if (rows->text("wait").starts_with("Lock")) text += ", waits for " + rows->text("wait");
  return text;
}

void ReplayWatch::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  uint64_t turn = turn_;
  auto since = steady_clock::now(), said = since;
  while (!stop.stop_requested()) {
    changed_.wait_for(lock, stop, seconds(1), [] { return false; });
    const auto now = steady_clock::now();
    if (turn != turn_ || pid_ == 0) {
      turn = turn_;
      since = said = now;
      continue;
    }
    if (now - said < kLong) continue;
    said = now;
    const std::string label = label_;
    const int pid = pid_;
    lock.unlock();
    const std::string what = activity(pid);
    if (say_ && !stop.stop_requested())
      say_(fmt::format("{}: for {} now, {}", label, human_span(std::chrono::duration<double>(now - since)), what));
    lock.lock();
  }
}

}  // namespace holdfast::backup
