// What a replica receives, and what keeps it from receiving.
#include <fmt/ranges.h>

#include <algorithm>

#include "cluster/rules/streams.h"
#include "cluster/server_log.h"
#include "cluster/server_words.h"

namespace holdfast::cluster::rules {

namespace {

constexpr double kLagLimit = 60;  ///< seconds behind from which a replica no longer counts as healthy

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// The classes of errors a receiver or applier stops with, by the server's numbers.
bool log_is_gone(const Following& f) {
  const bool number = f.receive_errno == 1236 || f.receive_errno == 13114;
  const bool words = (contains(f.receive_error, "purged") && !contains(f.receive_error, "more GTIDs")) ||
                     contains(f.receive_error, "Could not find GTID state") ||
                     contains(f.receive_error, "could not find next log") ||
                     contains(f.receive_error, "has already been removed");
  return words || (number && !contains(f.receive_error, "ahead") && contains(f.receive_error, "Could not find"));
}

bool source_lacks_position(const Following& f) {
  return (f.receive_errno == 1236 || f.receive_errno == 13114) && !log_is_gone(f);
}

bool source_refuses(const Following& f) {
  return turns_account_away(f.receive_errno) || f.receive_errno == 1227 || f.receive_errno == 2059 ||
         f.receive_errno == 2061 || f.receive_errno == 1597 ||
         contains(f.receive_error, "password authentication failed") || contains(f.receive_error, "pg_hba.conf") ||
         contains(f.receive_error, "is not permitted to log in") ||
         (contains(f.receive_error, "FATAL:  role \"") && contains(f.receive_error, "does not exist")) ||
         contains(f.receive_error, "to start walsender") || contains(f.receive_error, "to start WAL sender");
}

bool source_unreachable(const Following& f) {
  return (f.receive_errno >= 2000 && f.receive_errno <= 2013 && !source_refuses(f)) ||
         contains(f.receive_error, "could not connect") || contains(f.receive_error, "Connection refused") ||
         contains(f.receive_error, "connection to server");
}

/// PostgreSQL: nothing is configured, neither a primary nor an archive.
bool has_no_source(const Following& f) {
  return !f.conninfo_problem.empty() && f.from_archive != true;
}

/// A line of a source's log about what it sends its replicas.
bool tells_of_sending(const std::string& line) {
  return is_grave(line) && (contains(line, "log") || contains(line, "binlog"));
}

/// "equal MySQL server ids"/"UUIDs": whom it follows takes it for itself.
bool shares_number(const Following& f) {
  return contains(f.receive_error, "equal MySQL server ids");
}

bool shares_uuid(const Following& f) {
  return contains(f.receive_error, "equal MySQL server UUIDs");
}

/// PostgreSQL's receiver tries again by itself, and what was set by ALTER SYSTEM hides what its agent has configured.
std::string remedy_for_refusal(const View& view, const MemberFacts& m) {
  if (view.cluster.engine != Engine::postgres)
    return "see that the replication account exists on the source with this password, then " +
           view.command("repair", &m);
  return fmt::format(
      "see that the account in primary_conninfo of {} exists on the source, with this password and an "
      "entry in its pg_hba.conf{}; then {}",
      name(m),
      m.agent.answers == true ? " (ALTER SYSTEM RESET primary_conninfo; SELECT pg_reload_conf() there: what its "
                                "agent has configured counts again)"
                              : "",
      view.command("triage"));
}

/// One that reads by file and offset asks for a place in a list of files; by GTID it asks for what it lacks.
std::string or_by_gtid(const View& view, const MemberFacts& m, const Following& f) {
  const std::string repair = view.command("repair", &m);
  if (f.uses_gtid != false || view.cluster.engine == Engine::postgres) return repair;
  return fmt::format("it reads by file and offset; by GTID it may continue, on {}: {}; else {}", name(m),
                     use_gtid(view), repair);
}

/// The member that it follows; null when that is none of this cluster, or cannot be identified.
const MemberFacts* source_of(const View& view, const MemberFacts& m, const Following& f) {
  const auto at = view.source(m, f).member();
  return at ? &view.members[*at] : nullptr;
}

/// MariaDB tells its replica nothing of a log file that it cannot open: the replica asks again and again. Its source
/// lists files that are gone, and the replica needs one of them.
const MemberFacts* lost_what_it_needs(const View& view, const MemberFacts& m, const Following& f) {
  if (view.cluster.engine == Engine::postgres) return nullptr;  // its standbys are told
  const MemberFacts* source = source_of(view, m, f);
  if (!source || source->lost_logs.empty() || f.receiving == true || f.receive_errno != 0) return nullptr;
  return f.source_log.empty() || f.source_log <= source->lost_logs.back() ? source : nullptr;
}

std::vector<Finding> log_purged(const View& view) {
  return each_stream(view, [&](const MemberFacts& m, const Following& f) -> std::optional<Finding> {
    if (const MemberFacts* source = lost_what_it_needs(view, m, f))
      return Finding{.summary = fmt::format("{} needs logs that {} no longer has on its disk: it cannot catch up",
                                            name(m), name(*source)),
                     .evidence = {fmt::format("receiver {}, reads {}", f.receive_state, f.source_log),
                                  fmt::format("{} lists and does not have: {}", name(*source),
                                              fmt::join(source->lost_logs, ", "))},
                     .remedy = view.command("repair", &m),
                     .action = Action::rebuild};
    if (f.receiving == true || !log_is_gone(f)) return {};
    return Finding{
        .summary = fmt::format("{} needs logs that {} no longer has: it cannot catch up", name(m), f.upstream),
        .evidence = {fmt::format("receiver [{}] {}", f.receive_errno, first_line(f.receive_error))},
        .remedy = or_by_gtid(view, m, f),
        .action = view.cluster.engine == Engine::postgres ? Action::reseed : Action::rebuild};
  });
}

std::vector<Finding> slot_missing(const View& view) {
  const MemberFacts* leader = view.leader();
  if (view.cluster.engine != Engine::postgres || !leader || !leader->postgres.slots) return {};
  return each_stream(view, [&](const MemberFacts& m, const Following& f) -> std::optional<Finding> {
    if (f.slot.empty() || f.receiving == true) return {};
    // Of a standby that others follow repair knows no slots to make, and on a server that is not known none is made.
    const MemberFacts* source = source_of(view, m, f);
    if (!source && f.upstream.empty() && view.topology.wanted(view.place_of(m)).is(view.place_of(*leader)))
      source = leader;
    if (source != leader ||
        std::ranges::any_of(*leader->postgres.slots, [&](const Slot& s) { return s.name == f.slot; }))
      return {};
    return Finding{
        .summary = fmt::format("{} wants the slot {}, which {} does not have", name(m), f.slot, name(*leader)),
        .evidence = {first_line(f.receive_error)},
        .remedy = view.command("repair", &m)};
  });
}

std::vector<Finding> position_unknown_to_source(const View& view) {
  return each_stream(view, [&](const MemberFacts& m, const Following& f) -> std::optional<Finding> {
    if (f.receiving == true || !source_lacks_position(f)) return {};
    return Finding{
        .summary = fmt::format("{} is refused by {}: its position is not in the source's log", name(m), f.upstream),
        .evidence = {fmt::format("receiver [{}] {}", f.receive_errno, first_line(f.receive_error))},
        .remedy = or_by_gtid(view, m, f)};
  });
}

std::vector<Finding> refused(const View& view) {
  return each_stream(view, [&](const MemberFacts& m, const Following& f) -> std::optional<Finding> {
    if (f.receiving == true || !source_refuses(f)) return {};
    // The account is there, and no other password helps.
    const bool expired = f.receive_errno == 1862, locked = f.receive_errno == 3118 || f.receive_errno == 4151;
    if (expired || locked)
      return Finding{.summary = fmt::format("{} may not follow {}: {}", name(m), f.upstream,
                                            expired ? "the password of its replication account has expired"
                                                    : "its replication account is locked"),
                     .evidence = {fmt::format("receiver [{}] {}", f.receive_errno, first_line(f.receive_error))},
                     .remedy = fmt::format("on {}: ALTER USER of the replication account with {}; then {}", f.upstream,
                                           expired ? "PASSWORD EXPIRE NEVER, or with a new password" : "ACCOUNT UNLOCK",
                                           view.command("triage")),
                     .action = Action::nothing};
    return Finding{
        .summary = fmt::format("{} may not follow {}: its replication account is refused", name(m), f.upstream),
        .evidence = {fmt::format("receiver [{}] {}", f.receive_errno, first_line(f.receive_error))},
        .remedy = remedy_for_refusal(view, m)};
  });
}

std::vector<Finding> upstream_unreachable(const View& view) {
  return each_stream(view, [&](const MemberFacts& m, const Following& f) -> std::optional<Finding> {
    if (f.receiving == true || log_is_gone(f) || source_refuses(f) || lost_what_it_needs(view, m, f)) return {};
    if (has_no_source(f)) return {};  // replica-not-receiving: what its log says is of a source that it had
    if (!source_unreachable(f) && f.receive_state != "Connecting") return {};
    // An administrator is let in, the replication account is not.
    if (const MemberFacts* at = source_of(view, m, f); at && at->mysql.offline_mode == true)
      return Finding{
          .summary = fmt::format("{} is turned away by {}, which is in offline mode", name(m), name(*at)),
          .evidence = {fmt::format("receiver {} [{}] {}", f.receive_state, f.receive_errno,
                                   first_line(f.receive_error)),
                       "offline_mode is ON on " + name(*at)},
          .remedy = fmt::format("SET GLOBAL offline_mode=OFF on {} lets it in again: holdfast explain offline-mode; "
                                "then {}",
                                name(*at), view.command("triage"))};
    if (contains(f.receive_error, "exceeds max_wal_senders")) {
      const std::string source = f.upstream.empty() ? "its source" : f.upstream;
      return Finding{.summary = fmt::format("{} is turned away by {}, which has no walsender left (max_wal_senders)",
                                            name(m), source),
                     .evidence = {fmt::format("receiver {} {}", f.receive_state, first_line(f.receive_error))},
                     .remedy = fmt::format(
                         "see who holds them (pg_stat_replication), or raise max_wal_senders on {} and restart it; "
                         "then {}",
                         source, view.command("triage"))};
    }
    // It answers us over the network, and the receiver has no error of its own: the reason is in the source's log.
    if (const MemberFacts* source = source_of(view, m, f);
        source && source->reachable() && source->tcp == true && !source_unreachable(f) && f.receive_errno == 0)
      return Finding{
          .summary = fmt::format("{} connects to {} again and again, and receives nothing", name(m), name(*source)),
          .evidence = {fmt::format("receiver {}, without an error", f.receive_state),
                       fmt::format("{} answers over the network", name(*source)),
                       "log of " + name(*source) + ": " + line_of_last_run(source->runtime.log_tail, tells_of_sending)},
          .remedy = fmt::format("look at the error log of {} for what it says when {} connects; then {}", name(*source),
                                name(m), view.command("triage"))};
    return Finding{
        .summary = fmt::format("{} cannot reach {}", name(m), f.upstream.empty() ? "its source" : f.upstream),
        .evidence = {fmt::format("receiver {} [{}] {}", f.receive_state, f.receive_errno, first_line(f.receive_error))},
        .remedy = "see that the source runs and the network between them works, then " + view.command("triage")};
  });
}

std::vector<Finding> receiver_error(const View& view) {
  return each_stream(view, [&](const MemberFacts& m, const Following& f) -> std::optional<Finding> {
    if (f.receiving != false) return {};
    if (!has_no_source(f) && (log_is_gone(f) || source_refuses(f) || source_unreachable(f) ||
                              source_lacks_position(f) || f.receive_state == "Connecting"))
      return {};
    if (f.from_archive == true) return {};  // replica-from-archive
    if (has_no_source(f))
      return Finding{.summary = fmt::format("{} has no source to stream from: {}", name(m), f.conninfo_problem),
                     .evidence = {"pg_settings: primary_conninfo is empty"},
                     .remedy = m.agent.answers == true ? view.command("repair", &m)
                                                       : fmt::format("set primary_conninfo on {}; then {}", name(m),
                                                                     view.command("triage"))};
    const bool silent = f.receive_errno == 0 && f.receive_error.empty();
    // It connects when it has replayed what it has, which one that applies later does by hours later.
    if (silent && f.delay_seconds.value_or(0) > 0 && !m.postgres.wal_end.empty() && m.postgres.wal_end != m.executed)
      return {};
    if (silent && view.cluster.engine != Engine::postgres) return {};  // replica-thread-stopped
    std::optional<Action> action;
    // With its source's number it skipped whatever it had received and not applied, and says that it has it; with its
    // source's UUID what each of them wrote cannot be told apart.
    if (shares_number(f) || shares_uuid(f)) action = Action::rebuild;
    return Finding{
        .summary = silent
                       ? fmt::format("{} does not stream from {}", name(m), f.upstream.empty() ? "anybody" : f.upstream)
                       : fmt::format("{} does not receive{}{}: {}", name(m), f.upstream.empty() ? "" : " from ",
                                     f.upstream, first_line(f.receive_error)),
        .evidence = {fmt::format("receiver {} [{}] {}", f.receive_state, f.receive_errno, first_line(f.receive_error)),
                     f.conninfo_problem},
        .remedy = view.command("repair", &m),
        .action = action};
  });
}

constexpr Rule kReceivingRules[] = {
    {"replica-log-purged", Severity::error, Verdict::stale, Action::rebuild, "the logs a replica needs are gone",
     log_purged},
    {"replica-slot-missing", Severity::error, Verdict::broken, Action::resume, "a replication slot is missing",
     slot_missing},
    {"replica-position-refused", Severity::error, Verdict::broken, Action::rebuild,
     "the source does not know the replica's position", position_unknown_to_source},
    {"replica-access-denied", Severity::error, Verdict::broken, Action::resume, "the replication account is refused",
     refused},
    {"replica-source-unreachable", Severity::error, Verdict::broken, Action::nothing,
     "a replica cannot reach its source", upstream_unreachable},
    {"replica-not-receiving", Severity::error, Verdict::broken, Action::resume, "a replica does not receive",
     receiver_error},
};

}  // namespace

std::span<const Rule> receiving_rules() {
  return kReceivingRules;
}

}  // namespace holdfast::cluster::rules
