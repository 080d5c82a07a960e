// A directory whose contents are backed up, by its descriptor: whoever may rename in it, or above it, leads the backup
// nowhere else.
#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

#include "repo/format/tree.h"
#include "sys/file.h"

namespace holdfast::repo {

/// For a thread that does nothing but walk: lets go of the process's working directory, so that names of open
/// directories can be handed to system calls that take paths only. Relative paths mean what they meant. Cannot be
/// undone, and does nothing where the system forbids it; it costs a tenth of the time to look at unchanged files then.
void take_own_working_directory();

/// One thread's. Errors are texts for a list of problems, "PATH: why".
class SourceDirectory {
 public:
  /// The directory at `path` (empty: the working directory), where no link of a stranger leads ("sys.foreign_link").
  /// `info` becomes its own.
  static Result<SourceDirectory> open(const std::string& path, struct stat& info);

  const std::string& path() const { return path_; }
  std::string path_of(const std::string& name) const;
  /// lstat(2) of a name in it.
  Result<struct stat> look(const std::string& name) const;
  /// Sorted.
  Result<std::vector<std::string>> names() const;
  /// A directory in this one, to be listed; `info` becomes its own.
  Result<SourceDirectory> enter(const std::string& name, struct stat& info) const;
  /// A regular file in it, to be read, without a new access time where that is allowed; `info` becomes its own.
  Result<sys::Fd> open_file(const std::string& name, struct stat& info) const;
  /// Gives the descriptor back, for a while in which only what is in `child`, which was entered from here, is needed:
  /// a deep tree would take more of them than a process may have. Not of the directory a walk begins with.
  void let_go() { fd_.reset(); }
  /// Fails where the child has been moved to another directory meanwhile.
  Status take_back(const SourceDirectory& child);
  Result<std::string> link_target(const std::string& name, off_t expected) const;
  /// Extended attributes of a name, of a link itself; none where they cannot be read.
  std::vector<ExtendedAttribute> xattrs(const std::string& name) const;
  /// Of the directory itself.
  std::vector<ExtendedAttribute> xattrs() const;

 private:
  SourceDirectory(std::string path, sys::Fd fd, const struct stat& info);
  void take(sys::Fd fd);
  /// A path of the name that leads nowhere else, for what takes nothing but paths.
  std::string reach(const std::string& name) const;
  std::string path_, below_;  ///< below_: a path of this very directory that nobody can change
  uint64_t serial_ = 0;       ///< of this descriptor, among all
  sys::Fd fd_;
  dev_t device_;
  ino_t inode_;
};

}  // namespace holdfast::repo
