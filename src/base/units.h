// Sizes, rates and spans as people write them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace holdfast {

/// 1536 -> "1.5 KiB".
std::string human_size(uint64_t bytes);
/// "1.2 GiB/s"; "-" when no time has passed.
std::string human_rate(uint64_t bytes, std::chrono::duration<double> span);
/// 75.2 s -> "1m15s", 0.42 s -> "0.4s".
std::string human_span(std::chrono::duration<double> span);

}  // namespace holdfast
