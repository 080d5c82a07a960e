#include "cli/cluster_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cli/suggest.h"
#include "cluster/resource.h"
#include "engine/members.h"
#include "lab/lab.h"
#include "sys/file.h"

namespace holdfast::cli {

namespace fs = std::filesystem;
using cluster::DatabaseCluster;

namespace {

Status read_file_into(const std::string& path, std::vector<DatabaseCluster>& clusters) {
  auto text = sys::read_file(path);
  if (!text) return fail(ErrorClass::usage, "config.unreadable", text.error().message, "see --config and HOLDFAST_CONFIG");
  auto found = TRY(cluster::parse_clusters(as_text(*text), fs::absolute(path).parent_path().string()).context(path));
  for (auto& item : found) {
    const bool known = std::ranges::any_of(clusters, [&](const DatabaseCluster& other) { return other.full_name() == item.full_name(); });
    if (!known) clusters.push_back(std::move(item));
  }
  return {};
}

Status read_folder_into(const std::string& folder, std::vector<DatabaseCluster>& clusters) {
  std::error_code error;
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".yaml" || extension == ".yml") files.push_back(entry.path().string());
  }
  if (error) return fail(sys::errno_error(error.value(), "read " + folder));
  std::ranges::sort(files);
  for (const auto& file : files) TRY_VOID(read_file_into(file, clusters));
  return {};
}

}  // namespace

Result<std::vector<DatabaseCluster>> known_clusters(Context& context) {
  std::vector<DatabaseCluster> clusters;
  std::error_code ignored;
  for (const auto& path : context.options.list("config")) {
    TRY_VOID(fs::is_directory(path, ignored) ? read_folder_into(path, clusters) : read_file_into(path, clusters));
  }
  std::string state = context.options.text("state-dir");
  if (state.empty()) state = lab::default_state_dir();
  if (fs::is_directory(state + "/clusters", ignored)) TRY_VOID(read_folder_into(state + "/clusters", clusters));
  return clusters;
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
  if (selector.cluster.empty()) return fail(ErrorClass::usage, "cli.no_cluster", "no cluster is named", "name it with -c NAME");
  auto clusters = TRY(known_clusters(context));
  std::vector<std::string> names;
  std::vector<DatabaseCluster> fits;
  for (auto& item : clusters) {
    names.push_back(item.name.str());
    if (selector.matches(item.name.str(), item.ns, cluster::engine_name(item.engine))) fits.push_back(std::move(item));
  }
  if (fits.size() == 1) return std::move(fits[0]);
  if (fits.size() > 1) {
    return fail(ErrorClass::usage, "cli.ambiguous_cluster", fmt::format("{} clusters are called {}", fits.size(), selector.cluster),
                "add -n NAMESPACE");
  }
  std::string hint = "describe it in a DatabaseCluster file and give --config FILE";
  if (auto near = nearest(selector.cluster, names); !near.empty()) hint = "did you mean: -c " + near;
  else if (!names.empty()) hint = fmt::format("known are: {}", fmt::join(names, ", "));
  return fail(ErrorClass::usage, "cli.no_cluster", fmt::format("no cluster {} is known", selector.cluster), hint);
}

Result<Secret> password_of(const Context& context, const DatabaseCluster& cluster) {
  return engine::cluster_password(cluster, [&](const std::string& name) { return context.env.get(name); });
}

}  // namespace holdfast::cli
