#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <thread>

#include "lab/cluster_up.h"
#include "lab/host_certificates.h"
#include "lab/hosts.h"

namespace holdfast::lab {

namespace {

/// Third part of the hosts' addresses. Hosts that no agent lives on are of an earlier run, whole or not, and are made
/// anew.
Result<int> have_hosts(const Layout& layout, const HostNetwork& network, int hosts, Deadline deadline,
                       const std::stop_token& stop) {
  TRY_VOID(can_have_hosts());
  std::optional<int> wish;
  for (const auto& plan : cluster_plans())
    for (const auto& member : existing_members(layout, plan))
      if (auto subnet = subnet_of(member)) wish = subnet;
  if (!hosts_in_use(layout)) {
    TRY_VOID(network.remove(deadline, stop));
  } else if (!network.subnet()) {
    return fail(ErrorClass::refused, "lab.hosts_gone", "the hosts of the lab are gone, and agents live on",
                "holdfast lab down, then holdfast lab up");
  }
  const auto made = network.make(hosts, wish, deadline, stop);
  if (!made && !hosts_in_use(layout)) (void)network.remove(Deadline::in(std::chrono::seconds(20)), {});
  const int subnet = TRY(made);
  std::map<int, std::string> addresses;
  for (int host = 1; host <= hosts; ++host) addresses[host] = HostNetwork::address(subnet, host);
  TRY_VOID(make_host_certificates(layout, addresses));
  return subnet;
}

}  // namespace

Result<LabStatus> up(const Options& options, const std::vector<std::string>& clusters, Deadline deadline,
                     std::stop_token stop) {
  const Layout layout(options.state_dir);
  auto plans = TRY(select_clusters(clusters));
  if (options.hosts > 0) TRY_VOID(can_have_hosts());
  auto lock = TRY(lock_lab(layout, deadline, stop));
  int hosts = 0, subnet = 0;
  for (auto& plan : plans) {
    plan = TRY(placed(layout, plan, options.hosts));
    hosts = std::max(hosts, plan.hosts);
  }
  const HostNetwork network(layout);
  if (hosts > 0) subnet = TRY(have_hosts(layout, network, hosts, deadline, stop));
  std::mutex speaking;
  UpContext context{layout,
                    subnet,
                    own_program(options),
                    options.servers_survive,
                    [&](const std::string& line) {
                      std::lock_guard guard(speaking);
                      if (options.progress) options.progress(line);
                    },
                    deadline,
                    stop};
  // All at once: most of the time is spent waiting for disks and for servers to answer.
  std::vector<Status> results(plans.size());
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < plans.size(); ++i)
      threads.emplace_back(
          [&, i] { results[i] = bring_up(context, plans[i]).context("bringing up " + plans[i].name); });
  }
  std::string others;
  std::optional<Error> first;
  for (auto& result : results) {
    if (result) continue;
    if (first)
      others += "; " + result.error().to_string();
    else
      first = std::move(result).error();
  }
  if (first) {
    if (hosts > 0 && !hosts_in_use(layout)) (void)network.remove(Deadline::in(std::chrono::seconds(20)), {});
    first->message += others;
    return fail(std::move(*first));
  }
  return status(options);
}

}  // namespace holdfast::lab
