#include "engine/mysql_family/framed_output.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace holdfast::engine {
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
  const size_t out = size - std::min(size, kHeld);
  held_.assign(as_text({into.data() + out, size - out}));
  return out;
}

bool FramedOutput::close() {
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
