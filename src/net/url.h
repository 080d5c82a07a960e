// URLs as stores write them, and the percent-encoding AWS signs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace holdfast::net {

struct Url {
  std::string scheme;  ///< "http" or "https"
  std::string user;    ///< decoded
  Secret password;     ///< decoded
  std::string host;    ///< lower case; IPv6 in brackets
  std::optional<uint16_t> port;
  std::string path;  ///< decoded, "" or starting with '/'

  /// "host" or "host:port" as the Host header says it: the scheme's own port is left out.
  std::string authority() const;
  /// "https://host:port"
  std::string origin() const { return scheme + "://" + authority(); }
};

/// Accepts http and https URLs without query and fragment.
Result<Url> parse_url(std::string_view text);

enum class Slash { encode, keep };
/// Everything but A-Z a-z 0-9 - . _ ~ becomes %XX (RFC 3986, and the encoding of AWS signatures).
std::string uri_encode(std::string_view text, Slash slash);
enum class Plus { keep, is_space };
/// The reverse; a '%' without two hex digits after it is an error.
Result<std::string> uri_decode(std::string_view text, Plus plus = Plus::keep);

}  // namespace holdfast::net
