#include "agent/epoch.h"

#include <fmt/format.h>

#include "sys/file.h"
#include "sys/process.h"

namespace holdfast::agent {

using std::chrono::seconds;

EpochGate::Pass::~Pass() {
  if (gate_) gate_->leave(epoch_);
}

void EpochGate::leave(uint64_t epoch) {
  MutexLock lock(mutex_);
  if (--at_work_[epoch] == 0) at_work_.erase(epoch);
}

bool EpochGate::older_at_work(uint64_t epoch) {
  MutexLock lock(mutex_);
  return !at_work_.empty() && at_work_.begin()->first < epoch;
}

Result<uint64_t> EpochGate::highest() {
  MutexLock lock(mutex_);
  return highest_locked();
}

/// Read each time: a person may mend the file while the agent runs.
Result<uint64_t> EpochGate::highest_locked() {
  const auto bytes = sys::read_file(path_);
  if (!bytes) {
    if (bytes.error().id == "store.not_found") return uint64_t{0};
    return fail(bytes.error());
  }
  std::string_view text = as_text(bytes->span());
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string_view::npos)
    return fail(ErrorClass::needs_operator, "agent.epoch_damaged", path_ + " holds no epoch",
                "see that no operation works on this cluster (holdfast operations list), then remove " + path_);
  return std::stoull(std::string(text));
}

Result<EpochGate::Pass> EpochGate::admit(uint64_t epoch, Deadline deadline, const std::function<void()>& end_older) {
  {
    MutexLock lock(mutex_);
    const uint64_t known = TRY(highest_locked());
    if (epoch < known)
      return fail(ErrorClass::refused, "agent.stale_epoch",
                  fmt::format("this comes from an operation of epoch {}, and one of epoch {} has taken over since",
                              epoch, known),
                  "holdfast operations list shows which operation works now; this one must not continue");
    if (epoch > known) TRY_VOID(sys::publish_file(path_, as_bytes(fmt::format("{}\n", epoch)), 0600));
    ++at_work_[epoch];
  }
  Pass pass(this, epoch);
  if (older_at_work(epoch)) {
    end_older();
    // What has not ended by then is a start or stop in the middle: later requests find the server busy until it has.
    (void)sys::wait_until([&] { return !older_at_work(epoch); }, deadline.at_most(seconds(2)));
  }
  return pass;
}

}  // namespace holdfast::agent
