// Unicode code points as UTF-8.
#pragma once

#include <cstdint>
#include <string>

namespace holdfast::codec {

/// Appends `code` (at most 0x10ffff; surrogates are the caller's to refuse) as one to four bytes.
void append_utf8(std::string& out, uint32_t code);

}  // namespace holdfast::codec
