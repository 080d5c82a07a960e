// MySQL's JSON holds more than its text says: decimals (1.10), dates, times, binary strings. Read back from text they
// become doubles (1.1) and plain strings. This writes an expression that gives them their types again. Pure: no I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::engine {

/// Selects the types of a document's values, for json_expression(), or NULL where the text alone is exact. `column` is
/// a quoted name.
std::string json_types_expression(std::string_view column);

/// An SQL expression of the document `text` whose values have the types that json_types_expression() gave. Nullopt
/// where text and types do not fit, or a value has a type that no expression makes (a bit string, a timestamp).
std::optional<std::string> json_expression(std::string_view text, std::string_view types);

}  // namespace holdfast::engine
