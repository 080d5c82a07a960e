// Directories by descriptor: what is in them is removed and given away without following a symbolic link, also while
// another user who may write there swaps names.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "sys/file.h"

namespace holdfast::sys {

/// The directory at `path`; what stands at its last name must be a directory, not a link to one.
Result<Fd> open_directory(const std::string& path);
/// Removes `name` in `directory` and, where it is a directory, everything in it. Fine when there is nothing.
Status remove_tree_at(int directory, const std::string& name);
/// The same by path; the directory above it is trusted.
Status remove_tree(const std::string& path);

/// Gives `path` and everything in it to uid:gid. Everything there must belong to `from` or to `uid` already: anything
/// else is a link to what is another's ("sys.foreign_file", refused). The directory above `path` is trusted.
Status give_tree(const std::string& path, uid_t from, uid_t uid, gid_t gid);

/// Makes the directory `path`, or takes the one that is there, and sets its owner (unless uid is -1) and mode.
/// The directory above it is trusted.
Status own_directory(const std::string& path, unsigned mode, uid_t uid, gid_t gid);

}  // namespace holdfast::sys
