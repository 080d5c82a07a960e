#include "engine/mysql_family/lock_waits.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <map>
#include <set>

#include "engine/observe.h"

namespace holdfast::engine::mysql_family {

using cluster::LockHolder;
using cluster::StuckCommit;

namespace {

/// A session as SHOW FULL PROCESSLIST has it.
struct Session {
  uint64_t id = 0;
  std::string account, command, state;
  bool statement = false;   ///< it has one
  bool changes = false;     ///< that changes rows
  bool applier = false;     ///< a thread of replication
  bool background = false;  ///< cannot hold a lock of a client
  double seconds = 0;
};

bool changes_rows(std::string statement) {
  for (char& c : statement) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  for (auto verb : {"INSERT", "UPDATE", "DELETE", "REPLACE", "COMMIT"})
    if (statement.starts_with(verb)) return true;
  return false;
}

std::vector<Session> sessions_of(const sql::Rows& processes) {
  std::vector<Session> sessions;
  for (size_t i = 0; i < processes.rows.size(); ++i) {
    Session one;
    const std::string user = processes.text("User", i), host = processes.text("Host", i);
    one.id = std::strtoull(processes.text("Id", i).c_str(), nullptr, 10);
    one.account = host.empty() ? user : fmt::format("{}@{}", user, host.substr(0, host.rfind(':')));
    one.command = processes.text("Command", i);
    one.state = processes.text("State", i);
    const std::string statement = processes.text("Info", i);
    one.statement = !statement.empty();
    one.changes = changes_rows(statement);
    one.applier = user == "system user";
    one.background = one.applier || one.command == "Daemon" || one.command.starts_with("Binlog Dump") ||
                     statement == "SHOW FULL PROCESSLIST";
    one.seconds = std::max(0.0, std::strtod(processes.text("Time", i).c_str(), nullptr));
    sessions.push_back(std::move(one));
  }
  return sessions;
}

const LockHolder kPrepared = {0, "a prepared transaction (XA) whose session is gone"};

bool behind_the_server(const std::string& state) {
  return state == "Waiting for backup lock" || state == "Waiting for global read lock" ||
         state == "Waiting for commit lock";
}

bool behind_an_object(const std::string& state) {
  return state.starts_with("Waiting for ") &&
         (state.ends_with(" metadata lock") || state == "Waiting for table level lock");
}

bool waits_for_lock(const std::string& state) {
  return behind_the_server(state) || behind_an_object(state);
}

std::string utc(double seconds_ago) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  const auto at = static_cast<std::time_t>(std::llround(now.count() - seconds_ago));
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(at));
}

class Waits {
 public:
  Waits(const sql::Rows& processes, const std::vector<Transaction>& transactions, const Ask& quietly)
      : sessions_(sessions_of(processes)), quietly_(quietly) {
    for (const auto& one : transactions)
      if (one.session)
        transactions_[one.session] = one;
      else
        prepared_ = true;
  }

  void look(cluster::MemberFacts& facts);

 private:
  bool in_the_way(const Session& session) const;
  void learn();
  void learn_pairs(const std::optional<sql::Rows>& rows);
  void learn_from_plugin(const std::optional<sql::Rows>& rows);
  void learn_times();
  StuckCommit wait_of(const Session& session) const;
  std::vector<LockHolder> guess(const Session& session, double seconds) const;
  std::string words_of(const Session& session) const;

  const std::vector<Session> sessions_;
  const Ask& quietly_;
  std::map<uint64_t, Transaction> transactions_;
  bool prepared_ = false;                           ///< there are transactions without a session
  std::map<uint64_t, std::set<uint64_t>> holders_;  ///< of whom somebody waits for: as the server named them
  std::map<uint64_t, double> waited_;               ///< exactly; the list's time of an applier is that of its event
};

/// Something waits in this session that a rule tells of.
bool Waits::in_the_way(const Session& session) const {
  if (behind_the_server(session.state)) return session.applier || session.changes;
  if (!session.applier) return false;
  const auto own = transactions_.find(session.id);
  return behind_an_object(session.state) || (own != transactions_.end() && own->second.waits);
}

