#include "repo/stream_saver.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <optional>
#include <unordered_map>

#include "repo/block_reader.h"
#include "repo/format/chunker.h"
#include "repo/hash_team.h"
#include "repo/parallel.h"

namespace holdfast::repo {
namespace {

constexpr size_t kGroup = 32;      // predicted ranges hashed together, at most
constexpr size_t kFirstGroup = 2;  // and after a miss
constexpr size_t kMaxGuesses = 4;  // in a row
constexpr size_t kNear = 32;       // parent blobs looked at behind the place where a prediction failed

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
      lengths_.push_back(location ? location->blob.plain_length() : 0);
      positions_.try_emplace(parent[i], i);
    }
    next_ = 0;
  }

  bool active() const { return next_ < ids_.size() && lengths_[next_] > 0 && lengths_[next_] <= kMaxChunk; }
  bool has_parent() const { return !ids_.empty(); }
  void lose() {
    lost_ = next_;
    next_ = ids_.size();
  }
  void advance() { ++next_; }
  const Id& id() const { return ids_[next_]; }

  /// Up to `most` ranges of `data` that the next parent blobs would cover; `at_end`: the stream ends with `data`.
  void ranges(ByteSpan data, bool at_end, size_t most, std::vector<ByteSpan>& out) const {
    out.clear();
    size_t at = 0;
    for (size_t i = next_; i < ids_.size() && out.size() < most; ++i) {
      const size_t length = lengths_[i];
      if (length == 0 || length > data.size() - at) break;
      // A file's last blob ended because the file did; only another end at the same place makes it a cut.
      if (i + 1 == ids_.size() && !(at_end && at + length == data.size())) break;
      out.push_back(data.subspan(at, length));
      at += length;
    }
  }
  /// True if more data could make a range fit.
  bool wants_more(ByteSpan data) const { return active() && next_ + 1 < ids_.size() && lengths_[next_] > data.size(); }

  /// Continues behind a blob that was found by other means.
  void follow(const Id& id) {
    // Near the place where the streams parted first: the same blob may stand in many places (runs of zeros).
    for (size_t i = lost_; i < std::min(lost_ + kNear, ids_.size()); ++i) {
      if (ids_[i] == id) {
        next_ = i + 1;
        return;
      }
    }
    const auto at = positions_.find(id);
    next_ = at == positions_.end() ? ids_.size() : at->second + 1;
  }

 private:
  const std::vector<Id>& ids_;
  std::vector<uint32_t> lengths_;  // plain bytes; 0 = not in the index
  std::unordered_map<Id, size_t> positions_;
  size_t next_ = 0;
  size_t lost_ = 0;  // where the last prediction failed
};

// A stream whose blobs are on their way through the saver.
struct PendingStream {
  explicit PendingStream(std::function<Status(StoredStream&&, BlobSaver::Worker*)> f) : done(std::move(f)) {}

  Status finish_one(BlobSaver::Worker* worker) {
    if (--unfinished > 0) return {};
    stored.content.assign(ids.begin(), ids.end());
    return done(std::move(stored), worker);
  }

  std::function<Status(StoredStream&&, BlobSaver::Worker*)> done;
  std::deque<Id> ids;  // a deque, because workers write into it while it grows
  StoredStream stored;
  std::atomic<size_t> unfinished{1};  // tasks, and the reading itself
};

// Cuts a stream that comes in windows: each call sees all bytes that are not cut yet, as one piece.
class Cutter {
 public:
  Cutter(Repository& repository, BlobSaver& saver, const std::vector<Id>& parent,
         std::function<Status(StoredStream&&, BlobSaver::Worker*)> done)
      : chunker_(repository.config().polynomial),
        prediction_(repository.index(), parent),
        team_(prediction_.has_parent() ? std::min(cpu_threads(), 4u) - 1 : 0),
        saver_(saver),
        pending_(std::make_shared<PendingStream>(std::move(done))) {}

  /// Queues what can be cut from `data`; returns what is left for the next window. `keep` owns the bytes.
  Result<ByteSpan> cut(ByteSpan data, bool at_end, const std::shared_ptr<const void>& keep);
  void count(size_t bytes) { pending_->stored.size += bytes; }
  /// Nothing more comes.
  Status finish() { return pending_->finish_one(nullptr); }

 private:
  Result<ByteSpan> follow_parent(ByteSpan data, bool at_end, const std::shared_ptr<const void>& keep);
  Status queue(ByteSpan chunk, const std::optional<Id>& id, const std::shared_ptr<const void>& keep);

  const Chunker chunker_;
  Prediction prediction_;
  HashTeam team_;
  BlobSaver& saver_;
  std::shared_ptr<PendingStream> pending_;
  size_t first_length_ = 0;  // of the next chunk: shorter lengths are known to be no cuts
  size_t group_ = kGroup;    // predicted ranges to hash together: few after a miss, more while they hold
  size_t misses_ = 0;        // guesses in a row that failed
  std::vector<ByteSpan> ranges_;
  std::vector<crypto::Digest> digests_ = std::vector<crypto::Digest>(kGroup);
};

Status Cutter::queue(ByteSpan chunk, const std::optional<Id>& id, const std::shared_ptr<const void>& keep) {
  BlobSaver::Task task;
  task.plain = chunk;
  task.keep = keep;
  task.id = &pending_->ids.emplace_back(id.value_or(Id{}));
  task.id_known = id.has_value();
  ++pending_->unfinished;
  task.done = [pending = pending_](BlobSaver::Worker& worker) { return pending->finish_one(&worker); };
  return saver_.submit(std::move(task));
}

