// JSON policy. Headers include this file and see only the forward declaration; a .cpp that builds or reads JSON includes
// "codec/json_values.h", which costs about 3 s of compile time. The repository core does not use either.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast {

/// Keeps the order of keys as written: output is read by people and compared by tests.
using Json = nlohmann::ordered_json;

}  // namespace holdfast

namespace holdfast::codec {

struct JsonLimits {
  size_t bytes = 64 << 20;
  size_t depth = 64;  ///< nlohmann copies and prints by recursion
};

/// Parses one JSON text. "codec.json" names the byte where it stops making sense, or the limit that was passed.
Result<Json> parse_json(std::string_view text, JsonLimits limits = {});
/// One line, or pretty-printed with 2 spaces. Bytes that are no UTF-8 are replaced, never an exception.
std::string print_json(const Json& value, bool pretty = false);

}  // namespace holdfast::codec
