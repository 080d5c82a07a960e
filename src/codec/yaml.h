// Reading YAML: documents become Values at once, with the scalar rules of YAML 1.2 (core schema): `yes` and `017` are
// what they look like, a text and the number 17. Writing is to_yaml() in codec/value.h.
#pragma once

#include <string_view>
#include <vector>

#include "codec/value.h"

namespace holdfast::codec {

/// All documents of a stream; empty ones are left out. "codec.yaml" (usage) names line and column. Refused: more than
/// 8 MiB, nesting deeper than 64, more than 200,000 nodes after aliases are expanded, keys that are no plain text or
/// come twice, tags.
Result<std::vector<Value>> parse_yaml(std::string_view text);

}  // namespace holdfast::codec
