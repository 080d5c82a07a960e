#include "provider/restore_folder.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <filesystem>

namespace holdfast::provider {
namespace {

namespace fs = std::filesystem;

Status unremovable(const fs::path& path, const std::error_code& error) {
  return fail(ErrorClass::failed, "restore.not_removed",
              fmt::format("cannot remove {}: {}", path.string(), error.message()),
              "remove it by hand, then run the restore again");
}

/// Everything in `path` but the mark.
Status clear(const std::string& path) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (entry.path().filename() == RestoreFolder::kMark) continue;
    std::error_code failed;
    fs::remove_all(entry.path(), failed);
    if (failed) return unremovable(entry.path(), failed);
  }
  if (error) return unremovable(path, error);
  return {};
}

}  // namespace

Result<RestoreFolder> RestoreFolder::claim(const std::string& path) {
  std::error_code error;
  const std::string mark = path + "/" + kMark;
  const bool there = fs::exists(fs::symlink_status(path, error));
  if (there && !fs::is_empty(path, error) && !fs::is_regular_file(fs::symlink_status(mark, error)))
    return fail(ErrorClass::refused, "restore.not_empty", path + " is not empty", "name a new directory with --into");
  TRY_VOID(sys::make_directories(path, 0755));
  sys::Fd lock = TRY(sys::open_file(mark, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (!sys::lock_file(lock.get())) {
    return fail(ErrorClass::refused, "restore.folder_in_use", "another restore is filling " + path,
                "wait for it, or name another directory with --into");
  }
  TRY_VOID(clear(path));
  return RestoreFolder(path, !there, std::move(lock));
}

Status RestoreFolder::settle() {
  std::error_code error;
  fs::remove(mark(), error);
  if (error) return unremovable(mark(), error);
  return sys::sync_directory(path_);
}

Status RestoreFolder::discard() {
  TRY_VOID(clear(path_));
  std::error_code error;
  fs::remove(mark(), error);
  if (!error && made_) fs::remove(path_, error);
  if (error) return unremovable(path_, error);
  return {};
}

}  // namespace holdfast::provider
