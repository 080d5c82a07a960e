// Directories by descriptor, for places that other users may write to.
//
// A path handed to the kernel again and again means what stands there at that moment: whoever can write to a directory
// on the way can put a symbolic link there. Here names are looked up from an open directory, and no link of a stranger
// is followed, also while another user swaps names.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "sys/file.h"

namespace holdfast::sys {

/// openat(2) of the single `name`, with O_CLOEXEC and O_NOFOLLOW: ELOOP or ENOTDIR where it is a symbolic link. Returns
/// the descriptor, or -1 with errno set.
Fd open_at(int directory, const std::string& name, int flags, unsigned mode = 0);
/// The same of a relative `path`, without "." and ".."; empty or "." is the directory itself. A symbolic link anywhere
/// in it is ELOOP or ENOTDIR. Any length of path: openat2(2) piece by piece where the kernel has it, else a walk that
/// opens one name after the other.
Fd open_beneath(int directory, const std::string& path, int flags, unsigned mode = 0);
/// The walk: what open_beneath() uses where openat2(2) is missing.
Fd walk_beneath(int directory, const std::string& path, int flags, unsigned mode = 0);

/// Opens the directory `path` (O_PATH) name by name; `make` creates what is missing with `mode`. A symbolic link on the
/// way is followed only if root or this process's user owns it: one that another user put there could lead anywhere,
/// and is refused as "sys.foreign_link".
Result<Fd> open_directory(const std::string& path, bool make, unsigned mode = 0755);

/// The names in an open directory without "." and "..", all of them before any is touched; not sorted.
Result<std::vector<std::string>> names_in(int directory);

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

/// Opens the directory `path` to read it; what stands at its last name must be a directory, not a link to one. The
/// directory above it is trusted.
Result<Fd> open_last_directory(const std::string& path);

}  // namespace holdfast::sys
