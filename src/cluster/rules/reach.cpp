// Does the member's process run, does it answer, is there data under it?
#include <algorithm>

#include "cluster/rules/rule.h"
#include "cluster/server_log.h"

namespace holdfast::cluster::rules {

namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string mark(const MemberFacts& m, std::string_view says) {
  return fmt::format("{} {}", m.member.str(), says);
}

std::vector<std::string> server_evidence(const MemberFacts& m) {
  std::vector<std::string> evidence;
  if (!m.runtime.state.empty()) evidence.push_back("agent: its server is " + m.runtime.state);
  if (!m.runtime.last_exit.empty()) evidence.push_back("agent: the server's process ended with " + m.runtime.last_exit);
  if (!m.error.empty()) evidence.push_back("connection: " + first_line(m.error));
  if (m.tcp) evidence.push_back(*m.tcp ? "its port takes connections" : "its port: " + m.tcp_error);
  return evidence;
}

/// Nothing is damaged: it may not touch its own files.
bool may_not_touch_files(const std::string& line) {
  for (auto text :
       {"Permission denied", "must be writable", "Operating system error number 13", "(Errcode: 13", "OS errno 13",
        "(13)", "Operation not permitted", "Operating system error number 1 ", "(Errcode: 1 ", "OS errno 1 "})
    if (contains(line, text) && is_grave(line)) return true;
  return false;
}

/// Of InnoDB, which knows no better way to say that what it finds in a file cannot be: the line with which it ended
/// before its last run was ready for anybody; "" when it did not. Not on a full disk, which it takes no better.
std::string gave_up_starting(const MemberFacts& m) {
  const auto ready = [](const std::string& line) { return contains(line, "ready for connections"); };
  const auto gave_up = [](const std::string& line) {
    return contains(line, "InnoDB") && contains(line, "Assertion failure");
  };
  if (line_of_last_run(m.runtime.log_tail, begins_run).empty() ||
      !line_of_last_run(m.runtime.log_tail, ready).empty() || std::ranges::any_of(m.runtime.volumes, is_full))
    return "";
  return line_of_last_run(m.runtime.log_tail, gave_up);
}

bool has_no_data(const MemberFacts& m) {
  return m.runtime.outside.empty() && m.stored && m.stored->data != StoredFacts::Data::present &&
         m.stored->data != StoredFacts::Data::unknown;
}

std::string outside_text(const OutsideProcess& user) {
  const std::string who = user.pid > 0 ? fmt::format("process {}", user.pid) : "a process of another container";
  return user.program.empty() ? who : fmt::format("{} ({})", who, user.program);
}

bool runs(const MemberFacts& m) {
  return m.runtime.state == "running" || m.runtime.state == "starting" || m.runtime.state == "stopping";
}

bool hung_by_signal(const MemberFacts& m) {
  return m.runtime.process_state == "T" || m.runtime.process_state == "t";
}

Action refill(const View& view) {
  return view.cluster.engine == Engine::postgres ? Action::reseed : Action::rebuild;
}

bool refuses_its_configuration(const MemberFacts& m) {
  return !line_of_last_run(m.runtime.log_tail, refuses_configuration).empty();
}

std::string remedy_for_lost(const View& view, const MemberFacts& m) {
  const std::string promote = after_lost_primary(view, m);
  return promote.empty() ? view.command("repair", &m) : promote;
}

std::vector<Finding> data_missing(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.reachable() || !has_no_data(m)) return {};
    std::string how = m.stored->data == StoredFacts::Data::missing ? "has no data directory"
                      : m.stored->data == StoredFacts::Data::empty ? "has an empty data directory"
                                                                   : "has a half-made data directory";
    Finding f{.members = {}, .summary = mark(m, how), .remedy = remedy_for_lost(view, m)};
    if (!m.stored->why.empty()) f.evidence.push_back(m.stored->why);
    for (auto& line : server_evidence(m)) f.evidence.push_back(std::move(line));
    if (m.stored->data == StoredFacts::Data::incomplete) f.verdict = Verdict::broken;
    f.action = refill(view);
    return f;
  });
}