// Hashes the predicted ranges and takes those that match; returns the data behind what could be settled.
Result<ByteSpan> Cutter::follow_parent(ByteSpan data, bool at_end, const std::shared_ptr<const void>& keep) {
  team_.hash(ranges_, {digests_.data(), ranges_.size()});
  group_ = std::min(group_ * 2, kGroup);
  for (size_t i = 0; i < ranges_.size(); ++i) {
    const size_t length = ranges_[i].size();
    if (digests_[i] == prediction_.id().bytes) {
      pending_->ids.push_back(prediction_.id());
      pending_->stored.predicted_bytes += length;
      misses_ = 0;
    } else {
      const auto cut = chunker_.next_cut(data, at_end);
      if (!cut) {
        prediction_.lose();
        return data;
      }
      // Changed. If the chunk still ends where the parent's did, what was hashed behind it stays good. Otherwise the
      // parent's next blob is a good guess, until it has failed too often.
      const bool in_place = *cut == length;
      TRY_VOID(queue(data.first(*cut), in_place ? std::optional<Id>(Id{digests_[i]}) : std::nullopt, keep));
      if (!in_place) {
        data = data.subspan(*cut);
        group_ = kFirstGroup;
        if (++misses_ < kMaxGuesses) {
          prediction_.advance();
        } else {
          prediction_.lose();
        }
        return data;
      }
    }
    prediction_.advance();
    data = data.subspan(length);
  }
  return data;
}

Result<ByteSpan> Cutter::cut(ByteSpan data, bool at_end, const std::shared_ptr<const void>& keep) {
  while (!data.empty()) {
    if (prediction_.active() && first_length_ == 0) {
      prediction_.ranges(data, at_end, group_, ranges_);
      if (!ranges_.empty()) {
        data = TRY(follow_parent(data, at_end, keep));
        continue;
      }
      if (!at_end && prediction_.wants_more(data)) return data;
      prediction_.lose();
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
    } else if (prediction_.has_parent()) {
      id = Id{crypto::sha256(chunk)};
    }
    if (id) prediction_.follow(*id);
    misses_ = 0;
    TRY_VOID(queue(chunk, id, keep));
    data = data.subspan(*cut);
  }
  return data;
}

// Smaller than a block that is read: mapped pages count as this process's memory until the window goes.
constexpr size_t kMappedWindow = 8 * 1024 * 1024;

// A file in memory: windows over it, nothing is copied. What lies behind goes out of memory when its last chunk is
// done.
Status cut_mapped(Cutter& cutter, BlobSaver& saver, const std::shared_ptr<const sys::MappedFile>& file,
                  std::atomic<uint64_t>* progress) {
  const ByteSpan all = file->bytes();
  ByteSpan rest;
  for (size_t at = 0; at < all.size();) {
    TRY_VOID(saver.check());
    const ByteSpan window = all.subspan(at, std::min(kMappedWindow, all.size() - at));
    at += window.size();
    sys::MappedFile::will_need(all.subspan(at, std::min(4 * kMappedWindow, all.size() - at)));
    sys::MappedFile::need_now(window);
    // What the window before left over is read, and so comes into memory, again: it goes with this window.
    const ByteSpan data(rest.empty() ? window.data() : rest.data(), rest.size() + window.size());
    std::shared_ptr<const void> keep(data.data(), [data, file](const void*) { sys::MappedFile::release(data); });
    rest = TRY(cutter.cut(data, at == all.size(), keep));
    cutter.count(window.size());
    if (progress) *progress += window.size();
  }
  return {};
}

Status cut_read(Cutter& cutter, BlobSaver& saver, ByteSource& source, std::atomic<uint64_t>* progress) {
  BlockReader reader(source);
  std::shared_ptr<Block> previous;  // owns `rest`
  ByteSpan rest;
  for (bool last = false; !last;) {
    TRY_VOID(saver.check());
    std::shared_ptr<Block> block = TRY(reader.next());
    last = block->last;
    uint8_t* start = block->begin() - rest.size();
    if (!rest.empty()) std::memcpy(start, rest.data(), rest.size());
    cutter.count(block->size);
    if (progress) *progress += block->size;
    rest = TRY(cutter.cut(ByteSpan(start, rest.size() + block->size), last, block));
    previous = std::move(block);
  }
  return {};
}

}  // namespace

Status queue_stream(Repository& repository, BlobSaver& saver, ByteSource& source, const std::vector<Id>& parent,
                    std::atomic<uint64_t>* progress, std::function<Status(StoredStream&&, BlobSaver::Worker*)> done) {
  const std::shared_ptr<const sys::MappedFile> file = source.mapped();
  if (!file) {
    Cutter cutter(repository, saver, parent, std::move(done));
    TRY_VOID(cut_read(cutter, saver, source, progress));
    return cutter.finish();
  }
  // Only when every chunk has been read is it known whether all of the file was there.
  Cutter cutter(repository, saver, parent,
                [file, done = std::move(done)](StoredStream&& stored, BlobSaver::Worker* worker) -> Status {
                  if (!file->failed()) return done(std::move(stored), worker);
                  return fail(ErrorClass::failed, "backup.input_shrank",
                              "the file became shorter, or unreadable, while it was read",
                              "back it up when nothing truncates it, or from a file system snapshot");
                });
  TRY_VOID(cut_mapped(cutter, saver, file, progress));
  return cutter.finish();
}

Result<StoredStream> store_stream(Repository& repository, BlobSaver& saver, ByteSource& source,
                                  const std::vector<Id>& parent, std::atomic<uint64_t>* progress) {
  StoredStream result;
  TRY_VOID(queue_stream(repository, saver, source, parent, progress, [&](StoredStream&& stored, BlobSaver::Worker*) {
    result = std::move(stored);
    return Status{};
  }));
  TRY_VOID(saver.drain());
  return result;
}

}  // namespace holdfast::repo
