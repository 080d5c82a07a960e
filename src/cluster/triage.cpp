#include "cluster/triage.h"

#include <algorithm>

#include "cluster/roles.h"
#include "cluster/rules/rule.h"
#include "cluster/server_words.h"

namespace holdfast::cluster {

using rules::Finding;
using rules::Rule;
using rules::View;

namespace {

constexpr std::string_view kVerdictNames[] = {"healthy",  "catching_up", "stopped", "broken", "stale",
                                              "diverged", "foreign",     "empty",   "unknown"};
constexpr std::string_view kActionNames[] = {"nothing", "restart", "resume", "rewind", "reseed", "rebuild"};
constexpr std::string_view kSeverityNames[] = {"info", "warning", "error", "critical"};

std::vector<std::span<const Rule>> tables() {
  return {rules::reach_rules(),       rules::history_rules(),     rules::evidence_rules(),   rules::receiving_rules(),
          rules::replication_rules(), rules::topology_rules(),    rules::protection_rules(), rules::galera_rules(),
          rules::resource_rules(),    rules::certificate_rules(), rules::setting_rules(),    rules::lock_rules(),
          rules::waiting_rules(),     rules::leftover_rules(),    rules::contents_rules()};
}

/// How many transactions `a` has and `b` lacks, where positions count them; MariaDB: at most that many.
uint64_t count_of_difference(const AnyPosition& a, const AnyPosition& b) {
  uint64_t count = 0;
  if (const auto* set = std::get_if<position::GtidSet>(&a))
    if (const auto* other = std::get_if<position::GtidSet>(&b)) count = set->subtract(*other).count();
  if (const auto* state = std::get_if<position::GtidState>(&a))
    if (const auto* other = std::get_if<position::GtidState>(&b))
      for (const auto& range : state->missing_from(*other)) count += range.up_to_seq - range.after_seq;
  if (const auto* here = std::get_if<position::GaleraPosition>(&a))
    if (const auto* there = std::get_if<position::GaleraPosition>(&b))
      if (compare(*here, *there) == position::Order::after)
        count = static_cast<uint64_t>(here->seqno) - static_cast<uint64_t>(there->seqno);
  return count;
}

/// Whom to compare member `i` with for what it alone has: the leader or reference; for a reference that has no leader's
/// right, the first of those that diverged from it. Null when it has nothing of its own.
const History* lacks_something_of(size_t i, const TriageReport& report, const std::vector<History>& past,
                                  const History* baseline, const std::vector<Verdict>& verdicts) {
  const bool apart = report.authority.kind == AuthorityKind::diverged;
  if (!baseline || past[i].read != History::Read::read || verdicts[i] == Verdict::foreign) return nullptr;
  const auto has_more_than = [&](const History& other) {
    const auto order = compare(past[i].position, other.position);
    return order == position::Order::diverged || order == position::Order::after;
  };
  if (&past[i] != baseline)
    return (verdicts[i] == Verdict::diverged || apart) && has_more_than(*baseline) ? baseline : nullptr;
  if (!report.leader.empty() || !apart) return nullptr;
  for (size_t j = 0; j < past.size(); ++j)
    if (j != i && past[j].read == History::Read::read && verdicts[j] != Verdict::foreign &&
        compare(past[i].position, past[j].position) == position::Order::diverged)
      return &past[j];
  return nullptr;
}

std::string span_text(double seconds) {
  return seconds < 10 ? fmt::format("{:.1f} s", seconds) : fmt::format("{:.0f} s", seconds);
}

/// " (m1, which follows m0)" of a replica of a replica, " (m0)" of one that has another address of it than is
/// described.
std::string chain_text(const View& view, const MemberFacts& f) {
  std::vector<const MemberFacts*> members;
  for (const auto& other : view.members) members.push_back(&other);
  const size_t self = view.place_of(f);
  const auto chain = chain_of(view.topology, members, self, view.leader());
  if (!chain.cascades()) {
    // Under another name than it is described with.
    const auto source = view.topology.source(self, *f.upstream()).member();
    return source && f.upstream()->upstream != view.address(*members[*source])
               ? fmt::format(" ({})", members[*source]->member.str())
               : "";
  }
  std::string text = " (" + members[chain.through[0]]->member.str();
  for (size_t i = 1; i < chain.through.size(); ++i)
    text += ", which follows " + members[chain.through[i]]->member.str();
  return text + ")";
}

/// What a member that no rule complains of does.
std::string healthy_sentence(const View& view, const MemberFacts& f) {
  if (f.galera) return fmt::format("synced, one of {} nodes in the primary component", f.galera->size.value_or(0));
  if (const Following* follow = f.upstream()) {
    const std::string source = follow->upstream + chain_text(view, f);
    if (const auto* wait = rules::longest_applier_wait(f))
      return fmt::format("follows {}; {}", source, rules::applier_wait_text(view, *wait));
    if (!follow->lag_seconds) return "follows " + source;
    return *follow->lag_seconds < 1 ? fmt::format("follows {}, up to date", source)
                                    : fmt::format("follows {}, {} behind", source, span_text(*follow->lag_seconds));
  }
  const size_t expected = view.members.size() - 1;
  if (f.followers && static_cast<size_t>(*f.followers) < expected)
    return fmt::format("accepts writes; {} of {} replicas connected", *f.followers, expected);
  // With a timeout this short, or nobody to acknowledge, a commit may count without.
  if (f.semi_sync.source_active == true && f.semi_sync.clients.value_or(0) > 0 &&
      f.semi_sync.timeout_ms.value_or(0) >= 1000)
    return f.semi_sync.wait_count.value_or(1) > 1
               ? fmt::format("accepts writes, each received by {} replicas before it counts", *f.semi_sync.wait_count)
               : "accepts writes, each received by a replica before it counts";
  return "accepts writes";
}

std::vector<const MemberFacts*> find_writers(const DatabaseCluster& cluster, const std::vector<MemberFacts>& facts) {
  std::vector<const MemberFacts*> writers;
  for (const auto& f : facts) {
    if (!f.reachable()) continue;
    const bool writes = cluster.engine == Engine::galera
                            ? f.galera && f.galera->status == "Primary" && f.galera->wsrep_on != false
                            : f.role == MemberRole::primary && f.read_only != true;
    if (writes) writers.push_back(&f);
  }
  return writers;
}

/// Two descriptions that lead to one server: what the second should be was not looked at by anybody. Its agent's word
/// stays; what SQL told is the other's.
void tell_twins(std::vector<MemberFacts>& seen) {
  for (size_t j = 1; j < seen.size(); ++j) {
    for (size_t i = 0; i < j; ++i) {
      const MemberFacts &a = seen[i], &b = seen[j];
      if (!a.same_as.empty() || !is_same_server(a, b)) continue;
      MemberFacts twin;
      twin.member = b.member;
      twin.address = b.address;
      twin.reach = Reach::failed;
      twin.error = "its address leads to the server of " + a.member.str();
      twin.same_as = a.member.str();
      twin.version = b.version;
      twin.agent = b.agent;
      twin.runtime = b.runtime;
      twin.stored = b.stored;
      twin.readings = b.readings;
      seen[j] = std::move(twin);
      break;
    }
  }
}

/// There is a primary, and nothing gets through: behind a lock, or for want of a receipt.
bool writes_wait(const TriageReport& report) {
  return std::ranges::any_of(report.diagnoses, [](const Diagnosis& d) {
    return (d.id == "writes-locked" || d.id == "commits-stuck") && d.severity >= Severity::error;
  });
}

std::string cluster_sentence(const TriageReport& report, size_t writers) {
  size_t healthy = 0;
  for (const auto& m : report.members) healthy += m.healthy();
  const size_t total = report.members.size();
  std::string worst;  // said where it is grave, or where the count alone would sound as if all were well
  if (!report.diagnoses.empty() && (report.diagnoses[0].severity == Severity::critical ||
                                    (report.diagnoses[0].severity == Severity::error && healthy == total)))
    worst = "; " + report.diagnoses[0].summary;
  if (report.healthy) {
    const size_t warnings = static_cast<size_t>(
        std::ranges::count_if(report.diagnoses, [](const Diagnosis& d) { return d.severity == Severity::warning; }));
    return fmt::format("{} of {} members healthy{}", healthy, total,
                       warnings ? fmt::format(", {} warning{}", warnings, warnings > 1 ? "s" : "") : "");
  }
  // No member is at fault, and the cluster is: a count of all of them would sound as if it were well.
  const std::string count = healthy == total ? "" : fmt::format("; {} of {} members healthy", healthy, total);
  if (writers == 0) return "no member is seen to accept writes" + count + worst;
  return fmt::format("{}{}{}", writes_wait(report) ? "writes wait" : "accepts writes", count, worst);
}

/// What is the cause of others, or must be done before them, comes first; what only follows from others, last.
int order_of(const Diagnosis& d) {
  // Without it nothing is done to that member.
  if (d.id == "agent-gone" || d.id == "agent-hung" || d.id == "agent-certificate-ending") return 0;
  if (d.id == "account-lacks-rights") return 0;  // why roles are not known
  if (d.id == "server-id-duplicate") return 0;   // why it does not receive; no rebuild is needed
  return d.id == "authority-undeterminable" || d.id == "replica-source-unreachable" ? 2 : 1;
}

}  // namespace

std::string_view reach_name(Reach reach) {
  constexpr std::string_view kNames[] = {"reachable", "unreachable", "timeout", "denied", "failed"};
  return kNames[static_cast<size_t>(reach)];
}
std::string_view member_role_name(MemberRole role) {
  constexpr std::string_view kNames[] = {"unknown", "primary", "replica", "node"};
  return kNames[static_cast<size_t>(role)];
}
std::string_view leftover_name(Leftover::Kind kind) {
  switch (kind) {
    case Leftover::Kind::side:
      return "side";
    case Leftover::Kind::half_made:
      return "half_made";
    case Leftover::Kind::replaced:
      return "replaced";
    case Leftover::Kind::dropping:
      return "dropping";
  }
  return "?";
}

std::map<std::string, int64_t> lower_than(const std::map<std::string, int64_t>& here,
                                          const std::map<std::string, int64_t>& there) {
  std::map<std::string, int64_t> lower;
  for (const auto& [name, value] : there)
    if (const auto own = here.find(name); own != here.end() && own->second < value) lower[name] = value;
  return lower;
}

std::string_view stored_data_name(StoredFacts::Data data) {
  constexpr std::string_view kNames[] = {"unknown", "present", "empty", "missing", "incomplete"};
  return kNames[static_cast<size_t>(data)];
}
std::string_view verdict_name(Verdict verdict) {
  return kVerdictNames[static_cast<size_t>(verdict)];
}
std::string_view action_name(Action action) {
  return kActionNames[static_cast<size_t>(action)];
}
std::string_view severity_name(Severity severity) {
  return kSeverityNames[static_cast<size_t>(severity)];
}

std::string View::command(std::string_view verb, const MemberFacts* member) const {
  std::string text = fmt::format("holdfast {} -c {}", verb, cluster.full_name());
  if (member) text += fmt::format(" -i {}", described(*member).ordinal);
  return text;
}

std::string View::address(const MemberFacts& facts) const {
  return fmt::format("{}:{}", described(facts).host, described(facts).port);
}

const History* View::baseline() const {
  for (const auto& h : histories)
    if (leader() ? h.member == leader()->member : authority.reference && h.member == *authority.reference) return &h;
  return nullptr;
}

Topology TriageReport::topology() const {
  std::vector<const MemberFacts*> facts;
  for (const auto& m : members) facts.push_back(&m.facts);
  return {cluster, facts};
}

const MemberReport* TriageReport::find(std::string_view member) const {
  for (const auto& m : members)
    if (m.facts.member.str() == member) return &m;
  return nullptr;
}

bool TriageReport::has(std::string_view diagnosis) const {
  return std::ranges::any_of(diagnoses, [&](const Diagnosis& d) { return d.id == diagnosis; });
}

std::vector<RuleInfo> all_rules() {
  std::vector<RuleInfo> result;
  for (const auto& table : tables())
    for (const auto& rule : table) result.push_back({rule.id, rule.severity, rule.verdict, rule.action, rule.title});
  return result;
}

TriageReport triage(const DatabaseCluster& cluster, const std::vector<MemberFacts>& facts, const Surroundings& around) {
  TriageReport report;
  report.cluster = cluster;
  std::vector<MemberFacts> seen;
  for (const auto& member : cluster.members) {
    auto found = std::ranges::find_if(facts, [&](const MemberFacts& f) { return f.member == member.name; });
    if (found != facts.end()) {
      seen.push_back(*found);
      continue;
    }
    MemberFacts nothing;
    nothing.member = member.name;
    nothing.reach = Reach::failed;
    nothing.error = "was not looked at";
    seen.push_back(std::move(nothing));
  }
  tell_twins(seen);
  settle_roles(cluster, seen);
  const auto past = histories(cluster, seen);
  report.authority = find_authority(cluster.engine, past, cluster.lineage);
  const Topology topology(cluster, seen);
  const View view{cluster, seen, past, report.authority, find_writers(cluster, seen), around, topology};
  if (view.leader()) report.leader = view.leader()->member.str();

  std::vector<Verdict> verdicts(seen.size(), Verdict::healthy);
  std::vector<Action> actions(seen.size(), Action::nothing);
  std::vector<std::string> sentences(seen.size());  // of the finding that gave the verdict
  for (const auto& table : tables()) {
    for (const auto& rule : table) {
      for (Finding& finding : rule.find(view)) {
        const Verdict verdict = finding.verdict.value_or(rule.verdict);
        const Action action = finding.action.value_or(rule.action);
        for (const auto& name : finding.judged.empty() ? finding.members : finding.judged) {
          for (size_t i = 0; i < seen.size(); ++i) {
            if (seen[i].member != name || verdict == Verdict::healthy) continue;
            if (verdict > verdicts[i]) {
              verdicts[i] = verdict;
              actions[i] = action;
              sentences[i] = finding.summary;
            } else if (verdict == verdicts[i]) {
              actions[i] = std::max(actions[i], action);
            }
          }
        }
        const Severity severity = finding.severity.value_or(rule.severity);
        // Whatever a person must do first: there is always a command that comes next.
        if (severity >= Severity::warning && finding.remedy.find("holdfast ") == std::string::npos)
          finding.remedy += (finding.remedy.empty() ? "" : "; then ") + view.command("triage");
        report.diagnoses.push_back({std::string(rule.id), severity, std::move(finding.members),
                                    std::move(finding.summary), std::move(finding.evidence), std::move(finding.remedy),
                                    std::move(finding.blocks)});
      }
    }
  }
  const History* baseline = view.baseline();
  std::ranges::stable_sort(report.diagnoses, [](const Diagnosis& a, const Diagnosis& b) {
    return a.severity != b.severity ? a.severity > b.severity : order_of(a) < order_of(b);
  });
  report.healthy =
      std::ranges::none_of(report.diagnoses, [](const Diagnosis& d) { return d.severity >= Severity::error; });
  for (size_t i = 0; i < seen.size(); ++i)
    if (verdicts[i] == Verdict::healthy) sentences[i] = healthy_sentence(view, seen[i]);
  for (size_t i = 0; i < seen.size(); ++i) {
    MemberReport member;
    member.verdict = verdicts[i];
    // What could not be read may hold the only copy of something; the one that takes writes is never a victim.
    const bool spared = verdicts[i] == Verdict::unknown || (&seen[i] == view.leader() && actions[i] != Action::resume);
    member.action = spared ? Action::nothing : actions[i];
    for (const auto& diagnosis : report.diagnoses)
      if (std::ranges::find(diagnosis.members, seen[i].member) != diagnosis.members.end())
        member.reasons.push_back(diagnosis.id + ": " + diagnosis.summary);
    if (const History* other = lacks_something_of(i, report, past, baseline, verdicts)) {
      member.errant.transactions = difference(past[i].position, other->position);
      member.errant.count = count_of_difference(past[i].position, other->position);
      member.errant.against = other->member.str();
      member.errant.exact =
          cluster.engine == Engine::mysql || (cluster.engine == Engine::galera && member.errant.count);
    }
    if (!member.errant.any() && baseline && past[i].member != baseline->member)
      if (auto local = logged_beside_source(cluster.engine, seen[i])) {
        member.errant = std::move(*local);
        member.errant.against = baseline->member.str();
      }
    member.sentence = std::move(sentences[i]);
    report.healthy = report.healthy && member.healthy();
    member.facts = std::move(seen[i]);
    report.members.push_back(std::move(member));
  }
  report.sentence = cluster_sentence(report, view.writers.size());
  return report;
}

}  // namespace holdfast::cluster
