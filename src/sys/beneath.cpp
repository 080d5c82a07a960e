#include "sys/beneath.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <deque>

namespace holdfast::sys {
namespace {

constexpr int kMaxLinks = 40;  // as the kernel

std::deque<std::string> names_of(std::string_view path) {
  std::deque<std::string> names;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    if (slash > 0 && path.substr(0, slash) != ".") names.emplace_back(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return names;
}

Result<std::string> link_target(int directory, const std::string& name, const std::string& path) {
  struct stat info{};
  if (::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    return fail(errno_error(errno, "open " + path));
  if (!S_ISLNK(info.st_mode)) return fail(errno_error(ENOTDIR, "open " + path));
  if (info.st_uid != 0 && info.st_uid != ::geteuid()) {
    return fail(ErrorClass::refused, "sys.foreign_link",
                fmt::format("{}: {} is a symbolic link of another user (uid {})", path, name, info.st_uid),
                "name the directory itself, not a link to it");
  }
  char target[PATH_MAX];
  const ssize_t length = ::readlinkat(directory, name.c_str(), target, sizeof target);
  if (length < 0) return fail(errno_error(errno, "open " + path));
  return std::string(target, static_cast<size_t>(length));
}

}  // namespace

Fd open_at(int directory, const std::string& name, int flags, unsigned mode) {
  int fd;
  do {
    fd = ::openat(directory, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode);
  } while (fd < 0 && errno == EINTR);
  return Fd(fd);
}

Fd walk_beneath(int directory, const std::string& path, int flags, unsigned mode) {
  const auto names = names_of(path);
  if (names.empty()) return open_at(directory, ".", flags, mode);
  Fd parent;
  int at = directory;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == "..") {
      errno = EXDEV;
      return {};
    }
    const bool last = i + 1 == names.size();
    Fd next = open_at(at, names[i], last ? flags : O_PATH | O_DIRECTORY, last ? mode : 0);
    if (!next || last) return next;
    parent = std::move(next);
    at = parent.get();
  }
  return {};
}

namespace {

/// A path that the kernel takes in one piece.
Fd open_short(int directory, const std::string& path, int flags, unsigned mode) {
  static std::atomic<bool> missing{false};  // no openat2 in this kernel, or a filter forbids it
  if (!missing.load(std::memory_order_relaxed)) {
    open_how how{};
    how.flags = static_cast<uint64_t>(flags | O_CLOEXEC | O_NOFOLLOW);
    how.mode = flags & O_CREAT ? mode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    for (int tries = 0; tries < 100; ++tries) {
      const long fd = ::syscall(SYS_openat2, directory, path.empty() ? "." : path.c_str(), &how, sizeof how);
      if (fd >= 0) return Fd(static_cast<int>(fd));
      if (errno != EINTR && errno != EAGAIN) break;  // EAGAIN: something was renamed meanwhile
    }
    // EPERM may be the file's own refusal: the walk gives the same then.
    if (errno != ENOSYS && errno != EPERM) return {};
    if (errno == ENOSYS) missing = true;
  }
  return walk_beneath(directory, path, flags, mode);
}

}  // namespace

Fd open_beneath(int directory, const std::string& path, int flags, unsigned mode) {
  if (path.size() < PATH_MAX) return open_short(directory, path, flags, mode);
  Fd above;
  int at = directory;
  size_t from = 0;
  while (path.size() - from >= PATH_MAX) {
    const size_t cut = path.rfind('/', from + PATH_MAX - 1);
    if (cut == path.npos || cut <= from) {
      errno = ENAMETOOLONG;
      return {};
    }
    Fd next = open_short(at, path.substr(from, cut - from), O_PATH | O_DIRECTORY, 0);
    if (!next) return next;
    above = std::move(next);
    at = above.get();
    from = path.find_first_not_of('/', cut);
    if (from == path.npos) from = path.size();
  }
  return open_short(at, path.substr(from), flags, mode);
}

Result<Fd> open_directory(const std::string& path, bool make, unsigned mode) {
  if (path.empty()) return fail(errno_error(ENOENT, "open directory"));
  constexpr int kFlags = O_PATH | O_DIRECTORY;
  Fd at(::open(path.starts_with('/') ? "/" : ".", kFlags | O_CLOEXEC));
  if (!at) return fail(errno_error(errno, "open " + path));
  auto names = names_of(path);
  for (int links = 0; !names.empty();) {
    const std::string name = std::move(names.front());
    names.pop_front();
    Fd next = open_at(at.get(), name, kFlags, 0);
    if (!next && errno == ENOENT && make) {
      if (::mkdirat(at.get(), name.c_str(), mode) != 0 && errno != EEXIST)
        return fail(errno_error(errno, "mkdir " + path));
      next = open_at(at.get(), name, kFlags, 0);
    }
    if (!next && (errno == ELOOP || errno == ENOTDIR)) {
      if (++links > kMaxLinks) return fail(errno_error(ELOOP, "open " + path));
      const std::string target = TRY(link_target(at.get(), name, path));
      auto inner = names_of(target);
      names.insert(names.begin(), inner.begin(), inner.end());
      if (target.starts_with('/')) at = Fd(::open("/", kFlags | O_CLOEXEC));
      continue;
    }
    if (!next) return fail(errno_error(errno, "open " + path));
    at = std::move(next);
  }
  return at;
}

}  // namespace holdfast::sys
