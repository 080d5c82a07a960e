// What runs out: disks, transaction ids, certificates, and clocks that drift.
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
    for (const auto& v : m.volumes) {
      if (!is_full(v)) continue;
      Finding f{.members = {m.member},
                .summary = fmt::format("{} has a full disk under its {}: {}", m.member.str(), v.purpose,
                                       no_bytes(v) ? size_text(v.free) + " free" : "no inode free"),
                .evidence = {fmt::format("{}: {} of {} free, {} of {} inodes", v.path, size_text(v.free),
                                         size_text(v.total), v.inodes_free, v.inodes)},
                .remedy = "make room on " + v.path + " (never delete WAL or binary logs by hand); then " +
                          view.command("triage"),
                .blocks = {"repair of " + m.member.str()}};
      if (&m == view.leader()) f.severity = Severity::critical;
      found.push_back(std::move(f));
    }
  }
  return found;
}

std::vector<Finding> disk_filling(const View& view) {
  std::vector<Finding> found;
  for (const auto& m : view.members) {
    for (const auto& v : m.volumes) {
      if (v.total == 0 || no_bytes(v)) continue;
      const bool few_bytes = v.free * 20 < v.total && v.free < 10 * kGiB;
      const bool few_inodes = v.inodes > 0 && v.inodes_free >= 64 && v.inodes_free * 50 < v.inodes;
      if (!few_bytes && !few_inodes) continue;
      found.push_back({.members = {m.member},
                       .summary = fmt::format(
                           "{} has little room left under its {}: {}", m.member.str(), v.purpose,
                           few_bytes ? size_text(v.free) + " free" : fmt::format("{} inodes free", v.inodes_free)),
                       .evidence = {fmt::format("{}: {} of {} free", v.path, size_text(v.free), size_text(v.total))},
                       .remedy = "make room on " + v.path + ", or give it a larger disk"});
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
    judge(m.xid_age, "transaction id", 300'000'000);
    judge(m.multixact_age, "multixact", 600'000'000);
  }
  return found;
}

std::vector<Finding> checksum_failures(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.checksum_failures.value_or(0) <= 0) return {};
    return Finding{.members = {},
                   .summary = fmt::format("{} has read {} damaged pages", m.member.str(), *m.checksum_failures),
                   .evidence = {"pg_stat_database.checksum_failures"},
                   .remedy = &m == view.leader() ? "holdfast backup -c " + view.cluster.full_name() +
                                                       ", then switch to a standby whose pages are whole"
                                                 : view.command("repair", &m)};
  });
}

std::vector<Finding> certificate(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.certificate_seconds_left || *m.certificate_seconds_left > 14 * 86400.0) return {};
    const double days = *m.certificate_seconds_left / 86400;
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

constexpr Rule kRules[] = {
    {"disk-full", Severity::error, Verdict::broken, Action::nothing, "a disk is full", disk_full},
    {"disk-filling", Severity::warning, Verdict::healthy, Action::nothing, "a disk will be full soon", disk_filling},
    {"transaction-id-age", Severity::warning, Verdict::healthy, Action::nothing, "transaction ids run out", id_age},
    {"page-checksum-failures", Severity::error, Verdict::broken, Action::reseed, "pages on disk are damaged",
     checksum_failures},
    {"certificate-ending", Severity::warning, Verdict::healthy, Action::nothing, "a TLS certificate ends", certificate},
    {"clock-offset", Severity::warning, Verdict::healthy, Action::nothing, "clocks differ", clock},
};

}  // namespace

bool is_full(const Volume& v) {
  return no_bytes(v) || (v.inodes > 0 && v.inodes_free < 64);
}

std::span<const Rule> resource_rules() {
  return kRules;
}

}  // namespace holdfast::cluster::rules
