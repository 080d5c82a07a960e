#include "store/fault_store.h"

#include <fmt/format.h>

#include "store/http_object.h"

namespace holdfast::store {
namespace {

Error crash_error() {
  return Error{ErrorClass::failed, "store.crashed", "the process has crashed (fault injection)", "", {}};
}

Error error_for(FaultKind kind, const std::string& key) {
  switch (kind) {
    case FaultKind::server_error:
      return {ErrorClass::unavailable, "store.server", key + ": HTTP 500 (injected)", "", {}};
    case FaultKind::timeout:
      return {ErrorClass::unavailable, "net.timeout", key + ": timed out (injected)", "", {}};
    case FaultKind::lost_answer:
      return {ErrorClass::unavailable, "net.closed", key + ": connection closed (injected)", "", {}};
    case FaultKind::denied:
      return {ErrorClass::refused, "store.denied", key + ": denied (injected)", "", {}};
    case FaultKind::no_space:
      return {ErrorClass::unavailable, kNoSpace, key + ": no space (injected)", "", {}};
    case FaultKind::missing:
      return not_found(key);
    case FaultKind::short_read:
      return short_read(key, 0, kToEnd);
    case FaultKind::bit_flip:
      break;
  }
  return {ErrorClass::bug, "store.fault", "a fault that is not an error", "", {}};
}

}  // namespace

std::string_view store_op_name(StoreOp op) {
  switch (op) {
    case StoreOp::create:
      return "create";
    case StoreOp::put:
      return "put";
    case StoreOp::get:
      return "get";
    case StoreOp::stat:
      return "stat";
    case StoreOp::list:
      return "list";
    case StoreOp::remove:
      return "remove";
  }
  return "?";
}

void FaultStore::inject(Fault fault) {
  MutexLock lock(mutex_);
  faults_.push_back(std::move(fault));
}

void FaultStore::crash_at(uint64_t n, CrashEffect effect, unsigned lost_puts) {
  MutexLock lock(mutex_);
  crash_at_ = n;
  crash_effect_ = effect;
  lost_puts_ = lost_puts;
}

bool FaultStore::crashed() const {
  MutexLock lock(mutex_);
  return crashed_;
}

uint64_t FaultStore::operations() const {
  MutexLock lock(mutex_);
  return count_;
}

std::vector<FaultStore::Record> FaultStore::records() const {
  MutexLock lock(mutex_);
  return records_;
}

FaultStore::Verdict FaultStore::begin(StoreOp op, const std::string& key) {
  MutexLock lock(mutex_);
  ++count_;
  if (crashed_) return {crash_error(), false, {}};
  if (count_ >= crash_at_) {
    crashed_ = true;
    return {crash_error(), crash_effect_ == CrashEffect::applied, {}};
  }
  for (Fault& fault : faults_) {
    if (fault.op != op || fault.times == 0 || !key.starts_with(fault.key)) continue;
    if (fault.skip > 0) {
      --fault.skip;
      continue;
    }
    --fault.times;
    if (fault.kind == FaultKind::bit_flip) return {{}, true, fault.kind};
    return {error_for(fault.kind, key), fault.kind == FaultKind::lost_answer, fault.kind};
  }
  return {};
}

void FaultStore::end(StoreOp op, const std::string& key, uint64_t bytes, bool ok) {
  std::vector<std::string> lost;
  {
    MutexLock lock(mutex_);
    records_.push_back({op, key, bytes, ok});
    if (op == StoreOp::put && ok) finished_puts_.push_back(key);
    if (crashed_) {
      for (; lost_puts_ > 0 && !finished_puts_.empty(); --lost_puts_) {
        lost.push_back(finished_puts_.back());
        finished_puts_.pop_back();
      }
      lost_puts_ = 0;
    }
  }
  for (const std::string& each : lost) [[maybe_unused]]
    auto gone = inner_->remove(each);
}

Status FaultStore::run(StoreOp op, const std::string& key, uint64_t bytes, const std::function<Status()>& act) {
  Verdict verdict = begin(op, key);
  Status done;
  if (verdict.apply) done = act();
  if (verdict.error) done = fail(std::move(*verdict.error));
  end(op, key, bytes, done.has_value());
  return done;
}

Status FaultStore::create() {
  return run(StoreOp::create, "", 0, [&] { return inner_->create(); });
}

Status FaultStore::put(const std::string& key, ByteSpan body, const PutOptions& options) {
  return run(StoreOp::put, key, body.size(), [&] { return inner_->put(key, body, options); });
}

Status FaultStore::remove(const std::string& key) {
  return run(StoreOp::remove, key, 0, [&] { return inner_->remove(key); });
}

Status FaultStore::list(const std::string& prefix, const std::function<Status(const ObjectInfo&)>& visit) {
  return run(StoreOp::list, prefix, 0, [&] { return inner_->list(prefix, visit); });
}

Status FaultStore::get(const std::string& key, uint64_t offset, uint64_t length, Buffer& out) {
  Verdict verdict = begin(StoreOp::get, key);
  Status done = verdict.error ? Status(fail(std::move(*verdict.error))) : inner_->get(key, offset, length, out);
  if (done && verdict.kind == FaultKind::bit_flip && !out.empty()) out[out.size() / 2] ^= 0x10;
  end(StoreOp::get, key, done ? out.size() : 0, done.has_value());
  return done;
}

Result<std::optional<ObjectInfo>> FaultStore::stat(const std::string& key) {
  Verdict verdict = begin(StoreOp::stat, key);
  Result<std::optional<ObjectInfo>> done = std::optional<ObjectInfo>{};
  if (!verdict.error) {
    done = inner_->stat(key);
  } else if (verdict.kind != FaultKind::missing) {
    done = fail(std::move(*verdict.error));
  }
  end(StoreOp::stat, key, 0, done.has_value());
  return done;
}

}  // namespace holdfast::store
