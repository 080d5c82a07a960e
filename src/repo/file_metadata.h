// Putting a node's metadata onto a file.
#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

#include "repo/format/tree.h"

namespace holdfast::repo {

/// Owner, extended attributes, mode and times of `node` onto `path` (not following links), in this order: a change of
/// owner clears set-uid bits, and every other change would touch the times. Owners are left alone unless this process
/// is root. Appends what failed to `problems`. A descriptor of the file, where one is open, saves the look-ups of its
/// path; `now`, what it is already.
void apply_metadata(const std::string& path, const Node& node, std::vector<std::string>& problems, int fd = -1,
                    const struct stat* now = nullptr);

/// Creates the symlink, fifo or device that `node` is. Devices need root.
Status create_special(const std::string& path, const Node& node);

/// Permission and special bits for chmod(2).
unsigned posix_mode(const Node& node);

}  // namespace holdfast::repo
