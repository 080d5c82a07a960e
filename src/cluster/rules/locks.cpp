// Writes and appliers that wait for a lock, and the session that holds it.
#include <algorithm>

#include "cluster/rules/rule.h"

namespace holdfast::cluster::rules {

namespace {

constexpr double kLockedTooLong = 5;     ///< seconds; many clients give up after 10 or 15 and wait anew
constexpr double kInPassing = 1;         ///< of an applier: what takes less is not shown
constexpr double kApplierHeldUp = 2;     ///< and from here on it is a diagnosis
constexpr double kBackupTooLong = 60;    ///< of an applier: a backup may lock the whole server for a while
constexpr double kConflictTooLong = 65;  ///< PostgreSQL: where max_standby_streaming_delay ends most of them before
constexpr size_t kHoldersNamed = 3;

std::string session_text(const LockHolder& holder) {
  return holder.id == 0 ? holder.what : fmt::format("session {} ({})", holder.id, holder.what);
}

/// "session 12 (app@10.0.0.5, asleep for 30 s)", "one of session 12 (...), session 14 (...)"
std::string holders_text(const StuckCommit& wait) {
  if (wait.holders.empty()) return "a session that is not known";
  std::string text;
  for (size_t i = 0; i < std::min(wait.holders.size(), kHoldersNamed); ++i)
    text += (i ? ", " : "") + session_text(wait.holders[i]);
  if (wait.holders.size() > kHoldersNamed) text += fmt::format(" and {} more", wait.holders.size() - kHoldersNamed);
  return wait.holders.size() > 1 && !wait.proven ? "one of " + text : text;
}

std::string end_command(const View& view, const LockHolder& holder) {
  return view.cluster.engine == Engine::postgres ? fmt::format("SELECT pg_terminate_backend({})", holder.id)
                                                 : fmt::format("KILL {}", holder.id);
}

/// What a person does about it. No session is ended by us: whose work it is only they know.
std::string remedy_for(const View& view, const MemberFacts& m, const StuckCommit& wait) {
  std::string text;
  if (wait.holders.empty())
    text = fmt::format("find the session that holds it (SHOW FULL PROCESSLIST on {}), and end it", name(m));
  else if (wait.holders[0].id == 0)
    text = fmt::format(
        "XA RECOVER on {} shows it; ask its coordinator, then XA COMMIT or XA ROLLBACK where it was prepared", name(m));
  else if (wait.holders.size() == 1 || wait.proven)
    text = fmt::format("let it end, or end it on {}: {}", name(m), end_command(view, wait.holders[0]));
  else
    text = fmt::format("end the one of them that holds it, on {}: {}", name(m), end_command(view, wait.holders[0]));
  return text + "; then " + view.command("triage");
}

std::vector<std::string> evidence_of(const StuckCommit& wait) {
  std::vector<std::string> evidence = {fmt::format("session {}: {}", wait.id, wait.state)};
  for (const auto& holder : wait.holders)
    evidence.push_back(
        fmt::format("{}: {}", wait.proven ? "holds it, as the server says" : "can hold it", session_text(holder)));
  return evidence;
}

std::vector<Finding> locked_writes(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    const auto waits = [](const StuckCommit& write) { return write.seconds >= kLockedTooLong; };
    const auto count = std::ranges::count_if(m.locked_writes, waits);
    if (!m.reachable() || count == 0) return {};
    const auto longest = std::ranges::max_element(m.locked_writes, {}, &StuckCommit::seconds);
    const bool replica = m.role == MemberRole::replica;
    return Finding{.members = {},
                   .summary = fmt::format(
                       "{} has {} write{} waiting for a lock on the whole server, the longest for {}: held by {}",
                       name(m), count, count > 1 ? "s" : "", span_text(longest->seconds), holders_text(*longest)),
                   .evidence = evidence_of(*longest),
                   .remedy = remedy_for(view, m, *longest),
                   .severity = replica ? Severity::warning : Severity::error,
                   .verdict = replica ? Verdict::healthy : Verdict::broken};
  });
}

bool is_grave(const View& view, const StuckCommit& wait) {
  const auto says = [&](std::string_view word) { return wait.state.find(word) != std::string::npos; };
  const bool postgres = view.cluster.engine == Engine::postgres;
  const double limit = postgres ? says("no limit") ? kApplierHeldUp : kConflictTooLong
                       : says("table") || says("row") || says("metadata") ? kApplierHeldUp
                                                                          : kBackupTooLong;
  return wait.seconds >= limit;
}

std::vector<Finding> applier_waits(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    const StuckCommit* wait = longest_applier_wait(m);
    if (!m.reachable() || !wait || wait->seconds < kApplierHeldUp) return {};
    Finding f{.members = {},
              .summary = name(m) + ": " + applier_wait_text(view, *wait),
              .evidence = evidence_of(*wait),
              .remedy = remedy_for(view, m, *wait),
              .blocks = {"failover to " + name(m)}};
    if (!is_grave(view, *wait)) {
      f.severity = Severity::warning;
      f.verdict = Verdict::healthy;
    }
    return f;
  });
}

constexpr Rule kLockRules[] = {
    {"writes-locked", Severity::error, Verdict::broken, Action::nothing, "writes wait for a lock on the whole server",
     locked_writes},
    {"applier-waits-for-lock", Severity::error, Verdict::broken, Action::nothing,
     "a replica's applier waits for a lock that a session holds", applier_waits},
};

}  // namespace

const StuckCommit* longest_applier_wait(const MemberFacts& m) {
  const auto longest = std::ranges::max_element(m.applier_waits, {}, &StuckCommit::seconds);
  return longest == m.applier_waits.end() || longest->seconds < kInPassing ? nullptr : &*longest;
}

bool held_up_by_lock(const View& view, const MemberFacts& m) {
  const StuckCommit* wait = longest_applier_wait(m);
  return wait && is_grave(view, *wait);
}

std::string applier_wait_text(const View& view, const StuckCommit& wait) {
  const bool conflict = view.cluster.engine == Engine::postgres && !wait.proven;
  return fmt::format("its {} waits for {} {}{}", view.cluster.engine == Engine::postgres ? "replay" : "applier",
                     conflict ? "the end of the query of" : "the lock of", holders_text(wait),
                     wait.since.empty() ? "" : ", since " + wait.since);
}

std::span<const Rule> lock_rules() {
  return kLockRules;
}

}  // namespace holdfast::cluster::rules
