// Sizes, rates and spans as people write them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast {

/// 1536 -> "1.5 KiB".
std::string human_size(uint64_t bytes);
/// Bytes of "500", "500M", "1.5GiB", "2g"; units are powers of 1024. Nothing for anything else.
std::optional<uint64_t> parse_size(std::string_view text);
/// "1.2 GiB/s"; "-" when no time has passed.
std::string human_rate(uint64_t bytes, std::chrono::duration<double> span);
/// 75.2 s -> "1m15s", 0.42 s -> "0.4s".
std::string human_span(std::chrono::duration<double> span);

}  // namespace holdfast
