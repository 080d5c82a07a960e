#include "cluster/addresses.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace holdfast::cluster {

namespace {

std::string text_of(int family, const void* address) {
  char text[INET6_ADDRSTRLEN] = "";
  return ::inet_ntop(family, address, text, sizeof text) ? text : "";
}

/// The canonical text of an IP address; "" of all else.
std::string ip_text(const std::string& host) {
  in_addr four{};
  if (::inet_aton(host.c_str(), &four)) return text_of(AF_INET, &four);  // "127.1", too: programs take it
  in6_addr six{};
  if (::inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), &six) != 1) return "";
  if (IN6_IS_ADDR_V4MAPPED(&six)) return text_of(AF_INET, six.s6_addr + 12);
  return text_of(AF_INET6, &six);
}

int port_of(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool number = error == std::errc() && end == text.data() + text.size();
  return number && port >= 0 && port <= 65535 ? port : -1;
}

}  // namespace

std::string canonical_host(std::string_view host) {
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host.empty() || host.front() == '/' || host.front() == '@') return std::string(host);
  if (std::string ip = ip_text(std::string(host)); !ip.empty()) return ip;
  if (host.back() == '.') host.remove_suffix(1);
  std::string name(host);
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

HostPort split_address(std::string_view address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return {canonical_host(address), 0};
  return {canonical_host(address.substr(0, colon)), std::max(0, port_of(address.substr(colon + 1)))};
}

HostPort split_alias(std::string_view alias) {
  const size_t colon = alias.rfind(':');
  const bool bare = colon == std::string_view::npos || alias.ends_with(']') || !ip_text(std::string(alias)).empty();
  if (bare) return {canonical_host(alias), 0};
  const int port = port_of(alias.substr(colon + 1));
  return {canonical_host(alias.substr(0, colon)), port > 0 ? port : -1};
}

bool is_ip(std::string_view host) {
  return !ip_text(std::string(host)).empty();
}

bool is_local(std::string_view host) {
  if (host.starts_with('/') || host.starts_with('@')) return true;
  if (host == "localhost" || host.ends_with(".localhost") || host == "localhost.localdomain") return true;
  if (host == "ip6-localhost" || host == "ip6-loopback") return true;
  return host == "::1" || host == "0.0.0.0" || host == "::" || (host.starts_with("127.") && is_ip(host));
}

bool is_wildcard(std::string_view host) {
  return host == "*" || host == "0.0.0.0" || host == "::";
}

}  // namespace holdfast::cluster
