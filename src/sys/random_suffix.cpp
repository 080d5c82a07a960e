#include "sys/random_suffix.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <cstdint>

namespace holdfast::sys {

std::string random_suffix() {
  uint64_t value = 0;
  while (::getrandom(&value, sizeof value, 0) != static_cast<ssize_t>(sizeof value)) {
  }
  return fmt::format("{:016x}", value);
}

}  // namespace holdfast::sys
