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
constexpr size_t kFirstGroup = 4;  // and after a miss
constexpr size_t kNear = 32;   // parent blobs looked at behind the place where a prediction failed

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

}  // namespace

Status queue_stream(Repository& repository, BlobSaver& saver, ByteSource& source, const std::vector<Id>& parent,
                    std::atomic<uint64_t>* progress,
                    std::function<Status(StoredStream&&, BlobSaver::Worker*)> done) {
  const Chunker chunker(repository.config().polynomial);
  Prediction prediction(repository.index(), parent);
  HashTeam team(prediction.has_parent() ? std::min(cpu_threads(), 4u) - 1 : 0);
  BlockReader reader(source);

  auto pending = std::make_shared<PendingStream>(std::move(done));
  auto& ids = pending->ids;
  StoredStream& stored = pending->stored;
  size_t group = kGroup;  // predicted ranges to hash together: few after a miss, more while they hold
  std::vector<ByteSpan> ranges;
  std::vector<crypto::Digest> digests(kGroup);
  std::shared_ptr<Block> previous;
  ByteSpan rest;            // of `previous`: not cut yet
  size_t first_length = 0;  // of the chunk at the front of `rest`: shorter lengths are known to be no cuts

  const auto queue = [&](const std::shared_ptr<Block>& block, ByteSpan chunk, const std::optional<Id>& id) {
    BlobSaver::Task task;
    task.plain = chunk;
    task.keep = block;
    task.id = &ids.emplace_back(id.value_or(Id{}));
    task.id_known = id.has_value();
    ++pending->unfinished;
    task.done = [pending](BlobSaver::Worker& worker) { return pending->finish_one(&worker); };
    return saver.submit(std::move(task));
  };

  for (;;) {
    std::shared_ptr<Block> block = TRY(reader.next());
    stored.size += block->size;
    if (progress) *progress += block->size;
    uint8_t* start = block->begin() - rest.size();
    if (!rest.empty()) std::memcpy(start, rest.data(), rest.size());
    ByteSpan data(start, rest.size() + block->size);
    previous = block;

    while (!data.empty()) {
      if (prediction.active() && first_length == 0) {
        prediction.ranges(data, block->last, group, ranges);
        if (!ranges.empty()) {
          team.hash(ranges, {digests.data(), ranges.size()});
          group = std::min(group * 2, kGroup);
          for (size_t i = 0; i < ranges.size(); ++i) {
            const size_t length = ranges[i].size();
            if (digests[i] == prediction.id().bytes) {
              ids.push_back(prediction.id());
              stored.predicted_bytes += length;
            } else {
              // Changed. If the chunk still ends where the parent's did, what was hashed behind it stays good.
              const auto cut = chunker.next_cut(data, block->last);
              if (!cut || *cut != length) {
                prediction.lose();
                group = kFirstGroup;
                break;
              }
              TRY_VOID(queue(block, data.first(length), Id{digests[i]}));
            }
            prediction.advance();
            data = data.subspan(length);
          }
          continue;
        }
        if (!block->last && prediction.wants_more(data)) break;
        prediction.lose();
      }
      const auto cut = chunker.next_cut(data, block->last, first_length);
      if (!cut) {
        first_length = data.size() + 1;
        break;
      }
      first_length = 0;
      const ByteSpan chunk = data.first(*cut);
      std::optional<Id> id;
      if (*cut == kMinChunk && all_zero(chunk)) {
        id = zero_chunk_id();
      } else if (prediction.has_parent()) {
        id = Id{crypto::sha256(chunk)};
      }
      if (id) prediction.follow(*id);
      TRY_VOID(queue(block, chunk, id));
      data = data.subspan(*cut);
    }
    rest = data;
    if (block->last) break;
  }
  return pending->finish_one(nullptr);
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
