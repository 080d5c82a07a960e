// Is what triage tells people to do next a command we have?
#pragma once

#include <string>

#include "codec/value.h"

namespace holdfast::test {

/// The first command of ours in a remedy, without "holdfast "; "" when there is none.
std::string first_command(const std::string& remedy);

/// "" when every diagnosis of severity warning and worse in `triage -o json` names a command that our own parser takes;
/// else which do not, and why.
std::string wrong_remedies(const codec::Value& data);

}  // namespace holdfast::test
