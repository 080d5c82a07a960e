#include "steward/execution.h"

#include "repair/world.h"

namespace holdfast::steward {

using operation::RecordType;

Result<operation::ExecutorOptions> executor_options(ClusterAccess& cluster,
                                                    std::function<cluster::TriageReport()> observe, CopyKeeper& copies,
                                                    const Caller& caller) {
  repair::HandlerServices services;
  services.triage = std::move(observe);
  services.escrow = [&copies](const std::string& member, const std::string& folder, const std::string& job,
                              std::stop_token stop) {
    return copies.take_escrow(member, folder, job, std::move(stop));
  };
  services.dump = [&copies](const std::string& member, const std::string& job, std::stop_token stop) {
    return copies.take_dump(member, job, std::move(stop));
  };
  operation::ExecutorOptions options;
  options.min_epoch = cluster.highest_epoch();
  options.fence = [&cluster, current = services.epoch](uint64_t epoch) {
    *current = epoch;
    return cluster.fence(epoch);
  };
  options.handlers = TRY(cluster.handlers(std::move(services), caller.stop));
  options.stop = caller.stop;
  options.on_event = [&observer = caller.observer](const operation::Event& event) {
    if (event.type == RecordType::begun) observer.operation_known(event.operation);
    observer.step_event(event);
  };
  return options;
}

std::function<Result<codec::Value>()> state_of(ClusterAccess& cluster) {
  return [&cluster]() -> Result<codec::Value> { return repair::world_of(cluster.observe({})); };
}

}  // namespace holdfast::steward
