// The first lines of a dump program's output: they set the session in which the dump is loaded.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::engine {

/// Whether the head of the output is whole: the program has its snapshot, and its settings have been written.
bool is_program_head(std::string_view text);
/// The head with a session that takes dates as they are (2023-02-30, which a server with ALLOW_INVALID_DATES holds),
/// refuses a table whose storage engine is missing instead of giving it another one, and puts no table into a directory
/// of another host, or of the data that is replaced. Pure.
std::string with_loading_modes(std::string head);

inline constexpr std::string_view kLoadingModes =
    "NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES,NO_DIR_IN_CREATE";

}  // namespace holdfast::engine
