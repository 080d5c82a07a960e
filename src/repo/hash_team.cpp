#include "repo/hash_team.h"

#include <algorithm>

namespace holdfast::repo {

HashTeam::HashTeam(unsigned helpers) {
  for (unsigned i = 0; i < helpers; ++i) threads_.emplace_back([this] { work(); });
}

HashTeam::~HashTeam() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
}

// Takes one share of the group and hashes it; false when nothing is left to take.
bool HashTeam::step(std::unique_lock<std::mutex>& lock) {
  if (next_ >= messages_.size()) return false;
  const size_t share = std::max<size_t>(1, (messages_.size() + threads_.size()) / (threads_.size() + 1));
  const size_t first = next_;
  const size_t count = std::min(share, messages_.size() - first);
  next_ += count;
  const auto messages = messages_.subspan(first, count);
  const auto out = out_.subspan(first, count);
  lock.unlock();
  crypto::sha256_many(messages, out);
  lock.lock();
  done_ += count;
  if (done_ == messages_.size()) changed_.notify_all();
  return true;
}

void HashTeam::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return closing_ || next_ < messages_.size(); });
    if (closing_) return;
    step(lock);
  }
}

void HashTeam::hash(std::span<const ByteSpan> messages, std::span<crypto::Digest> out) {
  if (messages.size() < 2 || threads_.empty()) return crypto::sha256_many(messages, out);
  std::unique_lock lock(mutex_);
  messages_ = messages;
  out_ = out;
  next_ = done_ = 0;
  changed_.notify_all();
  while (step(lock)) {
  }
  changed_.wait(lock, [&] { return done_ == messages_.size(); });
}

}  // namespace holdfast::repo
