// TLS: certificates that end, of servers, of agents and those who call them; replication without it.
#include <algorithm>
#include <cmath>
#include <map>

#include "cluster/addresses.h"
#include "cluster/rules/rule.h"

namespace holdfast::cluster::rules {

namespace {

using Of = AgentCertificate::Of;

constexpr double kDay = 86400;

std::vector<Finding> of_server(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.certificate_seconds_left || *m.certificate_seconds_left > 14 * kDay) return {};
    const double days = *m.certificate_seconds_left / kDay;
    const bool ended = days <= 0;
    return Finding{
        .members = {},
        .summary = ended ? fmt::format("{} has a TLS certificate that ended {:.0f} days ago", m.member.str(), -days)
                         : fmt::format("{} has a TLS certificate that ends in {:.1f} days", m.member.str(), days),
        .remedy = "renew the certificate and let the server reload it; then " + view.command("triage"),
        .severity = ended ? Severity::error : Severity::warning,
        .verdict = ended ? Verdict::broken : Verdict::healthy};
  });
}

/// Time enough to renew it by hand; of certificates that are renewed more often, the last third of their time.
bool ends_soon(const AgentCertificate& one) {
  return one.seconds_left <= std::min(30 * kDay, one.seconds_valid / 3);
}

std::string days_text(double seconds) {
  return seconds < 2 * kDay ? fmt::format("{:.0f} h", seconds / 3600)
                            : fmt::format("{:.0f} days", std::floor(seconds / kDay));
}

std::string host_of(const std::string& address) {
  const std::string host = address.substr(0, address.rfind(':'));
  return host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
}

/// A certificate, or what was said of it, with the members whose agents cannot be asked without it.
struct Ending {
  Of of = Of::agent;
  const AgentCertificate* one = nullptr;  ///< null where the handshake did not show it
  std::string refused;                    ///< what it was refused with; "" = it is taken until now
  std::vector<const MemberFacts*> members;
};

/// One for each certificate, however many members depend on it.
std::vector<Ending> endings(const View& view) {
  std::vector<Ending> found;
  std::map<std::string, size_t> places;
  const auto add = [&](const MemberFacts& m, const std::string& key, Ending ending) {
    const auto [place, fresh] = places.try_emplace(key, found.size());
    if (fresh) found.push_back(std::move(ending));
    found[place->second].members.push_back(&m);
  };
  for (const auto& m : view.members) {
    if (m.agent.certificate_over) {
      const auto own = std::ranges::find(m.agent.certificates, *m.agent.certificate_over, &AgentCertificate::of);
      add(m, m.agent.refused,
          {.of = *m.agent.certificate_over,
           .one = own == m.agent.certificates.end() ? nullptr : &*own,
           .refused = first_line(m.agent.refused),
           .members = {}});
    }
    for (const auto& one : m.agent.certificates)
      if (ends_soon(one) && m.agent.certificate_over != one.of)
        add(m, fmt::format("{} {} {}", static_cast<int>(one.of), one.name, one.until),
            {.of = one.of, .one = &one, .refused = {}, .members = {}});
  }
  return found;
}

std::string agents_of(const Ending& ending) {
  std::string text;
  for (const auto* m : ending.members) text += (text.empty() ? "" : ", ") + name(*m);
  return fmt::format("the agent{} of {}", ending.members.size() > 1 ? "s" : "", text);
}

std::string ending_text(const Ending& ending) {
  const AgentCertificate* one = ending.one;
  const std::string named = one && !one->name.empty() ? fmt::format(" ({})", one->name) : "";
  const std::string what = ending.of == Of::agent ? fmt::format("the certificate{} of {}", named, agents_of(ending))
                           : ending.of == Of::authority ? fmt::format("the authority{} of agents' certificates", named)
                                                        : fmt::format("our certificate{} for agents", named);
  if (!ending.refused.empty())
    return fmt::format("{} cannot be asked: {}", agents_of(ending),
                       one && one->seconds_left <= 0 ? fmt::format("{} expired {}", what, one->until) : ending.refused);
  return one->seconds_left > 0 ? fmt::format("{} expires in {}, {}: agents cannot be asked without it", what,
                                             days_text(one->seconds_left), one->until)
                               : fmt::format("{} expired {} by our clock", what, one->until);
}

std::string renewal(const View& view, const Ending& ending) {
  const std::string triage = view.command("triage");
  const Member& described = view.described(*ending.members.front());
  const AgentCertificate* one = ending.one;
  if (ending.refused.find("is not valid before") != std::string::npos)
    return "compare the clocks of both hosts, then " + triage;
  if (ending.of == Of::authority)
    return "make another authority (holdfast pki init --dir DIR), trust both on every host, then issue certificates "
           "again: holdfast explain agent-certificate-ending";
  if (ending.of == Of::caller)
    return fmt::format("holdfast pki issue {} {} --out DIR, copy both files over {} and {}; then {}",
                       one && !one->role.empty() && one->role != "none" ? one->role : "operate",
                       one && !one->name.empty() ? one->name : "NAME", described.agent_tls.certificate,
                       described.agent_tls.key, triage);
  // Under the name by which it is called, whatever its old one says.
  std::string names = host_of(described.agent_address);
  if (one)
    for (const auto& further : one->names)
      if (further != host_of(described.agent_address)) names += " --san " + further;
  return fmt::format(
      "holdfast pki issue agent {} --out DIR, copy both files over its agent's, which needs no restart; then {}", names,
      triage);
}

