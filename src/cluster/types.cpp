#include "cluster/types.h"

#include <array>
#include <utility>

namespace holdfast::cluster {

namespace {

template <class Enum, size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;

constexpr Names<Engine, 4> kEngines{{{Engine::mariadb, "mariadb"},
                                     {Engine::galera, "galera"},
                                     {Engine::mysql, "mysql"},
                                     {Engine::postgres, "postgres"}}};
constexpr Names<Provider, 2> kProviders{{{Provider::host, "host"}, {Provider::external, "external"}}};
constexpr Names<ReplicationMode, 5> kModes{{{ReplicationMode::standalone, "standalone"},
                                            {ReplicationMode::async, "async"},
                                            {ReplicationMode::semi_sync, "semi-sync"},
                                            {ReplicationMode::galera, "galera"},
                                            {ReplicationMode::streaming, "streaming"}}};

template <class Enum, size_t N>
std::string_view name_of(const Names<Enum, N>& names, Enum value) {
  for (auto [candidate, name] : names)
    if (candidate == value) return name;
  return "?";
}

template <class Enum, size_t N>
std::optional<Enum> value_of(const Names<Enum, N>& names, std::string_view text) {
  for (auto [value, name] : names)
    if (name == text) return value;
  return std::nullopt;
}

}  // namespace

std::string_view engine_name(Engine engine) {
  return name_of(kEngines, engine);
}
std::string_view provider_name(Provider provider) {
  return name_of(kProviders, provider);
}
std::string_view replication_mode_name(ReplicationMode mode) {
  return name_of(kModes, mode);
}
std::optional<Engine> parse_engine(std::string_view name) {
  return value_of(kEngines, name);
}
std::optional<Provider> parse_provider(std::string_view name) {
  return value_of(kProviders, name);
}
std::optional<ReplicationMode> parse_replication_mode(std::string_view name) {
  return name == "none" ? ReplicationMode::standalone : value_of(kModes, name);
}

int default_port(Engine engine) {
  return engine == Engine::postgres ? 5432 : 3306;
}

std::string engine_names() {
  std::string result;
  for (auto [engine, name] : kEngines) result += (result.empty() ? "" : ", ") + std::string(name);
  return result;
}

const Member* DatabaseCluster::find(std::string_view member) const {
  for (const auto& candidate : members)
    if (candidate.name.str() == member) return &candidate;
  return nullptr;
}

}  // namespace holdfast::cluster
