#include "repo/file_node.h"

#include <grp.h>
#include <pwd.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <cerrno>

#include "repo/environment.h"
#include "sys/file.h"

namespace holdfast::repo {
namespace {

uint32_t mode_of(mode_t mode) {
  uint32_t bits = mode & 0777;
  if (mode & S_ISUID) bits |= kModeSetuid;
  if (mode & S_ISGID) bits |= kModeSetgid;
  if (mode & S_ISVTX) bits |= kModeSticky;
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return bits | kModeDir;
    case S_IFLNK:
      return bits | kModeSymlink;
    case S_IFBLK:
      return bits | kModeDevice;
    case S_IFCHR:
      return bits | kModeDevice | kModeCharDevice;
    case S_IFIFO:
      return bits | kModeFifo;
    case S_IFSOCK:
      return bits | kModeSocket;
    default:
      return bits;
  }
}

NodeType type_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return NodeType::file;
    case S_IFDIR:
      return NodeType::dir;
    case S_IFLNK:
      return NodeType::symlink;
    case S_IFBLK:
      return NodeType::dev;
    case S_IFCHR:
      return NodeType::chardev;
    case S_IFIFO:
      return NodeType::fifo;
    case S_IFSOCK:
      return NodeType::socket;
    default:
      return NodeType::irregular;
  }
}

Timestamp timestamp(const timespec& at) {
  return {at.tv_sec, static_cast<int32_t>(at.tv_nsec), 0};
}

}  // namespace

const std::string& NameCache::user(uint32_t uid) {
  auto [at, fresh] = users_.try_emplace(uid);
  if (fresh) {
    char memory[4096];
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(uid, &entry, memory, sizeof memory, &found) == 0 && found) at->second = found->pw_name;
  }
  return at->second;
}

const std::string& NameCache::group(uint32_t gid) {
  auto [at, fresh] = groups_.try_emplace(gid);
  if (fresh) {
    char memory[4096];
    ::group entry{};
    ::group* found = nullptr;
    if (::getgrgid_r(gid, &entry, memory, sizeof memory, &found) == 0 && found) at->second = found->gr_name;
  }
  return at->second;
}

Node node_from_stat(const struct stat& info, std::string name, NameCache& names) {
  Node node;
  node.name = std::move(name);
  node.type = type_of(info.st_mode);
  node.mode = mode_of(info.st_mode);
  node.mtime = node.atime = timestamp(info.st_mtim);
  node.ctime = timestamp(info.st_ctim);
  node.uid = info.st_uid;
  node.gid = info.st_gid;
  node.user = names.user(info.st_uid);
  node.group = names.group(info.st_gid);
  node.inode = info.st_ino;
  node.device_id = info.st_dev;
  // restic counts the links of files, symbolic links and devices only; equal nodes make equal trees.
  if (node.type != NodeType::dir && node.type != NodeType::fifo) node.links = info.st_nlink;
  if (node.type == NodeType::file) node.size = static_cast<uint64_t>(info.st_size);
  if (node.type == NodeType::dev || node.type == NodeType::chardev) node.device = info.st_rdev;
  return node;
}

namespace {

/// `list_into` and `get_into` are listxattr(2) and getxattr(2) of one file.
Result<std::vector<ExtendedAttribute>> collect_xattrs(const std::string& path, auto&& list_into, auto&& get_into) {
  std::vector<ExtendedAttribute> list;
  char small[1024];
  std::string names;
  ssize_t length = list_into(small, sizeof small);
  if (length >= 0) {
    names.assign(small, static_cast<size_t>(length));
  } else if (errno == ERANGE) {
    for (;;) {
      length = list_into(nullptr, 0);
      if (length < 0) return fail(sys::errno_error(errno, "listing extended attributes of " + path));
      names.resize(static_cast<size_t>(length));
      length = list_into(names.data(), names.size());
      if (length >= 0) break;
      if (errno != ERANGE) return fail(sys::errno_error(errno, "listing extended attributes of " + path));
    }
    names.resize(static_cast<size_t>(length));
  } else if (errno == ENOTSUP || errno == EPERM || errno == EACCES) {
    return list;
  } else {
    return fail(sys::errno_error(errno, "listing extended attributes of " + path));
  }
  for (size_t at = 0; at < names.size();) {
    ExtendedAttribute attribute;
    attribute.name = names.c_str() + at;
    at += attribute.name.size() + 1;
    for (;;) {
      const ssize_t size = get_into(attribute.name.c_str(), nullptr, 0);
      if (size < 0) break;
      attribute.value.resize(static_cast<size_t>(size));
      const ssize_t got = get_into(attribute.name.c_str(), attribute.value.data(), attribute.value.size());
      if (got < 0 && errno == ERANGE) continue;
      if (got >= 0) {
        attribute.value.resize(static_cast<size_t>(got));
        list.push_back(std::move(attribute));
      }
      break;
    }
  }
  return list;
}

}  // namespace

Result<std::vector<ExtendedAttribute>> read_xattrs(const std::string& path) {
  return collect_xattrs(
      path, [&](char* into, size_t size) { return ::llistxattr(path.c_str(), into, size); },
      [&](const char* name, char* into, size_t size) { return ::lgetxattr(path.c_str(), name, into, size); });
}

Result<std::vector<ExtendedAttribute>> read_xattrs(int fd, const std::string& path) {
  return collect_xattrs(
      path, [&](char* into, size_t size) { return ::flistxattr(fd, into, size); },
      [&](const char* name, char* into, size_t size) { return ::fgetxattr(fd, name, into, size); });
}

}  // namespace holdfast::repo
