#include "engine/stored/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace holdfast::engine::stored {

namespace {

/// Opens what an O_PATH descriptor stands for: what was looked at is what is opened, whatever the name means by now.
int reopen(int handle, const std::string& path, int flags) {
  const std::string self = fmt::format("/proc/self/fd/{}", handle);
  for (const int extra : {O_NOATIME, 0}) {
    int fd;
    do {
      fd = ::open(self.c_str(), flags | extra | O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    if (fd >= 0) return fd;
    if (errno == EPERM && extra) continue;
    if (errno == ENOENT || errno == ENOTDIR) break;  // no /proc here
    return -1;
  }
  return ::open(path.c_str(), flags | O_CLOEXEC);
}

}  // namespace

Result<sys::Fd> open_regular(const std::string& path) {
  sys::Fd handle = TRY(sys::open_file(path, O_PATH));
  struct stat info{};
  if (::fstat(handle.get(), &info) != 0) return fail(sys::errno_error(errno, "stat " + path));
  if (!S_ISREG(info.st_mode)) return fail(ErrorClass::failed, "stored.not_a_file", path + " is not a regular file");
  sys::Fd fd(reopen(handle.get(), path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  if (!fd) return fail(sys::errno_error(errno, "open " + path));
  if (::fstat(fd.get(), &info) != 0) return fail(sys::errno_error(errno, "stat " + path));
  if (!S_ISREG(info.st_mode)) return fail(ErrorClass::failed, "stored.not_a_file", path + " is not a regular file");
  return fd;
}

Result<std::string> read_small(const std::string& path, size_t limit) {
  sys::Fd fd = TRY(open_regular(path));
  std::string text;
  char piece[16384];
  for (;;) {
    const ssize_t got = ::read(fd.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(sys::errno_error(errno, "read " + path));
    if (got == 0) return text;
    if (text.size() + static_cast<size_t>(got) > limit)
      return fail(ErrorClass::failed, "stored.too_large", fmt::format("{} is larger than {} bytes", path, limit));
    text.append(piece, static_cast<size_t>(got));
  }
}

Presence presence(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) == 0) return Presence::present;
  return errno == ENOENT ? Presence::absent : Presence::unknown;
}

DirectoryState list_directory(const std::string& path, size_t limit) {
  using Kind = DirectoryState::Kind;
  DirectoryState state;
  const auto give_up = [&](Kind kind, int error_number) {
    state.kind = kind;
    state.why = sys::errno_error(error_number, path).message;
    return state;
  };
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) {
    // A dangling link is no proof that the data is gone: the disk behind it may just not be mounted.
    struct stat link{};
    if (errno == ENOENT && ::lstat(path.c_str(), &link) != 0 && errno == ENOENT) return give_up(Kind::missing, ENOENT);
    return give_up(Kind::unreadable, errno ? errno : ENOENT);
  }
  if (!S_ISDIR(info.st_mode)) return give_up(Kind::not_a_directory, ENOTDIR);
  int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME);
  if (fd < 0 && errno == EPERM) fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return give_up(Kind::unreadable, errno);
  DIR* dir = ::fdopendir(fd);
  if (!dir) {
    const int error_number = errno;
    ::close(fd);
    return give_up(Kind::unreadable, error_number);
  }
  int error_number = 0;
  state.all_names = true;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(dir);
    if (!entry) {
      error_number = errno;
      break;
    }
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (state.names.size() >= limit) {
      state.all_names = false;
      break;
    }
    state.names.push_back(name);
  }
  ::closedir(dir);
  std::sort(state.names.begin(), state.names.end());
  if (error_number != 0) {
    state.all_names = false;
    return give_up(Kind::unreadable, error_number);
  }
  const bool only_found = state.names.empty() || (state.names.size() == 1 && state.names[0] == "lost+found");
  state.kind = only_found ? Kind::empty : Kind::populated;
  return state;
}

Known<Volume> volume_of(const std::string& path) {
  struct statvfs room{};
  struct stat info{};
  if (::statvfs(path.c_str(), &room) != 0 || ::stat(path.c_str(), &info) != 0)
    return Known<Volume>::unknown(sys::errno_error(errno, "statvfs " + path));
  Volume volume;
  volume.bytes_total = uint64_t{room.f_blocks} * room.f_frsize;
  volume.bytes_free = uint64_t{room.f_bavail} * room.f_frsize;
  volume.inodes_total = room.f_files;
  volume.inodes_free = room.f_favail;
  volume.read_only = (room.f_flag & ST_RDONLY) != 0;
  volume.device = info.st_dev;
  return volume;
}

}  // namespace holdfast::engine::stored
