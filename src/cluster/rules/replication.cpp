// Streams between members: who follows whom, what stopped, and how far behind they are.
#include <algorithm>

#include "cluster/rules/streams.h"
#include "cluster/server_words.h"

namespace holdfast::cluster::rules {

namespace {

constexpr double kLagLimit = 60;  ///< seconds behind from which a replica no longer counts as healthy

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

bool is_mysql_family(const View& view) {
  return view.cluster.engine == Engine::mariadb || view.cluster.engine == Engine::mysql;
}

/// What was fetched cannot be read any more; the source still has it.
bool relay_log_damaged(const Following& f) {
  return f.apply_errno == 1594 || f.apply_errno == 13121 || contains(f.apply_error, "Relay log read failure") ||
         contains(f.apply_error, "Could not parse relay log event entry") ||
         contains(f.apply_error, "Most likely there is event corruption");
}

/// Nothing is wrong with the data: it was in somebody's way, or interrupted. Starting the applier again is enough.
bool passes_by_itself(int number) {
  return number == 1205 || number == 1213 || number == 1317 || number == 1053 || number == 1927;
}

/// What was received is damaged on this side. With GTIDs a MariaDB replica gets it again when both threads are started.
bool relay_log_is_damaged(const View& view, const Following& f) {
  return view.cluster.engine == Engine::mariadb && f.uses_gtid == true &&
         (f.apply_errno == 1594 || f.apply_errno == 1595);
}

std::vector<Finding> apply_error(const View& view) {
  return each_stream(view, [&](const MemberFacts& m, const Following& f) -> std::optional<Finding> {
    if (f.applying == true || f.apply_errno == 0) return {};
    if (view.cluster.engine == Engine::mysql && relay_log_damaged(f)) return {};
    std::string what;
    switch (f.apply_errno) {
      case 1062:
        what = "a row it should insert is there already";
        break;
      case 1032:
        what = "a row it should change is missing";
        break;
      case 1146:
        what = "a table it should change is missing";
        break;
      case 1396:
        what = "an account it should create or drop is not as on the source";
        break;
      case 1950:
        what = noted_late(view.cluster.engine, m)
                   ? "it crashed before it noted that it had applied a statement, and asks for it again"
                   : "a transaction comes out of order: it has local ones of its own";
        break;
      case 1205:
      case 1213:
        what = "a lock was held too long by another session";
        break;
      case 1594:
        what = "its relay log cannot be read";
        break;
      default:
        what = "an event cannot be applied";
    }
    Finding found{.summary = fmt::format("{} has stopped applying: {} (error {})", name(m), what, f.apply_errno),
                  .evidence = {fmt::format("applier [{}] {}", f.apply_errno, first_line(f.apply_error))},
                  .remedy = view.command("repair", &m)};
    if (passes_by_itself(f.apply_errno) || relay_log_is_damaged(view, f) || noted_late(view.cluster.engine, m))
      found.action = Action::resume;
    return found;
  });
}

/// MySQL: MariaDB drops its relay logs by itself when both threads start.
std::vector<Finding> relay_damaged(const View& view) {
  if (view.cluster.engine != Engine::mysql) return {};
  return each_stream(view, [&](const MemberFacts& m, const Following& f) -> std::optional<Finding> {
    if (f.applying == true || !relay_log_damaged(f)) return {};
    return Finding{.summary = fmt::format("{} has stopped applying: its relay log is damaged", name(m)),
                   .evidence = {fmt::format("applier [{}] {}", f.apply_errno, first_line(f.apply_error))},
                   .remedy = view.command("repair", &m)};
  });
}

/// PostgreSQL pauses the replay of a standby that could not hold all its primary's sessions; resumed, it would end.
std::vector<Finding> settings_too_small(const View& view) {
  if (view.cluster.engine != Engine::postgres || !view.leader()) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (const auto wanted = settings_wanted(m); !wanted.empty()) {
      Finding f{.members = {},
                .summary = name(m) + " does not start: settings are lower than its primary's",
                .remedy = view.command("repair", &m),
                .action = Action::restart};
      for (const auto& [setting, value] : wanted)
        f.evidence.push_back(fmt::format("server log: {} has to be {} at least", setting, value));
      return f;
    }
    const auto small = lower_than(m.postgres.standby_limits, view.leader()->postgres.standby_limits);
    if (!m.reachable() || m.postgres.replay_paused != true || small.empty()) return {};
    Finding f{.members = {},
              .summary = name(m) + " has stopped replaying: settings are lower than on " + name(*view.leader()),
              .remedy = view.command("repair", &m)};
    for (const auto& [setting, value] : small)
      f.evidence.push_back(
          fmt::format("{}: {}, on the primary {}", setting, m.postgres.standby_limits.at(setting), value));
    return f;
  });
}

