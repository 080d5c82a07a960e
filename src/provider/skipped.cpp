#include "provider/skipped.h"

#include <algorithm>
#include <thread>

#include "cluster/passed_over.h"
#include "engine/observe.h"
#include "provider/errant.h"

namespace holdfast::provider {

using cluster::Engine;
using cluster::ErrantClass;
using cluster::MemberFacts;
using std::chrono::milliseconds;

namespace {

constexpr const char* kReading = "transactions passed over";
constexpr milliseconds kSourceLimit{1500};

/// What the replica's agent found in its log; "" when nothing, or when it is not known.
std::string passed_over(MemberAccess& member, MemberFacts& facts, milliseconds limit, const std::stop_token& stop) {
  auto told = member.request("skipped", codec::Value::object(), Deadline::in(limit), stop);
  if (!told && told.error().id == "agent.unreachable") return {};
  if (!told) {
    engine::note_unknown(facts, kReading, "agent", told.error().message);
    return {};
  }
  const std::string unknown = (*told)["known"].boolean() ? (*told)["unknown"].text() : "its agent has not looked yet";
  const std::string found =
      cluster::written_by_others(member.cluster().engine, facts.server_uuid, (*told)["transactions"].text());
  if (!unknown.empty() && found.empty()) engine::note_unknown(facts, kReading, "binary log", unknown);
  if (unknown.empty() && found.empty()) engine::note(facts, kReading, "none", "binary log");
  return found;
}

/// Of these, what the source's log has with content.
std::optional<cluster::Errant> with_content(cluster::Errant there) {
  uint64_t count = 0;
  for (const auto kind : {ErrantClass::user_data, ErrantClass::ddl, ErrantClass::account})
    if (const auto found = there.classes.find(kind); found != there.classes.end()) count += found->second.count;
  if (count == 0) return std::nullopt;
  there.count = count;
  return there;
}

}  // namespace

void look_for_skipped(const ClusterMembers& members, std::vector<MemberFacts>& facts, size_t primary,
                      milliseconds limit, const std::stop_token& stop) {
  const Engine engine = members.cluster().engine;
  if (engine != Engine::mariadb && engine != Engine::mysql) return;
  std::vector<std::string> names(facts.size());
  {
    std::vector<std::jthread> threads;  // each has a handshake before it
    for (size_t i = 0; i < facts.size(); ++i) {
      if (i == primary || facts[i].agent.answers != true || !facts[i].reachable() || facts[i].mysql.log_bin != true ||
          facts[i].mysql.log_replica_updates != true)
        continue;
      threads.emplace_back([&, i] { names[i] = passed_over(members[i], facts[i], limit, stop); });
    }
  }
  for (size_t i = 0; i < facts.size(); ++i) {
    if (names[i].empty()) continue;
    auto there = look_up_transactions(members[primary], names[i], std::min(limit, kSourceLimit), stop);
    facts[i].skipped = with_content(std::move(there));
    engine::note(facts[i], kReading, names[i], "binary log");
  }
}

}  // namespace holdfast::provider
