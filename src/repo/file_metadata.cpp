#include "repo/file_metadata.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "sys/file.h"

namespace holdfast::repo {

unsigned posix_mode(const Node& node) {
  unsigned mode = node.mode & 0777;
  if (node.mode & kModeSetuid) mode |= S_ISUID;
  if (node.mode & kModeSetgid) mode |= S_ISGID;
  if (node.mode & kModeSticky) mode |= S_ISVTX;
  return mode;
}

void apply_metadata(const std::string& path, const Node& node, std::vector<std::string>& problems, int fd,
                    const struct stat* now) {
  const auto note = [&](const char* what) {
    problems.push_back(fmt::format("{}: {}: {}", path, what, std::strerror(errno)));
  };
  const bool root = ::geteuid() == 0;
  const bool owned = now && now->st_uid == node.uid && now->st_gid == node.gid;
  if (root && !owned && (fd >= 0 ? ::fchown(fd, node.uid, node.gid) : ::lchown(path.c_str(), node.uid, node.gid)) != 0)
    note("owner");
  for (const auto& attribute : node.xattrs) {
    if (::lsetxattr(path.c_str(), attribute.name.c_str(), attribute.value.data(), attribute.value.size(), 0) != 0 &&
        !(errno == EPERM && !root)) {
      note(("attribute " + attribute.name).c_str());
    }
  }
  const bool has_mode = now && owned && (now->st_mode & 07777) == posix_mode(node);
  if (node.type != NodeType::symlink && !has_mode &&
      (fd >= 0 ? ::fchmod(fd, posix_mode(node)) : ::chmod(path.c_str(), posix_mode(node))) != 0) {
    note("mode");
  }
  const timespec times[2] = {{node.atime.seconds, node.atime.nanoseconds},
                             {node.mtime.seconds, node.mtime.nanoseconds}};
  if ((fd >= 0 ? ::futimens(fd, times) : ::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW)) != 0) {
    note("times");
  }
}

Status create_special(const std::string& path, const Node& node) {
  int done = 0;
  switch (node.type) {
    case NodeType::symlink:
      done = ::symlink(node.link_target.c_str(), path.c_str());
      break;
    case NodeType::fifo:
      done = ::mkfifo(path.c_str(), 0600);
      break;
    case NodeType::dev:
      done = ::mknod(path.c_str(), S_IFBLK | 0600, node.device);
      break;
    case NodeType::chardev:
      done = ::mknod(path.c_str(), S_IFCHR | 0600, node.device);
      break;
    default:
      return {};  // sockets and irregular files mean nothing without their maker
  }
  if (done != 0) return fail(sys::errno_error(errno, "create " + path));
  return {};
}

}  // namespace holdfast::repo