std::vector<Finding> of_agents(const View& view) {
  std::vector<Finding> found;
  for (const auto& ending : endings(view)) {
    Finding f{.members = {}, .summary = ending_text(ending), .remedy = renewal(view, ending)};
    for (const auto* m : ending.members) f.members.push_back(m->member);
    if (ending.one) f.evidence.push_back("TLS handshake: valid until " + ending.one->until);
    if (!ending.refused.empty()) {
      f.evidence.push_back("TLS handshake: " + ending.refused);
      f.blocks = {"repair"};
      f.severity = Severity::error;
      for (const auto* m : ending.members)
        if (m->reachable()) f.judged.push_back(m->member);  // of the others more is unknown
      if (!f.judged.empty()) f.verdict = Verdict::broken;
    }
    found.push_back(std::move(f));
  }
  return found;
}

/// "127.0.0.1:3306", a socket: what a machine says of itself. Nothing is not known to cross a network.
bool stays_here(std::string_view address) {
  const std::string host = split_address(address).host;
  return host.empty() || is_local(host);
}

/// PostgreSQL: what the server that it follows sees of it; nullopt = not known, or several may be it and they differ.
std::optional<bool> encrypted_as_seen(const View& view, const MemberFacts& m, const MemberFacts& source) {
  std::optional<bool> seen;
  for (const auto& follower : source.follower_list) {
    if (!view.topology.follower(view.place_of(source), follower).is(view.place_of(m))) continue;
    if (stays_here(follower.address)) continue;
    if (seen && follower.encrypted != seen) return std::nullopt;
    seen = follower.encrypted;
  }
  return seen;
}

std::optional<Finding> galera_in_plain_text(const View& view, const MemberFacts& m) {
  const auto& options = m.galera->provider_options;
  const auto ssl = options.find("socket.ssl"), base = options.find("base_host");
  if (ssl == options.end() || ssl->second != "NO" || m.galera->size.value_or(1) < 2) return {};
  const bool near = std::ranges::all_of(view.members, [&](const MemberFacts& other) {
    return &other == &m || view.topology.one_machine(view.place_of(m), view.place_of(other)) == true;
  });
  if (near || stays_here(m.galera->node_address) || (base != options.end() && stays_here(base->second))) return {};
  return Finding{.members = {},
                 .summary = name(m) + " replicates in plain text: others on that network can read the data",
                 .evidence = {"wsrep_provider_options: socket.ssl = NO"},
                 .remedy =
                     "set socket.ssl_key, socket.ssl_cert and socket.ssl_ca in wsrep_provider_options on every "
                     "node; socket.dynamic=true lets both ways meet meanwhile"};
}

std::optional<Finding> stream_in_plain_text(const View& view, const MemberFacts& m, const Following& stream) {
  if (stream.channel.starts_with("group_replication_")) return {};  // MySQL: of the group's own settings
  const Engine engine = view.cluster.engine;
  const auto source = view.source(m, stream).member();
  if (stays_here(stream.upstream) || (source && view.topology.one_machine(view.place_of(m), *source) == true))
    return {};
  const auto encrypted =
      engine == Engine::postgres && source ? encrypted_as_seen(view, m, view.members[*source]) : stream.encrypted;
  if (encrypted != false) return {};
  Finding f{.members = {},
            .summary = fmt::format("{} receives from {} in plain text: others on that network can read the data",
                                   name(m), stream.upstream),
            .evidence = {"replication status: SSL_Allowed is No"},
            .remedy = "STOP SLAVE; CHANGE MASTER TO MASTER_SSL=1, MASTER_SSL_CA='...'; START SLAVE"};
  if (engine == Engine::mysql)
    f.remedy = "STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_SSL=1, SOURCE_SSL_CA='...'; START REPLICA";
  if (engine == Engine::postgres) {
    f.evidence = {"pg_stat_ssl, pg_stat_gssapi of its source: neither encrypts"};
    f.remedy = "add sslmode=verify-full and sslrootcert to primary_conninfo";
  }
  return f;
}

/// Content that others on the network can read.
std::vector<Finding> in_plain_text(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable()) return {};
    if (m.galera) return galera_in_plain_text(view, m);
    for (const auto& stream : m.following)
      if (auto found = stream_in_plain_text(view, m, stream)) return found;
    return {};
  });
}

constexpr Rule kCertificateRules[] = {
    {"replication-plain-text", Severity::info, Verdict::healthy, Action::nothing,
     "replication is not encrypted on the network", in_plain_text},
    {"certificate-ending", Severity::warning, Verdict::healthy, Action::nothing, "a TLS certificate ends", of_server},
    {"agent-certificate-ending", Severity::warning, Verdict::healthy, Action::nothing,
     "a certificate of an agent or its caller ends", of_agents},
};

}  // namespace

std::span<const Rule> certificate_rules() {
  return kCertificateRules;
}

}  // namespace holdfast::cluster::rules
