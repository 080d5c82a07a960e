#include "operation/file_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "operation/file_journal.h"
#include "operation/file_lock.h"
#include "operation/folders.h"

namespace holdfast::operation {

namespace {

/// Of an operation, not of what is kept beside them.
bool is_id(const std::string& name) {
  return !name.empty() && name.find('/') == std::string::npos && !name.starts_with('.') && name != "locks" &&
         name != "epochs";
}

}  // namespace

std::string FileOperationStore::folder_of(const std::string& id) const {
  return operations_folder(state_dir_) + "/" + id;
}

Result<std::unique_ptr<ClusterLock>> FileOperationStore::acquire(const LockRequest& request) {
  auto lock = TRY(FileLock::take(state_dir_, request));
  TRY_VOID(refuse_if_unfinished(request));
  TRY_VOID(lock->begin(request.min_epoch));
  return lock;
}

std::optional<LockOwner> FileOperationStore::holder(const ClusterKey& cluster) const {
  return file_lock_holder(state_dir_, cluster);
}

Result<std::unique_ptr<Journal>> FileOperationStore::create(const ClusterLock& lock, const std::string& id,
                                                            const Plan& plan, codec::Value begun_data) {
  TRY_VOID(check_lock(lock, plan));
  return TRY(FileJournal::create(folder_of(id), staging_folder_of(state_dir_, lock.cluster()), id, plan,
                                 std::move(begun_data)));
}

Result<std::unique_ptr<Journal>> FileOperationStore::open(const ClusterLock& lock, const std::string& id) {
  StoredOperation stored = TRY(read(id));
  if (stored.plan) TRY_VOID(check_lock(lock, *stored.plan));
  return TRY(FileJournal::open(folder_of(id), std::move(stored)));
}

Status FileOperationStore::write_abandonment(const std::string& id, const codec::Value& owner) {
  return FileJournal::abandon(folder_of(id), owner);
}

Result<std::vector<std::string>> FileOperationStore::ids() const {
  std::vector<std::string> ids;
  const std::string folder = operations_folder(state_dir_);
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error), end;
  for (; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (is_id(name) && entry->is_directory(ignored)) ids.push_back(name);
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return fail(sys::errno_error(error.value(), "read " + folder));
  std::ranges::sort(ids);
  return ids;
}

Result<StoredOperation> FileOperationStore::read(const std::string& id) const {
  struct stat info{};
  if (!is_id(id) || ::stat(folder_of(id).c_str(), &info) != 0) return fail(not_found(id));
  return read_operation(id, FileJournal::read(folder_of(id)));
}

}  // namespace holdfast::operation
