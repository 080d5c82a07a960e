#include "cluster/passed_over.h"

#include <fmt/format.h>

#include "position/gtid_set.h"

namespace holdfast::cluster {

std::string written_by_others(Engine engine, const std::string& server_uuid, const std::string& transactions) {
  if (engine != Engine::mysql) return transactions;
  const auto set = position::GtidSet::parse(transactions);
  if (!set) return {};
  std::string text;
  for (const auto& source : set->sources()) {
    if (source.uuid.to_string() == server_uuid) continue;
    const std::string who = source.uuid.to_string() + (source.tag.empty() ? "" : ":" + source.tag);
    for (const auto& interval : source.intervals)
      text += fmt::format("{}{}:{}{}", text.empty() ? "" : ",", who, interval.first,
                          interval.first == interval.last ? "" : fmt::format("-{}", interval.last));
  }
  return text;
}

}  // namespace holdfast::cluster
