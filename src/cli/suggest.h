// The nearest known word to a mistyped one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace holdfast::cli {

/// The candidate with the fewest edits (insert, delete, replace, swap), or "" when none is near enough to be meant.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace holdfast::cli