std::vector<Finding> thread_stopped(const View& view) {
  return each_stream(view, [&](const MemberFacts& m, const Following& f) -> std::optional<Finding> {
    const bool receiver =
        f.receiving == false && f.receive_errno == 0 && f.receive_error.empty() && f.receive_state != "Connecting";
    const bool applier = f.applying == false && f.apply_errno == 0 && f.apply_error.empty();
    if (!receiver && !applier) return {};
    if (view.cluster.engine == Engine::postgres) {
      if (!applier) return {};  // a silent WAL receiver is a rule of its own
      if (view.leader() && !lower_than(m.postgres.standby_limits, view.leader()->postgres.standby_limits).empty())
        return {};
      return Finding{.summary = name(m) + " has its replay paused: it receives but does not apply",
                     .evidence = {"pg_is_wal_replay_paused() is true"},
                     .remedy = view.command("repair", &m)};
    }
    return Finding{.summary = fmt::format("{}: {} stopped without an error, probably by hand", name(m),
                                          receiver && applier ? "its receiver and applier are"
                                          : receiver          ? "its receiver is"
                                                              : "its applier is"),
                   .evidence = {fmt::format("receiver {}, applier {}, no error number",
                                            f.receiving == true ? "on" : "off", f.applying == true ? "on" : "off")},
                   .remedy = view.command("repair", &m)};
  });
}

std::vector<Finding> state_unknown(const View& view) {
  return each_stream(view, [&](const MemberFacts& m, const Following& f) -> std::optional<Finding> {
    if (f.receiving && f.applying) return {};
    return Finding{.summary = name(m) + " does not report the state of its replication",
                   .evidence = {first_line(m.error)},
                   .remedy = "see that the account may read it (REPLICA MONITOR, REPLICATION CLIENT, pg_monitor)"};
  });
}

/// It answers, but not what it is: then nothing that follows from its role is known either.
std::vector<Finding> role_unknown(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    const bool told = m.role != MemberRole::unknown &&
                      (view.cluster.engine != Engine::galera || (m.galera && !m.galera->status.empty()));
    if (!m.reachable() || told) return {};
    return Finding{
        .members = {},
        .summary = name(m) + " answers, but does not report its role: nothing is known of its replication",
        .evidence = {first_line(m.error)},
        .remedy = "see that the account may read it (REPLICA MONITOR, REPLICATION CLIENT, pg_monitor), then " +
                  view.command("triage")};
  });
}

std::vector<Finding> detached(const View& view) {
  if (view.cluster.engine == Engine::galera) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || !m.following.empty() || m.mysql.replication_group) return {};
    // A replica whose only connections come from elsewhere has none of this cluster either.
    if (m.role != MemberRole::primary && m.side_channels.empty()) return {};
    const bool should_follow =
        m.runtime.role_wanted == MemberRole::replica ||
        (m.runtime.role_wanted == MemberRole::unknown && m.read_only == true && view.leader() && view.leader() != &m);
    if (!should_follow || (view.leader() == nullptr && view.writers.empty())) return {};
    if (view.leader() == &m)
      return Finding{.members = {},
                     .summary = name(m) +
                                " accepts writes, but its agent will start it as a replica: it does not "
                                "know that it was promoted",
                     .evidence = {"its agent starts it as a replica"},
                     .remedy = view.command("repair") + ", which reports this to its agent",
                     .severity = Severity::warning,
                     .verdict = Verdict::healthy,
                     .action = Action::nothing};
    return Finding{.members = {},
                   .summary = name(m) + " should follow, but follows no source",
                   .evidence = {m.runtime.role_wanted == MemberRole::replica
                                    ? "its agent starts it as a replica"
                                    : "it is read-only while another member accepts writes"},
                   .remedy = view.command("repair", &m)};
  });
}

