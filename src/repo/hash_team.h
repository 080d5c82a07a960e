// Hashes a group of byte ranges on all processors and waits for the result.
#pragma once

#include <condition_variable>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "crypto/sha256.h"

namespace holdfast::repo {

class HashTeam {
 public:
  /// `helpers` threads beside the caller's.
  explicit HashTeam(unsigned helpers);
  ~HashTeam();

  /// out[i] = SHA-256(messages[i]). One call at a time. `prepare`, if given, is called for each message first, on the
  /// thread that hashes it.
  void hash(std::span<const ByteSpan> messages, std::span<crypto::Digest> out, void (*prepare)(ByteSpan) = nullptr);

 private:
  void work();
  bool step(std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::span<const ByteSpan> messages_;   // guarded by mutex_
  std::span<crypto::Digest> out_;        // guarded by mutex_
  void (*prepare_)(ByteSpan) = nullptr;  // guarded by mutex_
  size_t share_ = 0;                     // guarded by mutex_: bytes for each thread
  size_t next_ = 0;                      // guarded by mutex_: first message nobody has taken
  size_t done_ = 0;                      // guarded by mutex_
  bool closing_ = false;                 // guarded by mutex_
  std::vector<std::jthread> threads_;
};

}  // namespace holdfast::repo
