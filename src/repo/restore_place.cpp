#include "repo/restore_place.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "codec/hex.h"
#include "crypto/random.h"
#include "repo/file_metadata.h"
#include "sys/beneath.h"

namespace holdfast::repo {
namespace {

std::string last_name(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::unexpected<Error> replaced(const std::string& path) {
  return fail(ErrorClass::failed, "restore.replaced",
              fmt::format("{}: another process replaced it while it was restored", path),
              "restore into a directory that only you can write to");
}

}  // namespace

Result<RestorePlace> RestorePlace::open(const std::string& path, bool make) {
  uint8_t random[6];
  crypto::fill_random(random);
  const std::string prefix = ".holdfast-" + codec::to_hex(random) + "-";
  auto root = sys::open_directory(path, make);
  if (!root && !make && root.error().id == "store.not_found") return RestorePlace(path, sys::Fd(), prefix);
  if (!root) return std::unexpected(std::move(root).error());
  return RestorePlace(path == "/" ? "" : path, std::move(*root), prefix);
}

std::string RestorePlace::temporary() const {
  static std::atomic<uint64_t> counter{0};
  return fmt::format("{}{:x}", prefix_, counter++);
}

int RestorePlace::parent(Near& near, const std::string& path) const {
  if (!root_) {
    errno = ENOENT;
    return -1;
  }
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return root_.get();
  if (near.fd && path.compare(0, slash, near.path) == 0) return near.fd.get();
  // From the one used last where that is above it: a walk from the top to each of a deep tree takes minutes.
  const size_t above = near.path.size();
  const bool below = near.fd && slash > above && path[above] == '/' && path.compare(0, above, near.path) == 0;
  const size_t from = below ? above + 1 : 0;
  near.fd =
      sys::open_beneath(below ? near.fd.get() : root_.get(), path.substr(from, slash - from), O_PATH | O_DIRECTORY);
  near.path = path.substr(0, slash);
  return near.fd.get();
}

std::optional<struct stat> RestorePlace::look(Near& near, const std::string& path) const {
  struct stat info{};
  const int directory = parent(near, path);
  if (directory < 0 || ::fstatat(directory, last_name(path).c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    return std::nullopt;
  return info;
}

Status RestorePlace::make_directory(Near& near, const std::string& path, unsigned mode) const {
  const int directory = parent(near, path);
  if (directory < 0 || ::mkdirat(directory, last_name(path).c_str(), mode) != 0)
    return fail(sys::errno_error(errno, "mkdir " + full(path)));
  return {};
}

void RestorePlace::open_up(Near& near, const std::string& path, const struct stat& now) const {
  if (::geteuid() == 0 || now.st_uid != ::geteuid() || (now.st_mode & 0700) == 0700) return;
  const int directory = parent(near, path);
  const sys::Fd fd(
      directory < 0 ? -1 : ::openat(directory, last_name(path).c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  // What fails here fails again, and is reported, when something is written.
  if (fd) (void)!::chmod(fmt::format("/proc/self/fd/{}", fd.get()).c_str(), (now.st_mode & 07777) | 0700);
}

Status RestorePlace::remove(Near& near, const std::string& path) const {
  const int directory = parent(near, path);
  if (directory < 0 || ::unlinkat(directory, last_name(path).c_str(), 0) != 0)
    return fail(sys::errno_error(errno, "remove " + full(path)));
  return {};
}

sys::Fd RestorePlace::open_directory(const std::string& path) const {
  return sys::open_beneath(root_.get(), path, O_RDONLY | O_DIRECTORY);
}

Result<sys::Fd> RestorePlace::create(Near& near, const std::string& path, unsigned mode, Made& made) const {
  const int directory = parent(near, path);
  const std::string name = temporary();
  sys::Fd fd(directory < 0
                 ? -1
                 : ::openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0) return fail(sys::errno_error(errno, "create " + full(path)));
  made = {name, info.st_dev, info.st_ino};
  return fd;
}

Result<sys::Fd> RestorePlace::reopen(Near& near, const std::string& path, int flags, const Made& made) const {
  const int directory = parent(near, path);
  sys::Fd fd(directory < 0 ? -1 : ::openat(directory, made.name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0) return fail(sys::errno_error(errno, "open " + full(path)));
  // A second name would let its owner, or whoever gave it, see or change what is written.
  if (info.st_dev != made.device || info.st_ino != made.inode || info.st_nlink != 1) return replaced(full(path));
  return fd;
}

Status RestorePlace::publish(Near& near, const std::string& path, Made& made) const {
  const int directory = parent(near, path);
  if (directory < 0 || ::renameat(directory, made.name.c_str(), directory, last_name(path).c_str()) != 0)
    return fail(sys::errno_error(errno, "rename to " + full(path)));
  made.name.clear();
  return {};
}

void RestorePlace::discard(Near& near, const std::string& path, Made& made) const {
  const int directory = made.name.empty() ? -1 : parent(near, path);
  if (directory >= 0) ::unlinkat(directory, made.name.c_str(), 0);
  made.name.clear();
}

Result<sys::Fd> RestorePlace::open_file(Near& near, const std::string& path) const {
  const int directory = parent(near, path);
  sys::Fd fd(directory < 0
                 ? -1
                 : ::openat(directory, last_name(path).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail(sys::errno_error(errno, "open " + full(path)));
  return fd;
}

Status RestorePlace::put_special(Near& near, const std::string& path, const Node& node,
                                 std::vector<std::string>& problems) const {
  const int directory = parent(near, path);
  Made made{temporary()};
  if (directory < 0 || !create_special(directory, made.name, node))
    return fail(sys::errno_error(errno, "create " + full(path)));
  const sys::Fd fd(::openat(directory, made.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0) return fail(sys::errno_error(errno, "open " + full(path)));
  const unsigned kind = node.type == NodeType::symlink ? S_IFLNK
                        : node.type == NodeType::fifo  ? S_IFIFO
                        : node.type == NodeType::dev   ? S_IFBLK
                                                       : S_IFCHR;
  // Between the two calls another process may have put a file of root's there, to have its owner changed.
  if ((info.st_mode & S_IFMT) != kind || info.st_nlink != 1 || info.st_uid != ::geteuid()) {
    discard(near, path, made);
    return replaced(full(path));
  }
  apply_metadata(fd.get(), full(path), node, problems, info);
  auto done = publish(near, path, made);
  if (!done) discard(near, path, made);
  return done;
}

Status RestorePlace::put_link(Near& near, const std::string& first, const Made& made, const std::string& path) const {
  Near there;
  const int from = parent(there, first), to = parent(near, path);
  Made link{temporary(), made.device, made.inode};
  if (from < 0 || to < 0 || ::linkat(from, last_name(first).c_str(), to, link.name.c_str(), 0) != 0)
    return fail(sys::errno_error(errno, "link " + full(path)));
  struct stat info{};
  const bool same = ::fstatat(to, link.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && info.st_dev == made.device &&
                    info.st_ino == made.inode;
  const Status done = same ? publish(near, path, link) : Status(replaced(full(path)));
  if (!done) discard(near, path, link);
  return done;
}

}  // namespace holdfast::repo
