#include "agent/server_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "engine/stored/files.h"
#include "sys/beneath.h"

namespace holdfast::agent {

std::optional<sys::Identity> server_identity(const MemberConfig& config) {
  if (config.uid == ::geteuid() && config.gid == ::getegid()) return std::nullopt;
  return sys::Identity{config.uid, config.gid, config.existing ? config.existing->groups : std::vector<gid_t>()};
}

std::optional<sys::Identity> beside_identity(const MemberConfig& config) {
  return config.existing && config.existing->beside_is_servers ? server_identity(config) : std::nullopt;
}

Result<std::string> read_as_server(const MemberConfig& config, const std::string& path, size_t limit) {
  const sys::ActAs as_server(server_identity(config));
  return engine::stored::read_small(path, limit);
}

std::string tail_as_server(const MemberConfig& config, const std::string& path, size_t limit, off_t from) {
  const sys::ActAs as_server(server_identity(config));
  const auto fd = engine::stored::open_regular(path);
  struct stat info{};
  if (!fd || ::fstat(fd->get(), &info) != 0) return {};
  from = std::max(from, info.st_size - static_cast<off_t>(limit));
  std::string text(static_cast<size_t>(std::max<off_t>(0, info.st_size - from)), '\0');
  const ssize_t got = ::pread(fd->get(), text.data(), text.size(), from);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

std::string read_in(const std::string& dir, const std::string& name, size_t limit) {
  const auto folder = sys::open_last_directory(dir);
  // A fifo would hold who opens it, and a link lead elsewhere.
  const sys::Fd file = folder ? sys::open_at(folder->get(), name, O_RDONLY | O_NONBLOCK | O_NOCTTY) : sys::Fd();
  struct stat info{};
  if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  std::string text(std::min(limit, static_cast<size_t>(info.st_size)), '\0');
  const auto size = sys::read_full(file.get(), MutableByteSpan(reinterpret_cast<uint8_t*>(text.data()), text.size()));
  text.resize(size.value_or(0));
  return text;
}

Result<sys::Fd> open_log(const MemberConfig& config, const std::string& path) {
  const sys::ActAs as_server(server_identity(config));
  constexpr int kFlags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
  auto log = sys::open_file(path, kFlags, 0640);
  // One that is not the server's, as older versions made some: a new one takes its name.
  if (!log && log.error().id == "sys.denied" && ::unlink(path.c_str()) == 0) return sys::open_file(path, kFlags, 0640);
  return log;
}

Status check_own_directories(const MemberConfig& config) {
  if (::geteuid() != 0) return {};
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<std::string> paths = {config.dir, fs::path(config.socket_dir).parent_path().string()};
  if (!config.existing || !config.existing->beside_is_servers) paths.push_back(config.data_home());
  for (const std::string& path : paths) {
    bool above = false;
    for (fs::path at = fs::canonical(path, error); !error && !at.empty(); at = at.parent_path()) {
      struct stat info{};
      if (::lstat(at.c_str(), &info) != 0) return fail(sys::errno_error(errno, "stat " + at.string()));
      // In a directory with the sticky bit others can make names, and take none that is ours.
      const unsigned by_others = (info.st_gid == 0 ? 002 : 022) & info.st_mode;
      if (info.st_uid != 0 || (by_others && !(above && (info.st_mode & S_ISVTX))))
        return fail(ErrorClass::refused, "agent.unsafe_directory",
                    fmt::format("{} belongs to user {} with mode {:04o}: other users could change what root works on",
                                at.string(), info.st_uid, info.st_mode & 07777),
                    fmt::format("chown root {0} && chmod go-w {0}", at.string()));
      if (at == at.root_path()) break;
      above = true;
    }
    if (error) return fail(sys::errno_error(error.value(), "look at " + path));
  }
  return {};
}

}  // namespace holdfast::agent
