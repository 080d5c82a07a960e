#include "repair/channels.h"

#include <algorithm>

#include "cluster/roles.h"

namespace holdfast::repair {

namespace {

bool has_channels(Engine engine) {
  return engine == Engine::mariadb || engine == Engine::mysql;
}

std::string wanted_source(const engine::MemberSetup& setup) {
  return fmt::format("{}:{}", setup.upstream_host, setup.upstream_port);
}

std::optional<size_t> own_of(const Members& members, const engine::MemberSetup& setup,
                             const std::vector<engine::Channel>& channels) {
  std::vector<cluster::Following> streams(channels.size());
  for (size_t i = 0; i < channels.size(); ++i) {
    streams[i].upstream = fmt::format("{}:{}", channels[i].host, channels[i].port);
    streams[i].channel = channels[i].name;
    streams[i].receiving = channels[i].receiving;
    streams[i].applying = channels[i].applying;
  }
  return cluster::own_stream(members.cluster, setup.name, streams, wanted_source(setup));
}

/// As it was, from another source. The agent's account where it was that one; another one keeps its password, where
/// that is known.
engine::Channel onto(engine::Channel channel, Engine engine, const engine::Source& source) {
  channel.host = source.host;
  channel.port = source.port;
  if (channel.user == source.user || channel.password.empty() || source.renew) {
    channel.user = source.user;
    channel.password = source.password;
  }
  if (channel.by_gtid) return channel;
  channel.by_gtid = true;  // a copy's position is one of GTIDs
  channel.options[engine == Engine::mysql ? "SOURCE_AUTO_POSITION" : "MASTER_USE_GTID"] =
      engine == Engine::mysql ? "1" : "slave_pos";
  return channel;
}

}  // namespace

Result<std::string> own_channel(const Members& members, engine::MemberControl& control, const std::stop_token& stop) {
  if (!has_channels(members.cluster.engine)) return "";
  const auto states = TRY(engine::stream_states(members.cluster.engine, control.setup().socket, soon(), stop));
  std::vector<engine::Channel> channels(states.size());
  for (size_t i = 0; i < states.size(); ++i) {
    channels[i].name = states[i].channel;
    channels[i].host = states[i].host;
    channels[i].port = states[i].port;
    channels[i].receiving = states[i].receiving;
    channels[i].applying = states[i].applying;
  }
  if (const auto own = own_of(members, control.setup(), channels)) return channels[*own].name;
  // The name it had, unless another connection has that now.
  const auto noted = TRY(control.noted_channels());
  const auto before = own_of(members, control.setup(), noted);
  const auto taken = [&](const engine::Channel& c) { return c.name == noted[*before].name; };
  return before && std::ranges::none_of(channels, taken) ? noted[*before].name : "";
}

Result<std::set<std::string>> foreign_origins(const Members& members, engine::MemberControl& control,
                                              const std::stop_token& stop) {
  std::set<std::string> origins;
  if (!has_channels(members.cluster.engine)) return origins;
  auto channels = TRY(engine::read_channels(members.cluster.engine, control.setup().socket, soon(), stop));
  for (auto& noted : TRY(control.noted_channels())) channels.push_back(std::move(noted));
  for (const auto& c : channels)
    if (!c.name.empty() && !cluster::member_at(members.cluster, fmt::format("{}:{}", c.host, c.port)))
      origins.insert(c.origins.begin(), c.origins.end());
  return origins;
}

Status follow_as_before(const Members& members, engine::MemberControl& control, engine::Source source,
                        const std::stop_token& stop) {
  const Engine engine = members.cluster.engine;
  const auto& server = control.setup().socket;
  source.channel = TRY(own_channel(members, control, stop));
  const auto state = TRY(engine::stream_state(engine, server, source.channel, soon(), stop));
  const auto noted = TRY(control.noted_channels());
  const auto lost = state.follows ? noted.end() : std::ranges::find(noted, source.channel, &engine::Channel::name);
  if (lost == noted.end()) return engine::follow(engine, server, source, soon(), stop);
  if (source.demote) TRY_VOID(engine::count_own_as_position(engine, server, soon(), stop));
  return engine::write_channel(engine, server, onto(*lost, engine, source), {.start = true}, soon(), stop);
}

Result<Restored> restore_channels(const Members& members, engine::MemberControl& control, const engine::Source& source,
                                  const std::stop_token& stop) {
  const Engine engine = members.cluster.engine;
  const auto& server = control.setup().socket;
  const auto noted = TRY(control.noted_channels());
  const auto own = own_of(members, control.setup(), noted);
  Restored restored;
  for (size_t i = 0; i < noted.size(); ++i) {
    if (i == own) continue;
    if (!noted[i].by_gtid) {
      restored.not_made.push_back(
          fmt::format("'{}' from {}:{}: it went by file and offset", noted[i].name, noted[i].host, noted[i].port));
      continue;
    }
    TRY_VOID(engine::write_channel(engine, server, noted[i], {}, soon(), stop));
    restored.others.push_back(noted[i].name);
  }
  if (!own) {
    engine::Source plain = source;
    plain.channel = "";
    TRY_VOID(engine::follow(engine, server, plain, soon(), stop));
    return restored;
  }
  restored.own = noted[*own].name;
  const auto channel = onto(noted[*own], engine, source);
  TRY_VOID(engine::write_channel(engine, server, channel, {.with_delay = false, .start = true}, soon(), stop));
  if (channel.delay_seconds > 0) restored.delayed = channel;
  return restored;
}

namespace {

/// Of a server whose connections did not start by themselves: filters as they were `before`, and threads of those that
/// had them on; the own one has both.
Status start_channels(const Members& members, engine::MemberControl& control,
                      const std::vector<engine::Channel>& before, const std::stop_token& stop) {
  const Engine engine = members.cluster.engine;
  const auto& server = control.setup().socket;
  const std::string own = TRY(own_channel(members, control, stop));
  for (const auto& state : TRY(engine::stream_states(engine, server, soon(), stop))) {
    const auto was = std::ranges::find(before, state.channel, &engine::Channel::name);
    if (was != before.end() && !state.receiving && !state.applying)
      TRY_VOID(engine::set_filters(engine, server, *was, soon(), stop));
    const bool ran = was != before.end() && was->receiving && was->applying;
    if (ran || state.channel == own) TRY_VOID(engine::resume_replication(engine, server, state.channel, soon(), stop));
  }
  return {};
}

}  // namespace

Status start_with_channels(const Members& members, engine::MemberControl& control, engine::StartRequest how,
                           bool rebuilt, Deadline deadline, const std::stop_token& stop) {
  if (!has_channels(members.cluster.engine)) return start_member(control, how, deadline);
  const auto before = TRY(control.noted_channels());  // the agent notes what it sees meanwhile
  const bool filtered = std::ranges::any_of(before, [](const engine::Channel& c) { return !c.filters.empty(); });
  if ((!rebuilt && !filtered) || TRY(control.is_running(soon()))) {
    TRY_VOID(start_member(control, how, deadline));
    return rebuilt ? start_channels(members, control, before, stop) : Status();
  }
  how.extra_args.emplace_back(members.cluster.engine == Engine::mysql ? "--skip-replica-start" : "--skip-slave-start");
  TRY_VOID(start_member(control, how, deadline));
  return start_channels(members, control, before, stop);
}

}  // namespace holdfast::repair
