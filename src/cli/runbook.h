// The pages of docs/runbook, built into the program.
#pragma once

#include <string_view>

namespace holdfast::cli {

/// The page of a diagnosis; "" when there is none. Made from docs/runbook/<id>.md by cmake/embed_pages.cmake.
std::string_view runbook_page(std::string_view id);

}  // namespace holdfast::cli
