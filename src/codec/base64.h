// Base64 with the standard alphabet and padding (RFC 4648, section 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace holdfast::codec {

std::string to_base64(ByteSpan bytes);
/// nullopt for anything that is not padded standard base64.
std::optional<Buffer> from_base64(std::string_view text);

}  // namespace holdfast::codec
