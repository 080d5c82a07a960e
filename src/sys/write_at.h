// Writing bytes that nobody here will read again soon.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::sys {

/// Writes all of `body` at `offset` of a file. From 64 KiB on, whole blocks of 4096 bytes go past the page cache where
/// the file system can do that: copying them there costs processor time and memory, and pushes out pages that others
/// need. Errors are those of errno_error().
Status write_at(int fd, ByteSpan body, uint64_t offset);

}  // namespace holdfast::sys
