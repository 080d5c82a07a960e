#include "operation/memory_store.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::operation {

uint64_t MemoryOperationStore::Kept::last_epoch(const ClusterKey& cluster) {
  uint64_t last = 0;
  for (const auto& [known, epoch] : epochs)
    if (same_cluster(known, cluster)) last = std::max(last, epoch);
  return last;
}

Status MemoryOperationStore::Kept::writable() {
  if (!writes_left) return {};
  if (*writes_left == 0) return fail(ErrorClass::unavailable, "store.no_space", "set to be full");
  --*writes_left;
  return {};
}

class MemoryOperationStore::Lock final : public ClusterLock {
 public:
  static Result<std::unique_ptr<Lock>> take(const std::shared_ptr<Kept>& kept, const LockRequest& request) {
    const MutexLock hold(kept->mutex);
    for (const auto& [number, other] : kept->locks)
      if (same_cluster(other.cluster, request.cluster)) return fail(locked(request.cluster, other.owner));
    std::unique_ptr<Lock> lock(new Lock(kept, request));
    lock->number_ = ++kept->last_number;
    kept->locks[lock->number_] = {request.cluster, lock->owner()};
    return lock;
  }
  ~Lock() override {
    const MutexLock hold(kept_->mutex);
    kept_->locks.erase(number_);
  }
  Status begin(uint64_t min_epoch) {
    const MutexLock hold(kept_->mutex);
    if (kept_->epochs_damaged && min_epoch == 0)
      return fail(ErrorClass::needs_operator, "operation.epoch_damaged", "set to hold no epochs");
    set_epoch(std::max(kept_->last_epoch(cluster()), min_epoch) + 1);
    kept_->epochs.emplace_back(cluster(), epoch());
    kept_->epochs_damaged = false;
    return {};
  }
  Status confirm() const override {
    const MutexLock hold(kept_->mutex);
    if (!kept_->locks.contains(number_)) return fail(lock_lost("it was taken away"));
    if (const uint64_t last = kept_->last_epoch(cluster()); last > epoch())
      return fail(lock_lost(fmt::format("epoch {} was given out, ours is {}", last, epoch())));
    return {};
  }

 private:
  Lock(std::shared_ptr<Kept> kept, const LockRequest& request) : ClusterLock(request), kept_(std::move(kept)) {}
  const std::shared_ptr<Kept> kept_;
  uint64_t number_ = 0;
};

/// The right to append to the journal of an operation; one at a time has it.
class MemoryOperationStore::Writer {
 public:
  static Result<std::unique_ptr<Writer>> claim(const std::shared_ptr<Kept>& kept, const std::string& id) {
    const MutexLock hold(kept->mutex);
    if (kept->writers.contains(id))
      return fail(ErrorClass::conflict, "operation.locked", fmt::format("another works on operation {}", id),
                  "holdfast operations show " + id);
    const uint64_t number = kept->writers[id] = ++kept->last_number;
    return std::unique_ptr<Writer>(new Writer(kept, id, number));
  }
  ~Writer() {
    const MutexLock hold(kept_->mutex);
    if (has_it()) kept_->writers.erase(id_);
  }
  Status append(std::string_view line) {
    const MutexLock hold(kept_->mutex);
    if (!has_it()) return fail(ErrorClass::conflict, "operation.locked", "another writes it");
    TRY_VOID(kept_->writable());
    kept_->operations[id_].journal += line;
    return {};
  }

 private:
  Writer(std::shared_ptr<Kept> kept, std::string id, uint64_t number)
      : kept_(std::move(kept)), id_(std::move(id)), number_(number) {}
  bool has_it() const REQUIRES(kept_->mutex) {
    const auto found = kept_->writers.find(id_);
    return found != kept_->writers.end() && found->second == number_;
  }
  const std::shared_ptr<Kept> kept_;
  const std::string id_;
  const uint64_t number_;
};

class MemoryOperationStore::Lines final : public Journal {
 public:
  Lines(std::unique_ptr<Writer> writer, const std::string& id, const Plan& plan)
      : Journal(id, plan), writer_(std::move(writer)) {}
  Lines(std::unique_ptr<Writer> writer, const std::string& id, const Plan& plan, JournalText there)
      : Journal(id, plan, std::move(there)), writer_(std::move(writer)) {}

 private:
  Status write(std::string_view line) override { return writer_->append(line); }
  std::string place() const override { return "the memory of a test"; }
  const std::unique_ptr<Writer> writer_;
};

Result<std::unique_ptr<ClusterLock>> MemoryOperationStore::acquire(const LockRequest& request) {
  auto lock = TRY(Lock::take(kept_, request));
  TRY_VOID(refuse_if_unfinished(request));
  TRY_VOID(lock->begin(request.min_epoch));
  return lock;
}

