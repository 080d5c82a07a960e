// What waits and never fails: commits that no replica acknowledges, transactions nobody ends, an archiver that hangs.
#include <algorithm>

#include "cluster/rules/rule.h"

namespace holdfast::cluster::rules {

namespace {

constexpr double kPreparedTooLong = 60;     ///< a coordinator ends what it prepared within moments
constexpr double kIdleTooLong = 600;        ///< in a transaction, doing nothing
constexpr double kArchiverTooSlow = 60;     ///< seconds a full segment waits before it is told
constexpr double kArchiverHangs = 10 * 60;  ///< and before point-in-time recovery counts as broken

/// It says it waits for receipts, and there is nobody to give one: the next commit hangs for the whole timeout.
std::vector<Finding> nobody_acknowledges(const View& view) {
  const MemberFacts* m = view.leader();
  if (!m || m->semi_sync.source_enabled != true || m->semi_sync.source_active != true || m->semi_sync.clients != 0)
    return {};
  return {{.members = {m->member},
           .summary = name(*m) + " waits for receipts of commits, and no replica is there to give one: the next commit "
                                 "hangs until its timeout",
           .evidence = {fmt::format("semi-sync status ON, clients 0, timeout {} ms",
                                    m->semi_sync.timeout_ms ? std::to_string(*m->semi_sync.timeout_ms) : "not known")},
           .remedy = "bring back a replica that acknowledges: " + view.command("triage") + " -v"}};
}

bool has_prepared(const MemberFacts* m) {
  return m && std::ranges::any_of(m->open_transactions, &OpenTransaction::prepared);
}

std::vector<Finding> forgotten_transactions(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    const OpenTransaction* worst = nullptr;
    size_t prepared = 0, idle = 0;
    for (const auto& t : m.open_transactions) {
      // A replica has what its primary has prepared; it ends there.
      if (t.prepared && m.role == MemberRole::replica && has_prepared(view.leader())) continue;
      if (t.seconds < (t.prepared ? kPreparedTooLong : kIdleTooLong)) continue;
      ++(t.prepared ? prepared : idle);
      if (!worst || t.prepared > worst->prepared || (t.prepared == worst->prepared && t.seconds > worst->seconds))
        worst = &t;
    }
    if (!m.reachable() || !worst) return {};
    const bool postgres = view.cluster.engine == Engine::postgres;
    return Finding{
        .members = {},
        .summary = fmt::format("{} has {}, the oldest open for {}: {}", name(m),
                               prepared ? fmt::format("{} prepared transaction{}", prepared, prepared > 1 ? "s" : "")
                                        : fmt::format("{} open transaction{}", idle, idle > 1 ? "s" : ""),
                               span_text(worst->seconds), worst->id),
        .evidence = {postgres ? "pg_prepared_xacts, pg_stat_activity: idle in transaction"
                              : "information_schema.INNODB_TRX: without a session, or in one that sleeps"},
        .remedy = (worst->prepared ? postgres ? "ask its coordinator, then COMMIT PREPARED or ROLLBACK PREPARED; then "
                                              : "XA RECOVER; ask its coordinator, then XA COMMIT or XA ROLLBACK; then "
                                   : "end the session, or let its client end it; then ") +
                  view.command("triage")};
  });
}

std::vector<Finding> archiver_hangs(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || m.postgres.archives != true || !m.postgres.archive_problem.empty()) return {};
    if (m.postgres.archive_waiting.value_or(0) == 0 || m.postgres.archive_waits_seconds < kArchiverTooSlow) return {};
    const bool moves = m.postgres.archived_seconds_ago && *m.postgres.archived_seconds_ago < kArchiverTooSlow;
    if (moves && m.postgres.archive_waits_seconds < kArchiverHangs) return {};
    const bool hangs = !moves && m.postgres.archive_waits_seconds >= kArchiverHangs;
    return Finding{.members = {},
                   .summary = fmt::format("{} archives {}: {} segments wait, the oldest for {}", name(m),
                                          moves ? "more slowly than it writes" : "nothing, and does not fail either",
                                          *m.postgres.archive_waiting, span_text(m.postgres.archive_waits_seconds)),
                   .evidence = {m.postgres.archived_seconds_ago
                                    ? fmt::format("last success {} ago", span_text(*m.postgres.archived_seconds_ago))
                                    : "no success since the statistics began"},
                   .remedy = "see what archive_command waits for (a mount, a network, a prompt) on its host; then " +
                             view.command("triage"),
                   .severity = hangs ? Severity::error : Severity::warning,
                   .verdict = hangs ? Verdict::broken : Verdict::healthy};
  });
}

constexpr Rule kWaitingRules[] = {
    {"semi-sync-nobody", Severity::warning, Verdict::healthy, Action::nothing, "no replica acknowledges commits",
     nobody_acknowledges},
    {"transaction-forgotten", Severity::warning, Verdict::healthy, Action::nothing, "a transaction is left open",
     forgotten_transactions},
    {"archiving-stalled", Severity::warning, Verdict::healthy, Action::nothing, "the archiver hangs without failing",
     archiver_hangs},
};

}  // namespace

std::span<const Rule> waiting_rules() {
  return kWaitingRules;
}

}  // namespace holdfast::cluster::rules
