#include "agent/last_data.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <filesystem>
#include <optional>

#include "agent/data_dir.h"
#include "agent/server_files.h"
#include "codec/value.h"
#include "engine/postgres/stored.h"
#include "sys/file.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using codec::Value;

namespace {

std::string record_of(const MemberConfig& config) {
  return config.dir + "/last-data.json";
}

struct Place {
  uint64_t device = 0;
  std::string filesystem;  ///< f_fsid: goes with the file system, where device numbers go with the order of disks
  bool mounted = false;    ///< it is a mount point itself
};

/// Of a directory, or of what is nearest above it.
std::optional<Place> place_of(const std::string& path) {
  std::error_code error;
  fs::path at = fs::weakly_canonical(path, error);
  if (error) at = path;
  while (!fs::exists(at, error) && at.has_relative_path()) at = at.parent_path();
  struct statx info{};
  struct statfs volume{};
  if (::statx(AT_FDCWD, at.c_str(), 0, STATX_BASIC_STATS, &info) != 0 || ::statfs(at.c_str(), &volume) != 0)
    return std::nullopt;
  Place place;
  place.device = (static_cast<uint64_t>(info.stx_dev_major) << 32) | info.stx_dev_minor;
  const auto* id = reinterpret_cast<const uint32_t*>(&volume.f_fsid);
  place.filesystem = fmt::format("{:08x}{:08x}", id[0], id[1]);
  const bool told = (info.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0;
  place.mounted = told && (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0 && fs::exists(path, error);
  return place;
}

std::string device_text(uint64_t device) {
  return fmt::format("{}:{}", device >> 32, device & 0xffffffff);
}

std::string lineage_of(const MemberConfig& config) {
  if (config.engine == cluster::Engine::postgres) {
    const sys::ActAs as_server(server_identity(config));
    engine::postgres::PostgresStoredOptions options;
    options.wal = false;
    const auto stored = engine::postgres::read_postgres_stored(config.data_dir(), options);
    return stored.control ? std::to_string((*stored.control).system_identifier) : "";
  }
  const char* file = config.engine == cluster::Engine::mysql ? "/auto.cnf" : "/grastate.dat";
  const auto text = read_as_server(config, config.data_dir() + file, 64 << 10);
  if (!text) return {};
  const std::string_view all = *text;
  const std::string_view key = config.engine == cluster::Engine::mysql ? "server-uuid=" : "uuid:";
  size_t at = all.find(key);
  if (at == all.npos) return {};
  at = all.find_first_not_of(" \t", at + key.size());
  return at == all.npos ? "" : std::string(all.substr(at, all.find_first_of(" \r\n", at) - at));
}

}  // namespace

Status remember_data(const MemberConfig& config) {
  const auto place = is_initialised(config) ? place_of(config.data_dir()) : std::nullopt;
  if (!place) return {};
  const Value record = Value::object({{"device", place->device},
                                      {"filesystem", place->filesystem},
                                      {"mounted", place->mounted},
                                      {"lineage", lineage_of(config)},
                                      {"seen", utc_now()}});
  return sys::publish_file(record_of(config), as_bytes(codec::to_json(record) + "\n"), 0600);
}

bool remembers_data(const MemberConfig& config) {
  std::error_code error;
  return fs::exists(record_of(config), error);
}

std::string data_elsewhere(const MemberConfig& config) {
  auto text = sys::read_file(record_of(config));
  if (!text) return {};
  const auto record = codec::parse_value(as_text(text->span()));
  const auto place = place_of(config.data_dir());
  if (!record || !place) return {};
  const uint64_t device = (*record)["device"].unsigned_integer();
  const bool same = device == place->device && (*record)["filesystem"].text() == place->filesystem &&
                    (*record)["mounted"].boolean() <= place->mounted;
  if (same) return {};
  const std::string lineage = (*record)["lineage"].text();
  return fmt::format("on {} its agent saw data there{} on device {}{}; there is nothing on device {} now",
                     (*record)["seen"].text(), lineage.empty() ? "" : " (of " + lineage + ")", device_text(device),
                     (*record)["mounted"].boolean() ? ", mounted there" : "", device_text(place->device));
}

}  // namespace holdfast::agent