/// What is not there may be on a volume that is not mounted.
std::vector<Finding> data_vanished(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.reachable() || !m.runtime.outside.empty() || !m.stored || m.stored->remembered.empty()) return {};
    return Finding{
        .members = {},
        .summary = mark(m, "has no data where it had some: its volume is not mounted, or was replaced"),
        .evidence = {m.stored->remembered},
        .remedy = fmt::format("mount the volume (findmnt --target {}), then {}; it is gone for good: {}",
                              view.described(m).data_dir, view.command("triage"), view.command("repair", &m)),
        .action = refill(view)};
  });
}

/// The logs are there, and the list of them is not: a start begins another one, and no server finds the old.
bool lacks_only_index_of_logs(const MemberFacts& m) {
  return !runs(m) && m.runtime.missing_parts.size() == 1 && m.runtime.missing_parts[0].ends_with(".index");
}

Finding index_gone(const View& view, const MemberFacts& m) {
  const std::string& dir = view.described(m).data_dir;
  const std::string& index = m.runtime.missing_parts[0];
  const std::string logs = index.substr(0, index.rfind('.'));
  return {.members = {},
          .summary = mark(m, fmt::format("does not run, and the index of its binary logs is gone ({}): a start would "
                                         "begin another, without these logs",
                                         index)),
          .evidence = {fmt::format("not there: {}/{}", dir, index)},
          .remedy = fmt::format("do not start it; as its server's account: cd '{}' && ls -1 {}.[0-9]* | sed 's|^|./|' "
                                "> {}; then {}, and {}",
                                dir.empty() ? "DATADIR" : dir, logs, index, view.command("triage"),
                                view.command("repair", &m)),
          .blocks = {"plain start of " + m.member.str()},
          .action = Action::nothing};
}

std::vector<Finding> data_damaged(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.reachable() || has_no_data(m) || !m.runtime.outside.empty()) return {};
    if (lacks_only_index_of_logs(m)) return index_gone(view, m);
    // One that runs, too: it takes no more sessions, and would not start again.
    const bool is_sent_data = m.stored && !m.stored->aborted_transfer.empty();  // galera-receiving-state says more
    const auto lost = m.lost_parts();
    if (!lost.empty() && m.runtime.state != "starting" && !is_sent_data) {
      const std::string more = lost.size() > 1 ? fmt::format(", and {} more", lost.size() - 1) : "";
      Finding f{.members = {},
                .summary = mark(m, fmt::format("{}, and part of its data directory is not there: {}{}",
                                               runs(m) ? "runs and cannot be asked" : "does not run", lost[0], more)),
                .remedy = remedy_for_lost(view, m),
                .action = refill(view)};
      for (const auto& part : lost)
        f.evidence.push_back(fmt::format("not there: {}/{}", view.described(m).data_dir, part));
      if (m.stored && !m.stored->why.empty()) f.evidence.push_back(m.stored->why);
      return f;
    }
    if (runs(m)) return {};
    const bool replicates = view.cluster.engine == Engine::mariadb || view.cluster.engine == Engine::mysql;
    if (replicates && m.agent.answers == true && m.stored && m.stored->torn)
      return Finding{.members = {},
                     .summary = mark(m, "does not run, and part of its data directory is not there"),
                     .evidence = {m.stored->why},
                     .remedy = remedy_for_lost(view, m),
                     .action = refill(view)};
    std::string line = line_of_last_run(m.runtime.log_tail, tells_of_damage);
    if (line.empty()) line = gave_up_starting(m);
    if (line.empty()) return {};
    return Finding{.members = {},
                   .summary = mark(m, "does not run, and its log reports damaged data"),
                   .evidence = {"server log: " + line},
                   .remedy = remedy_for_lost(view, m),
                   .action = refill(view)};
  });
}

