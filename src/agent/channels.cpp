#include "agent/channels.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "agent/copy.h"
#include "agent/server_files.h"
#include "codec/value.h"
#include "engine/stored/files.h"
#include "sys/file.h"

namespace holdfast::agent {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;

namespace {

constexpr seconds kBetween{10}, kAtMost{600};

std::string record_of(const MemberConfig& config) {
  return config.dir + "/channels.json";
}

/// Host, user, password and port stand in lines 4 to 7 of each connection's file.
struct MasterInfo {
  std::string host, user, port;
  Secret password;
};

std::vector<MasterInfo> master_infos(const MemberConfig& config) {
  const sys::ActAs as_server(server_identity(config));
  std::vector<MasterInfo> all;
  for (const auto& name : engine::stored::list_directory(config.data_dir()).names) {
    if (!name.starts_with("master") || !name.ends_with(".info")) continue;
    auto text = engine::stored::read_small(config.data_dir() + "/" + name, 64 << 10);
    if (!text) continue;
    std::vector<std::string_view> lines;
    for (size_t from = 0; lines.size() < 7 && from < text->size();) {
      const size_t end = std::min(text->find('\n', from), text->size());
      lines.push_back(std::string_view(*text).substr(from, end - from));
      from = end + 1;
    }
    lines.resize(7);
    all.push_back({std::string(lines[3]), std::string(lines[4]), std::string(lines[6]), Secret(lines[5])});
    wipe(*text);
  }
  return all;
}

/// MariaDB shows no passwords; its own files have them.
void fill_in_passwords(const MemberConfig& config, std::vector<engine::Channel>& channels) {
  if (channels.empty()) return;
  for (const auto& info : master_infos(config))
    for (auto& c : channels)
      if (c.host == info.host && c.user == info.user && std::to_string(c.port) == info.port) c.password = info.password;
}

/// A connection that is stopped shows nothing of what came over it before.
void keep_origins(engine::Channel& channel, const std::vector<engine::Channel>& known) {
  std::set<std::string> origins(channel.origins.begin(), channel.origins.end());
  for (const auto& before : known)
    if (before.name == channel.name && before.host == channel.host && before.port == channel.port)
      origins.insert(before.origins.begin(), before.origins.end());
  channel.origins.assign(origins.begin(), origins.end());
}

bool from_a_member(const MemberConfig& config, const engine::Channel& channel) {
  return std::ranges::any_of(config.peers,
                             [&](const Peer& peer) { return peer.host == channel.host && peer.port == channel.port; });
}

}  // namespace

std::vector<engine::Channel> noted_channels(const MemberConfig& config) {
  std::vector<engine::Channel> channels;
  const auto text = sys::read_file(record_of(config));
  const auto record = text ? codec::parse_value(as_text(text->span())) : Result<Value>(Value());
  if (record)
    for (const auto& one : (*record)["channels"].items()) channels.push_back(engine::channel_from(one));
  return channels;
}

Status note_channels(const MemberConfig& config, Deadline deadline, std::stop_token stop) {
  if (config.engine == Engine::postgres) return {};
  auto channels =
      TRY(engine::read_channels(config.engine, TRY(detail::admin_target(config)), deadline, std::move(stop)));
  if (config.engine != Engine::mysql) fill_in_passwords(config, channels);
  const auto known = noted_channels(config);
  for (auto& channel : channels) keep_origins(channel, known);
  // One that is gone may have been taken away by mistake: it is needed to follow a member as before.
  const auto of_a_member = [&](const engine::Channel& c) { return from_a_member(config, c); };
  if (std::ranges::none_of(channels, of_a_member))
    for (const auto& before : known)
      if (of_a_member(before) && std::ranges::find(channels, before.name, &engine::Channel::name) == channels.end())
        channels.push_back(before);
  Value list{Value::List()};
  for (const auto& channel : channels) list.push(engine::channel_value(channel));
  Secret body(codec::to_json(Value::object({{"channels", list}})) + "\n");
  const auto before = sys::read_file(record_of(config));
  if (before ? as_text(before->span()) == body.reveal() : channels.empty()) return {};
  return sys::publish_file(record_of(config), as_bytes(body.reveal()), 0600);
}

Value followed_value(const MemberConfig& config) {
  std::string followed;
  std::set<std::string> foreign;
  const Peer* upstream = config.find_peer(config.upstream);
  for (const auto& c : noted_channels(config)) {
    const bool wanted = upstream && upstream->host == c.host && upstream->port == c.port;
    if (!from_a_member(config, c)) {
      if (!c.name.empty()) foreign.insert(c.origins.begin(), c.origins.end());
    } else if (followed.empty() || wanted) {
      followed = fmt::format("{}:{}", c.host, c.port);
    }
  }
  return Value::object({{"followed", followed}, {"foreignOrigins", Value::list_of(foreign)}});
}

void ChannelWatch::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void ChannelWatch::run(const std::stop_token& stop) {
  seconds pause = kBetween;
  while (!stop.stop_requested()) {
    if (const auto config = serving_()) {
      // What a server that hangs is asked stays with it, and keeps one of its connections.
      const auto noted = note_channels(*config, Deadline::in(seconds(5)), stop);
      pause = noted ? kBetween : std::min(pause * 4, kAtMost);
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, pause, [] { return false; });
  }
}

}  // namespace holdfast::agent
