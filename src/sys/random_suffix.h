// Names for temporary files.
#pragma once

#include <string>

namespace holdfast::sys {

/// 16 random hexadecimal digits: a name with them cannot be put in the way beforehand, and no leftover of another
/// process has it.
std::string random_suffix();

}  // namespace holdfast::sys