/// Told apart from damage: the file or the option is named, and the data is as it was.
std::vector<Finding> config_refused(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.reachable() || runs(m) || has_no_data(m) || !m.runtime.outside.empty()) return {};
    const std::string line = line_of_last_run(m.runtime.log_tail, refuses_configuration);
    if (line.empty()) return {};
    return Finding{.members = {},
                   .summary = mark(m, "does not start: it refuses its configuration"),
                   .evidence = {"server log: " + line},
                   .remedy = fmt::format("correct or set aside the file or option that its log names, then {}",
                                         view.command("repair", &m))};
  });
}

/// A server goes on after it has met a damaged page; what it said of it is all there is until somebody reads it again.
std::vector<Finding> damage_logged(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    // page-checksum-failures says more.
    if (!m.reachable() || !m.damaged_pages().empty() || m.postgres.checksum_failures.value_or(0) > 0) return {};
    std::string line = m.runtime.damage_logged;
    if (line.empty()) line = line_of_last_run(m.runtime.log_tail, met_damage);
    if (line.empty()) return {};
    return Finding{
        .members = {},
        .summary = mark(m, "has met damaged data since it was started"),
        .evidence = {"server log: " + line},
        .remedy = fmt::format("see which table it is, and whether it can be read; to copy another member: {}",
                              view.command("repair", &m)),
        .blocks = {"copy from " + m.member.str()},
        .action = refill(view)};
  });
}

/// What its log complains of last; and where that is no damage but a matter of owners and modes, says so.
void tell_last_run(const View& view, const MemberFacts& m, Finding& f) {
  const auto grave = [](const std::string& line) { return is_grave(line); };
  if (std::string line = line_of_last_run(m.runtime.log_tail, grave); !line.empty())
    f.evidence.push_back("server log: " + line);
  const std::string denied = line_of_last_run(m.runtime.log_tail, may_not_touch_files);
  if (denied.empty()) return;
  f.summary = mark(m, "does not run: it was not allowed to use its own files");
  f.evidence.push_back("server log: " + denied);
  const std::string dir = view.described(m).data_dir.empty() ? "its data directory" : view.described(m).data_dir;
  if (m.stored && !m.stored->immutable.empty()) {
    f.summary = mark(m, "does not run: a file of its own is immutable");
    f.evidence.push_back("flags of files (lsattr): immutable: " + m.stored->immutable);
    f.remedy = fmt::format("find out who made it so, then chattr -i {}; then {}", m.stored->immutable,
                           view.command("repair", &m));
    return;
  }
  f.remedy =
      fmt::format("give {} and all below it to the account its server runs as, as it is on the other members; then {}",
                  dir, view.command("repair", &m));
}

std::vector<Finding> server_crashed(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.reachable() || m.runtime.state != "failed" || has_no_data(m) || !m.runtime.outside.empty()) return {};
    if (lacks_only_index_of_logs(m)) return {};   // data-damaged says more
    if (refuses_its_configuration(m)) return {};  // config-refused says more
    Finding f{
        .members = {},
        .summary = mark(m, m.runtime.last_exit.empty() ? "does not run: its server crashed"
                                                       : "does not run: its server ended with " + m.runtime.last_exit),
        .evidence = server_evidence(m),
        .remedy = view.command("repair", &m)};
    tell_last_run(view, m, f);
    return f;
  });
}

std::vector<Finding> server_stopped(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.reachable() || m.runtime.state != "stopped" || has_no_data(m) || !m.runtime.outside.empty()) return {};
    if (lacks_only_index_of_logs(m)) return {};   // data-damaged says more
    if (refuses_its_configuration(m)) return {};  // config-refused says more
    Finding f{.members = {},
              .summary = mark(m, "does not run: its server is stopped"),
              .evidence = server_evidence(m),
              .remedy = view.command("repair", &m)};
    // A start that failed and was taken back leaves nothing else.
    tell_last_run(view, m, f);
    return f;
  });
}

std::vector<Finding> server_frozen(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.reachable() || !hung_by_signal(m)) return {};
    return Finding{.members = {},
                   .summary = mark(m, fmt::format("is frozen: process {} is stopped by a signal", m.runtime.pid)),
                   .evidence = {fmt::format("kernel: state {} of process {}", m.runtime.process_state, m.runtime.pid),
                                view.cluster.engine == Engine::postgres
                                    ? "its sessions are processes of their own and may still write"
                                    : ""},
                   .remedy = view.command("repair", &m)};
  });
}