std::optional<LockOwner> MemoryOperationStore::holder(const ClusterKey& cluster) const {
  const MutexLock hold(kept_->mutex);
  for (const auto& [number, other] : kept_->locks)
    if (same_cluster(other.cluster, cluster)) return other.owner;
  return std::nullopt;
}

Result<std::unique_ptr<Journal>> MemoryOperationStore::create(const ClusterLock& lock, const std::string& id,
                                                              const Plan& plan, codec::Value begun_data) {
  TRY_VOID(check_lock(lock, plan));
  auto lines = std::make_unique<Lines>(TRY(Writer::claim(kept_, id)), id, plan);
  set_texts(id, {.plan = plan_json(plan), .journal = "", .abandonment = std::nullopt, .whole = false});
  auto begun = lines->append(RecordType::begun, {}, std::move(begun_data));
  const MutexLock hold(kept_->mutex);
  if (begun) {
    kept_->operations[id].whole = true;
    return lines;
  }
  kept_->operations.erase(id);
  Error error = std::move(begun).error();
  error.error_class = ErrorClass::unavailable;
  return fail(std::move(error).with_context("beginning an operation; nothing was changed"));
}

Result<std::unique_ptr<Journal>> MemoryOperationStore::open(const ClusterLock& lock, const std::string& id) {
  StoredOperation stored = TRY(read(id));
  if (stored.plan) TRY_VOID(check_lock(lock, *stored.plan));
  TRY_VOID(check_usable(stored));
  auto writer = TRY(Writer::claim(kept_, id));
  Texts cut = texts(id);  // again: it may have grown until it was ours
  JournalText text = read_journal_text(cut.journal, plan_hash(*stored.plan));
  stored.damage = text.damage;
  TRY_VOID(check_usable(stored));
  cut.journal.resize(text.good_bytes);
  if (text.newline_missing) cut.journal += '\n';
  set_texts(id, std::move(cut));
  return std::make_unique<Lines>(std::move(writer), id, *stored.plan, std::move(text));
}

Status MemoryOperationStore::write_abandonment(const std::string& id, const codec::Value& owner) {
  const MutexLock hold(kept_->mutex);
  TRY_VOID(kept_->writable());
  kept_->operations[id].abandonment = abandonment_json(owner);
  return {};
}

Result<std::vector<std::string>> MemoryOperationStore::ids() const {
  const MutexLock hold(kept_->mutex);
  std::vector<std::string> ids;
  for (const auto& [id, texts] : kept_->operations)
    if (texts.whole) ids.push_back(id);
  return ids;
}

Result<StoredOperation> MemoryOperationStore::read(const std::string& id) const {
  const MutexLock hold(kept_->mutex);
  const auto found = kept_->operations.find(id);
  if (found == kept_->operations.end() || !found->second.whole) return fail(not_found(id));
  const Texts& texts = found->second;
  return read_operation(id, OperationTexts{texts.plan, texts.journal, texts.abandonment});
}

void MemoryOperationStore::take_lock_away(const ClusterKey& cluster) {
  const MutexLock hold(kept_->mutex);
  std::erase_if(kept_->locks, [&](const auto& lock) { return same_cluster(lock.second.cluster, cluster); });
}

void MemoryOperationStore::kill_owner(const ClusterKey& cluster) {
  const MutexLock hold(kept_->mutex);
  for (auto lock = kept_->locks.begin(); lock != kept_->locks.end();) {
    const auto& [number, held] = *lock++;
    if (!same_cluster(held.cluster, cluster)) continue;
    kept_->writers.erase(held.owner.operation);
    kept_->locks.erase(number);
  }
}

void MemoryOperationStore::forget_epochs() {
  const MutexLock hold(kept_->mutex);
  kept_->epochs.clear();
}

void MemoryOperationStore::give_epoch(const ClusterKey& cluster, uint64_t epoch) {
  const MutexLock hold(kept_->mutex);
  kept_->epochs.emplace_back(cluster, epoch);
}

void MemoryOperationStore::damage_epochs() {
  const MutexLock hold(kept_->mutex);
  kept_->epochs.clear();
  kept_->epochs_damaged = true;
}

void MemoryOperationStore::fail_writes(size_t good) {
  const MutexLock hold(kept_->mutex);
  kept_->writes_left = good;
}

void MemoryOperationStore::allow_writes() {
  const MutexLock hold(kept_->mutex);
  kept_->writes_left.reset();
}

MemoryOperationStore::Texts MemoryOperationStore::texts(const std::string& id) const {
  const MutexLock hold(kept_->mutex);
  return kept_->operations.at(id);
}

void MemoryOperationStore::set_texts(const std::string& id, Texts texts) {
  const MutexLock hold(kept_->mutex);
  kept_->operations[id] = std::move(texts);
}

}  // namespace holdfast::operation
