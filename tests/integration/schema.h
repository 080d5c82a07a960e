// Is a document as a JSON Schema (2020-12) under docs/reference says? Knows the keywords those schemas use, and refuses
// a schema with any other: a keyword that is not checked would prove nothing.
#pragma once

#include <string>

#include "codec/value.h"

namespace holdfast::test {

/// "" when `document` is valid, else the first thing that is wrong, with its path.
std::string check_schema(const std::string& schema_file, const codec::Value& document);
/// The same against a schema in memory.
std::string check_against(const codec::Value& schema, const codec::Value& document);

}  // namespace holdfast::test
