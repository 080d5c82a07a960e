#include "agent/config.h"

#include <fmt/format.h>

#include "codec/json_values.h"
#include "sys/file.h"

namespace holdfast::agent {

using codec::json_at;
using codec::json_int;
using codec::json_string;

std::string MemberConfig::server_socket() const {
  if (engine == cluster::Engine::postgres) return fmt::format("{}/.s.PGSQL.{}", socket_dir, port);
  return socket_dir + "/server.sock";
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

Result<MemberConfig> read_config(const std::string& dir) {
  const std::string path = dir + "/agent.json";
  auto text = TRY(sys::read_file(path));
  auto parsed = codec::parse_json(as_text(text.span()));
  if (!parsed) return fail(std::move(parsed).error().with_context("reading " + path));
  const Json& json = *parsed;
  MemberConfig c;
  c.cluster = json_string(json, "cluster");
  c.ns = json_string(json, "namespace");
  c.member = json_string(json, "member");
  c.ordinal = static_cast<int>(json_int(json, "ordinal"));
  auto engine = cluster::parse_engine(json_string(json, "engine"));
  auto mode = cluster::parse_replication_mode(json_string(json, "replication"));
  if (!engine || !mode || c.member.empty())
    return fail(ErrorClass::failed, "agent.config", path + " is no agent configuration",
                "the lab writes it: `holdfast lab down` and `holdfast lab up` make it anew");
  c.engine = *engine;
  c.replication = *mode;
  c.role = json_string(json, "role") == "replica" ? Role::replica : Role::primary;
  c.dir = dir;
  c.socket_dir = json_string(json, "socketDir");
  c.host = json_string(json, "host", "127.0.0.1");
  c.port = static_cast<int>(json_int(json, "port"));
  c.group_port = static_cast<int>(json_int(json, "groupPort"));
  c.ist_port = static_cast<int>(json_int(json, "istPort"));
  c.sst_port = static_cast<int>(json_int(json, "sstPort"));
  c.uid = static_cast<uid_t>(json_int(json, "uid"));
  c.gid = static_cast<gid_t>(json_int(json, "gid"));
  c.server_id = static_cast<unsigned>(json_int(json, "serverId"));
  c.admin_user = json_string(json, "adminUser");
  c.admin_password_file = json_string(json, "adminPasswordFile");
  c.replication_user = json_string(json, "replicationUser");
  c.replication_password_file = json_string(json, "replicationPasswordFile");
  c.server_program = json_string(json, "serverProgram");
  c.upstream = json_string(json, "upstream");
  if (const Json& peers = json_at(json, "peers"); peers.is_array())
    for (const auto& peer : peers)
      c.peers.push_back(Peer{json_string(peer, "name"), json_string(peer, "host"), static_cast<int>(json_int(peer, "port")),
                             static_cast<int>(json_int(peer, "groupPort"))});
  return c;
}

Status write_config(const MemberConfig& c) {
  Json peers = Json::array();
  for (const auto& peer : c.peers)
    peers.push_back({{"name", peer.name}, {"host", peer.host}, {"port", peer.port}, {"groupPort", peer.group_port}});
  Json json = {{"cluster", c.cluster},
               {"namespace", c.ns},
               {"member", c.member},
               {"ordinal", c.ordinal},
               {"engine", cluster::engine_name(c.engine)},
               {"replication", cluster::replication_mode_name(c.replication)},
               {"role", c.role == Role::replica ? "replica" : "primary"},
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
               {"upstream", c.upstream},
               {"peers", peers}};
  return sys::publish_file(c.dir + "/agent.json", as_bytes(codec::print_json(json, true) + "\n"), 0600);
}

Result<std::string> read_password(const std::string& path) {
  auto text = sys::read_file(path);
  if (!text) return fail(std::move(text).error().with_context("reading a password"));
  std::string password(as_text(text->span()));
  password = password.substr(0, password.find_first_of("\r\n"));
  if (password.empty()) return fail(ErrorClass::refused, "agent.password", path + " holds no password");
  return password;
}

}  // namespace holdfast::agent
