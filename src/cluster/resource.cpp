#include "cluster/resource.h"

#include <fmt/format.h>

#include "codec/value.h"

namespace holdfast::cluster {

using codec::Value;

namespace {

Value map_value(const std::map<std::string, std::string>& values) {
  auto object = Value::object();
  for (const auto& [key, value] : values) object.set(key, value);
  return object;
}

Value member_value(const Member& m, Engine engine) {
  auto value = Value::object({{"name", m.name.str()}, {"ordinal", m.ordinal}});
  if (!m.host.empty()) value.set("host", m.host);
  if (!m.host.empty() || m.port != default_port(engine)) value.set("port", m.port);
  if (!m.aliases.empty()) value.set("aliases", Value::list_of(m.aliases));
  if (!m.socket.empty()) value.set("socket", m.socket);
  if (!m.data_dir.empty()) value.set("dataDir", m.data_dir);
  if (!m.agent_socket.empty()) value.set("agentSocket", m.agent_socket);
  if (!m.agent_address.empty()) value.set("agent", m.agent_address);
  return value;
}

}  // namespace

codec::Value cluster_value(const DatabaseCluster& c) {
  auto metadata = Value::object({{"name", c.name.str()}, {"namespace", c.ns}});
  if (!c.uid.empty()) metadata.set("uid", c.uid);
  if (!c.labels.empty()) metadata.set("labels", map_value(c.labels));
  if (!c.annotations.empty()) metadata.set("annotations", map_value(c.annotations));
  auto spec = Value::object({{"engine", engine_name(c.engine)},
                             {"provider", provider_name(c.provider)},
                             {"replication", Value::object({{"mode", replication_mode_name(c.replication)}})}});
  auto credentials = Value::object();
  const auto say = [&](const char* key, const std::string& value) {
    if (!value.empty()) credentials.set(key, value);
  };
  say("user", c.credentials.user);
  say("passwordFile", c.credentials.password.file);
  say("passwordEnv", c.credentials.password.env);
  say("optionFile", c.credentials.option_file);
  say("pgpassFile", c.credentials.pgpass_file);
  if (!credentials.members().empty()) spec.set("credentials", credentials);
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
  for (const auto& member : c.members) members.push(member_value(member, c.engine));
  if (!c.lineage.empty()) spec.set("lineage", c.lineage);
  spec.set("members", members);
  return Value::object(
      {{"apiVersion", "holdfast.dev/v1alpha1"}, {"kind", "DatabaseCluster"}, {"metadata", metadata}, {"spec", spec}});
}

std::string print_cluster(const DatabaseCluster& cluster) {
  return codec::to_yaml(cluster_value(cluster));
}

std::string usual_socket(Engine engine) {
  return engine == Engine::postgres ? "/run/postgresql/.s.PGSQL.5432" : "/run/mysqld/mysqld.sock";
}

std::string example_cluster(Engine engine, ExamplePlace place) {
  constexpr std::string_view kHead =
      "apiVersion: holdfast.dev/v1alpha1\nkind: DatabaseCluster\nmetadata: {name: orders, namespace: shop}\nspec:\n";
  std::string text = fmt::format("{}  engine: {}\n", kHead, engine_name(engine));
  if (place == ExamplePlace::this_machine)
    return text + fmt::format("  members:\n    - {{name: orders-0, socket: {}}}\n", usual_socket(engine));
  text +=
      "  credentials: {user: holdfast, passwordFile: /etc/holdfast/orders.password}\n"
      "  tls: {required: true, ca: /etc/holdfast/orders-ca.pem}\n"
      "  members:\n";
  for (int i = 0; i < 2; ++i)
    text += fmt::format("    - {{name: orders-{}, host: 10.0.0.{}, port: {}}}\n", i, 5 + i, default_port(engine));
  return text;
}

}  // namespace holdfast::cluster