void Waits::learn_pairs(const std::optional<sql::Rows>& rows) {
  for (size_t i = 0; rows && i < rows->rows.size(); ++i) {
    const uint64_t waiter = std::strtoull(rows->text("waiter", i).c_str(), nullptr, 10);
    const uint64_t holder = std::strtoull(rows->text("holder", i).c_str(), nullptr, 10);
    if (waiter && rows->value("holder", i) && waiter != holder) holders_[waiter].insert(holder);
  }
}

/// MariaDB's plug-in tells who holds what, not who waits for it: what waits holds a weaker lock of the same, or is the
/// only one it can be.
void Waits::learn_from_plugin(const std::optional<sql::Rows>& rows) {
  if (!rows) return;
  const auto id = [&](size_t i) { return std::strtoull(rows->text("THREAD_ID", i).c_str(), nullptr, 10); };
  const auto object = [&](size_t i) { return rows->text("TABLE_SCHEMA", i) + "\n" + rows->text("TABLE_NAME", i); };
  for (const auto& waiter : sessions_) {
    if (!in_the_way(waiter)) continue;
    for (size_t i = 0; i < rows->rows.size(); ++i) {
      if (id(i) == waiter.id) continue;
      const std::string mode = rows->text("LOCK_MODE", i), type = rows->text("LOCK_TYPE", i);
      if (behind_the_server(waiter.state)) {
        // What holds the server back for all: FLUSH TABLES WITH READ LOCK, and the stages of a backup.
        if (mode.find("FTWRL") != std::string::npos || mode.starts_with("MDL_BACKUP_WAIT") ||
            mode.starts_with("MDL_BACKUP_BLOCK") || (type == "Global read lock" && mode == "MDL_SHARED"))
          holders_[waiter.id].insert(id(i));
        continue;
      }
      if (rows->text("TABLE_NAME", i).empty()) continue;
      for (size_t own = 0; own < rows->rows.size(); ++own)
        if (id(own) == waiter.id && object(own) == object(i)) holders_[waiter.id].insert(id(i));
    }
  }
}

void Waits::learn_times() {
  // MariaDB: TIME_MS counts from the beginning of the statement.
  if (const auto rows = quietly_("waiting times", "SELECT ID, TIME_MS FROM information_schema.PROCESSLIST"))
    for (size_t i = 0; i < rows->rows.size(); ++i)
      if (rows->value("TIME_MS", i))
        waited_[std::strtoull(rows->text("ID", i).c_str(), nullptr, 10)] =
            std::strtod(rows->text("TIME_MS", i).c_str(), nullptr) / 1000;
  // MySQL, where performance_schema is on.
  if (const auto rows = quietly_(
          "waiting times",
          "SELECT t.PROCESSLIST_ID AS id, TIMESTAMPDIFF(MICROSECOND, w.APPLYING_TRANSACTION_START_APPLY_TIMESTAMP, "
          "NOW(6)) AS us FROM performance_schema.replication_applier_status_by_worker w JOIN "
          "performance_schema.threads t ON t.THREAD_ID = w.THREAD_ID WHERE w.APPLYING_TRANSACTION <> ''"))
    for (size_t i = 0; i < rows->rows.size(); ++i)
      if (const double us = std::strtod(rows->text("us", i).c_str(), nullptr); us > 0)
        waited_[std::strtoull(rows->text("id", i).c_str(), nullptr, 10)] = us / 1e6;
}

