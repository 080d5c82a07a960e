// What protects a commit, and what others need of a server: semi-sync, synchronous standbys, slots, logs, archives.
#include <fmt/ranges.h>

#include <algorithm>

#include "cluster/rules/rule.h"
#include "cluster/server_log.h"

namespace holdfast::cluster::rules {

namespace {

bool misses_log(const std::string& line) {
  for (const auto* text :
       {"Failed to open log", "Could not open log file", "purged required binary logs", "has already been removed"})
    if (line.find(text) != std::string::npos) return true;
  return false;
}

bool is_mysql_family(const View& view) {
  return view.cluster.engine == Engine::mariadb || view.cluster.engine == Engine::mysql;
}

std::vector<Finding> semi_sync(const View& view) {
  if (view.cluster.replication != ReplicationMode::semi_sync || !view.leader()) return {};
  const MemberFacts& m = *view.leader();
  std::vector<Finding> found;
  if (m.semi_sync.source_enabled == false || m.semi_sync.source_active == false) {
    found.push_back({.members = {m.member},
                     .summary = m.semi_sync.source_enabled == false
                                    ? name(m) + " acknowledges commits without waiting: semi-sync is off"
                                    : name(m) + " acknowledges commits without waiting: semi-sync has fallen back",
                     .evidence = {fmt::format("{} replicas acknowledge", m.semi_sync.clients.value_or(0))},
                     .remedy = view.command("repair", &m)});
  }
  return found;
}

std::vector<Finding> semi_sync_replica(const View& view) {
  if (view.cluster.replication != ReplicationMode::semi_sync) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || m.role != MemberRole::replica || m.semi_sync.replica_enabled != false) return {};
    return Finding{.members = {},
                   .summary = name(m) + " follows, but acknowledges nothing: semi-sync is off on it",
                   .remedy = view.command("repair", &m)};
  });
}

std::vector<Finding> after_commit(const View& view) {
  if (view.cluster.replication != ReplicationMode::semi_sync) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.semi_sync.wait_point != "AFTER_COMMIT") return {};
    return Finding{
        .members = {},
        .summary = name(m) + " waits for receipts after the commit is visible: a failover may lose what readers saw",
        .evidence = {"rpl_semi_sync wait point AFTER_COMMIT"},
        .remedy = "set the wait point to AFTER_SYNC on every member"};
  });
}

constexpr int64_t kEndsByItself = 60'000;  ///< ms: a timeout that one may wait for

std::vector<Finding> stuck_commits(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    double longest = 0;
    std::string state;
    size_t count = 0;
    for (const auto& commit : m.stuck_commits) {
      if (commit.seconds < 3) continue;
      ++count;
      if (commit.seconds > longest) {
        longest = commit.seconds;
        state = commit.state;
      }
    }
    if (!count) return {};
    if (m.upstream() && state.starts_with("Waiting for semi-sync ACK"))
      return Finding{
          .members = {},
          .summary =
              fmt::format("{} waits for a receipt of what it applies itself, for {:.0f} s so far", name(m), longest),
          .evidence = {fmt::format("semi-sync waits on it as on a source, for up to {} ms",
                                   m.semi_sync.timeout_ms.value_or(0))},
          .remedy = fmt::format(
              "SET GLOBAL {}=OFF on {}",
              view.cluster.engine == Engine::mysql ? "rpl_semi_sync_source_enabled" : "rpl_semi_sync_master_enabled",
              name(m)),
          .severity = Severity::error,
          .verdict = m.semi_sync.timeout_ms.value_or(kEndsByItself + 1) <= kEndsByItself ? Verdict::catching_up
                                                                                         : Verdict::broken};
    return Finding{
        .members = {},
        .summary =
            fmt::format("{} has {} commits waiting, the longest for {:.0f} s: writes hang", name(m), count, longest),
        .evidence = {state},
        .remedy = "bring back a replica that acknowledges (never kill a commit that waits for its receipt): " +
                  view.command("repair")};
  });
}

std::vector<Finding> sync_standby_missing(const View& view) {
  if (view.cluster.engine != Engine::postgres || !view.leader()) return {};
  const MemberFacts& m = *view.leader();
  if (m.postgres.synchronous_standby_names.empty()) return {};
  // "ANY 2 (a, b, c)", "FIRST 2 (...)", "2 (...)", "a, b": how many must have it.
  const size_t digit = m.postgres.synchronous_standby_names.find_first_of("0123456789");
  const size_t list = m.postgres.synchronous_standby_names.find('(');
  const int wanted =
      list != std::string::npos && digit < list ? std::atoi(m.postgres.synchronous_standby_names.c_str() + digit) : 1;
  int there = 0;
  for (const auto& follower : m.follower_list)
    there += follower.state == "streaming" && (follower.sync == "sync" || follower.sync == "quorum");
  if (there >= wanted) return {};
  return {{.members = {m.member},
           .summary =
               fmt::format("{} waits for {} synchronous standbys, and {} stream: commits hang", name(m), wanted, there),
           .evidence = {"synchronous_standby_names = " + m.postgres.synchronous_standby_names},
           .remedy = "bring back a standby of that list: " + view.command("repair")}};
}