std::vector<Finding> filters(const View& view) {
  return each_stream(view, [&](const MemberFacts& m, const Following& f) -> std::optional<Finding> {
    if (f.filters.empty()) return {};
    return Finding{.summary = name(m) + " filters what it replicates: it is not a copy of the primary",
                   .evidence = f.filters,
                   .remedy = "take the filters out of its configuration, then " + view.command("repair", &m),
                   .blocks = {"failover to " + name(m)}};
  });
}

std::vector<Finding> writable(const View& view) {
  if (!is_mysql_family(view)) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || m.role != MemberRole::replica || m.mysql.replication_group) return {};
    const bool open = m.read_only == false;
    if (!open && m.mysql.super_read_only != false) return {};
    return Finding{.members = {},
                   .summary = name(m) + (open ? " follows, but accepts writes of its own"
                                              : " follows, but accepts writes of administrators"),
                   .evidence = {open ? "read_only is off" : "super_read_only is off"},
                   .remedy = view.command("repair", &m)};
  });
}

std::vector<Finding> lagging(const View& view) {
  return each_stream(view, [&](const MemberFacts& m, const Following& f) -> std::optional<Finding> {
    if (f.receiving != true || f.applying != true) return {};
    if (f.delay_seconds.value_or(0) > 0) return {};
    if (f.lag_seconds && *f.lag_seconds <= kLagLimit) return {};
    if (held_up_by_lock(view, m)) return {};  // applier-waits-for-lock: it does not catch up by itself
    return Finding{.summary = f.lag_seconds
                                  ? fmt::format("{} is {:.0f} s behind {}", name(m), *f.lag_seconds, f.upstream)
                                  : name(m) + " follows, but how far behind is not known",
                   .remedy = view.command("triage") + " --watch"};
  });
}

std::vector<Finding> delayed(const View& view) {
  return each_stream(view, [&](const MemberFacts& m, const Following& f) -> std::optional<Finding> {
    if (f.delay_seconds.value_or(0) <= 0) return {};
    return Finding{.summary = fmt::format("{} is delayed by {} s on purpose", name(m), *f.delay_seconds),
                   .evidence = {m.postgres.wal_end.empty() ? std::string()
                                                           : fmt::format("replayed {}, in its pg_wal up to {}",
                                                                         m.executed, m.postgres.wal_end)},
                   .blocks = {"failover to " + name(m)}};
  });
}

/// It has a restore_command and no primary configured to stream from: that is what it is for.
std::vector<Finding> from_archive(const View& view) {
  return each_stream(view, [&](const MemberFacts& m, const Following& f) -> std::optional<Finding> {
    if (f.from_archive != true) return {};
    return Finding{.summary = fmt::format("{} replays WAL from an archive, and has got to {}", name(m), m.executed),
                   .evidence = {"restore_command is set, primary_conninfo is not"},
                   .blocks = {"failover to " + name(m)}};
  });
}

std::vector<Finding> without_gtid(const View& view) {
  return each_stream(view, [&](const MemberFacts& m, const Following& f) -> std::optional<Finding> {
    if (f.uses_gtid != false) return {};
    return Finding{
        .summary = name(m) + " follows by file and offset, not by GTID: it cannot be moved to another source",
        .remedy = fmt::format("on {}: {}; then {}", name(m), use_gtid(view), view.command("triage"))};
  });
}

