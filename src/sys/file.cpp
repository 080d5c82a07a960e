#include "sys/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "sys/random_suffix.h"
#include "sys/write_at.h"

namespace holdfast::sys {

void Fd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Error errno_error(int error_number, std::string what) {
  Error error;
  error.message = fmt::format("{}: {}", what, std::strerror(error_number));
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      error.error_class = ErrorClass::unavailable;
      error.id = "store.no_space";
      error.hint = "free space on that file system, then run the same command again";
      break;
    case ENOENT:
      error.error_class = ErrorClass::failed;
      error.id = "store.not_found";
      break;
    case EPERM:
      error.error_class = ErrorClass::refused;
      error.id = "sys.denied";
      error.hint =
          "the kernel does not permit it, whatever the mode says: see lsattr (i = immutable), or run as the user that "
          "owns it";
      break;
    case EACCES:
    case EROFS:
      error.error_class = ErrorClass::refused;
      error.id = "sys.denied";
      error.hint = "check the owner and mode of that path, or run as the user that owns it";
      break;
    case ENOTDIR:
    case EISDIR:
      error.error_class = ErrorClass::refused;
      error.id = "sys.in_the_way";
      error.hint = "something else is at that path: name another one, or move it away";
      break;
    default:
      error.error_class = ErrorClass::failed;
      error.id = "sys.io";
  }
  return error;
}

Result<Fd> open_file(const std::string& path, int flags, unsigned mode) {
  int fd;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return fail(errno_error(errno, "open " + path));
  return Fd(fd);
}

Result<Buffer> read_file(const std::string& path) {
  Fd fd = TRY(open_file(path, O_RDONLY));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail(errno_error(errno, "stat " + path));
  Buffer buffer;
  size_t known = static_cast<size_t>(info.st_size);
  buffer.resize(known + 1);  // one more byte tells a file that grew, and files of /proc that say 0
  size_t have = 0;
  for (;;) {
    if (have == buffer.size()) buffer.resize(buffer.size() * 2);
    size_t got = TRY(read_full(fd.get(), {buffer.data() + have, buffer.size() - have}));
    have += got;
    if (have < buffer.size()) break;
  }
  buffer.resize(have);
  return buffer;
}

Status write_all(int fd, ByteSpan body) {
  while (!body.empty()) {
    ssize_t n = ::write(fd, body.data(), body.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail(errno_error(errno, "write"));
    }
    body = body.subspan(static_cast<size_t>(n));
  }
  return {};
}

Result<size_t> read_full(int fd, MutableByteSpan into) {
  size_t have = 0;
  while (have < into.size()) {
    ssize_t n = ::read(fd, into.data() + have, into.size() - have);
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail(errno_error(errno, "read"));
    }
    if (n == 0) break;
    have += static_cast<size_t>(n);
  }
  return have;
}

Status sync_directory(const std::string& path) {
  Fd fd = TRY(open_file(path, O_RDONLY | O_DIRECTORY));
  if (::fsync(fd.get()) != 0 && errno != EINVAL) return fail(errno_error(errno, "fsync " + path));
  return {};
}

namespace {

/// ENOENT when its parent is missing; 0 when it is there.
Result<int> make_directory(const std::string& path, unsigned mode) {
  if (::mkdir(path.c_str(), mode) != 0) {
    if (errno == EEXIST || errno == ENOENT) return errno == EEXIST ? 0 : ENOENT;
    return fail(errno_error(errno, "mkdir " + path));
  }
  // The caller's umask is for the caller's own files: a server's user must get into what is made for it.
  const Fd made(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info{};
  if (made.get() < 0 || ::fstat(made.get(), &info) != 0) return fail(errno_error(errno, "open " + path));
  if ((info.st_mode & 0777) != mode && ::fchmod(made.get(), (info.st_mode & 07000) | mode) != 0)
    return fail(errno_error(errno, "chmod " + path));
  return 0;
}

}  // namespace

Status make_directories(const std::string& path, unsigned mode) {
  if (TRY(make_directory(path, mode)) == 0) return {};
  auto parent = std::filesystem::path(path).parent_path().string();
  if (parent.empty() || parent == path) return fail(errno_error(ENOENT, "mkdir " + path));
  TRY_VOID(make_directories(parent, mode));
  if (TRY(make_directory(path, mode)) != 0) return fail(errno_error(ENOENT, "mkdir " + path));
  return {};
}

bool lock_file(int fd, LockKind kind) {
  struct flock lock{};
  lock.l_type = kind == LockKind::shared ? F_RDLCK : F_WRLCK;
  lock.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

Status publish_file(const std::string& path, ByteSpan body, unsigned mode, Publish how) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  const std::string temp = fmt::format("{}-tmp-{}", path, random_suffix());
  Fd fd = TRY(open_file(temp, O_WRONLY | O_CREAT | O_EXCL, mode));
  auto written = write_at(fd.get(), body, 0);
  // A service's umask would keep from others what they are meant to read.
  if (written && ::fchmod(fd.get(), mode) != 0) written = fail(errno_error(errno, "chmod " + temp));
  if (written && ::fsync(fd.get()) != 0) written = fail(errno_error(errno, "fsync " + temp));
  fd.reset();
  if (written) {
    if (how == Publish::replace) {
      if (::rename(temp.c_str(), path.c_str()) != 0) written = fail(errno_error(errno, "rename to " + path));
    } else if (::link(temp.c_str(), path.c_str()) != 0) {
      written = errno == EEXIST ? Status(fail(ErrorClass::conflict, "store.exists", path + " exists already"))
                                : Status(fail(errno_error(errno, "link to " + path)));
    }
  }
  if (!written || how == Publish::create_only) ::unlink(temp.c_str());
  TRY_VOID(std::move(written));
  return sync_directory(directory.empty() ? "." : directory);
}

Result<TempDir> TempDir::create(std::string_view name) {
  const char* base = std::getenv("TMPDIR");
  std::string pattern = fmt::format("{}/{}-XXXXXX", base && *base ? base : "/tmp", name);
  if (!::mkdtemp(pattern.data())) return fail(errno_error(errno, "mkdtemp " + pattern));
  return TempDir(pattern);
}

TempDir::~TempDir() {
  std::error_code ignored;  // a destructor has nobody to tell
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace holdfast::sys