std::vector<Finding> server_hung(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.reach != Reach::timeout || hung_by_signal(m)) return {};
    Finding f{.members = {},
              .summary = mark(m, "gives no answer in time: hung, or cut off"),
              .evidence = server_evidence(m),
              .remedy = "look at its disk and at its server's log; then " + view.command("triage")};
    if (m.runtime.process_state == "D")
      f.evidence.push_back("kernel: its process waits for a disk that does not answer (state D)");
    for (const auto& v : m.runtime.volumes) {
      if (!is_full(v)) continue;
      f.summary = mark(m, fmt::format("hangs: the disk under its {} is full", v.purpose));
      f.remedy = "free space on " + v.path + ", then " + view.command("triage");
      f.verdict = Verdict::broken;  // why it does not answer is known; how far it is, is not
    }
    return f;
  });
}

std::vector<Finding> starting(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.reachable() || m.reach == Reach::timeout || m.runtime.state != "starting") return {};
    if (m.stored && !m.stored->aborted_transfer.empty()) return {};  // galera-receiving-state says more
    return Finding{.members = {},
                   .summary = mark(m, "is starting: recovery may take a while"),
                   .evidence = server_evidence(m),
                   .remedy = view.command("triage") + " --watch"};
  });
}

std::vector<Finding> access_denied(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.reach != Reach::denied) return {};
    const bool asked = !contains(m.error, "TLS is not required");  // sql.plain_text
    return Finding{
        .members = {},
        .summary = mark(m, asked ? "serves, but refuses this user: nothing is known of it"
                                 : "is not asked: the password must not cross the network unencrypted"),
        .evidence = {first_line(m.error)},
        .remedy =
            (contains(m.error, "has expired") ? std::string("renew its password on the server (ALTER USER), then ")
             : contains(m.error, "is locked") ? "unlock it on the server (ALTER USER ... ACCOUNT UNLOCK), then "
             : contains(m.error, "not permitted to log in") ? "let it log in again (ALTER ROLE ... LOGIN), then "
             : view.cluster.credentials.by_socket()
                 ? "run it as root or as the unix user that the account is for, or name user and passwordFile in "
                   "spec.credentials of the DatabaseCluster, then "
                 : "correct spec.credentials or spec.tls of the DatabaseCluster, then ") +
            view.command("triage")};
  });
}

std::vector<Finding> connections_exhausted(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    const bool refused = contains(m.error, "Too many connections") || contains(m.error, "too many clients") ||
                         contains(m.error, "remaining connection slots");
    if (!m.reachable() && refused)
      return Finding{.members = {},
                     .summary = mark(m, "takes no more connections: nothing is known of it"),
                     .evidence = {first_line(m.error)},
                     .remedy = "raise max_connections or end idle sessions, then " + view.command("triage")};
    if (m.reachable() && m.max_connections > 0 && m.connections * 10 >= m.max_connections * 9)
      return Finding{
          .members = {},
          .summary = mark(m, fmt::format("has {} of {} connections in use", m.connections, m.max_connections)),
          .remedy = "raise max_connections or end idle sessions",
          .severity = Severity::warning,
          .verdict = Verdict::healthy,
          .action = Action::nothing};
    return {};
  });
}

