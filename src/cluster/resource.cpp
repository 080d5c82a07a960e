#include "cluster/resource.h"

#include "codec/value.h"

namespace holdfast::cluster {

using codec::Value;

namespace {

Value map_value(const std::map<std::string, std::string>& values) {
  auto object = Value::object();
  for (const auto& [key, value] : values) object.set(key, value);
  return object;
}

Value member_value(const Member& m) {
  auto value = Value::object({{"name", m.name.str()}, {"ordinal", m.ordinal}, {"host", m.host}, {"port", m.port}});
  if (!m.aliases.empty()) value.set("aliases", Value::list_of(m.aliases));
  if (!m.socket.empty()) value.set("socket", m.socket);
  if (!m.data_dir.empty()) value.set("dataDir", m.data_dir);
  if (!m.agent_socket.empty()) value.set("agentSocket", m.agent_socket);
  if (!m.agent_address.empty()) value.set("agent", m.agent_address);
  return value;
}

}  // namespace

std::string print_cluster(const DatabaseCluster& c) {
  auto metadata = Value::object({{"name", c.name.str()}, {"namespace", c.ns}});
  if (!c.uid.empty()) metadata.set("uid", c.uid);
  if (!c.labels.empty()) metadata.set("labels", map_value(c.labels));
  if (!c.annotations.empty()) metadata.set("annotations", map_value(c.annotations));
  auto spec = Value::object({{"engine", engine_name(c.engine)},
                             {"provider", provider_name(c.provider)},
                             {"replication", Value::object({{"mode", replication_mode_name(c.replication)}})}});
  if (!c.credentials.user.empty()) {
    auto credentials = Value::object({{"user", c.credentials.user}});
    if (!c.credentials.password.file.empty()) credentials.set("passwordFile", c.credentials.password.file);
    if (!c.credentials.password.env.empty()) credentials.set("passwordEnv", c.credentials.password.env);
    spec.set("credentials", credentials);
  }
  if (c.tls.required) {
    auto tls = Value::object({{"required", true}});
    if (!c.tls.ca.empty()) tls.set("ca", c.tls.ca);
    spec.set("tls", tls);
  } else if (c.tls.plain_text) {
    spec.set("tls", Value::object({{"allowPlainText", true}}));
  }
  if (const auto& agents = c.agent_tls; !agents.ca.empty())
    spec.set("agents", Value::object({{"ca", agents.ca}, {"certificate", agents.certificate}, {"key", agents.key}}));
  Value members{Value::List()};
  for (const auto& member : c.members) members.push(member_value(member));
  spec.set("members", members);
  return codec::to_yaml(Value::object(
      {{"apiVersion", "holdfast.dev/v1alpha1"}, {"kind", "DatabaseCluster"}, {"metadata", metadata}, {"spec", spec}}));
}

}  // namespace holdfast::cluster