std::vector<Finding> slot_rules(const View& view, bool lost) {
  if (view.cluster.engine != Engine::postgres) return {};
  std::vector<Finding> found;
  for (const auto& m : view.members) {
    if (!m.postgres.slots) continue;
    for (const auto& slot : *m.postgres.slots) {
      if (lost != (slot.wal_status == "lost")) continue;
      const uint64_t kept = slot.retained_bytes.value_or(0);
      const bool unreserved = slot.wal_status == "unreserved";
      if (!lost && !unreserved && (slot.active || kept < (uint64_t{1} << 30))) continue;
      // Whose slot is it? Its owner is what needs help, the server that keeps it is fine.
      Finding f{.members = {},
                .summary = lost         ? fmt::format("the slot {} on {} is lost: the WAL its follower needs is gone",
                                                      slot.name, name(m))
                           : unreserved ? fmt::format("the slot {} on {} is about to be lost", slot.name, name(m))
                                        : fmt::format("the slot {} on {} keeps {} MiB of WAL and is not in use",
                                                      slot.name, name(m), kept >> 20),
                .evidence = {fmt::format("wal_status {}, active {}", slot.wal_status, slot.active ? "yes" : "no")},
                .remedy = "bring back its follower, or drop it on " + name(m) + ": SELECT pg_drop_replication_slot('" +
                          slot.name + "')"};
      for (const auto& other : view.members) {
        std::string usual = other.member.str();  // one that is down cannot say which slot it uses
        std::ranges::replace(usual, '-', '_');
        const Following* follow = other.upstream();
        if ((follow && follow->slot == slot.name) || (!other.reachable() && usual == slot.name)) {
          f.members = {other.member};
          f.remedy = view.command("repair", &other);
        }
      }
      if (f.members.empty()) f.members = {m.member}, f.verdict = Verdict::healthy, f.severity = Severity::warning;
      found.push_back(std::move(f));
    }
  }
  return found;
}

std::vector<Finding> slot_lost(const View& view) {
  return slot_rules(view, true);
}
std::vector<Finding> slot_retains(const View& view) {
  return slot_rules(view, false);
}

std::vector<Finding> archiving(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.postgres.archive_problem.empty()) return {};
    return Finding{
        .members = {},
        .summary = name(m) + " cannot archive its WAL: point-in-time recovery ends there, and its disk fills",
        .evidence = {m.postgres.archive_problem},
        .remedy = "see what archive_command says in the server's log; then " + view.command("triage")};
  });
}

/// Removed from the disk by hand, or by something that does not know what they are.
std::vector<Finding> logs_missing(const View& view) {
  const bool postgres = view.cluster.engine == Engine::postgres;
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || m.lost_logs.empty()) return {};
    const std::string last = m.lost_logs.back();
    const std::string which = m.lost_logs.size() == 1 ? last : fmt::format("{} to {}", m.lost_logs.front(), last);
    Finding f{
        .members = {},
        .summary = postgres ? fmt::format("{} lacks WAL in pg_wal that is still needed of it: {}", name(m), which)
                            : fmt::format("{} lists binary logs that are not on its disk any more: {}", name(m), which),
        .evidence = {fmt::format("{}: {}", postgres ? "pg_ls_waldir() lacks" : "SHOW BINARY LOGS shows no size of",
                                 fmt::join(m.lost_logs, ", "))},
        .remedy = fmt::format("find out what removed them; rebuild the replicas that need them ({}); then the list "
                              "is right again after PURGE BINARY LOGS BEFORE NOW() on {}; then {}",
                              view.command("repair"), name(m), view.command("triage"))};
    if (const std::string line = line_of_last_run(m.runtime.log_tail, misses_log); !line.empty())
      f.evidence.push_back("server log: " + line);
    if (postgres)
      f.remedy =
          fmt::format("find out what removed them; rebuild the standbys that need them: {}", view.command("repair"));
    if (m.postgres.lost_for_recovery) {
      f.summary += "; after a crash it could not recover";
      f.remedy = "CHECKPOINT on " + name(m) + " now: its recovery then begins behind what is lost; then " + f.remedy;
      f.severity = Severity::error;
      f.verdict = Verdict::broken;
    }
    return f;
  });
}

