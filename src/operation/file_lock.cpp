#include "operation/file_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "operation/folders.h"
#include "sys/write_at.h"

namespace holdfast::operation {

namespace {

LockOwner read_owner(const std::string& path) {
  const auto bytes = sys::read_file(path);
  return bytes ? parse_owner(as_text(*bytes)) : LockOwner{};
}

bool same_file(int fd, const std::string& path) {
  struct stat open_one{}, named{};
  return ::fstat(fd, &open_one) == 0 && ::stat(path.c_str(), &named) == 0 && open_one.st_ino == named.st_ino &&
         open_one.st_dev == named.st_dev;
}

/// Opens the file under its name and locks it; the name may be removed or replaced in between.
Result<sys::Fd> lock_path(const std::string& path, sys::LockKind kind, const ClusterKey& cluster) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    sys::Fd fd = TRY(sys::open_file(path, O_RDWR | O_CREAT, 0600));
    if (!sys::lock_file(fd.get(), kind)) {
      if (errno == EAGAIN || errno == EACCES) return fail(locked(cluster, read_owner(path)));
      return fail(sys::errno_error(errno, "lock " + path));
    }
    if (same_file(fd.get(), path)) return fd;
  }
  return fail(ErrorClass::unavailable, "operation.lock_moves", path + " is replaced again and again");
}

/// Whether somebody has a lock that excludes one of this kind; who.
std::optional<LockOwner> holder_of(const std::string& path, short kind) {
  auto fd = sys::open_file(path, O_RDONLY);
  if (!fd) return std::nullopt;
  struct flock probe{};
  probe.l_type = kind;
  probe.l_whence = SEEK_SET;
  if (::fcntl(fd->get(), F_OFD_GETLK, &probe) != 0 || probe.l_type == F_UNLCK) return std::nullopt;
  return read_owner(path);
}

/// The last epoch given out; 0 when there is no file. An error only when the file is there and makes no sense.
Result<uint64_t> read_epoch(const std::string& path) {
  const auto bytes = sys::read_file(path);
  if (!bytes) {
    if (bytes.error().id == "store.not_found") return uint64_t{0};
    return fail(bytes.error());
  }
  std::string_view text = as_text(*bytes);
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string_view::npos)
    return fail(ErrorClass::needs_operator, "operation.epoch_damaged", path + " holds no epoch");
  return std::stoull(std::string(text));
}

}  // namespace

Result<std::unique_ptr<FileLock>> FileLock::take(const std::string& state_dir, const LockRequest& request) {
  const ClusterKey& cluster = request.cluster;
  TRY_VOID(make_durable_folder(operations_folder(state_dir) + "/locks"));
  TRY_VOID(make_durable_folder(operations_folder(state_dir) + "/epochs"));
  std::unique_ptr<FileLock> lock(new FileLock(request));
  const auto add = [&](const ClusterKey& key, sys::LockKind kind) -> Status {
    std::string path = lock_file_of(state_dir, key);
    sys::Fd fd = TRY(lock_path(path, kind, cluster));
    lock->files_.push_back({std::move(path), std::move(fd)});
    lock->epochs_.push_back(epoch_file_of(state_dir, key));
    return {};
  };
  TRY_VOID(add(cluster, sys::LockKind::exclusive));
  if (!cluster.uid.empty()) TRY_VOID(add(ClusterKey(cluster.name), sys::LockKind::shared));
  return lock;
}

Status FileLock::begin(uint64_t min_epoch) {
  uint64_t last = min_epoch;
  for (const auto& path : epochs_) {
    auto known = read_epoch(path);
    if (!known && min_epoch == 0)
      return fail(std::move(known.error())
                      .with_hint("no member knows an epoch either; if this cluster never had one, remove " + path));
    last = std::max(last, known.value_or(0));
  }
  set_epoch(last + 1);
  for (const auto& path : epochs_) TRY_VOID(sys::publish_file(path, as_bytes(std::to_string(epoch()) + "\n"), 0600));
  // Only for people who meet the lock; that it is held is the kernel's knowledge.
  const std::string text = codec::to_json(owner_value(owner())) + "\n";
  for (const File& file : files_) {
    TRY_VOID(sys::write_at(file.fd.get(), as_bytes(text), 0));
    if (::ftruncate(file.fd.get(), static_cast<off_t>(text.size())) != 0)
      return fail(sys::errno_error(errno, "cut " + file.path));
  }
  return {};
}

FileLock::~FileLock() {
  for (const File& file : files_) (void)!::ftruncate(file.fd.get(), 0);  // while it is still ours
}

Status FileLock::confirm() const {
  const auto lost = [&](const std::string& why) {
    return fail(lock_lost(why,
                          "files under the state directory may have been removed; holdfast operations list shows "
                          "who works"));
  };
  for (const File& file : files_)
    if (!same_file(file.fd.get(), file.path)) return lost(file.path + " was removed or replaced");
  const uint64_t last = TRY(read_epoch(epochs_.front()));  // the other one may be of another cluster with this name
  if (last > epoch()) return lost(fmt::format("epoch {} was given out, ours is {}", last, epoch()));
  return {};
}

std::optional<LockOwner> file_lock_holder(const std::string& state_dir, const ClusterKey& cluster) {
  auto owner = holder_of(lock_file_of(state_dir, cluster), F_WRLCK);
  if (owner || cluster.uid.empty()) return owner;
  return holder_of(lock_file_of(state_dir, ClusterKey(cluster.name)), F_RDLCK);
}

}  // namespace holdfast::operation
