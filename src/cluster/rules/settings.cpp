// What servers are and what they were told: identities, versions, modes, accounts.
#include <algorithm>
#include <charconv>
#include <map>

#include "cluster/rules/rule.h"
#include "cluster/server_words.h"

namespace holdfast::cluster::rules {

namespace {

bool is_mysql_family(const View& view) {
  return view.cluster.engine == Engine::mariadb || view.cluster.engine == Engine::mysql;
}

std::vector<Finding> same_server(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.same_as.empty()) return {};
    return Finding{
        .members = {MemberName(m.same_as), m.member},
        .summary = fmt::format("{} and {} are one and the same server: the second was not checked", m.same_as, name(m)),
        .evidence = {"both name the same host, port, data directory and start"},
        .remedy = "correct host, port and socket of one of them in the DatabaseCluster, then " + view.command("triage"),
        .blocks = {"repair", "failover"},
        .judged = {m.member}};
  });
}

/// Members that give the same value, and the value; those that give none are left out.
template <class Get>
std::vector<std::pair<std::string, std::vector<const MemberFacts*>>> shared(const View& view, Get&& get) {
  std::map<std::string, std::vector<const MemberFacts*>> by_value;
  for (const auto& m : view.members)
    if (const std::string value = m.reachable() ? get(m) : std::string(); !value.empty()) by_value[value].push_back(&m);
  std::vector<std::pair<std::string, std::vector<const MemberFacts*>>> found;
  for (auto& [value, members] : by_value)
    if (members.size() > 1) found.emplace_back(value, std::move(members));
  return found;
}

std::vector<Finding> equal_ids(const View& view) {
  if (!is_mysql_family(view)) return {};
  std::vector<Finding> found;
  auto add = [&](const char* what, const std::string& value, const std::vector<const MemberFacts*>& members,
                 const char* next) {
    Finding f{.members = {},
              .summary = fmt::format("{} members have the {} {}: replicas cut each other off, or skip events",
                                     members.size(), what, value),
              .remedy = next + view.command("triage")};
    for (const auto* m : members) {
      f.members.push_back(m->member);
      if (m != view.leader())
        f.judged.push_back(m->member);
      else
        f.action =
            Action::rebuild;  // a replica with the writer's number skips the writer's events, and says it has them
      f.evidence.push_back(fmt::format("{}: {} {}", name(*m), what, value));
    }
    found.push_back(std::move(f));
  };
  for (const auto& [value, members] :
       shared(view, [](const MemberFacts& m) { return m.server_id ? std::to_string(*m.server_id) : ""; }))
    add("server_id", value, members, "give each a server_id of its own in its configuration and restart it, then ");
  for (const auto& [value, members] : shared(view, [](const MemberFacts& m) { return m.server_uuid; }))
    add("server_uuid", value, members, "stop the copy, move its auto.cnf away, start it (it makes a new one), then ");
  return found;
}

std::vector<Finding> uuid_unsaved(const View& view) {
  if (view.cluster.engine != Engine::mysql) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    const auto is_gone = [&](const std::string& part) { return part == kServerUuidFile; };
    if (!m.reachable() || m.server_uuid.empty() || std::ranges::none_of(m.runtime.missing_parts, is_gone)) return {};
    const std::string file = fmt::format("{}/{}", view.described(m).data_dir, kServerUuidFile);
    return Finding{
        .members = {},
        .summary = fmt::format("the file of {} with its server_uuid is gone: its next start makes another", name(m)),
        .evidence = {"not there: " + file, "server_uuid: " + m.server_uuid},
        .remedy = fmt::format("as its server's account: printf '[auto]\\nserver-uuid={}\\n' > '{}'; then {}",
                              m.server_uuid, file, view.command("triage"))};
  });
}

