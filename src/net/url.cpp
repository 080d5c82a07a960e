#include "net/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace holdfast::net {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::unexpected<Error> bad_url(std::string why) {
  return fail(ErrorClass::usage, "net.url", std::move(why), "write it as https://host:port/path");
}

}  // namespace

std::string Url::authority() const {
  const uint16_t usual = scheme == "https" ? 443 : 80;
  return port && *port != usual ? fmt::format("{}:{}", host, *port) : host;
}

Result<Url> parse_url(std::string_view text) {
  Url url;
  const size_t colon = text.find("://");
  if (colon == std::string_view::npos) return bad_url("no scheme in the URL");
  url.scheme = text.substr(0, colon);
  if (url.scheme != "http" && url.scheme != "https")
    return bad_url("URL scheme " + url.scheme + " is not http or https");
  text.remove_prefix(colon + 3);
  if (text.find_first_of("?#") != std::string_view::npos)
    return bad_url("a query or fragment has no place in this URL");

  std::string_view authority = text.substr(0, text.find('/'));
  url.path = TRY(uri_decode(text.substr(authority.size())));
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view login = authority.substr(0, at);
    authority.remove_prefix(at + 1);
    const size_t split = login.find(':');
    url.user = TRY(uri_decode(login.substr(0, split)));
    if (split != std::string_view::npos) url.password = Secret(TRY(uri_decode(login.substr(split + 1))));
  }
  const size_t bracket = authority.rfind(']');
  const size_t split = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  url.host = authority.substr(0, split);
  std::transform(url.host.begin(), url.host.end(), url.host.begin(), [](unsigned char c) { return std::tolower(c); });
  if (url.host.empty()) return bad_url("no host in the URL");
  for (unsigned char c : url.host) {
    if (c <= ' ' || c == 0x7f || c == '%' || c == '\\' || c == '"')
      return bad_url("the URL's host holds a strange character");
  }
  if (split != std::string_view::npos) {
    const std::string_view digits = authority.substr(split + 1);
    uint16_t port = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc() || end != digits.data() + digits.size() || port == 0) {
      return bad_url(fmt::format("'{}' is not a port", digits));
    }
    url.port = port;
  }
  return url;
}

std::string uri_encode(std::string_view text, Slash slash) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (const unsigned char c : text) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~' || (c == '/' && slash == Slash::keep);
    if (plain) {
      out += static_cast<char>(c);
    } else {
      out += '%';
      out += kHex[c >> 4];
      out += kHex[c & 15];
    }
  }
  return out;
}

Result<std::string> uri_decode(std::string_view text, Plus plus) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus == Plus::is_space) {
      out += ' ';
    } else if (text[i] == '%') {
      if (text.size() - i < 3) return bad_url("a '%' without two hex digits");
      const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return bad_url("a '%' without two hex digits");
      out += static_cast<char>(high << 4 | low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace holdfast::net
