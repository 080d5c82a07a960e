#include "repo/file_metadata.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

namespace holdfast::repo {

unsigned posix_mode(const Node& node) {
  unsigned mode = node.mode & 0777;
  if (node.mode & kModeSetuid) mode |= S_ISUID;
  if (node.mode & kModeSetgid) mode |= S_ISGID;
  if (node.mode & kModeSticky) mode |= S_ISVTX;
  return mode;
}

void apply_metadata(int fd, const std::string& path, const Node& node, std::vector<std::string>& problems,
                    const struct stat& now) {
  const auto note = [&](const char* what) {
    problems.push_back(fmt::format("{}: {}: {}", path, what, std::strerror(errno)));
  };
  const bool root = ::geteuid() == 0;
  const bool by_path = node.type != NodeType::file && node.type != NodeType::dir;  // fd is O_PATH
  const std::string proc = by_path ? fmt::format("/proc/self/fd/{}", fd) : "";
  bool owned = now.st_uid == node.uid && now.st_gid == node.gid;
  if (root && !owned) {
    owned = ::fchownat(fd, "", node.uid, node.gid, AT_EMPTY_PATH) == 0;
    if (!owned) note("owner");
  }
  for (const auto& attribute : node.xattrs) {
    const int done =
        by_path ? ::setxattr(proc.c_str(), attribute.name.c_str(), attribute.value.data(), attribute.value.size(), 0)
                : ::fsetxattr(fd, attribute.name.c_str(), attribute.value.data(), attribute.value.size(), 0);
    if (done != 0 && !(errno == EPERM && !root)) note(("attribute " + attribute.name).c_str());
  }
  unsigned mode = posix_mode(node);
  if (node.type != NodeType::dir) {
    if (!owned && now.st_uid != node.uid) mode &= ~static_cast<unsigned>(S_ISUID);
    if (!owned && now.st_gid != node.gid) mode &= ~static_cast<unsigned>(S_ISGID);
  }
  const bool has_mode = now.st_uid == node.uid && now.st_gid == node.gid && (now.st_mode & 07777) == mode;
  if (node.type != NodeType::symlink && !has_mode &&
      (by_path ? ::chmod(proc.c_str(), mode) : ::fchmod(fd, mode)) != 0) {
    note("mode");
  }
  const timespec times[2] = {{node.atime.seconds, node.atime.nanoseconds},
                             {node.mtime.seconds, node.mtime.nanoseconds}};
  if ((by_path ? ::utimensat(fd, "", times, AT_EMPTY_PATH) : ::futimens(fd, times)) != 0) note("times");
}

bool create_special(int directory, const std::string& name, const Node& node) {
  switch (node.type) {
    case NodeType::symlink:
      return ::symlinkat(node.link_target.c_str(), directory, name.c_str()) == 0;
    case NodeType::fifo:
      return ::mkfifoat(directory, name.c_str(), 0600) == 0;
    case NodeType::dev:
      return ::mknodat(directory, name.c_str(), S_IFBLK | 0600, node.device) == 0;
    case NodeType::chardev:
      return ::mknodat(directory, name.c_str(), S_IFCHR | 0600, node.device) == 0;
    default:
      errno = EINVAL;  // sockets and irregular files mean nothing without their maker
      return false;
  }
}

}  // namespace holdfast::repo
