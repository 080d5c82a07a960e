#include "agent/channels.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "agent/copy.h"
#include "agent/peers.h"
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
    if (before.name == channel.name && before.host == channel.host && before.port == channel.port) {
      origins.insert(before.origins.begin(), before.origins.end());
      if (channel.source_uuid.empty()) channel.source_uuid = before.source_uuid;
    }
  channel.origins.assign(origins.begin(), origins.end());
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
  const auto is_there = [&](const engine::Channel& c) {
    return std::ranges::find(channels, c.name, &engine::Channel::name) != channels.end();
  };
  if (!std::ranges::all_of(known, is_there)) {
    auto all = channels;
    all.insert(all.end(), known.begin(), known.end());
    const PeerSources sources(config, all);
    const auto of_a_member = [&](const engine::Channel& c) { return sources.peer(c) != nullptr; };
    const auto may_be = [&](const engine::Channel& c) { return channels.empty() && sources.source(c).unknown(); };
    if (std::ranges::none_of(channels, of_a_member))
      for (const auto& before : known)
        if (!is_there(before) && (of_a_member(before) || may_be(before))) channels.push_back(before);
  }
  Value list{Value::List()};
  for (const auto& channel : channels) list.push(engine::channel_value(channel));
  Secret body(codec::to_json(Value::object({{"channels", list}})) + "\n");
  const auto before = sys::read_file(record_of(config));
  if (before ? as_text(before->span()) == body.reveal() : channels.empty()) return {};
  return sys::publish_file(record_of(config), as_bytes(body.reveal()), 0600);
}

Value noted_value(const MemberConfig& config) {
  Value list{Value::List()};
  for (const auto& c : noted_channels(config))
    list.push(Value::object({{"channel", c.name},
                             {"upstream", fmt::format("{}:{}", c.host, c.port)},
                             {"sourceUuid", c.source_uuid},
                             {"origins", Value::list_of(c.origins)}}));
  return list;
}

std::vector<cluster::Following> noted_from(const Value& list) {
  std::vector<cluster::Following> noted;
  for (const auto& one : list.items()) {
    cluster::Following f;
    f.channel = one["channel"].text();
    f.upstream = one["upstream"].text();
    f.source_uuid = one["sourceUuid"].text();
    for (const auto& origin : one["origins"].items()) f.origins.push_back(origin.text());
    noted.push_back(std::move(f));
  }
  return noted;
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
