#include "repo/format/id.h"

#include <algorithm>

#include "codec/hex.h"

namespace holdfast::repo {

std::string Id::hex() const {
  return codec::to_hex(bytes);
}

std::optional<Id> Id::parse(std::string_view hex) {
  Id id;
  const bool lower = std::none_of(hex.begin(), hex.end(), [](char c) { return c >= 'A' && c <= 'F'; });
  if (!lower || !codec::from_hex(hex, id.bytes)) return std::nullopt;
  return id;
}

}  // namespace holdfast::repo