std::vector<Finding> gtid_mode(const View& view) {
  if (view.cluster.engine != Engine::mysql || view.members.size() < 2) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || m.mysql.gtid_mode != false) return {};
    return Finding{
        .members = {},
        .summary =
            name(m) + " does not give every transaction a GTID: which member has which transactions cannot be proven",
        .evidence = {"gtid_mode is not ON"},
        .remedy = "switch gtid_mode on, in steps (holdfast explain gtid-mode-off), then " + view.command("triage"),
        .blocks = {"repair", "failover"}};
  });
}

std::vector<Finding> gtid_strict(const View& view) {
  if (view.cluster.engine != Engine::mariadb || view.members.size() < 2) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || m.mysql.gtid_strict != false) return {};
    return Finding{.members = {},
                   .summary = name(m) + " takes transactions out of order: gtid_strict_mode is off",
                   .evidence = {"gtid_strict_mode is OFF"},
                   .remedy = "SET GLOBAL gtid_strict_mode=ON on " + name(m) + " and in its configuration; then " +
                             view.command("triage")};
  });
}

std::vector<Finding> offline_mode(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || m.mysql.offline_mode != true) return {};
    return Finding{.members = {},
                   .summary = name(m) + " is in offline mode: it turns every client away but administrators",
                   .evidence = {"offline_mode is ON"},
                   .remedy = "find out who set it, then SET GLOBAL offline_mode=OFF on " + name(m) + "; then " +
                             view.command("triage"),
                   .severity = &m == view.leader() ? Severity::critical : Severity::error};
  });
}

std::vector<Finding> version_skew(const View& view) {
  const Engine engine = view.cluster.engine;
  // Whom the others must understand: the writer; in Galera, the newest.
  const MemberFacts* newest = view.leader();
  if (engine == Engine::galera)
    for (const auto& m : view.members) {
      const auto release = m.reachable() ? release_of(engine, m.version) : std::nullopt;
      if (release && (!newest || release > release_of(engine, newest->version))) newest = &m;
    }
  const auto wanted = newest ? release_of(engine, newest->version) : std::nullopt;
  if (!wanted) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    const auto release = m.reachable() && &m != newest ? release_of(engine, m.version) : std::nullopt;
    if (!release || *release >= *wanted) return {};
    return Finding{
        .members = {},
        .summary = fmt::format("{} runs an older release than {}: it may not understand what it is sent", name(m),
                               name(*newest)),
        .evidence = {fmt::format("{}: {}", name(m), m.version), fmt::format("{}: {}", name(*newest), newest->version)},
        .remedy = "bring " + name(m) + " to the release of " + name(*newest) + "; then " + view.command("triage"),
        .blocks = {"failover to " + name(m)}};
  });
}

/// "'app'@'%'" -> app, %
std::pair<std::string, std::string> account_of(const std::string& grantee) {
  const size_t middle = grantee.rfind("'@'");
  if (middle == std::string::npos || grantee.size() < middle + 4) return {grantee, ""};
  return {grantee.substr(1, middle - 1), grantee.substr(middle + 3, grantee.size() - middle - 4)};
}

std::vector<Finding> bypass(const View& view) {
  Finding f{.members = {}};
  std::vector<std::string> accounts;
  for (const auto& m : view.members) {
    if (!m.reachable() || m.role != MemberRole::replica || m.read_only != true) continue;
    bool any = false;
    for (const auto& grantee : m.write_bypass) {
      const auto [user, host] = account_of(grantee);
      // Who manages the cluster must be able to; who sits on the host itself is an administrator.
      const bool from_here = host == "localhost" || host == "127.0.0.1" || host == "::1";
      const std::string& ours = m.account.empty() ? view.cluster.credentials.user : m.account;
      if (from_here || (!user.empty() && user == ours)) continue;
      any = true;
      if (std::ranges::find(accounts, grantee) == accounts.end()) accounts.push_back(grantee);
    }
    if (any) f.members.push_back(m.member);
  }
  if (accounts.empty()) return {};
  f.summary = fmt::format("{} account{} may write to replicas though they are read-only: {}", accounts.size(),
                          accounts.size() > 1 ? "s" : "", fmt::join(accounts, ", "));
  f.evidence = {"information_schema.USER_PRIVILEGES: READ_ONLY ADMIN"};
  f.remedy = "REVOKE READ_ONLY ADMIN, SUPER ON *.* FROM them on the primary; then " + view.command("triage");
  return {std::move(f)};
}

