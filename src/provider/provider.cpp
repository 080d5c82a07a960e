#include "provider/provider.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "cluster/resource.h"
#include "engine/login.h"
#include "provider/last_comparison.h"
#include "provider/member_access.h"
#include "sys/environment.h"
#include "sys/file.h"

namespace holdfast::provider {

namespace fs = std::filesystem;
using cluster::DatabaseCluster;

namespace {

Status load_file(const std::string& path, std::vector<DatabaseCluster>& into) {
  auto text = sys::read_file(path);
  if (!text) return fail(std::move(text).error().with_context("reading configuration"));
  auto parsed = cluster::parse_clusters(as_text(text->span()), fs::absolute(path).parent_path().string());
  if (!parsed) return fail(std::move(parsed).error().with_context(path));
  for (auto& cluster : *parsed) into.push_back(std::move(cluster));
  return {};
}

Status load_path(const std::string& path, std::vector<DatabaseCluster>& into) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return load_file(path, into);
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    auto extension = entry.path().extension();
    if (extension == ".yaml" || extension == ".yml") files.push_back(entry.path().string());
  }
  if (error) return fail(sys::errno_error(error.value(), "reading " + path));
  std::sort(files.begin(), files.end());
  for (const auto& file : files) TRY_VOID(load_file(file, into));
  return {};
}

std::string names(const std::vector<DatabaseCluster>& clusters) {
  std::string result;
  for (const auto& cluster : clusters) result += (result.empty() ? "" : ", ") + cluster.full_name();
  return result;
}

}  // namespace

Result<std::vector<DatabaseCluster>> load_clusters(const std::vector<std::string>& paths,
                                                   const std::string& state_dir) {
  std::vector<DatabaseCluster> clusters;
  std::error_code error;
  for (const auto& path : paths) {
    if (!fs::exists(path, error))
      return fail(ErrorClass::usage, "config.not_found", "there is no configuration at " + path,
                  "check --config and $HOLDFAST_CONFIG");
    TRY_VOID(load_path(path, clusters));
  }
  for (size_t i = 0; i < clusters.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      if (clusters[i].full_name() == clusters[k].full_name())
        return fail(ErrorClass::usage, "config.duplicate",
                    "the cluster " + clusters[i].full_name() + " is described twice",
                    "of the files that --config and $HOLDFAST_CONFIG name, leave one out");
  for (size_t i = 0; i < clusters.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      if (!clusters[i].uid.empty() && clusters[i].uid == clusters[k].uid)
        return fail(
            ErrorClass::usage, "config.duplicate",
            fmt::format("{} and {} have the same metadata.uid: operations of one would be taken for the other's",
                        clusters[k].full_name(), clusters[i].full_name()),
            "each cluster has a uid of its own, or none");
  const std::string lab = state_dir + "/clusters";
  std::vector<DatabaseCluster> own;
  if (fs::is_directory(lab, error)) TRY_VOID(load_path(lab, own));
  for (auto& cluster : own) {
    bool known = std::any_of(clusters.begin(), clusters.end(),
                             [&](const auto& c) { return c.full_name() == cluster.full_name(); });
    if (!known) clusters.push_back(std::move(cluster));
  }
  for (auto& cluster : clusters) cluster.compared = load_comparison(state_dir, cluster);
  return clusters;
}

std::vector<DatabaseCluster> select(const std::vector<DatabaseCluster>& clusters, const Selection& selection) {
  std::vector<DatabaseCluster> result;
  for (const auto& cluster : clusters) {
    if (!selection.engine.empty() && cluster::engine_name(cluster.engine) != selection.engine) continue;
    if (!selection.ns.empty() && cluster.ns != selection.ns) continue;
    if (!selection.name.empty() && cluster.name.str() != selection.name && cluster.full_name() != selection.name)
      continue;
    result.push_back(cluster);
  }
  return result;
}

Result<DatabaseCluster> select_one(const std::vector<DatabaseCluster>& clusters, const Selection& selection) {
  auto found = select(clusters, selection);
  if (found.size() == 1) return std::move(found[0]);
  if (clusters.empty())
    return fail(
        ErrorClass::usage, "cluster.not_found", "no cluster is known here",
        "`holdfast lab up` starts some; --config names a file with yours, `holdfast cluster discover` writes one");
  if (found.empty())
    return fail(ErrorClass::usage, "cluster.not_found", fmt::format("no cluster matches {}", selection.name),
                "known: " + names(clusters));
  return fail(ErrorClass::usage, "cluster.ambiguous", "several clusters match: " + names(found),
              "name one with -c (and -n)");
}

Result<sql::Target> client_target_of(const DatabaseCluster& cluster, const cluster::Member& member) {
  const engine::Login login = TRY(engine::cluster_login(cluster, sys::variable));
  return engine::member_target(cluster, member, login);
}

Result<engine::TargetOf> targets_of(const DatabaseCluster& cluster, const engine::EnvironmentLookup& env) {
  const auto login = std::make_shared<const engine::Login>(TRY(engine::cluster_login(cluster, env)));
  return [members = ClusterMembers(cluster), login](const cluster::Member& member, Deadline deadline,
                                                    const std::stop_token& stop) -> Result<sql::Target> {
    auto* access = members.find(member.name.str());
    if (!access)
      return fail(ErrorClass::usage, "engine.no_member",
                  fmt::format("{} has no member {}", members.cluster().full_name(), member.name.str()),
                  "holdfast get status -c " + members.cluster().full_name());
    return access->sql_as(*login, deadline, stop);
  };
}

}  // namespace holdfast::provider
