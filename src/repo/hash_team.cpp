#include "repo/hash_team.h"

#include <algorithm>

namespace holdfast::repo {

HashTeam::HashTeam(unsigned helpers) {
  for (unsigned i = 0; i < helpers; ++i) threads_.emplace_back([this] { work(); });
}

HashTeam::~HashTeam() {
  {
    MutexLock lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
}

// Takes one share of the group and hashes it; false when nothing is left to take.
bool HashTeam::step() {
  if (next_ >= messages_.size()) return false;
  const size_t first = next_;
  for (size_t bytes = 0; next_ < messages_.size() && bytes < share_; ++next_) bytes += messages_[next_].size();
  const size_t count = next_ - first;
  const auto messages = messages_.subspan(first, count);
  const auto out = out_.subspan(first, count);
  const auto prepare = prepare_;
  mutex_.unlock();
  if (prepare) std::for_each(messages.begin(), messages.end(), prepare);
  crypto::sha256_many(messages, out);
  mutex_.lock();
  done_ += count;
  if (done_ == messages_.size()) changed_.notify_all();
  return true;
}

void HashTeam::work() {
  MutexLock lock(mutex_);
  for (;;) {
    lock.wait(changed_, [&]() REQUIRES(mutex_) { return closing_ || next_ < messages_.size(); });
    if (closing_) return;
    step();
  }
}

void HashTeam::hash(std::span<const ByteSpan> messages, std::span<crypto::Digest> out, void (*prepare)(ByteSpan)) {
  size_t bytes = 0;
  for (const ByteSpan message : messages) bytes += message.size();
  MutexLock lock(mutex_);
  prepare_ = prepare;
  share_ = std::max<size_t>(1, bytes / (threads_.size() + 1));
  messages_ = messages;
  out_ = out;
  next_ = done_ = 0;
  changed_.notify_all();
  while (step()) {
  }
  lock.wait(changed_, [&]() REQUIRES(mutex_) { return done_ == messages_.size(); });
}

}  // namespace holdfast::repo
