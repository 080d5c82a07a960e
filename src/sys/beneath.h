// Names below a directory that other users may write to.
//
// A path handed to the kernel again and again means what stands there at that moment: whoever can write to a directory
// on the way can put a symbolic link there. Here a path is looked up from an open directory, in one go, without
// following any link and without leaving it.
#pragma once

#include <string>

#include "base/result.h"
#include "sys/file.h"

namespace holdfast::sys {

/// open(2) of `path` below `directory`, with O_CLOEXEC and O_NOFOLLOW. `path` is relative, without "." and ".."; empty
/// or "." is the directory itself. A symbolic link anywhere in it is ELOOP or ENOTDIR. Returns the descriptor, or -1
/// with errno set. openat2(2) where the kernel has it, else a walk that opens one name after the other.
Fd open_beneath(int directory, const std::string& path, int flags, unsigned mode = 0);
/// The walk, for any length of path; what open_beneath() uses where openat2(2) is missing or the path is too long.
Fd walk_beneath(int directory, const std::string& path, int flags, unsigned mode = 0);

/// Opens the directory `path` name by name; `make` creates what is missing with `mode`. A symbolic link on the way is
/// followed only if root or this process's user owns it: one that another user put there could lead anywhere, and is
/// refused as "sys.foreign_link".
Result<Fd> open_directory(const std::string& path, bool make, unsigned mode = 0755);

}  // namespace holdfast::sys
