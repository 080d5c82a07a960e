#include "engine/mysql_family/framed_output.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace holdfast::engine {
namespace {

constexpr std::string_view kMode = "SQL_MODE='NO_AUTO_VALUE_ON_ZERO";
constexpr std::string_view kStrictMode = "SQL_MODE='NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION";
constexpr size_t kHeadBytes = 16 << 10;  // the mode is set in the first 2 KiB, before any text of a user's

}  // namespace

size_t FramedOutput::take(MutableByteSpan into) {
  const size_t size = std::min(into.size(), ready_.size() - at_);
  if (size == 0) return 0;
  std::memcpy(into.data(), ready_.data() + at_, size);
  at_ += size;
  if (at_ == ready_.size()) {
    ready_.clear();
    at_ = 0;
  }
  return size;
}

size_t FramedOutput::begin(MutableByteSpan into) const {
  if (!held_.empty()) std::memcpy(into.data(), held_.data(), held_.size());
  return held_.size();
}

size_t FramedOutput::end(MutableByteSpan into, size_t size) {
  if (!head_done_) {
    head_.append(as_text({into.data(), size}));
    const size_t mode = head_.find(kMode);
    if (mode == std::string::npos && head_.size() < kHeadBytes) return 0;
    if (mode != std::string::npos) head_.replace(mode, kMode.size(), kStrictMode);
    head_done_ = true;
    const size_t out = head_.size() - std::min(head_.size(), kHeld);
    ready_ = head_.substr(0, out);
    held_ = head_.substr(out);
    head_.clear();
    return 0;
  }
  const size_t out = size - std::min(size, kHeld);
  held_.assign(as_text({into.data() + out, size - out}));
  return out;
}

bool FramedOutput::close() {
  if (!head_done_) held_ = std::move(head_);
  const size_t mark = held_.rfind("\n-- Dump completed");
  if (mark == std::string::npos) return false;
  ready_ = held_.substr(0, mark + 1);
  held_.erase(0, mark + 1);
  return true;
}

void FramedOutput::finish() {
  ready_ = own_.after + std::exchange(held_, {});
}

}  // namespace holdfast::engine
