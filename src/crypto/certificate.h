// When a server's certificate ends.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::crypto {

/// When the first certificate of a PEM file ends, which is the server's own: those of its authorities come after it.
Result<std::time_t> certificate_end(std::string_view pem);

/// "2026-11-22T00:00:00Z"
std::string utc_time_text(std::time_t time);

}  // namespace holdfast::crypto
