// Where a restore writes: one directory, and names below it that others may change at any moment.
//
// Every name is looked up from the open directory without following a link. What is new is written under a name of its
// own beside its place and renamed when it is whole, so that an interrupt leaves the old file or the new one. What was
// created is known by device and inode, and is not taken for ours under the same name again without them.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <optional>
#include <string>

#include "base/result.h"
#include "repo/format/tree.h"
#include "sys/file.h"

namespace holdfast::repo {

class RestorePlace {
 public:
  /// The directory used last: its neighbours need no look-up. One per thread.
  struct Near {
    std::string path;
    sys::Fd fd;
  };
  /// A file that this run created, under its name beside its place.
  struct Made {
    std::string name;  ///< in the directory of its place; empty: nothing is there
    dev_t device = 0;
    ino_t inode = 0;
  };

  /// `make` creates the directory with mode 0755. Without it an absent one is a place in which nothing is.
  static Result<RestorePlace> open(const std::string& path, bool make);
  /// For messages: the full path of `path`, which is relative to the place.
  std::string full(const std::string& path) const { return root_path_ + "/" + path; }

  std::optional<struct stat> look(Near& near, const std::string& path) const;
  Status make_directory(Near& near, const std::string& path, unsigned mode) const;
  /// A directory of one's own that one may not write to becomes one in which one may; other modes stay.
  void open_up(Near& near, const std::string& path, const struct stat& now) const;
  Status remove(Near& near, const std::string& path) const;
  sys::Fd open_directory(const std::string& path) const;

  /// Creates an empty file beside `path`, open for writing.
  Result<sys::Fd> create(Near& near, const std::string& path, unsigned mode, Made& made) const;
  /// Opens it again; "restore.replaced" if it is another file by now.
  Result<sys::Fd> reopen(Near& near, const std::string& path, int flags, const Made& made) const;
  /// Gives it its place, over whatever file is there.
  Status publish(Near& near, const std::string& path, Made& made) const;
  void discard(Near& near, const std::string& path, Made& made) const;
  /// Opens a published file for reading.
  Result<sys::Fd> open_file(Near& near, const std::string& path) const;

  /// Creates the symlink, fifo or device beside `path`, with its metadata, and puts it there.
  Status put_special(Near& near, const std::string& path, const Node& node, std::vector<std::string>& problems) const;
  /// Makes `path` another name of the published file `first`, which is the file `made`.
  Status put_link(Near& near, const std::string& first, const Made& made, const std::string& path) const;

 private:
  RestorePlace(std::string path, sys::Fd root, std::string prefix)
      : root_path_(std::move(path)), root_(std::move(root)), prefix_(std::move(prefix)) {}
  /// The directory of `path`, or -1 with errno.
  int parent(Near& near, const std::string& path) const;
  std::string temporary() const;

  std::string root_path_;
  sys::Fd root_;
  std::string prefix_;  // of names beside: random, so that no other run has them
};

}  // namespace holdfast::repo
