// What runs out: disks, transaction ids, and clocks that drift.
#include <algorithm>
#include <cmath>

#include "cluster/rules/rule.h"

namespace holdfast::cluster::rules {

namespace {

constexpr uint64_t kMiB = 1 << 20, kGiB = 1 << 30;
constexpr uint64_t kFullBytes = 32 * kMiB;

bool no_bytes(const Volume& v) {
  return v.total > 0 && v.free < kFullBytes;
}

std::string size_text(uint64_t bytes) {
  return bytes >= kGiB ? fmt::format("{:.1f} GiB", static_cast<double>(bytes) / kGiB)
                       : fmt::format("{:.0f} MiB", static_cast<double>(bytes) / kMiB);
}

std::vector<Finding> disk_full(const View& view) {
  std::vector<Finding> found;
  for (const auto& m : view.members) {
    for (const auto& v : m.runtime.volumes) {
      if (!is_full(v)) continue;
      Finding f{.members = {m.member},
                .summary = fmt::format("{} has a full disk under its {}: {}", m.member.str(), v.purpose,
                                       no_bytes(v) ? size_text(v.free) + " free" : "no inode free"),
                .evidence = {fmt::format("{}: {} of {} free, {} of {} inodes", v.path, size_text(v.free),
                                         size_text(v.total), v.inodes_free, v.inodes)},
                .remedy = "free space on " + v.path + " (never delete WAL or binary logs by hand); then " +
                          view.command("triage"),
                .blocks = {"repair of " + m.member.str()}};
      if (&m == view.leader()) f.severity = Severity::critical;
      found.push_back(std::move(f));
    }
  }
  return found;
}

/// Seconds until the volume is full; 0 = not soon, or nobody can tell. What grew for a while is taken to go on for ten
/// times as long, and never for more than a day.
double time_left(const Volume& v) {
  if (!v.growth || *v.growth <= 0) return 0;
  const double seconds = static_cast<double>(v.free) / *v.growth;
  return seconds <= std::min(86400.0, 10 * v.growth_seconds) ? seconds : 0;
}

/// A disk nobody looks at is not a disk with room.
std::vector<Finding> disk_unseen(const View& view) {
  Finding f{.members = {}};
  for (const auto& m : view.members) {
    const bool no_agent = !m.agent.answers.has_value();
    const bool told_nothing = m.agent.answers == true && !m.runtime.state.empty() && m.runtime.volumes.empty();
    if (!no_agent && !told_nothing) continue;
    f.members.push_back(m.member);
    f.evidence.push_back(m.member.str() + (no_agent ? ": has no agent" : ": its agent could not say"));
  }
  if (f.members.empty()) return {};
  f.summary = fmt::format("the disks of {} member{} are not monitored: whether they fill is not known",
                          f.members.size(), f.members.size() > 1 ? "s" : "");
  return {std::move(f)};
}

std::vector<Finding> disk_filling(const View& view) {
  std::vector<Finding> found;
  for (const auto& m : view.members) {
    for (const auto& v : m.runtime.volumes) {
      if (v.total == 0 || no_bytes(v)) continue;
      const double left = time_left(v);
      if (left > 0) {
        found.push_back(
            {.members = {m.member},
             .summary = fmt::format("{} will have a full disk under its {} in {}, if it continues to fill like this",
                                    m.member.str(), v.purpose, span_text(left)),
             .evidence = {fmt::format("{}: {} free, and {:.1f} MiB less each minute of the last {:.0f} s", v.path,
                                      size_text(v.free), *v.growth * 60 / kMiB, v.growth_seconds)},
             .remedy = "find out what grows on " + v.path + " and free space there; then " + view.command("triage")});
        continue;
      }
      const bool few_bytes = v.free * 20 < v.total && v.free < 10 * kGiB;
      const bool few_inodes = v.inodes > 0 && v.inodes_free >= 64 && v.inodes_free * 50 < v.inodes;
      if (!few_bytes && !few_inodes) continue;
      found.push_back({.members = {m.member},
                       .summary = fmt::format(
                           "{} has little space left under its {}: {}", m.member.str(), v.purpose,
                           few_bytes ? size_text(v.free) + " free" : fmt::format("{} inodes free", v.inodes_free)),
                       .evidence = {fmt::format("{}: {} of {} free", v.path, size_text(v.free), size_text(v.total))},
                       .remedy = "free space on " + v.path + ", or give it a larger disk"});
    }
  }
  return found;
}

std::vector<Finding> id_age(const View& view) {
  std::vector<Finding> found;
  for (const auto& m : view.members) {
    if (!m.reachable() || m.role == MemberRole::replica) continue;
    auto judge = [&](const std::optional<uint64_t>& age, std::string_view what, uint64_t usual) {
      if (!age || *age < usual) return;  // where autovacuum should have been long ago
      found.push_back(
          {.members = {m.member},
           .summary = fmt::format("{} has a database whose oldest {} is {} million old; at 2,147 million writes stop",
                                  m.member.str(), what, *age / 1'000'000),
           .remedy = "VACUUM (FREEZE) the oldest tables; end old transactions, prepared ones and unused slots",
           .severity = *age >= 1'500'000'000   ? Severity::critical
                       : *age >= 1'000'000'000 ? Severity::error
                                               : Severity::warning,
           .verdict = *age >= 1'000'000'000 ? Verdict::broken : Verdict::healthy});
    };
    judge(m.postgres.xid_age, "transaction id", 300'000'000);
    judge(m.postgres.multixact_age, "multixact", 600'000'000);
  }
  return found;
}

/// Its server has met them, or its agent has, or they are missing.
std::vector<Finding> checksum_failures(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    const auto on_disk = m.damaged_pages();
    const int64_t met = m.postgres.checksum_failures.value_or(0);
    if (met <= 0 && on_disk.empty()) return {};
    std::vector<std::string> evidence(on_disk.begin(), on_disk.begin() + std::min<ptrdiff_t>(5, std::ssize(on_disk)));
    if (met > 0) evidence.push_back(fmt::format("pg_stat_database.checksum_failures: {}", met));
    const std::string others = on_disk.size() > 1 ? fmt::format(", and {} more", on_disk.size() - 1) : "";
    return Finding{
        .members = {},
        .summary = on_disk.empty()
                       ? fmt::format("{} has met {} damaged page{}", m.member.str(), met, met == 1 ? "" : "s")
                       : fmt::format("{} has damage on its disk: {}{}", m.member.str(), on_disk[0], others),
        .evidence = std::move(evidence),
        .remedy = &m == view.leader()
                      ? fmt::format("holdfast backup -c {}; then promote, by hand, a member whose pages "
                                    "are whole: holdfast explain page-checksum-failures",
                                    view.cluster.full_name())
                      : view.command("repair", &m),
        .action = view.cluster.engine == Engine::postgres ? Action::reseed : Action::rebuild};
  });
}

std::vector<Finding> clock(const View& view) {
  // All of them off by the same: that is our own clock, and says nothing about theirs.
  double low = 1e18, high = -1e18;
  size_t told = 0;
  for (const auto& m : view.members) {
    if (!m.clock_offset_seconds) continue;
    ++told;
    low = std::min(low, *m.clock_offset_seconds);
    high = std::max(high, *m.clock_offset_seconds);
  }
  if (told > 1 && high - low < 1) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.clock_offset_seconds || std::abs(*m.clock_offset_seconds) < 2) return {};
    return Finding{
        .members = {},
        .summary = fmt::format("{} has a clock that is {:.1f} s {} ours", m.member.str(),
                               std::abs(*m.clock_offset_seconds), *m.clock_offset_seconds > 0 ? "ahead of" : "behind"),
        .remedy = "see that its host's time service runs; then " + view.command("triage"),
        .severity = std::abs(*m.clock_offset_seconds) >= 30 ? Severity::error : Severity::warning};
  });
}

constexpr Rule kResourceRules[] = {
    {"disk-full", Severity::error, Verdict::broken, Action::nothing, "a disk is full", disk_full},
    {"disk-filling", Severity::warning, Verdict::healthy, Action::nothing, "a disk will be full soon", disk_filling},
    {"disk-unseen", Severity::info, Verdict::healthy, Action::nothing, "a disk is not monitored", disk_unseen},
    {"transaction-id-age", Severity::warning, Verdict::healthy, Action::nothing, "transaction ids run out", id_age},
    {"page-checksum-failures", Severity::error, Verdict::broken, Action::reseed, "pages on disk are damaged",
     checksum_failures},
    {"clock-offset", Severity::warning, Verdict::healthy, Action::nothing, "clocks differ", clock},
};

}  // namespace

bool is_full(const Volume& v) {
  return no_bytes(v) || (v.inodes > 0 && v.inodes_free < 64);
}

std::span<const Rule> resource_rules() {
  return kResourceRules;
}

}  // namespace holdfast::cluster::rules
