#include "cli/cluster_options.h"

#include <fmt/format.h>

#include "cli/suggest.h"
#include "lab/lab.h"
#include "operation/file_store.h"
#include "provider/provider.h"

namespace holdfast::cli {

using cluster::DatabaseCluster;

std::string state_dir_of(const Context& context) {
  const std::string named = context.options.text("state-dir");
  return named.empty() ? lab::default_state_dir() : named;
}

std::shared_ptr<operation::OperationStore> operation_store(const Context& context) {
  return std::make_shared<operation::FileOperationStore>(state_dir_of(context));
}

Result<std::vector<DatabaseCluster>> known_clusters(Context& context) {
  return provider::load_clusters(context.options.list("config"), state_dir_of(context));
}

ClusterSelector cluster_selector(const Options& options) {
  ClusterSelector selector{options.text("cluster"), options.text("namespace"), options.text("engine")};
  const auto slash = selector.cluster.find('/');
  if (slash != std::string::npos) {
    selector.ns = selector.cluster.substr(0, slash);
    selector.cluster.erase(0, slash + 1);
  }
  return selector;
}

Result<DatabaseCluster> selected_cluster(Context& context) {
  const ClusterSelector selector = cluster_selector(context.options);
  if (selector.cluster.empty())
    return fail(ErrorClass::usage, "cli.no_cluster", "no cluster is named", "name it with -c NAME");
  auto clusters = TRY(known_clusters(context));
  std::vector<std::string> names;
  std::vector<DatabaseCluster> fits;
  for (auto& item : clusters) {
    names.push_back(item.name.str());
    if (selector.matches(item.name.str(), item.ns, cluster::engine_name(item.engine))) fits.push_back(std::move(item));
  }
  if (fits.size() == 1) return std::move(fits[0]);
  if (fits.size() > 1) {
    return fail(ErrorClass::usage, "cli.ambiguous_cluster",
                fmt::format("{} clusters are called {}", fits.size(), selector.cluster), "add -n NAMESPACE");
  }
  std::string hint = "give --config FILE; `holdfast cluster discover` writes one";
  if (auto near = nearest(selector.cluster, names); !near.empty())
    hint = "did you mean: -c " + near;
  else if (!names.empty())
    hint = fmt::format("known are: {}", fmt::join(names, ", "));
  return fail(ErrorClass::usage, "cli.no_cluster", fmt::format("no cluster {} is known", selector.cluster), hint);
}

Result<engine::TargetOf> targets_of(const Context& context, const DatabaseCluster& cluster) {
  return provider::targets_of(cluster, [&](const std::string& name) { return context.env.get(name); });
}

}  // namespace holdfast::cli
