// Files of this machine as tree nodes.
#pragma once

#include <sys/stat.h>

#include <string>
#include <unordered_map>

#include "repo/format/tree.h"

namespace holdfast::repo {

/// User and group names by number, looked up once each. Not thread-safe.
class NameCache {
 public:
  const std::string& user(uint32_t uid);
  const std::string& group(uint32_t gid);

 private:
  std::unordered_map<uint32_t, std::string> users_, groups_;
};

/// A node from lstat(2) data: everything but content, link target and extended attributes. The access time is the
/// modification time, since reading a file for a backup would change it.
Node node_from_stat(const struct stat& info, std::string name, NameCache& names);

/// Extended attributes of a path, not following a link at its end. Unsupported file systems have none.
Result<std::vector<ExtendedAttribute>> read_xattrs(const std::string& path);
/// The same of an open file; `path` is for messages.
Result<std::vector<ExtendedAttribute>> read_xattrs(int fd, const std::string& path);

}  // namespace holdfast::repo
