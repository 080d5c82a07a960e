// Hashes a group of byte ranges on all processors and waits for the result.
#pragma once

#include <condition_variable>
#include <span>
#include <thread>
#include <vector>

#include "base/mutex.h"
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
  bool step() REQUIRES(mutex_);

  Mutex mutex_;
  std::condition_variable changed_;
  std::span<const ByteSpan> messages_ GUARDED_BY(mutex_);
  std::span<crypto::Digest> out_ GUARDED_BY(mutex_);
  void (*prepare_)(ByteSpan) GUARDED_BY(mutex_) = nullptr;
  size_t share_ GUARDED_BY(mutex_) = 0;  // bytes for each thread
  size_t next_ GUARDED_BY(mutex_) = 0;   // first message nobody has taken
  size_t done_ GUARDED_BY(mutex_) = 0;
  bool closing_ GUARDED_BY(mutex_) = false;
  std::vector<std::jthread> threads_;
};

}  // namespace holdfast::repo
