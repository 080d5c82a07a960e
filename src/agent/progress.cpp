#include "agent/progress.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "sys/file.h"

namespace holdfast::agent {

namespace {

int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

}  // namespace

void Progress::begin(const std::string& op) {
  MutexLock lock(mutex_);
  op_ = op;
  step_.clear();
  total_ = done_ = seen_ = before_ = 0;
  pid_ = 0;
  begun_ms_ = now_ms();
}

void Progress::end() {
  MutexLock lock(mutex_);
  op_.clear();
  pid_ = 0;
}

void Progress::step(const std::string& name) {
  MutexLock lock(mutex_);
  step_ = name;
}

void Progress::expect(uint64_t total_bytes) {
  MutexLock lock(mutex_);
  total_ = total_bytes;
}

void Progress::watch(pid_t pid) {
  MutexLock lock(mutex_);
  done_ += bytes_now();
  seen_ = before_ = 0;
  pid_ = pid;
  before_ = bytes_now();
}

uint64_t Progress::bytes_now() const {
  if (!pid_) return 0;
  if (auto text = sys::read_file("/proc/" + std::to_string(pid_) + "/io")) {
    const std::string_view io = as_text(text->span());
    if (auto at = io.find("wchar: "); at != std::string_view::npos)
      seen_ = std::max<uint64_t>(seen_, std::strtoull(std::string(io.substr(at + 7, 20)).c_str(), nullptr, 10));
  }
  return seen_ - before_;  // of a process that has ended: what was seen last
}

codec::Value Progress::value() const {
  MutexLock lock(mutex_);
  if (op_.empty()) return nullptr;
  return codec::Value::object({{"op", op_},
                               {"step", step_},
                               {"bytes", done_ + bytes_now()},
                               {"total", total_},
                               {"seconds", static_cast<double>(now_ms() - begun_ms_) / 1000}});
}

}  // namespace holdfast::agent
