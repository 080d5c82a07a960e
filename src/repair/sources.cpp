#include "repair/sources.h"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/roles.h"
#include "engine/channels.h"
#include "repair/report_view.h"
#include "repair/step_kinds.h"

namespace holdfast::repair {

using cluster::Action;
using cluster::Engine;
using cluster::MemberReport;
using cluster::TriageReport;

namespace {

bool by_statement(const TriageReport& report) {
  return report.cluster.engine == Engine::mariadb || report.cluster.engine == Engine::mysql;
}

const MemberReport* find(const TriageReport& report, const cluster::Topology& topology, const cluster::Who& who) {
  const auto found = who.member();
  return found ? report.find(topology.name(*found).str()) : nullptr;
}

/// The source that its agent is configured with.
const MemberReport* wanted_source(const TriageReport& report, const MemberReport& member) {
  const auto topology = report.topology();
  const auto self = topology.find(name(member));
  return self ? find(report, topology, topology.wanted(*self)) : nullptr;
}

/// Whether what the primary writes comes to it, without going through `member`.
bool leads_to_primary(const TriageReport& report, const MemberReport& source, const MemberReport& member) {
  const MemberReport* link = &source;
  for (size_t hops = 0; hops < report.members.size(); ++hops) {
    if (!link || link == &member) return false;
    if (name(*link) == report.leader) return true;
    if (link->facts.mysql.log_replica_updates == false) return false;
    link = configured_source(report, *link);
  }
  return false;
}

bool can_be_source(const TriageReport& report, const MemberReport& source, const MemberReport& member) {
  if (&source == &member || is_lost(source) || !leads_to_primary(report, source, member)) return false;
  return name(source) == report.leader || !source.facts.reachable() || configured_source(report, member) == &source ||
         holds_nothing_beside(report, name(member), name(source));
}

}  // namespace

const MemberReport* configured_source(const TriageReport& report, const MemberReport& member) {
  const auto topology = report.topology();
  const auto self = topology.find(name(member));
  if (!self) return nullptr;
  if (const auto* stream = member.facts.upstream()) return find(report, topology, topology.source(*self, *stream));
  const auto& noted = member.facts.runtime.noted;
  const auto own = cluster::own_stream(topology, *self, noted, topology.wanted(*self).member());
  return own ? find(report, topology, topology.source(*self, noted[*own])) : nullptr;
}

bool source_is_unknown(const TriageReport& report, const MemberReport& member) {
  const auto topology = report.topology();
  const auto self = topology.find(name(member));
  const auto* stream = member.facts.upstream();
  return self && stream && !stream->upstream.empty() && topology.source(*self, *stream).unknown();
}

bool is_lost(const MemberReport& source) {
  if (source.healthy()) return false;
  if (source.action >= Action::rewind) return true;
  if (source.facts.agent.answers == false) return !source.facts.reachable();  // its server may live on without it
  const bool mended_in_place = source.action == Action::restart || source.action == Action::resume;
  return !source.facts.reachable() && !mended_in_place;
}

std::string source_for(const TriageReport& report, const MemberReport& member) {
  if (!by_statement(report) || report.leader.empty() || report.leader == name(member)) return report.leader;
  for (const auto* source : {configured_source(report, member), wanted_source(report, member)})
    if (source && can_be_source(report, *source, member)) return name(*source);
  return report.leader;
}

bool has_broken_channels(const MemberReport& member) {
  return member.facts.reachable() && member.facts.role == cluster::MemberRole::replica &&
         std::ranges::any_of(member.facts.side_channels, cluster::does_not_work);
}

void drop_broken_channels(const TriageReport& report, const MemberReport& member, operation::Plan& plan) {
  if (!has_broken_channels(member)) return;
  std::string removed;
  size_t number = 0;
  for (const auto& stream : member.facts.side_channels) {
    if (!cluster::does_not_work(stream)) continue;
    removed += fmt::format("{}'{}' from {}", removed.empty() ? "" : ", ", stream.channel, stream.upstream);
    plan.steps.push_back(step_of(
        kind::DropChannel{stream.channel},
        {.id = fmt::format("drop-channel-{}{}", name(member), number ? "-" + std::to_string(number) : ""),
         .member = name(member),
         .title =
             fmt::format("Remove the replication channel '{}' (from {}) of {}: {}", stream.channel, stream.upstream,
                         name(member), engine::forget_statement(report.cluster.engine, stream.channel)),
         .preconditions = {"it does not work, and the member follows in its cluster without it"},
         .point_of_no_return = std::ranges::none_of(plan.steps, &operation::Step::point_of_no_return),
         .expected_seconds = 2,
         .proof = "the server has no such channel any more"}));
    ++number;
  }
  plan.losses.push_back({fmt::format("{} will no longer have the replication channel {}; rows that came over it stay",
                                     name(member), removed),
                         "drop-channel:" + name(member)});
}

}  // namespace holdfast::repair
