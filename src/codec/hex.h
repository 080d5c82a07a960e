// Lower-case hexadecimal.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace holdfast::codec {

std::string to_hex(ByteSpan bytes);
/// Decodes exactly 2 * into.size() digits (either case); false if `text` is anything else.
bool from_hex(std::string_view text, MutableByteSpan into);

}  // namespace holdfast::codec
