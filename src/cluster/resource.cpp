#include "cluster/resource.h"

#include <fmt/format.h>

#include "codec/json_values.h"

namespace holdfast::cluster {

namespace {
/// A JSON string is a YAML double-quoted scalar.
std::string quoted(const std::string& text) { return codec::print_json(Json(text)); }
}  // namespace

std::string print_cluster(const DatabaseCluster& c) {
  std::string text = fmt::format("apiVersion: holdfast.dev/v1alpha1\nkind: DatabaseCluster\nmetadata:\n  name: {}\n  namespace: {}\n",
                                 quoted(c.name.str()), quoted(c.ns));
  auto map = [&](const char* name, const std::map<std::string, std::string>& values) {
    if (values.empty()) return;
    text += fmt::format("  {}:\n", name);
    for (const auto& [key, value] : values) text += fmt::format("    {}: {}\n", quoted(key), quoted(value));
  };
  map("labels", c.labels);
  map("annotations", c.annotations);
  text += fmt::format("spec:\n  engine: {}\n  provider: {}\n  replication:\n    mode: {}\n", engine_name(c.engine),
                      provider_name(c.provider), replication_mode_name(c.replication));
  if (!c.credentials.user.empty()) {
    text += fmt::format("  credentials:\n    user: {}\n", quoted(c.credentials.user));
    if (!c.credentials.password.file.empty()) text += fmt::format("    passwordFile: {}\n", quoted(c.credentials.password.file));
    if (!c.credentials.password.env.empty()) text += fmt::format("    passwordEnv: {}\n", quoted(c.credentials.password.env));
  }
  if (c.tls.required) {
    text += "  tls:\n    required: true\n";
    if (!c.tls.ca.empty()) text += fmt::format("    ca: {}\n", quoted(c.tls.ca));
  }
  text += "  members:\n";
  for (const auto& m : c.members) {
    text += fmt::format("    - name: {}\n      ordinal: {}\n      host: {}\n      port: {}\n", quoted(m.name.str()), m.ordinal,
                        quoted(m.host), m.port);
    if (!m.socket.empty()) text += fmt::format("      socket: {}\n", quoted(m.socket));
    if (!m.data_dir.empty()) text += fmt::format("      dataDir: {}\n", quoted(m.data_dir));
    if (!m.agent_socket.empty()) text += fmt::format("      agentSocket: {}\n", quoted(m.agent_socket));
  }
  return text;
}

}  // namespace holdfast::cluster
