// Putting a node's metadata onto a file.
#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

#include "repo/format/tree.h"

namespace holdfast::repo {

/// Owner, extended attributes, mode and times of `node` onto the open file `fd`, in this order: a change of owner
/// clears set-uid bits, and every other change would touch the times. `fd` of a file or directory is open for reading
/// or writing, of anything else by O_PATH. Owners are left alone unless this process is root. A file whose owner
/// (group) is not the node's afterwards gets no set-uid (set-gid) bit: it would lend the rights of another user.
/// Appends what failed to `problems` under the name `path`; `now`, what the file is already.
void apply_metadata(int fd, const std::string& path, const Node& node, std::vector<std::string>& problems,
                    const struct stat& now);

/// Creates the symlink, fifo or device that `node` is as `name` in an open directory. Devices need root. False with
/// errno if that fails.
bool create_special(int directory, const std::string& name, const Node& node);

/// Permission and special bits for chmod(2).
unsigned posix_mode(const Node& node);

}  // namespace holdfast::repo
