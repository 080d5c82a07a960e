#include "cli/triage_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

namespace holdfast::cli {

using cluster::Diagnosis;
using cluster::MemberFacts;
using cluster::MemberReport;
using cluster::Severity;
using cluster::TriageReport;
using cluster::Verdict;
using codec::Value;

namespace {

template <class T>
Value optional(const std::optional<T>& value) {
  return value ? Value(*value) : Value();
}

std::string_view authority_name(cluster::AuthorityKind kind) {
  constexpr std::string_view kNames[] = {"provable", "leader_not_primary", "diverged", "undeterminable"};
  return kNames[static_cast<size_t>(kind)];
}

Value names_value(const std::vector<MemberName>& members) {
  Value list{Value::List()};
  for (const auto& member : members) list.push(member.str());
  return list;
}

/// What it holds, what it has received, what is safe on its disk.
Value positions_value(const MemberFacts& f) {
  auto value = Value::object({{"current", f.position},
                              {"applied", f.executed},
                              {"received", f.received},
                              {"lineage", f.lineage.empty() && f.stored ? f.stored->lineage : f.lineage}});
  if (f.timeline) value.set("timeline", f.timeline);
  if (!f.purged.empty()) value.set("purged", f.purged);
  if (f.stored) value.set("durable", f.stored->position.empty() ? Value() : Value(f.stored->position));
  if (f.stored && !f.stored->position_source.empty()) value.set("durableSource", f.stored->position_source);
  if (f.stored && !f.stored->position_unknown.empty()) value.set("durableUnknown", f.stored->position_unknown);
  return value;
}

/// `source`: which member that is; null when it is none, or is not known (then "sourceUnknown" says why).
Value following_value(const cluster::Following& f, const cluster::Who& source, const cluster::Topology& topology) {
  const auto member = source.member();
  return Value::object({{"upstream", f.upstream},
                        {"source", member ? Value(topology.name(*member).str()) : Value()},
                        {"sourceUnknown", source.unknown() ? Value(source.how()) : Value()},
                        {"channel", f.channel},
                        {"receiving", optional(f.receiving)},
                        {"applying", optional(f.applying)},
                        {"lagSeconds", optional(f.lag_seconds)},
                        {"receiveErrno", f.receive_errno},
                        {"applyErrno", f.apply_errno},
                        {"lastError", f.last_error()}});
}

Value diagnosis_value(const Diagnosis& d) {
  return Value::object({{"id", d.id},
                        {"severity", cluster::severity_name(d.severity)},
                        {"members", names_value(d.members)},
                        {"summary", d.summary},
                        {"evidence", Value::list_of(d.evidence)},
                        {"remedy", d.remedy},
                        {"blocks", Value::list_of(d.blocks)}});
}

std::string role_of(const MemberFacts& f) {
  if (f.role != cluster::MemberRole::unknown) return std::string(cluster::member_role_name(f.role));
  if (f.runtime.role_wanted != cluster::MemberRole::unknown)
    return std::string(cluster::member_role_name(f.runtime.role_wanted));
  return f.stored && f.stored->seqno ? "node" : "unknown";
}

Color severity_color(Severity severity) {
  return severity >= Severity::error ? Color::red : severity == Severity::warning ? Color::yellow : Color::dim;
}

/// The first diagnosis of severity error or critical that names it; null when there is none.
const Diagnosis* grave_about(const TriageReport& report, const MemberReport& m) {
  for (const auto& d : report.diagnoses)
    if (d.severity >= Severity::error && std::ranges::find(d.members, m.facts.member) != d.members.end()) return &d;
  return nullptr;
}

/// Member lines, replicas under whom they follow.
void print_topology(Output& out, const TriageReport& report) {
  const auto topology = report.topology();
  std::vector<std::vector<size_t>> children(report.members.size());
  std::vector<size_t> roots;
  for (size_t i = 0; i < report.members.size(); ++i) {
    const auto* follow = report.members[i].facts.upstream();
    const size_t parent = follow ? topology.source(i, *follow).member().value_or(i) : i;
    if (parent == i)
      roots.push_back(i);
    else
      children[parent].push_back(i);
  }
  size_t width = 0;
  for (const auto& m : report.members) width = std::max(width, m.facts.member.str().size());
  std::set<size_t> shown;
  const std::function<void(size_t, int)> print = [&](size_t i, int depth) {
    if (!shown.insert(i).second) return;
    const MemberReport& m = report.members[i];
    std::string name = std::string(static_cast<size_t>(depth) * 2, ' ') + (depth ? "└ " : "") + m.facts.member.str();
    const size_t length = static_cast<size_t>(depth) * 2 + (depth ? 2 : 0) + m.facts.member.str().size();
    name += std::string(width + 6 > length ? width + 6 - length : 1, ' ');
    std::string what{cluster::verdict_name(m.verdict)};
    std::ranges::replace(what, '_', ' ');
    if (m.action != cluster::Action::nothing) what += fmt::format(", {}", cluster::action_name(m.action));
    // Nothing is wrong with it, and yet it is part of what is wrong: no mark of health beside exit code 4.
    const Diagnosis* part_of = m.healthy() ? grave_about(report, m) : nullptr;
    const std::string mark = part_of ? out.paint(Color::red, "!") : verdict_mark(out, m);
    out.line(fmt::format("  {} {}{:8} {:20} {}", mark, name, role_of(m.facts),
                         part_of ? fmt::format("see {}", part_of->id) : what, m.sentence));
    for (size_t child : children[i]) print(child, depth + 1);
  };
  for (size_t root : roots) print(root, 0);
  for (size_t i = 0; i < report.members.size(); ++i) print(i, 0);  // two that follow each other
}

std::string_view class_words(cluster::ErrantClass kind) {
  switch (kind) {
    case cluster::ErrantClass::user_data:
      return "user data";
    case cluster::ErrantClass::unknown:
      return "unknown, maybe user data";
    case cluster::ErrantClass::ddl:
      return "schema (DDL)";
    case cluster::ErrantClass::account:
      return "accounts";
    case cluster::ErrantClass::heartbeat:
      return "heartbeat";
    case cluster::ErrantClass::empty:
      return "empty";
  }
  return "?";
}

/// A few of them, and how many more.
std::string some_of(const std::set<std::string>& names) {
  constexpr size_t kShown = 8;
  std::string text;
  size_t shown = 0;
  for (const auto& name : names) {
    if (shown == kShown) return fmt::format("{} and {} more", text, names.size() - kShown);
    text += (shown++ ? ", " : "") + name;
  }
  return text;
}

void print_errant(Output& out, const TriageReport& report) {
  for (const auto& m : report.members) {
    const auto& e = m.errant;
    if (!e.any()) continue;
    const std::string names = e.transactions.size() > 300 ? e.transactions.substr(0, 300) + "..." : e.transactions;
    out.line();
    std::string count = e.exact       ? fmt::format("{} transaction{}", e.count, e.count == 1 ? "" : "s")
                        : e.count > 0 ? fmt::format("at most {} transactions", e.count)
                                      : "transactions";
    out.line(fmt::format("  only {} has {} that {} lacks: {}", out.paint(Color::bold, m.facts.member.str()), count,
                         e.against, names));
    for (auto kind : cluster::kErrantClasses) {
      const auto found = e.classes.find(kind);
      if (found == e.classes.end()) continue;
      std::string more = some_of(found->second.tables);
      if (!found->second.verbs.empty()) more += (more.empty() ? "" : "; ") + some_of(found->second.verbs);
      out.line(
          fmt::format("      {:>6}  {}{}{}", found->second.count, class_words(kind), more.empty() ? "" : ": ", more));
    }
    if (e.wal_bytes > 0) {
      std::string records;
      for (const auto& [name, number] : e.wal_records)
        records += fmt::format("{}{} {}", records.empty() ? "" : ", ", number, name);
      out.line(fmt::format("      {} bytes of write-ahead log: {}", e.wal_bytes, records));
    }
    if (!e.unseen.empty())
      out.line(fmt::format("      {}: {}", e.exact ? "not all looked into" : "not counted", e.unseen));
  }
}

void print_readings(Output& out, const TriageReport& report) {
  for (const auto& m : report.members) {
    out.line(out.paint(Color::bold, m.facts.member.str()));
    Table table({"  READING", "VALUE", "SOURCE", "AGE"}, {3});
    for (const auto& r : m.facts.readings)
      table.row({"  " + r.name, r.unknown.empty() ? r.value : "unknown: " + r.unknown.substr(0, r.unknown.find('\n')),
                 r.source, fmt::format("{} ms", r.age_ms)});
    table.print(out);
  }
}

/// Positions that agree are one thing, equal rows another: when they were last compared, and with which result.
std::string contents_sentence(const TriageReport& report) {
  const auto& compared = report.cluster.compared;
  if (!compared) return "contents were never compared: holdfast compare -c " + report.cluster.full_name();
  std::string text = cluster::comparison_sentence(*compared);
  for (const auto& m : report.members)
    if (!compared->covers(m.facts.member.str())) text += "; without " + m.facts.member.str();
  return text;
}

}  // namespace

std::string verdict_mark(Output& out, const MemberReport& member) {
  if (member.healthy()) return out.paint(Color::green, "✓");
  return member.verdict == Verdict::catching_up ? out.paint(Color::yellow, "~") : out.paint(Color::red, "✗");
}

Value member_value(const TriageReport& report, const MemberReport& m) {
  const MemberFacts& f = m.facts;
  const auto topology = report.topology();
  auto value = Value::object({{"name", f.member.str()},
                              {"ordinal", report.cluster.find(f.member.str())->ordinal},
                              {"role", role_of(f)},
                              {"verdict", cluster::verdict_name(m.verdict)},
                              {"action", cluster::action_name(m.action)},
                              {"healthy", m.healthy()},
                              {"sentence", m.sentence},
                              {"reasons", Value::list_of(m.reasons)},
                              {"positions", positions_value(f)},
                              {"address", f.address},
                              {"reach", cluster::reach_name(f.reach)},
                              {"tcp", optional(f.tcp)},
                              {"version", f.version},
                              {"readOnly", optional(f.read_only)},
                              {"dataBytes", optional(f.data_bytes)}});
  Value following{Value::List()};
  if (const auto self = topology.find(f.member.str()))
    for (const auto& stream : f.following)
      following.push(following_value(stream, topology.source(*self, stream), topology));
  value.set("following", following);
  if (f.followers) value.set("followers", *f.followers);
  if (f.semi_sync.source_active) value.set("semiSync", *f.semi_sync.source_active);
  if (f.galera)
    value.set("galera", Value::object({{"status", f.galera->status},
                                       {"state", f.galera->state},
                                       {"size", optional(f.galera->size)},
                                       {"uuid", f.galera->uuid},
                                       {"view", Value::list_of(f.galera->view)}}));
  if (!f.runtime.state.empty())
    value.set("server", Value::object({{"state", f.runtime.state},
                                       {"pid", f.runtime.pid},
                                       {"mode", f.runtime.mode},
                                       {"supervisor", f.runtime.supervisor}}));
  Value volumes{Value::List()};
  for (const auto& v : f.runtime.volumes)
    volumes.push(Value::object({{"purpose", v.purpose},
                                {"path", v.path},
                                {"total", v.total},
                                {"free", v.free},
                                {"growthPerSecond", v.growth ? Value(std::llround(*v.growth)) : Value()}}));
  value.set("volumes", volumes);
  if (m.errant.any()) value.set("errant", cluster::errant_value(m.errant));
  if (!f.error.empty()) value.set("error", f.error);
  return value;
}

Value triage_value(const TriageReport& report) {
  Value members{Value::List()}, diagnoses{Value::List()};
  for (const auto& m : report.members) {
    Value member = member_value(report, m);
    Value readings{Value::List()};
    for (const auto& r : m.facts.readings)
      readings.push(Value::object({{"name", r.name},
                                   {"value", r.unknown.empty() ? Value(r.value) : Value()},
                                   {"source", r.source},
                                   {"ageMs", r.age_ms},
                                   {"unknown", r.unknown.empty() ? Value() : Value(r.unknown)}}));
    member.set("readings", readings);
    members.push(std::move(member));
  }
  for (const auto& d : report.diagnoses) diagnoses.push(diagnosis_value(d));
  return Value::object(
      {{"cluster", report.cluster.name.str()},
       {"namespace", report.cluster.ns},
       {"engine", cluster::engine_name(report.cluster.engine)},
       {"provider", cluster::provider_name(report.cluster.provider)},
       {"healthy", report.healthy},
       {"sentence", report.sentence},
       {"authority", authority_name(report.authority.kind)},
       {"authorityMember", report.authority.member ? Value(report.authority.member->str()) : Value()},
       {"authorityReasons", Value::list_of(report.authority.reasons)},
       {"leader", report.leader.empty() ? Value() : Value(report.leader)},
       {"compared", report.cluster.compared ? cluster::comparison_value(*report.cluster.compared) : Value()},
       {"members", members},
       {"diagnoses", diagnoses}});
}

std::string cluster_heading(Output& out, const TriageReport& report) {
  return fmt::format("{} {}  {}{}: {}", report.healthy ? out.paint(Color::green, "✓") : out.paint(Color::red, "✗"),
                     out.paint(Color::bold, report.cluster.full_name()), cluster::engine_name(report.cluster.engine),
                     report.cluster.standalone() ? ", standalone" : "", report.sentence);
}

void print_triage(Output& out, const TriageReport& report, bool verbose) {
  out.line(cluster_heading(out, report));
  std::string authority{authority_name(report.authority.kind)};
  std::ranges::replace(authority, '_', ' ');
  out.line(fmt::format("  authority: {}{}", authority,
                       report.authority.member ? ", " + report.authority.member->str() : ""));
  if (verbose || report.authority.kind != cluster::AuthorityKind::provable)
    for (const auto& reason : report.authority.reasons) out.line("    " + reason);
  if (report.cluster.members.size() > 1) out.line("  " + contents_sentence(report));
  out.line();
  print_topology(out, report);
  print_errant(out, report);
  for (const auto& d : report.diagnoses) {
    out.line();
    out.line(fmt::format("  {} {}: {}", out.paint(severity_color(d.severity), cluster::severity_name(d.severity)),
                         out.paint(Color::bold, d.id), d.summary));
    if (verbose)
      for (const auto& line : d.evidence)
        if (!line.empty()) out.line("      seen: " + line);
    if (!d.blocks.empty()) out.line(fmt::format("      blocks: {}", fmt::join(d.blocks, ", ")));
    if (!d.remedy.empty()) out.line("      next: " + d.remedy);
  }
  if (verbose) {
    out.line();
    print_readings(out, report);
  }
}

Status triage_verdict(const cluster::TriageReport& report) {
  if (report.healthy) return {};
  std::string ids;
  for (const auto& d : report.diagnoses)
    if (d.severity >= cluster::Severity::error && ids.find(d.id) == std::string::npos)
      ids += (ids.empty() ? "" : ", ") + d.id;
  std::string first = report.diagnoses.empty() ? "" : report.diagnoses[0].id;
  return fail(ErrorClass::unhealthy, "triage.unhealthy",
              fmt::format("{} is not healthy: {}", report.cluster.full_name(), ids),
              first.empty() ? "" : "holdfast explain " + first);
}

}  // namespace holdfast::cli
