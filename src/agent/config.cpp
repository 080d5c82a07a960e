#include "agent/config.h"

#include <fmt/format.h>

#include <algorithm>

#include "codec/value.h"
#include "sys/file.h"
#include "sys/secret_file.h"

namespace holdfast::agent {

namespace {

codec::Value existing_value(const std::optional<Existing>& e) {
  if (!e) return {};
  codec::Value groups{codec::Value::List()};
  for (const gid_t group : e->groups) groups.push(static_cast<int64_t>(group));
  return codec::Value::object({{"dataDir", e->data_dir},
                               {"groups", groups},
                               {"socket", e->socket},
                               {"pidFile", e->pid_file},
                               {"logFile", e->log_file},
                               {"unit", e->unit},
                               {"triggers", codec::Value::list_of(e->triggers)},
                               {"dropIn", e->drop_in},
                               {"unitDropIn", e->unit_drop_in},
                               {"groupSuffix", e->group_suffix},
                               {"arguments", codec::Value::list_of(e->arguments)},
                               {"timeZone", e->time_zone},
                               {"elsewhere", codec::Value::list_of(e->elsewhere)},
                               {"walDir", e->wal_dir},
                               {"binlogBase", e->binlog_base},
                               {"relayBase", e->relay_base},
                               {"besideIsServers", e->beside_is_servers},
                               {"findsPosition", e->finds_position}});
}

std::optional<Existing> existing_from(const codec::Value& v) {
  if (!v.is_object()) return std::nullopt;
  Existing e;
  e.data_dir = v["dataDir"].text();
  e.socket = v["socket"].text();
  e.pid_file = v["pidFile"].text();
  e.log_file = v["logFile"].text();
  e.unit = v["unit"].text();
  for (const auto& one : v["triggers"].items()) e.triggers.push_back(one.text());
  e.drop_in = v["dropIn"].text();
  e.unit_drop_in = v["unitDropIn"].text();
  e.group_suffix = v["groupSuffix"].text();
  for (const auto& one : v["arguments"].items()) e.arguments.push_back(one.text());
  e.time_zone = v["timeZone"].text();
  e.wal_dir = v["walDir"].text();
  e.binlog_base = v["binlogBase"].text();
  e.relay_base = v["relayBase"].text();
  for (const auto& one : v["groups"].items()) e.groups.push_back(static_cast<gid_t>(one.integer()));
  for (const auto& one : v["elsewhere"].items()) e.elsewhere.push_back(one.text());
  e.beside_is_servers = v["besideIsServers"].boolean();
  e.finds_position = v["findsPosition"].boolean();
  return e;
}

}  // namespace

std::string MemberConfig::beside(std::string_view suffix) const {
  return (existing ? existing->data_dir : dir + "/data") + std::string(suffix);
}

std::string MemberConfig::data_home() const {
  return existing ? existing->data_dir.substr(0, std::max<size_t>(1, existing->data_dir.rfind('/'))) : dir;
}

std::string MemberConfig::log_file() const {
  if (existing && work.empty() && !apart) return existing->log_file;
  return fmt::format("{}/log/{}.log", dir, work.empty() ? "server" : work);
}

std::string MemberConfig::pid_file() const {
  if (existing && work.empty() && !apart) return existing->pid_file;
  // Under the same name: MariaDB calls its logs after it where the configuration does not say how.
  if (existing) return tmp_dir() + existing->pid_file.substr(existing->pid_file.rfind('/'));
  return fmt::format("{}/log/{}.pid", dir, work.empty() ? "server" : work);
}

std::string MemberConfig::server_socket() const {
  if (existing && work.empty()) return existing->socket;
  if (engine == cluster::Engine::postgres) return fmt::format("{}/.s.PGSQL.{}", socket_dir, port);
  return socket_dir + (work.empty() ? "/server.sock" : "/" + work + ".sock");
}

std::string MemberConfig::slot_name() const {
  std::string name = member;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

const Peer* MemberConfig::find_peer(const std::string& name) const {
  for (const auto& peer : peers)
    if (peer.name == name) return &peer;
  return nullptr;
}

codec::Value peers_value(const std::vector<Peer>& peers) {
  codec::Value list{codec::Value::List()};
  for (const auto& peer : peers)
    list.push(codec::Value::object({{"name", peer.name},
                                    {"host", peer.host},
                                    {"port", peer.port},
                                    {"groupPort", peer.group_port},
                                    {"agent", peer.agent}}));
  return list;
}

std::vector<Peer> peers_from(const codec::Value& list) {
  std::vector<Peer> peers;
  for (const auto& peer : list.items())
    peers.push_back(Peer{peer["name"].text(), peer["host"].text(), static_cast<int>(peer["port"].integer()),
                         static_cast<int>(peer["groupPort"].integer()), peer["agent"].text()});
  return peers;
}

Result<MemberConfig> read_config(const std::string& dir) {
  const std::string path = dir + "/agent.json";
  auto text = TRY(sys::read_file(path));
  auto parsed = codec::parse_value(as_text(text.span()));
  if (!parsed) return fail(std::move(parsed).error().with_context("reading " + path));
  const codec::Value& json = *parsed;
  auto text_of = [&json](std::string_view key) { return json[key].text(); };
  auto number_of = [&json](std::string_view key) { return json[key].integer(); };
  MemberConfig c;
  c.cluster = text_of("cluster");
  c.ns = text_of("namespace");
  c.member = text_of("member");
  c.ordinal = static_cast<int>(number_of("ordinal"));
  auto engine = cluster::parse_engine(text_of("engine"));
  auto mode = cluster::parse_replication_mode(text_of("replication"));
  if (!engine || !mode || c.member.empty())
    return fail(ErrorClass::failed, "agent.config", path + " is not an agent configuration",
                "of a lab: `holdfast lab down` and `holdfast lab up`; else: `holdfast agent adopt`");
  c.engine = *engine;
  c.replication = *mode;
  // Only the word primary, durably written, makes a primary: anything else starts read-only.
  c.role = text_of("role") == "primary" ? Role::primary : Role::replica;
  c.server_survives = json["serverSurvives"].boolean();
  c.dir = dir;
  c.socket_dir = text_of("socketDir");
  c.host = json["host"].text_or("127.0.0.1");
  c.port = static_cast<int>(number_of("port"));
  c.group_port = static_cast<int>(number_of("groupPort"));
  c.ist_port = static_cast<int>(number_of("istPort"));
  c.sst_port = static_cast<int>(number_of("sstPort"));
  c.uid = static_cast<uid_t>(number_of("uid"));
  c.gid = static_cast<gid_t>(number_of("gid"));
  c.server_id = static_cast<unsigned>(number_of("serverId"));
  c.admin_user = text_of("adminUser");
  c.admin_password_file = text_of("adminPasswordFile");
  c.replication_user = text_of("replicationUser");
  c.replication_password_file = text_of("replicationPasswordFile");
  c.server_program = text_of("serverProgram");
  c.listen = text_of("listen");
  c.tls_ca = text_of("tlsCa");
  c.tls_certificate = text_of("tlsCertificate");
  c.tls_key = text_of("tlsKey");
  c.net_namespace = text_of("netNamespace");
  c.plain_text = json["allowPlainText"].boolean();
  c.upstream = text_of("upstream");
  c.peers = peers_from(json["peers"]);
  c.existing = existing_from(json["existing"]);
  return c;
}

Status write_config(const MemberConfig& c) {
  codec::Value json = codec::Value::object({{"cluster", c.cluster},
                                            {"namespace", c.ns},
                                            {"member", c.member},
                                            {"ordinal", c.ordinal},
                                            {"engine", cluster::engine_name(c.engine)},
                                            {"replication", cluster::replication_mode_name(c.replication)},
                                            {"role", c.role == Role::replica ? "replica" : "primary"},
                                            {"serverSurvives", c.server_survives},
                                            {"socketDir", c.socket_dir},
                                            {"host", c.host},
                                            {"port", c.port},
                                            {"groupPort", c.group_port},
                                            {"istPort", c.ist_port},
                                            {"sstPort", c.sst_port},
                                            {"uid", c.uid},
                                            {"gid", c.gid},
                                            {"serverId", c.server_id},
                                            {"adminUser", c.admin_user},
                                            {"adminPasswordFile", c.admin_password_file},
                                            {"replicationUser", c.replication_user},
                                            {"replicationPasswordFile", c.replication_password_file},
                                            {"serverProgram", c.server_program},
                                            {"listen", c.listen},
                                            {"tlsCa", c.tls_ca},
                                            {"tlsCertificate", c.tls_certificate},
                                            {"tlsKey", c.tls_key},
                                            {"netNamespace", c.net_namespace},
                                            {"allowPlainText", c.plain_text},
                                            {"upstream", c.upstream},
                                            {"peers", peers_value(c.peers)}});
  if (c.existing) json.set("existing", existing_value(c.existing));
  return sys::publish_file(c.dir + "/agent.json", as_bytes(codec::to_json(json, 2) + "\n"), 0600);
}

Result<Secret> read_password(const std::string& path) {
  auto password = TRY(sys::read_password_file(path).context("reading a password"));
  if (password.empty()) return fail(ErrorClass::refused, "agent.password", path + " holds no password");
  return password;
}

Result<Secret> admin_password(const MemberConfig& config) {
  if (config.admin_password_file.empty()) return Secret();
  return read_password(config.admin_password_file);
}

}  // namespace holdfast::agent
