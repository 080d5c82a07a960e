// What rules about streams of replication share. Only rules/*.cpp includes this.
#pragma once

#include "cluster/rules/rule.h"

namespace holdfast::cluster::rules {

/// Asks `check` of every replication connection of every member that has one.
template <class Check>
std::vector<Finding> each_stream(const View& view, Check&& check) {
  std::vector<Finding> found;
  for (const auto& m : view.members) {
    if (!m.reachable() || view.cluster.engine == Engine::galera) continue;  // galera-async-channel
    for (const auto& follow : m.following) {
      std::optional<Finding> finding = check(m, follow);
      if (!finding) continue;
      finding->members = {m.member};
      found.push_back(std::move(*finding));
    }
  }
  return found;
}

/// The statements that make a replica follow by GTID.
inline std::string_view use_gtid(const View& view) {
  return view.cluster.engine == Engine::mysql
             ? "STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION=1; START REPLICA"
             : "STOP SLAVE; CHANGE MASTER TO MASTER_USE_GTID=slave_pos; START SLAVE";
}

}  // namespace holdfast::cluster::rules
