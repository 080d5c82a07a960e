#include "provider/last_comparison.h"

#include "codec/value.h"
#include "sys/file.h"

namespace holdfast::provider {
namespace {

std::string path_of(const std::string& state_dir, const cluster::DatabaseCluster& cluster, const char* extension) {
  return state_dir + "/compare/" + cluster.ns + "." + cluster.name.str() + extension;
}

}  // namespace

std::optional<cluster::Comparison> load_comparison(const std::string& state_dir,
                                                   const cluster::DatabaseCluster& cluster) {
  const auto text = sys::read_file(path_of(state_dir, cluster, ".json"));
  if (!text) return std::nullopt;
  const auto document = codec::parse_value(as_text(text->span()));
  if (!document) return std::nullopt;
  auto comparison = cluster::parse_comparison(*document);
  if (!comparison) return std::nullopt;
  return std::move(*comparison);
}

Status save_comparison(const std::string& state_dir, const cluster::DatabaseCluster& cluster,
                       const cluster::Comparison& comparison) {
  TRY_VOID(sys::make_directories(state_dir + "/compare"));
  const std::string text = codec::to_json(cluster::comparison_value(comparison), 2) + "\n";
  return sys::publish_file(path_of(state_dir, cluster, ".json"), as_bytes(text), 0600);
}

std::string comparison_progress_file(const std::string& state_dir, const cluster::DatabaseCluster& cluster) {
  return path_of(state_dir, cluster, ".progress");
}

}  // namespace holdfast::provider
