#include "steward/cluster_access.h"

#include "provider/epoch.h"
#include "provider/errant.h"
#include "provider/observe.h"

namespace holdfast::steward {

namespace {

/// For what agents answer from memory.
constexpr std::chrono::seconds kEpochPatience{5};

class DescribedCluster : public ClusterAccess {
 public:
  DescribedCluster(cluster::DatabaseCluster cluster, std::chrono::milliseconds per_member)
      : members_(std::move(cluster)), per_member_(per_member) {}

  const cluster::DatabaseCluster& cluster() const override { return members_.cluster(); }
  cluster::TriageReport observe(std::stop_token stop, const cluster::Surroundings& around) override {
    return provider::triage_members(members_, per_member_, std::move(stop), around);
  }
  void look_up_errant(cluster::TriageReport& report, std::stop_token stop) override {
    provider::look_up_errant(members_, report, per_member_, std::move(stop));
  }
  repair::AccountChecks check_accounts(const operation::Plan& plan, std::stop_token stop) override {
    return repair::check_accounts(members_, plan, std::move(stop));
  }
  uint64_t highest_epoch() override { return provider::highest_epoch(members_, kEpochPatience); }
  Status fence(uint64_t epoch) override { return provider::fence_members(members_, epoch, kEpochPatience); }
  Result<operation::HandlerMap> handlers(repair::HandlerServices services, std::stop_token stop) override {
    return repair::repair_handlers(members_, std::move(services), std::move(stop));
  }

 private:
  const provider::ClusterMembers members_;
  const std::chrono::milliseconds per_member_;
};

}  // namespace

std::unique_ptr<ClusterAccess> access_cluster(cluster::DatabaseCluster cluster, std::chrono::milliseconds per_member) {
  return std::make_unique<DescribedCluster>(std::move(cluster), per_member);
}

}  // namespace holdfast::steward
