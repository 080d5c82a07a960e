// Work done as another user: inside directories that it can write, and at sockets whose server asks who connects.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sys/user.h"

namespace holdfast::sys {

/// For as long as it lives, file systems judge the calling thread as that user: what they cannot open, chown, rename
/// or remove, it cannot either, wherever a symbolic or hard link of theirs leads; what it makes is theirs. Root keeps
/// everything that has nothing to do with files. For who is not root, and for nullopt, it changes nothing.
/// A thread that is started meanwhile keeps those rights; a child program does not. One thread's; may be nested.
/// The process's dumpable mark and the thread's parent-death signal, which the kernel drops with it, are kept.
/// Where the kernel refuses the change the program ends: going on would be going on as root.
class ActAs {
 public:
  /// `peers`: also servers that ask the kernel who connects to their unix socket (SO_PEERCRED, taken by connect(2)) see
  /// that user. The thread then has nothing of root's but the way back.
  enum class Before { files, peers };
  explicit ActAs(const std::optional<Identity>& identity, Before before = Before::files);
  ~ActAs();
  ActAs(const ActAs&) = delete;
  ActAs& operator=(const ActAs&) = delete;

 private:
  void keep_marks() const;
  const Before before_;
  bool acting_ = false;
  uid_t uid_ = 0;  ///< before, for files
  gid_t gid_ = 0;
  gid_t effective_gid_ = 0;
  pid_t parent_ = 0;
  int death_signal_ = 0;
  std::vector<gid_t> groups_;
};

/// The owner of a directory, to read what is in it as that user: nullopt when that is who we are, or nothing is there.
/// A symbolic link counts as its target where it is root's, and as its maker's where it is not.
std::optional<Identity> owner_of(const std::string& directory);

}  // namespace holdfast::sys
