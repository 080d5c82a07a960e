#include "steward/triage.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>

namespace holdfast::steward {

namespace {

/// What a person reads in it.
std::string gist_of(const cluster::TriageReport& report) {
  std::string gist = report.sentence;
  for (const auto& m : report.members) gist += "\n" + m.sentence;
  for (const auto& d : report.diagnoses) gist += "\n" + d.id + d.summary;
  return gist;
}

}  // namespace

cluster::TriageReport triage_cluster(ClusterAccess& cluster, const Caller& caller) {
  auto report = cluster.observe(caller.stop, caller.operations.surroundings(cluster.cluster()));
  cluster.look_up_errant(report, caller.stop);
  return report;
}

void watch_cluster(ClusterAccess& cluster, std::chrono::milliseconds interval, const Caller& caller) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::optional<std::string> last;
  while (!caller.stop.stop_requested()) {
    const auto report = triage_cluster(cluster, caller);
    if (caller.stop.stop_requested()) return;
    std::string now = gist_of(report);
    caller.observer.refreshed(report, now != last);
    last = std::move(now);
    std::unique_lock lock(mutex);
    wake.wait_for(lock, caller.stop, interval, [] { return false; });
  }
}

}  // namespace holdfast::steward
