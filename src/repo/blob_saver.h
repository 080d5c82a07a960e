// The write path: plain blobs in, durable packs and index entries out.
//
// Workers (one per processor) take blobs in small batches: SHA-256 of the batch interleaved, a look at the index, then
// zstd and encryption straight into the worker's own open pack, so that no lock is held while bytes move, and the blob
// is read back from there. Full packs go to uploaders; the number of packs in memory is fixed, so a slow store holds
// the workers up instead of filling memory.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "repo/blob_proof.h"
#include "repo/index_writer.h"
#include "repo/pack_builder.h"
#include "repo/repository.h"

namespace holdfast::repo {

struct SaverOptions {
  Compression compression = Compression::automatic;
  size_t pack_size = 16 * 1024 * 1024;  ///< bytes at which a pack is full
  unsigned workers = 0;                 ///< 0: one per processor
  bool verify = true;                   ///< read every new blob back before its pack is stored
  /// For tests: changes what the encoder wrote.
  std::function<void(const PackedBlob&, MutableByteSpan sealed)> tamper;
};

/// Counters that may be read while the work goes on.
struct SaverStats {
  std::atomic<uint64_t> data_blobs{0};      ///< new ones
  std::atomic<uint64_t> tree_blobs{0};      ///< new ones
  std::atomic<uint64_t> bytes_added{0};     ///< plain bytes of new blobs
  std::atomic<uint64_t> bytes_packed{0};    ///< the same as stored
  std::atomic<uint64_t> bytes_uploaded{0};  ///< packs that are durable
};

class BlobSaver {
 public:
  class Worker;

  struct Task {
    BlobType type = BlobType::data;
    ByteSpan plain;
    std::shared_ptr<const void> keep;  ///< owns the bytes of `plain`
    Id* id = nullptr;                  ///< receives the blob's id; must live until the task is done
    bool id_known = false;             ///< *id is right already: do not hash again
    /// `plain` is a mapped file that others may write to: what is stored is a copy, and *id is the copy's.
    bool may_change = false;
    std::function<Status(Worker&)> done;  ///< runs on a worker thread once the blob is in a pack or known; may be empty
  };

  BlobSaver(Repository& repository, const SaverOptions& options, std::stop_token stop);
  ~BlobSaver();
  BlobSaver(const BlobSaver&) = delete;
  BlobSaver& operator=(const BlobSaver&) = delete;

  /// Queues a blob; waits while the queue is full. Returns the first error of the whole saver, or "interrupted".
  Status submit(Task task);
  /// The first error so far, or "interrupted" once a stop was requested.
  Status check();
  /// Waits until every task and every task its `done` started is finished.
  Status drain();
  /// Drains, uploads the packs that are not full, writes the index. The saver may be used again afterwards.
  Status flush();

  const SaverStats& stats() const { return stats_; }

 private:
  struct Upload {
    OpenPack pack;
  };

  void work(Worker& worker);
  void take_copies(Worker& worker, std::vector<Task>& batch);
  void upload(std::stop_token stop);
  Status save(Worker& worker, BlobType type, const Id& id, ByteSpan plain);
  Status start_pack(OpenPack& pack);
  Status hand_over(OpenPack& pack);
  Status store_pack(OpenPack& pack, const Id& id);
  void set_error(Error error);
  Status status() const;
  bool failed() const { return failed_.load(std::memory_order_relaxed); }

  // Constant after construction.
  Repository& repository_;
  const SaverOptions options_;
  const std::stop_token stop_;
  size_t max_packs_ = 0;

  SaverStats stats_;
  IndexWriter index_writer_;
  std::atomic<bool> failed_{false};

  mutable Mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> queue_ GUARDED_BY(mutex_);
  size_t queued_bytes_ GUARDED_BY(mutex_) = 0;
  size_t busy_ GUARDED_BY(mutex_) = 0;            // tasks taken and not done
  std::deque<OpenPack> full_ GUARDED_BY(mutex_);  // waiting for upload
  size_t uploading_ GUARDED_BY(mutex_) = 0;
  size_t packs_alive_ GUARDED_BY(mutex_) = 0;     // buffers given out
  std::vector<Buffer> spare_ GUARDED_BY(mutex_);  // buffers to use again
  bool closing_ GUARDED_BY(mutex_) = false;
  std::optional<Error> error_ GUARDED_BY(mutex_);  // the first

  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::jthread> threads_;
};

/// A worker thread's own tools.
class BlobSaver::Worker {
 public:
  /// Hashes and saves a blob at once, on this thread: for completions, which must not wait for a queue they serve.
  Result<Id> save_now(BlobType type, ByteSpan plain);

 private:
  friend class BlobSaver;
  Worker(BlobSaver& saver, const crypto::SealKey& key, const SaverOptions& options);

  BlobSaver& saver_;
  crypto::Sealer sealer_;
  std::optional<BlobProof> proof_;
  codec::ZstdCompressor data_compressor_;
  codec::ZstdCompressor tree_compressor_;
  OpenPack open_[2];  // by BlobType
  Buffer copies_;     // of a batch's bytes that may change
};

}  // namespace holdfast::repo
