#include <fmt/format.h>

#include "cluster/facts.h"

namespace holdfast::cluster {

std::string_view reach_name(Reach reach) {
  switch (reach) {
    case Reach::reachable:
      return "reachable";
    case Reach::unreachable:
      return "unreachable";
    case Reach::timeout:
      return "timeout";
    case Reach::denied:
      return "denied";
    case Reach::failed:
      return "failed";
  }
  return "?";
}

std::string_view member_role_name(MemberRole role) {
  switch (role) {
    case MemberRole::unknown:
      return "unknown";
    case MemberRole::primary:
      return "primary";
    case MemberRole::replica:
      return "replica";
    case MemberRole::node:
      return "node";
  }
  return "?";
}

namespace {

std::string seconds_text(double seconds) {
  return seconds < 10 ? fmt::format("{:.1f} s", seconds) : fmt::format("{:.0f} s", seconds);
}

std::string first_line(std::string text) {
  if (auto end = text.find('\n'); end != std::string::npos) text.resize(end);
  return text;
}

constexpr double kLagLimit = 60;  ///< seconds behind from which a replica no longer counts as healthy

void judge_unreached(MemberVerdict& v) {
  const MemberFacts& f = v.facts;
  switch (f.reach) {
    case Reach::timeout:
      v.sentence = "gives no answer in time: hung, stopped or cut off";
      break;
    case Reach::denied:
      v.sentence = "serves, but refuses this user: " + first_line(f.error);
      break;
    case Reach::failed:
      v.sentence = "answers with an error: " + first_line(f.error);
      break;
    default:
      v.sentence = "is not reachable" + (f.error.empty() ? "" : ": " + first_line(f.error));
  }
  if (f.server_state == "failed") v.sentence = "its server died; " + v.sentence;
  if (f.server_state == "stopped") v.sentence = "its server is stopped";
}

void judge_galera(MemberVerdict& v) {
  const MemberFacts& f = v.facts;
  v.healthy = f.galera_status == "Primary" && f.galera_state == "Synced";
  if (f.galera_status.empty()) {
    v.sentence = "its wsrep status could not be read" + (f.error.empty() ? "" : ": " + f.error);
  } else if (f.galera_status != "Primary") {
    v.sentence =
        fmt::format("is in a component that is {}: it refuses queries until a majority is back", f.galera_status);
  } else if (v.healthy) {
    v.sentence = fmt::format("synced, one of {} nodes in the primary component", f.galera_size.value_or(0));
  } else {
    v.sentence = "is " + f.galera_state + ", not synced";
  }
}

void judge_replica(MemberVerdict& v) {
  const Following& follow = *v.facts.following;
  const std::string why = follow.last_error.empty() ? "" : ": " + first_line(follow.last_error);
  if (!follow.receiving || !follow.applying) {
    v.sentence = "its replication state could not be read" + why;
  } else if (!*follow.receiving) {
    v.sentence =
        fmt::format("does not receive from {}{}", follow.upstream.empty() ? "its primary" : follow.upstream, why);
  } else if (!*follow.applying) {
    v.sentence = "receives but does not apply" + why;
  } else if (v.facts.read_only == false) {
    v.sentence = "follows, but accepts writes of its own: set it read-only";
  } else if (!follow.lag_seconds) {
    v.sentence = fmt::format("follows {}, its lag is not known", follow.upstream);
  } else if (*follow.lag_seconds > kLagLimit) {
    v.sentence = fmt::format("follows {}, {} behind", follow.upstream, seconds_text(*follow.lag_seconds));
  } else {
    v.healthy = true;
    v.sentence = *follow.lag_seconds < 1
                     ? fmt::format("follows {}, up to date", follow.upstream)
                     : fmt::format("follows {}, {} behind", follow.upstream, seconds_text(*follow.lag_seconds));
  }
}

void judge_primary(MemberVerdict& v, const DatabaseCluster& cluster, size_t replicas_expected) {
  const MemberFacts& f = v.facts;
  v.healthy = true;
  if (f.read_only == true) {
    v.healthy = false;
    v.sentence = "follows nobody and is read-only: nobody can write here";
  } else if (cluster.replication == ReplicationMode::semi_sync && f.semi_sync == false) {
    v.healthy = false;
    v.sentence = "takes writes, but waits for no replica: semi-sync is off or has fallen back";
  } else if (f.followers && static_cast<size_t>(*f.followers) < replicas_expected) {
    v.sentence = fmt::format("takes writes; {} of {} replicas connected", *f.followers, replicas_expected);
  } else if (f.semi_sync == true) {
    v.sentence = "takes writes, each received by a replica before it counts";
  } else {
    v.sentence = "takes writes";
  }
}

}  // namespace

ClusterVerdict assess(const DatabaseCluster& cluster, const std::vector<MemberFacts>& facts) {
  ClusterVerdict verdict;
  verdict.cluster = cluster;
  size_t healthy = 0, primaries = 0, unknown = 0;
  std::string lineage;
  bool lineages_differ = false;
  for (const auto& member : cluster.members) {
    MemberVerdict v;
    v.facts.member = member.name;
    for (const auto& seen : facts)
      if (seen.member == member.name) v.facts = seen;
    const MemberFacts& f = v.facts;
    if (f.reach != Reach::reachable) {
      judge_unreached(v);
      unknown += f.reach == Reach::timeout || f.reach == Reach::denied || f.reach == Reach::failed;
    } else if (cluster.engine == Engine::galera) {
      judge_galera(v);
      primaries += v.healthy;
    } else if (f.role == MemberRole::replica && f.following) {
      judge_replica(v);
    } else if (f.role == MemberRole::primary) {
      judge_primary(v, cluster, cluster.members.size() - 1);
      ++primaries;
    } else {
      v.sentence = "its role could not be read" + (f.error.empty() ? "" : ": " + first_line(f.error));
    }
    if ((cluster.engine == Engine::postgres || cluster.engine == Engine::galera) && !f.lineage.empty()) {
      lineages_differ = lineages_differ || (!lineage.empty() && lineage != f.lineage);
      lineage = f.lineage;
    }
    healthy += v.healthy;
    verdict.members.push_back(std::move(v));
  }
  const size_t total = cluster.members.size();
  verdict.healthy = healthy == total && !lineages_differ;
  if (cluster.engine != Engine::galera && primaries > 1) {
    verdict.healthy = false;
    verdict.sentence = fmt::format("{} members take writes: split brain", primaries);
  } else if (lineages_differ) {
    verdict.sentence = "members belong to different histories";
  } else if (primaries == 0) {
    verdict.healthy = false;
    verdict.sentence = unknown ? "no writable member was seen, and some gave no answer" : "nobody takes writes";
  } else if (healthy == total) {
    verdict.sentence = fmt::format("{} of {} members healthy", healthy, total);
  } else {
    verdict.sentence = fmt::format("takes writes; {} of {} members healthy", healthy, total);
  }
  return verdict;
}

}  // namespace holdfast::cluster
