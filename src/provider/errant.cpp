#include "provider/errant.h"

#include <string>
#include <thread>
#include <vector>

namespace holdfast::provider {

using cluster::Errant;
using std::chrono::milliseconds;

namespace {

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

Errant look_up_transactions(MemberAccess& member, const std::string& transactions, milliseconds limit,
                            const std::stop_token& stop) {
  Errant wanted;
  wanted.transactions = transactions;
  return member.files().errant(std::move(wanted), limit, stop);
}

void look_up_errant(const ClusterMembers& members, cluster::TriageReport& report, milliseconds per_member,
                    std::stop_token stop) {
  std::vector<std::string> before;
  for (const auto& m : report.members) before.push_back(m.errant.transactions);
  {
    std::vector<std::jthread> threads;
    for (auto& m : report.members) {
      auto* access = members.find(m.facts.member.str());
      if (!m.errant.any() || !access || report.cluster.engine == cluster::Engine::galera) continue;
      threads.emplace_back(
          [&m, access, per_member, stop] { m.errant = access->files().errant(std::move(m.errant), per_member, stop); });
    }
  }
  for (size_t i = 0; i < before.size(); ++i) {
    const Errant& now = report.members[i].errant;
    if (!before[i].empty() && now.exact && !now.transactions.empty() && now.transactions != before[i])
      correct_words(report, before[i], now.transactions);
  }
}

}  // namespace holdfast::provider
