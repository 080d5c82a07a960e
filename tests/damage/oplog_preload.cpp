// Loaded into a program with LD_PRELOAD: writes down, in order, each change the program makes to files below
// $OPLOG_ROOT, as records that oplog.h replays. With it a test knows every state a power loss could have left behind.
//
// One mutex is held from before a call until it is logged, so the log's order is an order that happened.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace {

std::mutex& lock() {
  static auto* mutex = new std::mutex;  // never destroyed: programs write until their very end
  return *mutex;
}

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

const std::string& root() {
  static const auto* text = new std::string(std::getenv("OPLOG_ROOT") ? std::getenv("OPLOG_ROOT") : "");
  return *text;
}

int log_fd() {
  static const int fd = [] {
    const char* path = std::getenv("OPLOG_FILE");
    return path ? real<int(const char*, int, ...)>("open")(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
  }();
  return fd;
}

/// Path of an open descriptor, "" outside of the root.
std::string path_of(int fd) {
  char link[64], target[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t n = ::readlink(link, target, sizeof target);
  std::string path(target, n > 0 ? static_cast<size_t>(n) : 0);
  if (path.ends_with(" (deleted)")) path.resize(path.size() - 10);
  return path.starts_with(root()) && !root().empty() ? path : "";
}

std::string path_at(int directory, const char* path) {
  std::string full = path;
  if (!full.starts_with('/')) {
    if (directory == AT_FDCWD) {
      char here[4096];
      full = std::string(::getcwd(here, sizeof here) ? here : "") + "/" + full;
    } else {
      full = path_of(directory) + "/" + full;
    }
  }
  return full.starts_with(root()) && !root().empty() ? full : "";
}

void record(char op, uint64_t inode, const std::string& a, const std::string& b, uint64_t offset, const void* data,
            uint64_t size) {
  struct Head {
    char op;
    char pad[7];
    uint64_t inode, a, b, offset, size;
  } head{op, {}, inode, a.size(), b.size(), offset, size};
  std::string line(reinterpret_cast<const char*>(&head), sizeof head);
  line += a;
  line += b;
  if (data) line.append(static_cast<const char*>(data), size);
  static const auto write_it = real<ssize_t(int, const void*, size_t)>("write");
  if (log_fd() >= 0) (void)!write_it(log_fd(), line.data(), line.size());
}

uint64_t inode_of(int fd) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

int opened(int fd, const std::string& path, int flags, bool existed) {
  if (fd < 0 || path.empty()) return fd;
  const int saved = errno;
  if ((flags & O_CREAT) && !existed) record('c', inode_of(fd), path, "", 0, nullptr, 0);
  if ((flags & O_TRUNC) && existed) record('t', inode_of(fd), path, "", 0, nullptr, 0);
  errno = saved;
  return fd;
}

int open_logged(const char* name, int directory, const char* path, int flags, mode_t mode) {
  const std::scoped_lock guard(lock());
  const auto full = path_at(directory, path);
  struct stat status{};
  const bool existed = !full.empty() && ::stat(full.c_str(), &status) == 0;
  const int fd = real<int(int, const char*, int, ...)>(name)(directory, path, flags, mode);
  return opened(fd, full, flags, existed);
}

mode_t mode_argument(int flags, va_list arguments) {
  return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

template <class Call>
ssize_t written(int fd, const void* data, bool at_offset, off_t offset, Call call) {
  const std::scoped_lock guard(lock());
  const auto path = path_of(fd);
  if (path.empty()) return call();
  if (!at_offset) offset = ::fcntl(fd, F_GETFL) & O_APPEND ? ::lseek(fd, 0, SEEK_END) : ::lseek(fd, 0, SEEK_CUR);
  const ssize_t n = call();
  const int saved = errno;
  if (n > 0) record('w', inode_of(fd), path, "", static_cast<uint64_t>(offset), data, static_cast<uint64_t>(n));
  errno = saved;
  return n;
}

int synced(const char* name, int fd) {
  const std::scoped_lock guard(lock());
  const int result = real<int(int)>(name)(fd);
  const auto path = path_of(fd);
  if (result == 0 && !path.empty()) {
    struct stat status{};
    ::fstat(fd, &status);
    record(S_ISDIR(status.st_mode) ? 'd' : 's', status.st_ino, path, "", 0, nullptr, 0);
  }
  return result;
}

template <class Call>
int two_paths(char op, const std::string& from, const std::string& to, Call call) {
  const std::scoped_lock guard(lock());
  const int result = call();
  const int saved = errno;
  if (result == 0 && !to.empty()) record(op, 0, from, to, 0, nullptr, 0);
  errno = saved;
  return result;
}

template <class Call>
int one_path(char op, const std::string& path, Call call) {
  return two_paths(op, "", path, call);
}

}  // namespace

EXPORTED int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_argument(flags, arguments);
  va_end(arguments);
  return open_logged("openat", AT_FDCWD, path, flags, mode);
}
EXPORTED int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_argument(flags, arguments);
  va_end(arguments);
  return open_logged("openat", AT_FDCWD, path, flags, mode);
}
EXPORTED int openat(int directory, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_argument(flags, arguments);
  va_end(arguments);
  return open_logged("openat", directory, path, flags, mode);
}
EXPORTED int openat64(int directory, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_argument(flags, arguments);
  va_end(arguments);
  return open_logged("openat", directory, path, flags, mode);
}
EXPORTED ssize_t write(int fd, const void* data, size_t size) {
  static const auto call = real<ssize_t(int, const void*, size_t)>("write");
  return written(fd, data, false, 0, [&] { return call(fd, data, size); });
}
EXPORTED ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  static const auto call = real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  return written(fd, data, true, offset, [&] { return call(fd, data, size, offset); });
}
EXPORTED ssize_t pwrite64(int fd, const void* data, size_t size, off_t offset) {
  return pwrite(fd, data, size, offset);
}
EXPORTED int fsync(int fd) {
  return synced("fsync", fd);
}
EXPORTED int fdatasync(int fd) {
  return synced("fdatasync", fd);
}
EXPORTED int syncfs(int fd) {
  const std::scoped_lock guard(lock());
  const int result = real<int(int)>("syncfs")(fd);
  const auto path = path_of(fd);
  if (result == 0 && !path.empty()) record('S', 0, path, "", 0, nullptr, 0);
  return result;
}
EXPORTED int ftruncate(int fd, off_t size) {
  const std::scoped_lock guard(lock());
  const int result = real<int(int, off_t)>("ftruncate")(fd, size);
  const auto path = path_of(fd);
  if (result == 0 && !path.empty()) record('t', inode_of(fd), path, "", static_cast<uint64_t>(size), nullptr, 0);
  return result;
}
EXPORTED int ftruncate64(int fd, off_t size) {
  return ftruncate(fd, size);
}
EXPORTED int rename(const char* from, const char* to) {
  return two_paths('r', path_at(AT_FDCWD, from), path_at(AT_FDCWD, to),
                   [&] { return real<int(const char*, const char*)>("rename")(from, to); });
}
EXPORTED int renameat(int a, const char* from, int b, const char* to) {
  return two_paths('r', path_at(a, from), path_at(b, to),
                   [&] { return real<int(int, const char*, int, const char*)>("renameat")(a, from, b, to); });
}
EXPORTED int renameat2(int a, const char* from, int b, const char* to, unsigned flags) {
  return two_paths('r', path_at(a, from), path_at(b, to), [&] {
    return real<int(int, const char*, int, const char*, unsigned)>("renameat2")(a, from, b, to, flags);
  });
}
EXPORTED int link(const char* from, const char* to) {
  return two_paths('l', path_at(AT_FDCWD, from), path_at(AT_FDCWD, to),
                   [&] { return real<int(const char*, const char*)>("link")(from, to); });
}
EXPORTED int linkat(int a, const char* from, int b, const char* to, int flags) {
  return two_paths('l', path_at(a, from), path_at(b, to),
                   [&] { return real<int(int, const char*, int, const char*, int)>("linkat")(a, from, b, to, flags); });
}
EXPORTED int unlink(const char* path) {
  return one_path('u', path_at(AT_FDCWD, path), [&] { return real<int(const char*)>("unlink")(path); });
}
EXPORTED int unlinkat(int directory, const char* path, int flags) {
  return one_path('u', path_at(directory, path),
                  [&] { return real<int(int, const char*, int)>("unlinkat")(directory, path, flags); });
}
EXPORTED int remove(const char* path) {
  return one_path('u', path_at(AT_FDCWD, path), [&] { return real<int(const char*)>("remove")(path); });
}
EXPORTED int mkdir(const char* path, mode_t mode) {
  return one_path('m', path_at(AT_FDCWD, path), [&] { return real<int(const char*, mode_t)>("mkdir")(path, mode); });
}
EXPORTED int mkdirat(int directory, const char* path, mode_t mode) {
  return one_path('m', path_at(directory, path),
                  [&] { return real<int(int, const char*, mode_t)>("mkdirat")(directory, path, mode); });
}
EXPORTED int rmdir(const char* path) {
  return one_path('u', path_at(AT_FDCWD, path), [&] { return real<int(const char*)>("rmdir")(path); });
}
