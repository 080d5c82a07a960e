// Writing a stored file to a stream, in order, decoded on all processors.
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <stop_token>

#include "repo/repository.h"

namespace holdfast::repo {

struct DumpOptions {
  size_t window = 48 * 1024 * 1024;           ///< plain bytes in memory, about; remote stores take 96 MiB
  std::atomic<uint64_t>* progress = nullptr;  ///< bytes written; may be null
};

/// Hands the blobs' plain bytes to `write` one after the other, on the calling thread. Every blob's hash is verified
/// before its bytes are written; at the first damaged blob it stops with "repo.object.damaged".
Status dump_blobs(Repository& repository, std::span<const Id> content, const std::function<Status(ByteSpan)>& write,
                  const DumpOptions& options, std::stop_token stop);

}  // namespace holdfast::repo
