// JSON exactly as Go's encoding/json writes it, and file names as restic quotes them: restic re-encodes trees and
// refuses a repository when the bytes come out different.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace holdfast::codec {

/// Appends `text` as a JSON string the way encoding/json does: <, >, &, U+2028 and U+2029 escaped, invalid UTF-8
/// replaced by \ufffd.
void append_json_string(std::string& out, std::string_view text);

/// strconv.Quote without the outer quotes: printable Unicode stays, the rest becomes \n, \x01, \u200b, ...
std::string go_quote(std::string_view name);
/// Reverses go_quote(); false when `quoted` is not such a text.
bool go_unquote(std::string_view quoted, std::string& name);

/// True if `name` is valid UTF-8.
bool is_utf8(std::string_view text);

}  // namespace holdfast::codec