std::vector<Finding> no_binary_log(const View& view) {
  if (!is_mysql_family(view) || view.cluster.standalone()) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.mysql.log_bin != false && m.mysql.log_replica_updates != false) return {};
    return Finding{.members = {},
                   .summary = m.mysql.log_bin == false
                                  ? name(m) + " writes no binary log: no replica can follow it"
                                  : name(m) + " does not log what it replicates: it cannot take over",
                   .evidence = {m.mysql.log_bin == false               ? "log_bin is off"
                                : view.cluster.engine == Engine::mysql ? "log_replica_updates is off"
                                                                       : "log_slave_updates is off"},
                   .remedy = "switch it on in the server's configuration and restart it",
                   .blocks = {"failover to " + name(m)},
                   .severity = &m == view.leader() ? Severity::error : Severity::warning};
  });
}

/// "sync_binlog=0 (safe: 1)" -> "sync_binlog = 1"
std::string safe_values(const std::vector<std::string>& gaps) {
  std::string text;
  for (const auto& gap : gaps) {
    const size_t equals = gap.find('='), safe = gap.find("(safe: ");
    if (equals == std::string::npos || safe == std::string::npos) continue;
    text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", gap.substr(0, equals),
                        gap.substr(safe + 7, gap.size() - safe - 8));
  }
  return text;
}

/// Commands that say "archived" and keep nothing.
bool archives_nowhere(std::string_view command) {
  for (const std::string_view nowhere : {"true", "/bin/true", "/usr/bin/true", ":", "exit 0", "cd .", "exit", "/bin/:"})
    if (command == nowhere) return true;
  return false;
}

std::vector<Finding> archiving_nowhere(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.postgres.archives != true || m.role != MemberRole::primary || !archives_nowhere(m.postgres.archive_command))
      return {};
    return Finding{
        .members = {},
        .summary = name(m) + " reports its WAL as archived and keeps none of it: there is no archive to restore from",
        .evidence = {fmt::format("archive_mode is on, archive_command = '{}'", m.postgres.archive_command)},
        .remedy =
            "set archive_command to one that keeps the segment, or archive_mode = off if no archive is wanted; then " +
            view.command("triage")};
  });
}

std::vector<Finding> durability(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.durability_gaps.empty()) return {};
    return Finding{.members = {},
                   .summary = name(m) + " may lose acknowledged commits when its machine dies",
                   .evidence = m.durability_gaps,
                   .remedy = "set in its configuration: " + safe_values(m.durability_gaps),
                   // Without these not only the last commits are at stake, but every page.
                   .severity = std::ranges::any_of(m.durability_gaps,
                                                   [](const std::string& gap) {
                                                     return gap.starts_with("fsync=") ||
                                                            gap.starts_with("full_page_writes=");
                                                   })
                                   ? Severity::error
                                   : Severity::warning};
  });
}

std::vector<Finding> events_on_replica(const View& view) {
  if (view.cluster.engine != Engine::mariadb)
    return {};  // MySQL switches it on by default and events say where they run
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || m.role != MemberRole::replica || m.mysql.event_scheduler != true) return {};
    return Finding{.members = {},
                   .summary = name(m) + " runs its event scheduler while it follows: events may write to it",
                   .remedy = "SET GLOBAL event_scheduler=OFF on " + name(m)};
  });
}
constexpr Rule kProtectionRules[] = {
    {"replica-slot-lost", Severity::error, Verdict::stale, Action::reseed, "a replication slot is lost", slot_lost},
    {"semi-sync-off", Severity::error, Verdict::broken, Action::resume, "commits are acknowledged without a copy",
     semi_sync},
    {"semi-sync-replica-off", Severity::error, Verdict::broken, Action::resume, "a replica acknowledges nothing",
     semi_sync_replica},
    {"semi-sync-after-commit", Severity::warning, Verdict::healthy, Action::nothing,
     "commits are visible before they are safe", after_commit},
    {"commits-stuck", Severity::critical, Verdict::broken, Action::nothing, "commits hang", stuck_commits},
    {"synchronous-standby-missing", Severity::critical, Verdict::broken, Action::nothing,
     "commits wait for a standby that is not there", sync_standby_missing},
    {"slot-retains-wal", Severity::warning, Verdict::healthy, Action::nothing, "an unused slot fills the disk",
     slot_retains},
    {"archiving-fails", Severity::error, Verdict::broken, Action::nothing, "WAL is not archived", archiving},
    {"archive-discarded", Severity::warning, Verdict::healthy, Action::nothing,
     "WAL is reported as archived and is not kept", archiving_nowhere},
    {"logs-missing", Severity::warning, Verdict::healthy, Action::nothing,
     "logs that a server lists or needs are not on its disk", logs_missing},
    {"binary-log-off", Severity::warning, Verdict::healthy, Action::nothing, "a member writes no binary log",
     no_binary_log},
    {"durability-weak", Severity::warning, Verdict::healthy, Action::nothing,
     "acknowledged commits may be lost in a crash", durability},
    {"events-on-replica", Severity::warning, Verdict::healthy, Action::nothing, "events run on a replica",
     events_on_replica},
};

}  // namespace

std::span<const Rule> protection_rules() {
  return kProtectionRules;
}

}  // namespace holdfast::cluster::rules