/// Grants are those of the primary: one statement there is enough for all members.
std::vector<Finding> lacks_rights(const View& view) {
  std::map<std::string, Finding> by_account;
  struct Lack {
    std::string account, right, grant;
    std::vector<std::string> unknown, members;
  };
  std::vector<Lack> lacks;
  const auto add = [](std::vector<std::string>& list, const std::string& one) {
    if (std::ranges::find(list, one) == list.end()) list.push_back(one);
  };
  for (const auto& m : view.members) {
    for (const auto& missing : m.missing_rights) {
      auto same = std::ranges::find_if(
          lacks, [&](const Lack& lack) { return lack.account == missing.account && lack.right == missing.right; });
      if (same == lacks.end()) same = lacks.insert(same, {missing.account, missing.right, missing.grant, {}, {}});
      for (const auto& reading : missing.unknown) add(same->unknown, reading);
      add(same->members, name(m));
      Finding& f = by_account[missing.account];
      if (std::ranges::find(f.members, m.member) == f.members.end()) f.members.push_back(m.member);
      if (m.reachable() && m.role == MemberRole::unknown) f.severity = Severity::error;
    }
  }
  std::vector<Finding> found;
  for (auto& [account, f] : by_account) {
    std::vector<std::string> rights, unknown, grants;
    for (const auto& lack : lacks) {
      if (lack.account != account) continue;
      rights.push_back(lack.right);
      grants.push_back(lack.grant);
      for (const auto& reading : lack.unknown) add(unknown, reading);
      f.evidence.push_back(fmt::format("{} on {}: {}", lack.right, fmt::join(lack.members, ", "),
                                       lack.unknown.empty()
                                           ? std::string("lacking")
                                           : fmt::format("refused {} without it", fmt::join(lack.unknown, ", "))));
    }
    f.summary = fmt::format("the account {} lacks {}: not known: {}", account, fmt::join(rights, ", "),
                            fmt::join(unknown, ", "));
    f.remedy = fmt::format("on the primary: {}; all that triage asks for: {} --show --role observe",
                           fmt::join(grants, "; "), view.command("cluster accounts"));
    found.push_back(std::move(f));
  }
  return found;
}

std::vector<Finding> no_checksums(const View& view) {
  if (view.cluster.engine != Engine::postgres) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || m.checksums != false) return {};
    return Finding{.members = {},
                   .summary = name(m) + " has no page checksums: damage on its disk is not noticed",
                   .evidence = {"data_checksums is off"}};
  });
}

/// Told without RPO 0 only where it cannot be meant: hardly a hiccup, and commits go on alone.
std::vector<Finding> short_timeout(const View& view) {
  if (view.cluster.replication != ReplicationMode::semi_sync || !view.leader()) return {};
  const MemberFacts& m = *view.leader();
  if (m.semi_sync.source_enabled != true || !m.semi_sync.timeout_ms) return {};
  const auto wish = view.cluster.annotations.find("holdfast.dev/rpo");
  const bool none_lost = wish != view.cluster.annotations.end() && wish->second == "0";
  if (m.semi_sync.waits_for_none == false)
    return {
        {.members = {m.member},
         .summary = fmt::format("{} does not wait for receipts while fewer than {} replica{} connected: commits then "
                                "are only on it",
                                name(m), m.semi_sync.wait_count.value_or(1),
                                m.semi_sync.wait_count.value_or(1) == 1 ? " is" : "s are"),
         .evidence = {"rpl_semi_sync wait_no_replica (wait_no_slave) is off"},
         .remedy = "switch rpl_semi_sync_source_wait_no_replica (rpl_semi_sync_master_wait_no_slave) on, on every "
                   "member and in the configuration; then " +
                   view.command("triage")}};
  if (*m.semi_sync.timeout_ms >= (none_lost ? 86'400'000 : 1000)) return {};
  return {{.members = {m.member},
           .summary = fmt::format("{} waits {} ms for a receipt, then acknowledges commits that only it has{}", name(m),
                                  *m.semi_sync.timeout_ms, none_lost ? ", though none may be lost" : ""),
           .evidence = {fmt::format("rpl_semi_sync timeout {} ms", *m.semi_sync.timeout_ms)},
           .remedy = fmt::format("raise the timeout on every member, here and in the configuration{}; then {}",
                                 none_lost ? " (a day or more: wait rather than lose)" : "", view.command("triage"))}};
}

