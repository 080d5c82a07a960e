#include "repo/source_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "repo/file_node.h"
#include "sys/beneath.h"

namespace holdfast::repo {
namespace {

std::unexpected<Error> problem(const std::string& path, int error_number) {
  Error error = sys::errno_error(error_number, path);
  error.message = fmt::format("{}: {}", path, std::strerror(error_number));
  return fail(std::move(error));
}

/// Of a thread with a working directory of its own.
struct WorkingDirectory {
  sys::Fd first;    ///< where the process is; none: the thread's is the process's
  uint64_t at = 0;  ///< serial of the directory it is in; 0: `first`
};
thread_local WorkingDirectory working;

}  // namespace

void take_own_working_directory() {
  sys::Fd first(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (first && ::unshare(CLONE_FS) == 0) working.first = std::move(first);
}

SourceDirectory::SourceDirectory(std::string path, sys::Fd fd, const struct stat& info)
    : path_(std::move(path)), device_(info.st_dev), inode_(info.st_ino) {
  take(std::move(fd));
}

void SourceDirectory::take(sys::Fd fd) {
  fd_ = std::move(fd);
  static std::atomic<uint64_t> serial{0};
  serial_ = ++serial;
  static const bool proc = ::access("/proc/self/fd", X_OK) == 0;
  below_ = proc ? fmt::format("/proc/self/fd/{}/", fd_.get()) : path_of("");
}

std::string SourceDirectory::reach(const std::string& name) const {
  // No system call takes the attributes of a name in an open directory (before Linux 6.13). /proc leads into it as
  // well, but slowly.
  if (!working.first) return below_ + name;
  if (working.at != serial_ && ::fchdir(fd_.get()) != 0) return below_ + name;
  working.at = serial_;
  return name;
}

Result<SourceDirectory> SourceDirectory::open(const std::string& path, struct stat& info) {
  if (working.at != 0 && ::fchdir(working.first.get()) != 0) return problem(path, errno);
  working.at = 0;
  auto fd = TRY(sys::open_directory(path.empty() ? "." : path, false));
  if (::fstat(fd.get(), &info) != 0) return problem(path, errno);
  return SourceDirectory(path, std::move(fd), info);
}

Status SourceDirectory::take_back(const SourceDirectory& child) {
  sys::Fd fd(::openat(child.fd_.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0) return problem(path_, errno);
  if (info.st_dev != device_ || info.st_ino != inode_)
    return fail(ErrorClass::failed, "sys.io", child.path_ + ": was moved while it was backed up");
  take(std::move(fd));
  return {};
}

std::string SourceDirectory::path_of(const std::string& name) const {
  return path_.empty() || path_.ends_with('/') ? path_ + name : path_ + "/" + name;
}

Result<struct stat> SourceDirectory::look(const std::string& name) const {
  struct stat info{};
  if (::fstatat(fd_.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return problem(path_of(name), errno);
  return info;
}

Result<std::vector<std::string>> SourceDirectory::names() const {
  auto names = sys::names_in(fd_.get());
  if (!names) return fail(names.error().error_class, names.error().id, path_ + ": " + names.error().message);
  std::sort(names->begin(), names->end());
  return names;
}

Result<SourceDirectory> SourceDirectory::enter(const std::string& name, struct stat& info) const {
  sys::Fd fd = sys::open_at(fd_.get(), name, O_RDONLY | O_DIRECTORY);
  if (!fd || ::fstat(fd.get(), &info) != 0) return problem(path_of(name), errno);
  return SourceDirectory(path_of(name), std::move(fd), info);
}

Result<sys::Fd> SourceDirectory::open_file(const std::string& name, struct stat& info) const {
  // Not blocking: what was a file a moment ago may be a pipe by now.
  sys::Fd fd = sys::open_at(fd_.get(), name, O_RDONLY | O_NONBLOCK | O_NOATIME);
  if (!fd && (errno == EPERM || errno == EACCES)) fd = sys::open_at(fd_.get(), name, O_RDONLY | O_NONBLOCK);
  if (!fd || ::fstat(fd.get(), &info) != 0) return problem(path_of(name), errno);
  if (!S_ISREG(info.st_mode))
    return fail(ErrorClass::failed, "sys.io", path_of(name) + ": changed while it was looked at");
  return fd;
}

Result<std::string> SourceDirectory::link_target(const std::string& name, off_t expected) const {
  std::string target(static_cast<size_t>(expected) + 1, '\0');
  for (;;) {
    const ssize_t length = ::readlinkat(fd_.get(), name.c_str(), target.data(), target.size());
    if (length < 0) return problem(path_of(name), errno);
    if (length < static_cast<ssize_t>(target.size())) {
      target.resize(static_cast<size_t>(length));
      return target;
    }
    target.resize(target.size() * 2);
  }
}

std::vector<ExtendedAttribute> SourceDirectory::xattrs(const std::string& name) const {
  return read_xattrs(reach(name)).value_or(std::vector<ExtendedAttribute>());
}

std::vector<ExtendedAttribute> SourceDirectory::xattrs() const {
  return read_xattrs(reach(".")).value_or(std::vector<ExtendedAttribute>());
}

}  // namespace holdfast::repo
