#include "provider/member_access.h"

#include <sys/stat.h>

#include <algorithm>
#include <thread>

#include "provider/external_member.h"
#include "provider/host_member.h"
#include "sys/environment.h"

namespace holdfast::provider {

using cluster::DatabaseCluster;

Result<sql::Target> MemberAccess::sql(Deadline deadline, const std::stop_token& stop) {
  return sql_as(TRY(engine::cluster_login(cluster(), sys::variable)), deadline, stop);
}

bool MemberAccess::by_socket() const {
  struct stat info{};
  return member().host.empty() || (!member().socket.empty() && ::stat(member().socket.c_str(), &info) == 0);
}

ClusterMembers::ClusterMembers(DatabaseCluster cluster)
    : cluster_(std::make_shared<const DatabaseCluster>(std::move(cluster))) {
  auto members = std::make_shared<std::vector<std::unique_ptr<MemberAccess>>>();
  for (const auto& member : cluster_->members)
    members->push_back(member.has_agent() ? host_member(cluster_, member) : external_member(cluster_, member));
  members_ = std::move(members);
}

MemberAccess* ClusterMembers::find(std::string_view name) const {
  for (const auto& one : *members_)
    if (one->member().name.str() == name) return one.get();
  return nullptr;
}

Result<std::vector<std::unique_ptr<engine::MemberControl>>> ClusterMembers::control(const std::stop_token& stop,
                                                                                    const CurrentEpoch& epoch) const {
  if (size() == 0) return fail(ErrorClass::usage, "config.invalid", cluster().full_name() + " has no members");
  // Before anybody is asked.
  for (const auto& one : *members_)
    if (!one->controllable()) return fail(no_agent_runs_it(one->member()));
  std::vector<Result<std::unique_ptr<engine::MemberControl>>> asked(size());
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < asked.size(); ++i)
      threads.emplace_back([&, i] { asked[i] = (*members_)[i]->control(stop, epoch); });
  }
  std::vector<std::unique_ptr<engine::MemberControl>> controls;
  for (auto& one : asked) controls.push_back(TRY(std::move(one)));
  return controls;
}

}  // namespace holdfast::provider