std::vector<Finding> unreachable(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.reachable() || m.reach == Reach::timeout || m.reach == Reach::denied || !m.same_as.empty()) return {};
    if (!m.runtime.outside.empty()) return {};          // server-outside-agent says more
    if (!m.lost_parts().empty() && runs(m)) return {};  // data-damaged says more
    if (m.runtime.state == "failed" || m.runtime.state == "stopped" || m.runtime.state == "starting" || has_no_data(m))
      return {};
    if (contains(m.error, "Too many connections") || contains(m.error, "too many clients") ||
        contains(m.error, "remaining connection slots"))
      return {};
    Finding f{
        .members = {},
        .summary = mark(m, m.reach == Reach::failed ? "cannot be asked: " + first_line(m.error)
                                                    : "is not reachable: " + first_line(m.error)),
        .evidence = server_evidence(m),
        .remedy = (m.reach == Reach::failed ? "put that right, then " : "see that its host and server run, then ") +
                  view.command("triage")};
    // Its data was seen, and no process uses it: a stopped server, not an unknown one.
    const bool read = m.stored && m.stored->data == StoredFacts::Data::present;
    if (m.reach == Reach::unreachable && read && m.runtime.pid <= 0 && m.agent.answers == false) {
      f.verdict = Verdict::stopped;
      f.action = Action::restart;
    }
    return f;
  });
}

/// Started by hand, or by another service manager: its agent can neither stop it nor answer for it.
std::vector<Finding> outside_agent(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.runtime.outside.empty()) return {};
    const OutsideProcess& first = m.runtime.outside.front();
    Finding f{.members = {},
              .summary = mark(m, fmt::format("runs outside its agent: {}{}", outside_text(first),
                                             m.reachable() ? "" : ", which cannot be asked")),
              .remedy = fmt::format("stop {} in order (kill -TERM), then start its server under the agent: {}",
                                    first.pid > 0 ? fmt::format("process {}", first.pid) : "that container's server",
                                    view.command("repair", &m)),
              .blocks = {"repair", "bootstrap"},
              .verdict = m.reachable() ? Verdict::broken : Verdict::unknown};
    if (view.cluster.engine == Engine::postgres && first.pid > 0)
      f.remedy = fmt::format("stop process {} in order (kill -INT), then start its server under the agent: {}",
                             first.pid, view.command("repair", &m));
    for (const auto& user : m.runtime.outside)
      f.evidence.push_back(fmt::format("kernel: {} {}", outside_text(user), user.how));
    if (!m.runtime.state.empty()) f.evidence.push_back("agent: its server is " + m.runtime.state);
    return f;
  });
}

std::vector<Finding> agent_gone(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.agent.answers != false || m.agent.certificate_over) return {};  // agent-certificate-ending says more
    if (!m.agent.refused.empty())
      return Finding{.members = {},
                     .summary = mark(m, "has an agent that cannot be asked: " + first_line(m.agent.refused)),
                     .remedy =
                         "compare both certificates and their authority (holdfast pki show FILE), correct them "
                         "or spec.agents of the DatabaseCluster, then " +
                         view.command("triage"),
                     .blocks = {"repair"},
                     .verdict = m.reachable() ? Verdict::broken : Verdict::healthy};
    if (!m.agent.silent.empty())
      return Finding{.members = {},
                     .summary = mark(m, "has an agent that cannot be reached: " + first_line(m.agent.silent)),
                     .remedy =
                         "see that its host runs, that the network between here and there lets the agent's port "
                         "through, and that the agent runs; then " +
                         view.command("triage"),
                     .blocks = {"repair"},
                     .verdict = m.reachable() ? Verdict::broken : Verdict::healthy};
    return Finding{
        .members = {},
        .summary = mark(m, "has no agent running: its server is not supervised"),
        .remedy = fmt::format("start its agent (holdfast agent --dir DIR; for a lab: holdfast lab up); then {}",
                              view.command("triage")),
        .blocks = {"repair"},
        .verdict = m.reachable() ? Verdict::broken : Verdict::healthy};
  });
}

std::vector<Finding> agent_hung(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.agent.answers != true || !m.runtime.state.empty()) return {};
    return Finding{.members = {},
                   .summary = mark(m, "has an agent that does not answer: its server is not supervised"),
                   .evidence = {"its socket accepts connections, its status did not arrive in time"},
                   .remedy = "look at the agent's process (is it stopped by a signal?), then " + view.command("triage"),
                   .blocks = {"repair"},
                   .verdict = m.reachable() ? Verdict::broken : Verdict::unknown};
  });
}

