// Reading a producer's output while watching for its death and for signals to us.
#pragma once

#include <memory>
#include <stop_token>

#include "repo/byte_source.h"
#include "sys/process.h"

namespace holdfast::cli {

/// Reads `fd` to its end. A stop request ends it with "interrupted" even while nothing arrives. If `producer` is given
/// and ends with a failure, reading stops at once (a grandchild may hold the pipe open for long); after a good end the
/// rest of the pipe is still read.
std::unique_ptr<repo::ByteSource> watched_source(int fd, sys::Process* producer, std::stop_token stop);

/// Ok, or "backup.producer_failed" for a producer that did not end well.
Status producer_verdict(const sys::ExitStatus& status);

}  // namespace holdfast::cli
