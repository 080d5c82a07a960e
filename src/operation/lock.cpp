#include "operation/lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "operation/folders.h"
#include "operation/journal.h"
#include "operation/operations.h"
#include "sys/any_process.h"
#include "sys/process.h"
#include "sys/write_at.h"

namespace holdfast::operation {

using codec::Value;

namespace {

LockOwner parse_owner(std::string_view text) {
  LockOwner owner;
  const auto document = codec::parse_value(text);
  if (!document) return owner;
  owner.host = (*document)["host"].text();
  owner.pid = (*document)["pid"].integer();
  owner.process_start = (*document)["processStart"].unsigned_integer();
  owner.operation = (*document)["operation"].text();
  owner.verb = (*document)["verb"].text();
  owner.since = (*document)["since"].text();
  return owner;
}

LockOwner read_owner(const std::string& path) {
  const auto bytes = sys::read_file(path);
  return bytes ? parse_owner(as_text(*bytes)) : LockOwner{};
}

bool same_file(int fd, const std::string& path) {
  struct stat open_one{}, named{};
  return ::fstat(fd, &open_one) == 0 && ::stat(path.c_str(), &named) == 0 && open_one.st_ino == named.st_ino &&
         open_one.st_dev == named.st_dev;
}

Error locked(const std::string& path, const std::string& cluster) {
  const LockOwner owner = read_owner(path);
  const std::string operation = owner.operation.empty() ? "" : ", operation " + owner.operation;
  const std::string who = owner.host.empty() ? "another process"
                                             : fmt::format("{} (process {} on {}{}, since {})", owner.verb, owner.pid,
                                                           owner.host, operation, owner.since);
  return Error{ErrorClass::conflict,
               "operation.locked",
               fmt::format("{} is being changed by {}", cluster, who),
               owner.operation.empty() ? "holdfast operations list" : "holdfast operations show " + owner.operation,
               {}};
}

/// Opens the file under its name and locks it; the name may be removed or replaced in between.
Result<sys::Fd> lock_path(const std::string& path, const std::string& cluster) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    sys::Fd fd = TRY(sys::open_file(path, O_RDWR | O_CREAT, 0600));
    if (!sys::lock_file(fd.get())) {
      if (errno == EAGAIN || errno == EACCES) return fail(locked(path, cluster));
      return fail(sys::errno_error(errno, "lock " + path));
    }
    if (same_file(fd.get(), path)) return fd;
  }
  return fail(ErrorClass::unavailable, "operation.lock_moves", path + " is replaced again and again");
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

Result<uint64_t> raise_epoch(const std::string& path, uint64_t min_epoch) {
  auto last = read_epoch(path);
  if (!last) {
    if (min_epoch == 0) {
      return fail(std::move(last.error())
                      .with_hint("no member knows an epoch either; if this cluster never had one, remove " + path));
    }
    last = uint64_t{0};
  }
  const uint64_t epoch = std::max(*last, min_epoch) + 1;
  TRY_VOID(sys::publish_file(path, as_bytes(std::to_string(epoch) + "\n"), 0600));
  return epoch;
}

}  // namespace

Value owner_value(const LockOwner& owner) {
  return Value::object({{"host", owner.host},
                        {"pid", owner.pid},
                        {"processStart", owner.process_start},
                        {"operation", owner.operation},
                        {"verb", owner.verb},
                        {"since", owner.since}});
}

LockOwner this_owner(std::string operation, std::string verb) {
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  return {host,     ::getpid(), sys::process_start_time(::getpid()).value_or(0), std::move(operation), std::move(verb),
          utc_now()};
}

Result<ClusterLock> ClusterLock::acquire(const std::string& state_dir, const LockRequest& request) {
  ClusterLock lock;
  lock.lock_path_ = lock_file_of(state_dir, request.cluster);
  lock.epoch_path_ = epoch_file_of(state_dir, request.cluster);
  TRY_VOID(make_durable_folder(operations_folder(state_dir) + "/locks"));
  TRY_VOID(make_durable_folder(operations_folder(state_dir) + "/epochs"));
  lock.fd_ = TRY(lock_path(lock.lock_path_, request.cluster));
  for (const Summary& other : TRY(unfinished_operations(state_dir, request.cluster))) {
    if (other.id == request.operation || request.beside_unfinished) continue;
    const std::string what = other.damage.empty() ? fmt::format("{} of {} is unfinished", other.verb, other.cluster)
                                                  : fmt::format("nobody knows how far it came: {}", other.damage);
    const std::string hint =
        other.damage.empty()
            ? fmt::format(
                  "holdfast operations show {0}; then: holdfast operations resume {0}, or: holdfast operations "
                  "undo {0}",
                  other.id)
            : fmt::format("holdfast operations show {0}; once the cluster is right: holdfast operations abandon {0}",
                          other.id);
    return fail(ErrorClass::conflict, "operation.unfinished",
                fmt::format("operation {} stands in the way: {}", other.id, what), hint);
  }
  lock.epoch_ = TRY(raise_epoch(lock.epoch_path_, request.min_epoch));
  lock.owner_ = this_owner(request.operation, request.verb);
  // Only for people who meet the lock; that it is held is the kernel's knowledge.
  const std::string text = codec::to_json(owner_value(lock.owner_)) + "\n";
  TRY_VOID(sys::write_at(lock.fd_.get(), as_bytes(text), 0));
  if (::ftruncate(lock.fd_.get(), static_cast<off_t>(text.size())) != 0)
    return fail(sys::errno_error(errno, "cut " + lock.lock_path_));
  return lock;
}

ClusterLock::~ClusterLock() {
  if (fd_) (void)!::ftruncate(fd_.get(), 0);  // while it is still ours
}

Status ClusterLock::confirm() const {
  const auto lost = [&](const std::string& why) {
    return fail(ErrorClass::conflict, "operation.lock_lost", "the lock of the cluster is no longer ours: " + why,
                "somebody may have removed files under the state directory; holdfast operations list shows who works");
  };
  if (!same_file(fd_.get(), lock_path_)) return lost(lock_path_ + " was removed or replaced");
  const uint64_t last = TRY(read_epoch(epoch_path_));
  if (last > epoch_) return lost(fmt::format("epoch {} was given out, ours is {}", last, epoch_));
  return {};
}

std::optional<LockOwner> lock_holder(const std::string& state_dir, std::string_view cluster) {
  const std::string path = lock_file_of(state_dir, cluster);
  auto fd = sys::open_file(path, O_RDONLY);
  if (!fd) return std::nullopt;
  struct flock probe{};
  probe.l_type = F_WRLCK;
  probe.l_whence = SEEK_SET;
  if (::fcntl(fd->get(), F_OFD_GETLK, &probe) != 0 || probe.l_type == F_UNLCK) return std::nullopt;
  return read_owner(path);
}

}  // namespace holdfast::operation
