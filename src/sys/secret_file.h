// Files that hold a password: read without leaving a copy of it in memory that is given back.
#pragma once

#include <string>

#include "base/result.h"
#include "base/secret.h"

namespace holdfast::sys {

/// The whole text, also of a pipe. Errors: those of open(2) and read(2), "sys.secret_too_long" (usage) above 64 KiB.
Result<Secret> read_secret_file(const std::string& path);
/// The first line, without its end; empty when the file is.
Result<Secret> read_password_file(const std::string& path);

}  // namespace holdfast::sys
