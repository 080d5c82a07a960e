#include "repo/stream_saver.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "repo/block_reader.h"
#include "repo/format/chunker.h"
#include "repo/hash_team.h"
#include "repo/parallel.h"

namespace holdfast::repo {
namespace {

constexpr size_t kGroup = 32;  // predicted ranges hashed together, at most
constexpr size_t kNear = 32;   // parent blobs tried where the one that was expected does not fit

bool all_zero(ByteSpan bytes) {
  return bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

// Files with holes, and databases with empty pages, are full of this chunk.
const Id& zero_chunk_id() {
  static const Id id = [] {
    Buffer zeros(kMinChunk);
    std::memset(zeros.data(), 0, zeros.size());
    return Id{crypto::sha256(zeros)};
  }();
  return id;
}

// The parent's blobs, as a guess of what comes next.
class Prediction {
 public:
  Prediction(const BlobIndex& index, const std::vector<Id>& parent) : ids_(parent) {
    lengths_.reserve(parent.size());
    for (size_t i = 0; i < parent.size(); ++i) {
      const auto location = index.find(BlobType::data, parent[i]);
      const uint32_t length = location ? location->blob.plain_length() : 0;
      lengths_.push_back(length <= kMaxChunk ? length : 0);
      known_lengths_.insert(lengths_.back());
      if (!positions_.try_emplace(parent[i], i).second) positions_[parent[i]] = kRepeated;
    }
  }

  bool has_parent() const { return !ids_.empty(); }
  /// Whether a chunk of this length may be one of the parent's; lengths are all but unique, so this spares most hashes.
  bool may_hold(size_t length) const { return known_lengths_.contains(static_cast<uint32_t>(length)); }

  /// Up to `most` ranges that parent blobs in a row would cover of `data`; `at_end`: the stream ends with `data`. The
  /// first is the blob that is expected or, if that does not fit here, one of those behind it. Only ranges that end in
  /// a cut are offered, so a hash is rarely spent in vain. False if with more data the expected blob might fit.
  bool guess(const Chunker& chunker, ByteSpan data, bool at_end, size_t most, std::vector<ByteSpan>& out) {
    out.clear();
    if (next_ < ids_.size() && lengths_[next_] > data.size() && !at_end && !is_last(next_)) return false;
    for (guess_ = next_; guess_ < std::min(next_ + kNear, ids_.size()); ++guess_) {
      ByteSpan rest = data;
      for (size_t i = guess_; i < ids_.size() && out.size() < most && fits(chunker, i, rest, at_end); ++i) {
        out.push_back(rest.first(lengths_[i]));
        rest = rest.subspan(lengths_[i]);
      }
      if (!out.empty()) break;
    }
    return true;
  }
  /// The blob guessed for the first range that is not confirmed.
  const Id& guessed() const { return ids_[guess_]; }
  /// The range that was guessed is a chunk, if perhaps a changed one: what was guessed behind it stays good.
  void confirm() { next_ = ++guess_; }

  /// Continues behind a blob that was found by other means.
  void follow(const Id& id) {
    // First near the place where the streams parted: the same blob may stand in many places (runs of zeros).
    for (size_t i = next_; i < std::min(next_ + kNear, ids_.size()); ++i) {
      if (ids_[i] == id) {
        next_ = i + 1;
        return;
      }
    }
    const auto at = positions_.find(id);
    if (at != positions_.end() && at->second != kRepeated) next_ = at->second + 1;
  }

 private:
  static constexpr size_t kRepeated = SIZE_MAX;

  bool is_last(size_t i) const { return i + 1 == ids_.size(); }
  bool fits(const Chunker& chunker, size_t i, ByteSpan data, bool at_end) const {
    const size_t length = lengths_[i];
    if (length == 0 || length > data.size()) return false;
    // A file's last blob ended because the file did; only another end at the same place makes it a cut.
    if (is_last(i)) return at_end && length == data.size();
    return chunker.may_end(data.first(length));
  }

  const std::vector<Id>& ids_;
  std::vector<uint32_t> lengths_;  // plain bytes; 0 = not in the index, or no chunk of ours
  std::unordered_set<uint32_t> known_lengths_;
  std::unordered_map<Id, size_t> positions_;
  size_t next_ = 0;   // the blob that is expected
  size_t guess_ = 0;  // the one that was offered
};

// A stream whose blobs are on their way through the saver.
struct PendingStream {
  PendingStream(std::shared_ptr<const sys::MappedFile> f, StreamDone d) : file(std::move(f)), done(std::move(d)) {}

  Status finish_one(BlobSaver::Worker* worker) {
    if (--unfinished > 0) return {};
    // Only when every chunk has been read is it known whether all of the file was there.
    if (file && file->failed()) {
      return done(
          fail(ErrorClass::failed, "backup.input_shrank", "the file became shorter, or unreadable, while it was read",
               "back it up when nothing truncates it, or from a file system snapshot"),
          worker);
    }
    if (error) return done(std::unexpected(std::move(*error)), worker);
    stored.content.assign(ids.begin(), ids.end());
    return done(std::move(stored), worker);
  }

  const std::shared_ptr<const sys::MappedFile> file;  // null: the stream is read
  const StreamDone done;
  std::optional<Error> error;  // of reading; set before the reading itself is finished
  std::deque<Id> ids;          // a deque, because workers write into it while it grows
  StoredStream stored;
  std::atomic<size_t> unfinished{1};  // tasks, and the reading itself
};

// Keeps the bytes of a chunk in memory while somebody holds what it returned.
using Hold = std::function<std::shared_ptr<const void>(ByteSpan)>;

// Cuts a stream that comes in windows: each call sees all bytes that are not cut yet, as one piece.
class Cutter {
 public:
  Cutter(Repository& repository, BlobSaver& saver, const std::vector<Id>& parent,
         std::shared_ptr<const sys::MappedFile> file, StreamDone done)
      : chunker_(repository.config().polynomial),
        prediction_(repository.index(), parent),
        team_(prediction_.has_parent() ? std::min(cpu_threads(), 4u) - 1 : 0),
        saver_(saver),
        pending_(std::make_shared<PendingStream>(std::move(file), std::move(done))) {}

  /// Queues what can be cut from `data`; returns what is left for the next window.
  Result<ByteSpan> cut(ByteSpan data, bool at_end, const Hold& hold);
  /// To be called for bytes before they are read.
  void set_prepare(void (*prepare)(ByteSpan)) { prepare_ = prepare; }
  void count(size_t bytes) { pending_->stored.size += bytes; }
  /// Nothing more comes, because the stream has ended or, with an error, because it cannot be read.
  Status finish(std::optional<Error> error = {}) {
    pending_->error = std::move(error);
    return pending_->finish_one(nullptr);
  }

 private:
  Result<ByteSpan> follow_parent(ByteSpan data, bool at_end, const Hold& hold);
  Status queue(ByteSpan chunk, const std::optional<Id>& id, const Hold& hold);

  const Chunker chunker_;
  Prediction prediction_;
  HashTeam team_;
  BlobSaver& saver_;
  std::shared_ptr<PendingStream> pending_;
  size_t first_length_ = 0;  // of the next chunk: shorter lengths are known to be no cuts
  size_t group_ = kGroup;    // ranges to guess at once: few after a wrong guess
  void (*prepare_)(ByteSpan) = nullptr;
  std::vector<ByteSpan> ranges_;
  std::vector<crypto::Digest> digests_ = std::vector<crypto::Digest>(kGroup);
};

Status Cutter::queue(ByteSpan chunk, const std::optional<Id>& id, const Hold& hold) {
  BlobSaver::Task task;
  task.plain = chunk;
  task.keep = hold(chunk);
  task.id = &pending_->ids.emplace_back(id.value_or(Id{}));
  task.id_known = id.has_value();
  task.may_change = pending_->file != nullptr;
  ++pending_->unfinished;
  task.done = [pending = pending_](BlobSaver::Worker& worker) { return pending->finish_one(&worker); };
  return saver_.submit(std::move(task));
}

// Hashes the predicted ranges and takes those that match; returns the data behind what could be settled.
Result<ByteSpan> Cutter::follow_parent(ByteSpan data, bool at_end, const Hold& hold) {
  team_.hash(ranges_, {digests_.data(), ranges_.size()}, prepare_);
  group_ = std::min(group_ * 2, kGroup);
  for (size_t i = 0; i < ranges_.size(); ++i) {
    const size_t length = ranges_[i].size();
    if (digests_[i] == prediction_.guessed().bytes) {
      pending_->ids.push_back(prediction_.guessed());
      pending_->stored.predicted_bytes += length;
      (void)hold(ranges_[i]);  // read for the last time
    } else {
      // Changed. If the chunk still ends where the parent's did, what was hashed behind it stays good.
      const size_t cut = chunker_.next_cut(data, at_end).value_or(length);
      const bool in_place = cut == length;
      TRY_VOID(queue(data.first(cut), in_place ? std::optional<Id>(Id{digests_[i]}) : std::nullopt, hold));
      if (!in_place) {
        group_ = 1;
        return data.subspan(cut);
      }
    }
    prediction_.confirm();
    data = data.subspan(length);
  }
  return data;
}

Result<ByteSpan> Cutter::cut(ByteSpan data, bool at_end, const Hold& hold) {
  while (!data.empty()) {
    if (prediction_.has_parent() && first_length_ == 0) {
      if (!prediction_.guess(chunker_, data, at_end, group_, ranges_)) return data;
      if (!ranges_.empty()) {
        data = TRY(follow_parent(data, at_end, hold));
        continue;
      }
    }
    const auto cut = chunker_.next_cut(data, at_end, first_length_);
    if (!cut) {
      first_length_ = data.size() + 1;
      return data;
    }
    first_length_ = 0;
    const ByteSpan chunk = data.first(*cut);
    std::optional<Id> id;
    if (*cut == kMinChunk && all_zero(chunk)) {
      id = zero_chunk_id();
    } else if (prediction_.may_hold(*cut)) {
      id = Id{crypto::sha256(chunk)};
    }
    if (id) prediction_.follow(*id);
    TRY_VOID(queue(chunk, id, hold));
    data = data.subspan(*cut);
  }
  return data;
}

// Pages of a mapped file count as this process's memory from the moment they are read until their chunk is done. While
// everything is new, packs need that memory; while a parent is followed, larger windows keep all hashing threads busy.
constexpr size_t kWindow = 8 * 1024 * 1024;
constexpr size_t kPredictedWindow = 32 * 1024 * 1024;
constexpr size_t kReadAhead = 64 * 1024 * 1024;

// A file in memory, window by window. What is new is copied by the saver, what the parent has is only looked at.
Status cut_mapped(Cutter& cutter, BlobSaver& saver, const std::shared_ptr<const sys::MappedFile>& file, bool has_parent,
                  std::atomic<uint64_t>* progress) {
  const Hold hold = [&file](ByteSpan chunk) {
    return std::shared_ptr<const void>(chunk.data(), [chunk, file](const void*) { sys::MappedFile::release(chunk); });
  };
  if (has_parent) cutter.set_prepare(sys::MappedFile::need_now);
  const size_t step = has_parent ? kPredictedWindow : kWindow;
  const ByteSpan all = file->bytes();
  ByteSpan rest;
  for (size_t at = 0; at < all.size();) {
    TRY_VOID(saver.check());
    const ByteSpan window = all.subspan(at, std::min(step, all.size() - at));
    sys::MappedFile::will_need(all.subspan(at, std::min(kReadAhead, all.size() - at)));
    if (!has_parent) sys::MappedFile::need_now(window);
    at += window.size();
    const ByteSpan data(rest.empty() ? window.data() : rest.data(), rest.size() + window.size());
    rest = TRY(cutter.cut(data, at == all.size(), hold));
    cutter.count(window.size());
    if (progress) *progress += window.size();
  }
  return {};
}

// Returns the error of the source, if it had one, by value: it ends the stream, not the saver.
Result<std::optional<Error>> cut_read(Cutter& cutter, BlobSaver& saver, ByteSource& source,
                                      std::atomic<uint64_t>* progress) {
  BlockReader reader(source);
  std::shared_ptr<Block> previous;  // owns `rest`
  ByteSpan rest;
  for (bool last = false; !last;) {
    TRY_VOID(saver.check());
    auto next = reader.next();
    if (!next) return std::move(next).error();
    std::shared_ptr<Block> block = std::move(*next);
    last = block->last;
    uint8_t* start = block->begin() - rest.size();
    if (!rest.empty()) std::memcpy(start, rest.data(), rest.size());
    cutter.count(block->size);
    if (progress) *progress += block->size;
    rest = TRY(cutter.cut(ByteSpan(start, rest.size() + block->size), last, [&](ByteSpan) { return block; }));
    previous = std::move(block);
  }
  return std::nullopt;
}

}  // namespace

Status queue_stream(Repository& repository, BlobSaver& saver, ByteSource& source, const std::vector<Id>& parent,
                    std::atomic<uint64_t>* progress, StreamDone done) {
  const std::shared_ptr<const sys::MappedFile> file = source.mapped();
  Cutter cutter(repository, saver, parent, file, std::move(done));
  if (!file) return cutter.finish(TRY(cut_read(cutter, saver, source, progress)));
  TRY_VOID(cut_mapped(cutter, saver, file, !parent.empty(), progress));
  return cutter.finish();
}

Result<StoredStream> store_stream(Repository& repository, BlobSaver& saver, ByteSource& source,
                                  const std::vector<Id>& parent, std::atomic<uint64_t>* progress) {
  Result<StoredStream> result;
  TRY_VOID(
      queue_stream(repository, saver, source, parent, progress, [&](Result<StoredStream>&& stored, BlobSaver::Worker*) {
        result = std::move(stored);
        return Status{};
      }));
  TRY_VOID(saver.drain());
  return result;
}

}  // namespace holdfast::repo
