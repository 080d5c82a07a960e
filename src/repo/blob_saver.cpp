#include "repo/blob_saver.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "crypto/sha256.h"
#include "repo/parallel.h"

namespace holdfast::repo {
namespace {

constexpr size_t kBatch = 32;  // blobs hashed together at most: enough small ones to keep every lane busy
constexpr size_t kBatchBytes = 4 * 1024 * 1024;  // no more are taken once a batch has so many
constexpr size_t kMaxQueued = 1024;              // tasks
constexpr size_t kMaxQueuedBytes = 16 * 1024 * 1024;
constexpr size_t kMaxBlobsInPack = 50'000;  // keeps the header far below its 16 MiB limit

codec::ZstdProfile data_profile(Compression compression) {
  return compression == Compression::max ? codec::ZstdProfile::best : codec::ZstdProfile::stream;
}

}  // namespace

BlobSaver::Worker::Worker(BlobSaver& saver, const crypto::SealKey& key, const SaverOptions& options)
    : saver_(saver),
      sealer_(key),
      data_compressor_(data_profile(options.compression), options.verify),
      tree_compressor_(codec::ZstdProfile::small) {
  if (options.verify) proof_.emplace(key);
}

Result<Id> BlobSaver::Worker::save_now(BlobType type, ByteSpan plain) {
  const Id id{crypto::sha256(plain)};
  TRY_VOID(saver_.save(*this, type, id, plain));
  return id;
}

BlobSaver::BlobSaver(Repository& repository, const SaverOptions& options, std::stop_token stop)
    : repository_(repository), options_(options), stop_(std::move(stop)), index_writer_(repository) {
  const unsigned workers = options_.workers ? options_.workers : cpu_threads();
  const unsigned uploaders = std::max(2u, repository_.store().connections());
  // Each worker fills one pack of data and one of trees; beside those, one pack per uploader is on its way.
  max_packs_ = 2 * workers + std::min(uploaders, repository_.store().is_remote() ? 4u : 2u);
  for (unsigned i = 0; i < workers; ++i) {
    workers_.emplace_back(new Worker(*this, repository_.master_key(), options_));
    threads_.emplace_back([this, worker = workers_.back().get()] { work(*worker); });
  }
  for (unsigned i = 0; i < uploaders; ++i) {
    threads_.emplace_back([this](std::stop_token token) { upload(std::move(token)); });
  }
}

BlobSaver::~BlobSaver() {
  {
    MutexLock lock(mutex_);
    closing_ = true;
    // Tasks that are still queued are wanted by nobody. Worked on, they would fill packs that no uploader takes.
    if (!error_) error_ = Error{ErrorClass::interrupted, "interrupted", "stopped", "", {}};
    failed_ = true;
  }
  changed_.notify_all();
  threads_.clear();  // joins
}

void BlobSaver::set_error(Error error) {
  {
    MutexLock lock(mutex_);
    if (!error_) error_ = std::move(error);
    failed_ = true;
  }
  changed_.notify_all();
}

Status BlobSaver::status() const {
  MutexLock lock(mutex_);
  if (error_) return std::unexpected(*error_);
  return {};
}

Status BlobSaver::check() {
  if (stop_.stop_requested()) set_error({ErrorClass::interrupted, "interrupted", "stopped", "", {}});
  return status();
}

Status BlobSaver::submit(Task task) {
  if (stop_.stop_requested()) return check();
  {
    MutexLock lock(mutex_);
    lock.wait(changed_, [&]() REQUIRES(mutex_) {
      return error_ || (queue_.size() < kMaxQueued && (queue_.empty() || queued_bytes_ < kMaxQueuedBytes));
    });
    if (error_) return std::unexpected(*error_);
    queued_bytes_ += task.plain.size();
    queue_.push_back(std::move(task));
  }
  changed_.notify_all();
  return {};
}

// Hash, compression and encryption must see the same bytes, or a blob would be stored under the hash of others. What a
// mapped file holds can change at any moment, so its bytes are copied first; blobs that are known are not stored.
void BlobSaver::take_copies(Worker& worker, std::vector<Task>& batch) {
  const auto wanted = [&](const Task& task) {
    return task.may_change && !(task.id_known && repository_.index().contains(task.type, *task.id));
  };
  size_t size = 0;
  for (const Task& task : batch) size += task.may_change ? task.plain.size() : 0;
  if (size == 0) return;
  worker.copies_.clear();
  worker.copies_.resize(size);
  size_t at = 0;
  for (Task& task : batch) {
    if (!wanted(task)) continue;
    uint8_t* copy = worker.copies_.data() + at;
    std::memcpy(copy, task.plain.data(), task.plain.size());
    at += task.plain.size();
    task.plain = ByteSpan(copy, task.plain.size());
    task.id_known = false;
    task.keep.reset();
  }
}

void BlobSaver::work(Worker& worker) {
  std::vector<Task> batch;
  for (;;) {
    batch.clear();
    {
      MutexLock lock(mutex_);
      lock.wait(changed_, [&]() REQUIRES(mutex_) { return closing_ || !queue_.empty(); });
      if (queue_.empty()) return;
      size_t bytes = 0;
      while (!queue_.empty() && batch.size() < kBatch && bytes < kBatchBytes) {
        bytes += queue_.front().plain.size();
        queued_bytes_ -= queue_.front().plain.size();
        batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
      busy_ += batch.size();
    }
    changed_.notify_all();

    if (!failed()) {
      take_copies(worker, batch);
      ByteSpan messages[kBatch];
      crypto::Digest digests[kBatch];
      Id* ids[kBatch];
      size_t unknown = 0;
      for (Task& task : batch) {
        if (task.id_known) continue;
        messages[unknown] = task.plain;
        ids[unknown++] = task.id;
      }
      crypto::sha256_many({messages, unknown}, {digests, unknown});
      for (size_t i = 0; i < unknown; ++i) ids[i]->bytes = digests[i];
    }
    for (Task& task : batch) {
      if (!failed()) {
        Status saved = save(worker, task.type, *task.id, task.plain);
        if (saved && task.done) saved = task.done(worker);
        if (!saved) set_error(std::move(saved).error());
      }
      task.done = nullptr;
      task.keep.reset();
    }
    {
      MutexLock lock(mutex_);
      busy_ -= batch.size();
    }
    changed_.notify_all();
  }
}

Status BlobSaver::save(Worker& worker, BlobType type, const Id& id, ByteSpan plain) {
  if (!repository_.index().claim(type, id)) return {};
  OpenPack& pack = worker.open_[static_cast<size_t>(type)];
  if (pack.empty()) TRY_VOID(start_pack(pack));
  codec::ZstdCompressor* compressor = type == BlobType::tree ? &worker.tree_compressor_ : &worker.data_compressor_;
  // Version 1 knows no compression; with "off" trees are still compressed, as restic does.
  if (repository_.config().version < 2 || (options_.compression == Compression::off && type == BlobType::data)) {
    compressor = nullptr;
  }
  TRY_VOID(append_blob(pack, type, id, plain,
                       {.compressor = compressor,
                        .sealer = worker.sealer_,
                        .proof = worker.proof_ ? &*worker.proof_ : nullptr,
                        .tamper = &options_.tamper}));
  (type == BlobType::data ? stats_.data_blobs : stats_.tree_blobs) += 1;
  stats_.bytes_added += plain.size();
  stats_.bytes_packed += pack.blobs.back().length;
  if (pack.bytes.size() >= options_.pack_size || pack.blobs.size() >= kMaxBlobsInPack) return hand_over(pack);
  return {};
}

// Gives an empty pack its buffer; waits while too many packs are in memory.
Status BlobSaver::start_pack(OpenPack& pack) {
  MutexLock lock(mutex_);
  lock.wait(changed_, [&]() REQUIRES(mutex_) { return error_ || packs_alive_ < max_packs_; });
  if (error_) return std::unexpected(*error_);
  ++packs_alive_;
  if (!spare_.empty()) {
    pack.bytes = std::move(spare_.back());
    spare_.pop_back();
  } else {
    lock.unlock();
    pack.bytes.reserve(options_.pack_size + options_.pack_size / 8);
  }
  pack.bytes.clear();
  return {};
}

Status BlobSaver::hand_over(OpenPack& pack) {
  {
    MutexLock lock(mutex_);
    full_.push_back(std::move(pack));
  }
  pack = OpenPack{};
  changed_.notify_all();
  return {};
}

void BlobSaver::upload(std::stop_token) {
  crypto::Sealer sealer(repository_.master_key());
  for (;;) {
    // Two that wait are hashed together, which takes little longer than one.
    std::vector<OpenPack> packs;
    {
      MutexLock lock(mutex_);
      lock.wait(changed_, [&]() REQUIRES(mutex_) { return closing_ || !full_.empty(); });
      if (full_.empty()) return;
      while (!full_.empty() && packs.size() < 2) {
        packs.push_back(std::move(full_.front()));
        full_.pop_front();
      }
      uploading_ += packs.size();
    }
    ByteSpan messages[2];
    crypto::Digest digests[2];
    if (!failed()) {
      for (size_t i = 0; i < packs.size(); ++i) {
        close_pack(packs[i], sealer);
        messages[i] = packs[i].bytes;
      }
      crypto::sha256_many({messages, packs.size()}, {digests, packs.size()});
    }
    for (size_t i = 0; i < packs.size(); ++i) {
      if (!failed()) {
        Status stored = store_pack(packs[i], Id{digests[i]});
        if (!stored) set_error(std::move(stored).error().with_context("writing a pack"));
      }
      {
        MutexLock lock(mutex_);
        --uploading_;
        --packs_alive_;
        spare_.push_back(std::move(packs[i].bytes));
      }
      changed_.notify_all();
    }
  }
}

Status BlobSaver::store_pack(OpenPack& pack, const Id& id) {
  TRY_VOID(repository_.store().put(object_key(ObjectType::pack, id), pack.bytes, {.sha256 = id.bytes}));
  stats_.bytes_uploaded += pack.bytes.size();
  repository_.index().add_pack(id, pack.blobs);
  return index_writer_.add(id, pack.blobs);
}

Status BlobSaver::drain() {
  MutexLock lock(mutex_);
  lock.wait(changed_, [&]() REQUIRES(mutex_) { return queue_.empty() && busy_ == 0; });
  if (error_) return std::unexpected(*error_);
  return {};
}

Status BlobSaver::flush() {
  TRY_VOID(drain());
  // The workers wait for tasks now, so their open packs are still.
  for (const BlobType type : {BlobType::data, BlobType::tree}) {
    OpenPack last;
    for (auto& worker : workers_) {
      OpenPack& open = worker->open_[static_cast<size_t>(type)];
      if (open.empty()) continue;
      if (last.empty()) {
        last = std::move(open);
      } else if (last.bytes.size() + open.bytes.size() <= options_.pack_size) {
        append_pack(last, open);
        MutexLock lock(mutex_);
        spare_.push_back(std::move(open.bytes));
        --packs_alive_;
      } else {
        TRY_VOID(hand_over(open));
      }
      open = OpenPack{};
    }
    if (!last.empty()) TRY_VOID(hand_over(last));
  }
  {
    MutexLock lock(mutex_);
    lock.wait(changed_, [&]() REQUIRES(mutex_) { return full_.empty() && uploading_ == 0; });
    if (error_) return std::unexpected(*error_);
  }
  return index_writer_.flush();
}

}  // namespace holdfast::repo
