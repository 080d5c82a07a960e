#include "provider/errant.h"

#include <string>
#include <thread>
#include <vector>

#include "engine/errant.h"
#include "provider/agent_call.h"

namespace holdfast::provider {

using cluster::DatabaseCluster;
using cluster::Errant;
using cluster::Member;
using std::chrono::milliseconds;

namespace {

/// A little less than the caller waits, so that the agent can still say how far it came.
milliseconds for_the_agent(milliseconds limit) {
  return std::max(milliseconds(200), limit - std::min(limit / 5, milliseconds(500)));
}

Result<Errant> ask_agent(const DatabaseCluster& cluster, const Member& member, const Errant& errant, milliseconds limit,
                         const std::stop_token& stop) {
  const Deadline deadline = Deadline::in(limit);
  auto client = TRY(connect_agent(member, deadline, stop));
  auto arguments = codec::Value::object({{"transactions", errant.transactions},
                                         {"heartbeatTables", codec::Value::list_of(cluster::heartbeat_tables(cluster))},
                                         {"timeoutMs", static_cast<int64_t>(for_the_agent(limit).count())}});
  return cluster::errant_from(TRY(client.call("errant", std::move(arguments), deadline, stop))["errant"]);
}

Errant look(const DatabaseCluster& cluster, const Member& member, Errant errant, milliseconds limit,
            const std::stop_token& stop) {
  const std::string against = errant.against;
  Error why;
  if (member.has_agent()) {
    auto answer = ask_agent(cluster, member, errant, limit, stop);
    if (answer) {
      answer->against = against;
      return std::move(*answer);
    }
    why = answer.error();
    // An agent that is there and slow has its disk for itself; one that is gone leaves it to us.
    if (why.id != "agent.unreachable") {
      errant.unseen = "its agent: " + why.message;
      return errant;
    }
  }
  if (member.data_dir.empty()) {
    errant.unseen = why.message.empty() ? "its data directory is not known here" : why.message;
    return errant;
  }
  engine::ErrantSearch search;
  search.engine = cluster.engine;
  search.data_dir = member.data_dir;
  search.transactions = errant.transactions;
  search.heartbeat_tables = cluster::heartbeat_tables(cluster);
  search.deadline = Deadline::in(limit);
  search.stop = stop;
  auto found = engine::find_errant(search).errant;
  found.against = against;
  return found;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

/// What was said with the names that were only an upper bound is said with the exact ones.
void correct_words(cluster::TriageReport& report, const std::string& from, const std::string& to) {
  for (auto& d : report.diagnoses) {
    replace_all(d.summary, from, to);
    for (auto& line : d.evidence) replace_all(line, from, to);
  }
  for (auto& m : report.members) {
    replace_all(m.sentence, from, to);
    for (auto& reason : m.reasons) replace_all(reason, from, to);
  }
  for (auto& reason : report.authority.reasons) replace_all(reason, from, to);
}

}  // namespace

Errant look_up_transactions(const DatabaseCluster& cluster, const Member& member, const std::string& transactions,
                            milliseconds limit, const std::stop_token& stop) {
  Errant wanted;
  wanted.transactions = transactions;
  return look(cluster, member, std::move(wanted), limit, stop);
}

void look_up_errant(cluster::TriageReport& report, milliseconds per_member, std::stop_token stop) {
  std::vector<std::string> before;
  for (const auto& m : report.members) before.push_back(m.errant.transactions);
  {
    std::vector<std::jthread> threads;
    for (auto& m : report.members) {
      const Member* described = report.cluster.find(m.facts.member.str());
      if (!m.errant.any() || !described || report.cluster.engine == cluster::Engine::galera) continue;
      threads.emplace_back([&report, &m, described, per_member, stop] {
        m.errant = look(report.cluster, *described, std::move(m.errant), per_member, stop);
      });
    }
  }
  for (size_t i = 0; i < before.size(); ++i) {
    const Errant& now = report.members[i].errant;
    if (!before[i].empty() && now.exact && !now.transactions.empty() && now.transactions != before[i])
      correct_words(report, before[i], now.transactions);
  }
}

}  // namespace holdfast::provider
