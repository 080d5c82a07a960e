// What the names in a certificate look like; for this module.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::net {

/// Before the name of a role in a certificate's URI.
inline constexpr std::string_view kRolePrefix = "holdfast:role:";

/// 4 or 16 bytes; "" for what is no address.
std::string address_bytes(const std::string& text);

}  // namespace holdfast::net