void Waits::learn() {
  learn_times();
  // Locks of tables and of the server; of those that many share in passing (INTENTION_EXCLUSIVE) none is in the way.
  learn_pairs(quietly_("holders of locks",
                       R"sql(
      SELECT w.PROCESSLIST_ID AS waiter, h.PROCESSLIST_ID AS holder
      FROM performance_schema.metadata_locks p
      JOIN performance_schema.metadata_locks g ON g.OBJECT_TYPE = p.OBJECT_TYPE AND g.OBJECT_SCHEMA <=> p.OBJECT_SCHEMA
        AND g.OBJECT_NAME <=> p.OBJECT_NAME AND g.LOCK_STATUS = 'GRANTED' AND g.OWNER_THREAD_ID <> p.OWNER_THREAD_ID
        AND NOT (g.LOCK_TYPE = 'INTENTION_EXCLUSIVE' AND p.LOCK_TYPE = 'INTENTION_EXCLUSIVE')
      JOIN performance_schema.threads w ON w.THREAD_ID = p.OWNER_THREAD_ID
      JOIN performance_schema.threads h ON h.THREAD_ID = g.OWNER_THREAD_ID
      WHERE p.LOCK_STATUS = 'PENDING')sql"));
  learn_from_plugin(quietly_("holders of locks",
                             "SELECT THREAD_ID, LOCK_MODE, LOCK_TYPE, TABLE_SCHEMA, TABLE_NAME FROM "
                             "information_schema.METADATA_LOCK_INFO"));
  learn_pairs(quietly_("holders of rows",
                       "SELECT w.trx_mysql_thread_id AS waiter, h.trx_mysql_thread_id AS holder FROM "
                       "information_schema.INNODB_LOCK_WAITS l JOIN information_schema.INNODB_TRX w ON w.trx_id = "
                       "l.requesting_trx_id JOIN information_schema.INNODB_TRX h ON h.trx_id = l.blocking_trx_id"));
  learn_pairs(
      quietly_("holders of rows",
               "SELECT w.PROCESSLIST_ID AS waiter, h.PROCESSLIST_ID AS holder FROM performance_schema.data_lock_waits "
               "l JOIN performance_schema.threads w ON w.THREAD_ID = l.REQUESTING_THREAD_ID JOIN "
               "performance_schema.threads h ON h.THREAD_ID = l.BLOCKING_THREAD_ID"));
}

std::string Waits::words_of(const Session& session) const {
  std::string text = session.account;
  if (const auto own = transactions_.find(session.id); own != transactions_.end())
    text += fmt::format(", in a transaction for {:.0f} s", own->second.seconds);
  text += session.command == "Sleep" ? fmt::format(", asleep for {:.0f} s", session.seconds)
                                     : fmt::format(", in a statement for {:.0f} s", session.seconds);
  return text;
}

/// Without the server's word: those that had begun by then. One in a transaction rather than one that only sleeps.
std::vector<LockHolder> Waits::guess(const Session& session, double seconds) const {
  std::vector<LockHolder> in_transaction, others;
  const bool exact = waited_.contains(session.id);
  for (const auto& one : sessions_) {
    if (one.background || one.id == session.id || waits_for_lock(one.state)) continue;
    const auto own = transactions_.find(one.id);
    // Times are whole seconds here.
    const double since =
        std::max(one.seconds, own == transactions_.end() ? 0.0 : own->second.seconds) + (exact ? 1.0 : 0.0);
    if (exact && since < seconds) continue;
    if (!exact && since < 1) continue;
    const bool only_for_tables = own != transactions_.end() && !behind_the_server(session.state);
    (only_for_tables ? in_transaction : others).push_back({one.id, words_of(one)});
  }
  auto& found = in_transaction.empty() ? others : in_transaction;
  if (prepared_ && !waits_for_lock(session.state)) found.push_back(kPrepared);  // it holds rows
  return found;
}

StuckCommit Waits::wait_of(const Session& session) const {
  StuckCommit wait;
  wait.id = session.id;
  wait.state = waits_for_lock(session.state) ? session.state : "Waiting for a row that another session has locked";
  const auto exact = waited_.find(session.id);
  wait.seconds = exact != waited_.end() ? exact->second : session.seconds;
  if (const auto named = holders_.find(session.id); named != holders_.end()) {
    wait.proven = true;
    if (named->second.contains(0)) wait.holders.push_back(kPrepared);
    for (const auto& one : sessions_)
      if (named->second.contains(one.id) && !one.applier) wait.holders.push_back({one.id, words_of(one)});
  } else {
    wait.holders = guess(session, wait.seconds);
  }
  wait.since = utc(wait.seconds);
  return wait;
}

void Waits::look(cluster::MemberFacts& facts) {
  if (std::ranges::none_of(sessions_, [this](const Session& one) { return in_the_way(one); })) return;
  learn();
  for (const auto& session : sessions_) {
    if (!in_the_way(session)) continue;
    StuckCommit wait = wait_of(session);
    if (!session.applier)
      facts.locked_writes.push_back(std::move(wait));
    else if (!wait.holders.empty())  // else another applier is in its way, which goes on
      facts.applier_waits.push_back(std::move(wait));
  }
}

}  // namespace

void look_at_lock_waits(cluster::MemberFacts& facts, const sql::Rows& processes,
                        const std::vector<Transaction>& transactions, const Ask& quietly) {
  Waits(processes, transactions, quietly).look(facts);
}

}  // namespace holdfast::engine::mysql_family