std::vector<Finding> tcp_unreachable(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || m.tcp != false) return {};
    return Finding{.members = {},
                   .summary = mark(m, "answers on its socket, but not over the network"),
                   .evidence = {fmt::format("tcp {}: {}", m.address, m.tcp_error)},
                   .remedy = "look at bind-address, firewall and network of its host, then " + view.command("triage")};
  });
}

std::vector<Finding> isolated(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.runtime.mode != "isolated" || !runs(m)) return {};
    return Finding{.members = {},
                   .summary = mark(m, "runs isolated, without network and replication, as a repair leaves it"),
                   .remedy = "holdfast operations list"};
  });
}

}  // namespace

std::string after_lost_primary(const View& view, const MemberFacts& m) {
  const bool led = m.runtime.role_wanted == MemberRole::primary && view.cluster.engine != Engine::galera;
  const bool torn = m.stored && m.stored->torn;
  const bool parts = !m.lost_parts().empty() && !lacks_only_index_of_logs(m);
  if (!led || !view.writers.empty() || m.reachable() || !m.runtime.outside.empty() || view.members.size() < 2 ||
      !(has_no_data(m) || parts || torn))
    return "";
  const auto best = view.authority.member ? view.authority.member : view.authority.reference;
  const bool another = best && *best != m.member;
  return fmt::format(
      "{}promote {} by hand: holdfast explain leader-not-primary; then rebuild {}: {}",
      has_no_data(m) ? "" : "keep its data directory as it is, it may have what no other member has; then ",
      another ? best->str() + ", which has the most of the others," : "the member that has the most", m.member.str(),
      view.command("repair", &m));
}

namespace {

constexpr Rule kReachRules[] = {
    {"data-missing", Severity::error, Verdict::empty, Action::rebuild, "a member has no data", data_missing},
    {"data-damaged", Severity::error, Verdict::broken, Action::rebuild, "a stopped server's data is damaged",
     data_damaged},
    {"data-vanished", Severity::error, Verdict::broken, Action::rebuild, "a member's data is not where it was",
     data_vanished},
    {"damage-logged", Severity::error, Verdict::broken, Action::rebuild, "a server has reported damaged data",
     damage_logged},
    {"config-refused", Severity::error, Verdict::stopped, Action::restart, "a server refuses its configuration",
     config_refused},
    {"server-crashed", Severity::error, Verdict::stopped, Action::restart, "the server crashed", server_crashed},
    {"server-stopped", Severity::error, Verdict::stopped, Action::restart, "the server was stopped", server_stopped},
    {"server-frozen", Severity::error, Verdict::broken, Action::resume, "the server's process is stopped by a signal",
     server_frozen},
    {"server-hung", Severity::error, Verdict::unknown, Action::nothing, "the server does not answer", server_hung},
    {"server-starting", Severity::error, Verdict::catching_up, Action::nothing, "the server is still starting",
     starting},
    {"access-denied", Severity::error, Verdict::unknown, Action::nothing, "the server refuses our account",
     access_denied},
    {"connections-exhausted", Severity::critical, Verdict::unknown, Action::nothing, "no connection is left",
     connections_exhausted},
    {"server-unreachable", Severity::error, Verdict::unknown, Action::nothing,
     "no server answers, and why is not known", unreachable},
    {"server-outside-agent", Severity::error, Verdict::broken, Action::nothing,
     "a server runs on the data directory that its agent did not start", outside_agent},
    {"agent-gone", Severity::error, Verdict::broken, Action::nothing, "a member is not supervised", agent_gone},
    {"agent-hung", Severity::error, Verdict::broken, Action::nothing, "an agent does not answer", agent_hung},
    {"tcp-unreachable", Severity::error, Verdict::broken, Action::nothing,
     "a member can be reached on its own host only", tcp_unreachable},
    {"server-isolated", Severity::error, Verdict::stopped, Action::restart, "a server runs in maintenance mode",
     isolated},
};

}  // namespace

std::span<const Rule> reach_rules() {
  return kReachRules;
}

}  // namespace holdfast::cluster::rules