std::vector<Finding> galera_options(const View& view) {
  if (view.cluster.engine != Engine::galera) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || !m.galera) return {};
    Finding f{.members = {}};
    auto is = [&](const char* option, std::string_view value) {
      const auto found = m.galera->provider_options.find(option);
      if (found == m.galera->provider_options.end() || found->second != value) return false;
      f.evidence.push_back(fmt::format("{} = {}", option, value));
      return true;
    };
    const bool split = is("pc.ignore_sb", "true"), alone = is("pc.ignore_quorum", "true"), mute = is("pc.weight", "0");
    if (!split && !alone && !mute) return {};
    f.summary = split || alone ? name(m) + " continues alone when the network breaks: two halves may both accept writes"
                               : name(m) + " has no vote: the others may lose their majority though it is there";
    const char* option = split ? "pc.ignore_sb=false" : alone ? "pc.ignore_quorum=false" : "pc.weight=1";
    const char* variable = split   ? "wsrep_provider_pc_ignore_sb=OFF"
                           : alone ? "wsrep_provider_pc_ignore_quorum=OFF"
                                   : "wsrep_provider_pc_weight=1";
    f.remedy =
        fmt::format("{} on {} and in its configuration; then {}",
                    m.galera->options_are_variables ? fmt::format("SET GLOBAL {}", variable)
                                                    : fmt::format("SET GLOBAL wsrep_provider_options='{}'", option),
                    name(m), view.command("triage"));
    return f;
  });
}

constexpr Rule kSettingRules[] = {
    {"same-server-twice", Severity::error, Verdict::unknown, Action::nothing, "two members are one server",
     same_server},
    {"server-id-duplicate", Severity::error, Verdict::broken, Action::nothing, "two members have one identity",
     equal_ids},
    {"offline-mode", Severity::error, Verdict::broken, Action::nothing, "a server turns clients away", offline_mode},
    {"server-uuid-unsaved", Severity::warning, Verdict::healthy, Action::nothing,
     "a MySQL server's next start makes another server_uuid", uuid_unsaved},
    {"gtid-mode-off", Severity::warning, Verdict::healthy, Action::nothing, "transactions have no GTIDs", gtid_mode},
    {"gtid-not-strict", Severity::info, Verdict::healthy, Action::nothing, "transactions may come out of order",
     gtid_strict},
    {"version-skew", Severity::warning, Verdict::healthy, Action::nothing, "a member runs an older release",
     version_skew},
    {"read-only-bypass", Severity::warning, Verdict::healthy, Action::nothing, "accounts may write to replicas",
     bypass},
    {"account-lacks-rights", Severity::info, Verdict::healthy, Action::nothing,
     "facts are unknown because the account lacks rights", lacks_rights},
    {"page-checksums-off", Severity::info, Verdict::healthy, Action::nothing, "damaged pages are not noticed",
     no_checksums},
    {"semi-sync-timeout-short", Severity::warning, Verdict::healthy, Action::nothing, "semi-sync gives up soon",
     short_timeout},
    {"galera-unsafe-options", Severity::warning, Verdict::healthy, Action::nothing,
     "a Galera option invites split brain", galera_options},
};

}  // namespace

std::span<const Rule> setting_rules() {
  return kSettingRules;
}

}  // namespace holdfast::cluster::rules
