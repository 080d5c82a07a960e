#include "codec/json.h"

#include <fmt/format.h>

#include "codec/json_values.h"

namespace holdfast::codec {

Result<Json> parse_json(std::string_view text, JsonLimits limits) {
  auto bad = [](std::string message) { return fail(ErrorClass::failed, "codec.json", std::move(message)); };
  if (text.size() > limits.bytes) return bad(fmt::format("JSON of {} bytes is larger than the limit of {}", text.size(), limits.bytes));
  // Depth is checked before the parser builds anything: values are copied and destroyed by recursion.
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      else if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > limits.depth) return bad(fmt::format("JSON is nested deeper than {} at byte {}", limits.depth, i));
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& e) {
    return bad(e.what());
  }
}

std::string print_json(const Json& value, bool pretty) {
  return value.dump(pretty ? 2 : -1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace holdfast::codec
