#include "repair/channels.h"

#include <algorithm>

#include "repair/recognise.h"

namespace holdfast::repair {

namespace {

bool has_channels(Engine engine) {
  return engine == Engine::mariadb || engine == Engine::mysql;
}

template <class Connection>
Recognised recognise_all(const Members& members, const engine::MemberSetup& setup,
                         const std::vector<Connection>& connections) {
  std::vector<cluster::Following> streams;
  for (const auto& one : connections) streams.push_back(engine::following_of(one));
  return recognise(members, setup, streams);
}

/// As it was, from another source; from the same one by the address it had. The agent's account where it was that one;
/// another one keeps its password, where that is known.
engine::Channel onto(const Members& members, const engine::MemberSetup& setup, engine::Channel channel,
                     const engine::Source& source) {
  const Engine engine = members.cluster.engine;
  if (source.member.empty() || source_name(members, setup, engine::following_of(channel)) != source.member) {
    channel.host = source.host;
    channel.port = source.port;
  }
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
  if (const auto own = recognise_all(members, control.setup(), states).own) return states[*own].channel;
  // The name it had, unless another connection has that now.
  const auto noted = TRY(control.noted_channels());
  const auto before = recognise_all(members, control.setup(), noted).own;
  const auto taken = [&](const engine::StreamState& state) { return state.channel == noted[*before].name; };
  return before && std::ranges::none_of(states, taken) ? noted[*before].name : "";
}

Result<std::set<std::string>> foreign_origins(const Members& members, engine::MemberControl& control,
                                              const std::stop_token& stop) {
  std::set<std::string> origins;
  if (!has_channels(members.cluster.engine)) return origins;
  auto channels = TRY(engine::read_channels(members.cluster.engine, control.setup().socket, soon(), stop));
  for (auto& noted : TRY(control.noted_channels())) channels.push_back(std::move(noted));
  const auto sources = recognise_all(members, control.setup(), channels).sources;
  for (size_t i = 0; i < channels.size(); ++i)
    if (!channels[i].name.empty() && sources[i].outside())
      origins.insert(channels[i].origins.begin(), channels[i].origins.end());
  return origins;
}

Status follow_as_before(const Members& members, engine::MemberControl& control, engine::Source source,
                        const std::stop_token& stop) {
  const Engine engine = members.cluster.engine;
  const auto& server = control.setup().socket;
  source.channel = TRY(own_channel(members, control, stop));
  const auto state = TRY(engine::stream_state(engine, server, source.channel, soon(), stop));
  // Known there under another name it is followed already: what was received and not applied is kept.
  if (state.follows && !source.member.empty() &&
      source_name(members, control.setup(), engine::following_of(state)) == source.member) {
    source.host = state.host;
    source.port = state.port;
  }
  const auto noted = TRY(control.noted_channels());
  const auto lost = state.follows ? noted.end() : std::ranges::find(noted, source.channel, &engine::Channel::name);
  if (lost == noted.end()) return engine::follow(engine, server, source, soon(), stop);
  if (source.demote) TRY_VOID(engine::count_own_as_position(engine, server, soon(), stop));
  return engine::write_channel(engine, server, onto(members, control.setup(), *lost, source), {.start = true}, soon(),
                               stop);
}

Result<Restored> restore_channels(const Members& members, engine::MemberControl& control, const engine::Source& source,
                                  const std::stop_token& stop) {
  const Engine engine = members.cluster.engine;
  const auto& server = control.setup().socket;
  const auto noted = TRY(control.noted_channels());
  const auto own = recognise_all(members, control.setup(), noted).own;
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
  const auto channel = onto(members, control.setup(), noted[*own], source);
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
