// The folder that `restore --into` fills: marked while it is not whole, so that a restore that failed or was killed
// stands in nobody's way.
#pragma once

#include <string>

#include "base/result.h"
#include "sys/file.h"

namespace holdfast::provider {

class RestoreFolder {
 public:
  /// Takes `path`, which must be absent, empty, or what an earlier restore left unfinished: that is removed first.
  /// "restore.not_empty" (refused) when it holds anything else, "restore.folder_in_use" (refused) while another restore
  /// fills it.
  static Result<RestoreFolder> claim(const std::string& path);

  /// It is whole: the mark goes.
  Status settle();
  /// Removes what the restore made; a folder that was there before stays, empty.
  Status discard();

  static constexpr const char* kMark = ".restore-unfinished";

 private:
  RestoreFolder(std::string path, bool made, sys::Fd lock)
      : path_(std::move(path)), made_(made), lock_(std::move(lock)) {}
  std::string mark() const { return path_ + "/" + kMark; }

  std::string path_;
  bool made_;
  sys::Fd lock_;  ///< of the mark
};

}  // namespace holdfast::provider
