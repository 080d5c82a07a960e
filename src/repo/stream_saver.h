// Stores one stream of bytes as data blobs.
//
// With a parent (the blob list of the same stream in an earlier snapshot) the cut points are predicted: content equal
// to a parent blob that starts where a cut is must end in the same cut, since the chunker looks at nothing else. So it
// is enough to hash the predicted range and compare; where the hash differs, the rolling hash takes over until a chunk
// turns up that the parent knows. A parent is never a reason not to read.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "repo/blob_saver.h"
#include "repo/byte_source.h"

namespace holdfast::repo {

struct StoredStream {
  std::vector<Id> content;
  uint64_t size = 0;             ///< bytes
  uint64_t predicted_bytes = 0;  ///< of `size`, confirmed by a parent's prediction
};

/// Gets what became of a stream: stored, or the error that reading it met ("backup.input_shrank": a file became
/// shorter, or unreadable, meanwhile). Runs on a worker's thread or, with a null worker, on the caller's.
using StreamDone = std::function<Status(Result<StoredStream>&&, BlobSaver::Worker*)>;

/// Reads `source` to its end and queues its blobs, without waiting for them. `done` is called as soon as every id is
/// known and every blob is with the saver, perhaps before this returns. Errors: the saver's, and those of `done`.
Status queue_stream(Repository& repository, BlobSaver& saver, ByteSource& source, const std::vector<Id>& parent,
                    std::atomic<uint64_t>* progress, StreamDone done);

/// Reads `source` to its end and queues its blobs; when it returns, every id is known and every blob is with the saver
/// (a flush makes them durable). `progress` (may be null) counts bytes read. Errors: the source's, the saver's.
Result<StoredStream> store_stream(Repository& repository, BlobSaver& saver, ByteSource& source,
                                  const std::vector<Id>& parent, std::atomic<uint64_t>* progress = nullptr);

}  // namespace holdfast::repo
