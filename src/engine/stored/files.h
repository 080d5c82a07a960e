// Reading files of a server that may run, hang, or have left damage behind: nothing here writes, locks, waits for
// another process, or blocks on what is no regular file.
//
// Access times stay as they are where the kernel lets us (O_NOATIME: owner or root).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "engine/stored/known.h"
#include "sys/file.h"

namespace holdfast::engine::stored {

/// Opens a regular file for reading; a FIFO, socket, device or directory is "stored.not_a_file" and is never opened.
Result<sys::Fd> open_regular(const std::string& path);
/// The whole of a file of at most `limit` bytes; "stored.too_large" beyond.
Result<std::string> read_small(const std::string& path, size_t limit = 1 << 20);

/// One thing at a path. `absent` is proven: the containing directory could be searched and has no such name.
enum class Presence { present, absent, unknown };
Presence presence(const std::string& path);

/// What a directory is and holds.
struct DirectoryState {
  enum class Kind {
    missing,    ///< proven: its parent could be searched and has no such name
    empty,      ///< proven: a whole listing showed nothing but lost+found
    populated,  ///< something is in it
    not_a_directory,
    unreadable,  ///< it could not be listed; `why` says how
  };
  Kind kind = Kind::unreadable;
  std::string why;
  std::vector<std::string> names;  ///< sorted; at most `limit` of them
  bool all_names = false;          ///< `names` is the whole listing
};
DirectoryState list_directory(const std::string& path, size_t limit = 100'000);

/// Room on the file system that holds `path`, as an unprivileged writer sees it.
struct Volume {
  uint64_t bytes_total = 0, bytes_free = 0;
  uint64_t inodes_total = 0, inodes_free = 0;  ///< 0 and 0 when the file system has no fixed number of them
  bool read_only = false;
  uint64_t device = 0;  ///< st_dev: equal for two paths of one volume
};
/// May block when the file system itself hangs (a dead NFS server): call it from a thread that may be given up.
Known<Volume> volume_of(const std::string& path);

}  // namespace holdfast::engine::stored