/// The replica believes it receives, the source knows nothing of it: a connection that died on one side.
std::vector<Finding> half_open(const View& view) {
  const MemberFacts* leader = view.leader();
  if (!leader || !leader->followers || view.cluster.engine == Engine::galera) return {};
  std::vector<MemberName> claim;
  for (const auto& m : view.members)
    if (const Following* f = m.upstream();
        m.reachable() && f && f->receiving == true && view.source(m, *f).is(view.place_of(*leader)))
      claim.push_back(m.member);
  if (static_cast<int>(claim.size()) <= *leader->followers) return {};
  return {{.members = {},
           .summary = fmt::format("{} replicas believe they receive from {}, which serves only {}", claim.size(),
                                  name(*leader), *leader->followers),
           .evidence = {fmt::format("they say so: {}", claim.size())},
           .remedy = view.command("triage") + " again in a minute; if it stays, restart the receiver that is alone"}};
}

/// It says that it receives and is level; and nothing came, though its source had something to give.
std::vector<Finding> silent(const View& view) {
  return each_stream(view, [&](const MemberFacts& m, const Following& f) -> std::optional<Finding> {
    if (f.receiving != true || !f.silent_seconds) return {};
    // A new connection helps where the old one is lost on its way; not where there is no way.
    const bool cut = m.tcp == false || (view.leader() && view.leader()->tcp == false);
    const bool full = std::ranges::any_of(m.runtime.volumes, is_full);  // it cannot keep what comes
    return Finding{
        .summary = fmt::format("{} says it is up to date, and has received nothing for {:.0f} s of what {} had by then",
                               name(m), *f.silent_seconds, f.upstream),
        .evidence = {fmt::format("receiver {}, lag {:.0f} s, received {}", f.receive_state, f.lag_seconds.value_or(0),
                                 m.received)},
        .remedy = cut    ? std::string("holdfast explain tcp-unreachable")
                  : full ? std::string("holdfast explain disk-full")
                         : view.command("repair", &m),
        .blocks = {"failover to " + name(m)},
        .action = cut || full ? Action::nothing : Action::resume};
  });
}

constexpr Rule kReplicationRules[] = {
    {"replica-apply-error", Severity::error, Verdict::broken, Action::rebuild, "a replica cannot apply an event",
     apply_error},
    {"replica-relay-log-damaged", Severity::error, Verdict::broken, Action::resume,
     "what a replica has fetched cannot be read", relay_damaged},
    {"replica-settings-too-small", Severity::error, Verdict::broken, Action::resume,
     "a standby has stopped replaying, for its settings are lower than the primary's", settings_too_small},
    {"replica-thread-stopped", Severity::error, Verdict::stopped, Action::resume,
     "replication was stopped and not started again", thread_stopped},
    {"member-role-unknown", Severity::error, Verdict::unknown, Action::nothing, "a member does not report its role",
     role_unknown},
    {"replica-state-unknown", Severity::error, Verdict::broken, Action::nothing, "replication state could not be read",
     state_unknown},
    {"replica-detached", Severity::error, Verdict::broken, Action::resume, "a replica has no source configured",
     detached},
    {"replica-filters", Severity::error, Verdict::broken, Action::nothing, "a replica leaves data out", filters},
    {"replica-writable", Severity::error, Verdict::broken, Action::resume, "a replica accepts writes", writable},
    {"replica-lagging", Severity::error, Verdict::catching_up, Action::nothing, "a replica is far behind", lagging},
    {"replica-delayed", Severity::info, Verdict::healthy, Action::nothing, "a replica is delayed on purpose", delayed},
    {"replica-from-archive", Severity::info, Verdict::healthy, Action::nothing, "a standby replays from an archive",
     from_archive},
    {"replica-without-gtid", Severity::warning, Verdict::healthy, Action::nothing, "a replica does not use GTIDs",
     without_gtid},
    {"replica-silent", Severity::error, Verdict::broken, Action::resume, "a replica receives nothing and says 0 lag",
     silent},
    {"replica-half-open", Severity::error, Verdict::healthy, Action::nothing, "a replica keeps a broken connection",
     half_open},
};

}  // namespace

std::span<const Rule> replication_rules() {
  return kReplicationRules;
}

}  // namespace holdfast::cluster::rules
