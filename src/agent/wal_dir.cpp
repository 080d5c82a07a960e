#include "agent/wal_dir.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>

#include "agent/data_dir.h"
#include "agent/existing.h"
#include "agent/server_files.h"
#include "sys/beneath.h"

namespace holdfast::agent {

namespace fs = std::filesystem;

namespace {

constexpr const char* kOurs = ".holdfast-";

/// The member's first one, after which its others are called.
std::string first_of(const MemberConfig& c) {
  const std::string is = c.existing ? c.existing->wal_dir : "";
  return is.substr(0, is.rfind(kOurs));
}

/// Who works on names beside it: as with data directories.
std::optional<sys::Identity> identity_beside(const MemberConfig& c, const std::string& wal) {
  return can_change_beside(wal, c.uid) ? server_identity(c) : std::nullopt;
}

}  // namespace

std::string wal_elsewhere(const std::string& data_dir) {
  std::error_code error;
  if (!fs::is_symlink(fs::symlink_status(data_dir + "/pg_wal", error))) return {};
  const std::string target = fs::canonical(data_dir + "/pg_wal", error).string();
  struct stat data{}, wal{};
  // The link is the server's to make, and what is another's is not its WAL.
  const bool is_its = !error && ::lstat(data_dir.c_str(), &data) == 0 && ::lstat(target.c_str(), &wal) == 0 &&
                      S_ISDIR(wal.st_mode) && wal.st_uid == data.st_uid;
  return is_its ? target : "";
}

Result<std::string> make_wal_dir(const MemberConfig& config) {
  const std::string first = first_of(config);
  if (first.empty()) return std::string();
  std::string stamp = utc_now();
  std::erase_if(stamp, [](char ch) { return ch == '-' || ch == ':'; });
  std::string path = first + kOurs + stamp;
  std::error_code error;
  for (int n = 1; fs::exists(fs::symlink_status(path, error)); ++n)
    path = fmt::format("{}{}{}-{}", first, kOurs, stamp, n);
  const bool other = server_identity(config).has_value();
  const sys::ActAs as_owner(identity_beside(config, first));
  TRY_VOID(sys::own_directory(path, 0700, other ? config.uid : static_cast<uid_t>(-1), config.gid));
  return path;
}

Status remove_wal_dir(const MemberConfig& config, const std::string& data_dir) {
  const std::string first = first_of(config);
  if (first.empty()) return {};
  std::string wal, of_data;
  {
    const sys::ActAs as_server(server_identity(config));
    wal = wal_elsewhere(data_dir);
    if (data_dir != config.beside("")) of_data = wal_elsewhere(config.beside(""));
  }
  // Its user could let the link lead anywhere.
  const bool is_ours =
      wal == first || (wal.starts_with(first + kOurs) && wal.find('/', first.size()) == std::string::npos);
  if (!is_ours || wal == of_data) return {};
  const sys::ActAs as_owner(identity_beside(config, first));
  return sys::remove_tree(wal).context("its WAL in " + wal);
}

}  // namespace holdfast::agent
