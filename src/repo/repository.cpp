#include "repo/repository.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "crypto/sha256.h"
#include "repo/parallel.h"

namespace holdfast::repo {
namespace {

constexpr uint8_t kCompressedMark = 2;                  // first plain byte of a compressed object
constexpr size_t kMaxObject = size_t{1} << 30;          // plain bytes of one index, snapshot or lock
constexpr uint64_t kMaxTreePack = uint64_t{256} << 20;  // restic's largest pack has 128 MiB

}  // namespace

std::unexpected<Error> damaged(std::string what) {
  return fail(ErrorClass::verification_failed, "repo.object.damaged", std::move(what),
              "holdfast check --read-data -r REPO names every damaged object");
}

const char* object_directory(ObjectType type) {
  switch (type) {
    case ObjectType::key:
      return "keys";
    case ObjectType::lock:
      return "locks";
    case ObjectType::snapshot:
      return "snapshots";
    case ObjectType::index:
      return "index";
    case ObjectType::pack:
      return "data";
  }
  return "";
}

std::string object_key(ObjectType type, const Id& id) {
  const std::string hex = id.hex();
  if (type == ObjectType::pack) return fmt::format("data/{}/{}", std::string_view(hex).substr(0, 2), hex);
  return fmt::format("{}/{}", object_directory(type), hex);
}

Result<std::vector<ObjectRef>> Repository::list(ObjectType type) {
  std::vector<ObjectRef> objects;
  TRY_VOID(store_->list(std::string(object_directory(type)) + "/", [&](const store::ObjectInfo& info) -> Status {
    const size_t slash = info.key.rfind('/');
    if (const auto id = Id::parse(std::string_view(info.key).substr(slash + 1))) objects.push_back({*id, info.size});
    return {};
  }));
  return objects;
}

void Repository::use_cache(const std::string& directory) {
  cache_.emplace(directory + "/" + config_.id.hex());
}

// Tree packs stay in the cache as long as an index names them.
void Repository::forget_cached_packs() {
  if (!cache_) return;
  std::vector<Id> ids = index_->packs();
  std::sort(ids.begin(), ids.end());
  cache_->keep_only("packs", ids);
}

// Indexes and snapshots never change, so a copy that hashes to its name is as good as the original.
Status Repository::read_sealed(ObjectType type, const Id& id, Buffer& sealed) {
  const bool cached = cache_ && (type == ObjectType::index || type == ObjectType::snapshot);
  if (cached) {
    if (auto bytes = cache_->read(object_directory(type), id)) {
      sealed = std::move(*bytes);
      return {};
    }
  }
  const std::string key = object_key(type, id);
  const uint64_t limit =
      type == ObjectType::index || type == ObjectType::snapshot ? store::kWholeLimit : kMaxSmallObject;
  TRY_VOID(store_->get_all(key, sealed, limit));
  if (crypto::sha256(sealed) != id.bytes) {
    // Once more: what a network garbled is not damage.
    TRY_VOID(store_->get_all(key, sealed, limit));
    if (crypto::sha256(sealed) != id.bytes) return damaged(key + " does not match its name");
  }
  if (cached) cache_->write(object_directory(type), id, sealed);
  return {};
}

Result<Buffer> Repository::load(ObjectType type, const Id& id, Codec& codec) {
  const std::string key = object_key(type, id);
  Buffer sealed;
  TRY_VOID(read_sealed(type, id, sealed));
  auto text = codec.sealer.open_in_place({sealed.data(), sealed.size()});
  if (!text) return damaged(key + ": " + text.error().message);
  if (!text->empty() && text->front() == kCompressedMark) {
    auto plain = codec.decompressor.decompress(text->subspan(1), kMaxObject);
    if (!plain) return damaged(key + ": " + plain.error().message);
    return plain;
  }
  return Buffer::copy_of(*text);
}

Result<Id> Repository::save(ObjectType type, std::string_view text, Codec& codec) {
  Buffer plain;
  if (config_.version >= 2) {
    plain.append(ByteSpan(&kCompressedMark, 1));
    plain.append(codec.small.compress(as_bytes(text)).span());
  } else {
    plain.append(text);
  }
  const Buffer sealed = codec.sealer.seal(plain);
  const Id id{crypto::sha256(sealed)};
  TRY_VOID(store_->put(object_key(type, id), sealed, {.sha256 = id.bytes}));
  if (cache_ && (type == ObjectType::index || type == ObjectType::snapshot)) {
    cache_->write(object_directory(type), id, sealed);
  }
  return id;
}

Status Repository::remove(ObjectType type, const Id& id) {
  return store_->remove(object_key(type, id));
}

// Drops cached objects that the repository no longer has.
void Repository::forget_cached(ObjectType type, const std::vector<ObjectRef>& present) {
  if (!cache_) return;
  std::vector<Id> ids;
  for (const ObjectRef& object : present) ids.push_back(object.id);
  std::sort(ids.begin(), ids.end());
  cache_->keep_only(object_directory(type), ids);
}

Result<std::vector<Id>> Repository::read_indexes(unsigned threads) {
  const auto objects = TRY(list(ObjectType::index));
  forget_cached(ObjectType::index, objects);
  if (threads == 0) threads = std::max(cpu_threads(), store_->connections());
  index_ = std::make_unique<BlobIndex>();
  TRY_VOID(parallel_for(
      objects.size(), threads, [&] { return Codec(master_key_); },
      [&](size_t i, Codec& codec) -> Status {
        auto text = load(ObjectType::index, objects[i].id, codec);
        if (!text) {
          Error error = std::move(text).error().with_context("reading the index");
          if (error.error_class == ErrorClass::verification_failed)
            error.hint = "holdfast repo repair-index -r " + store_->location() + " rebuilds it from the packs";
          return std::unexpected(std::move(error));
        }
        return parse_index(as_text(*text), [&](PackContents&& pack) { index_->load_pack(pack.id, pack.blobs); });
      }));
  index_->finish_loading();
  forget_cached_packs();
  std::vector<Id> ids;
  for (const ObjectRef& object : objects) ids.push_back(object.id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

Status Repository::load_index(unsigned threads) {
  if (index_loaded()) return {};
  constexpr int kTries = 3;  // a prune takes longer than reading its index does
  for (int tries = 1;; ++tries) {
    auto ids = read_indexes(threads);
    if (!ids && (ids.error().id != store::kNotFound || tries == kTries)) return std::unexpected(std::move(ids).error());
    if (!ids) continue;
    {
      MutexLock lock(mutex_);
      loaded_indexes_ = std::move(*ids);
    }
    Status current = index_watchers_ > 0 ? check_loaded_index() : Status();
    if (current || current.error().id != "repo.index_changed" || tries == kTries) return current;
  }
}

Status Repository::reload_index(unsigned threads) {
  {
    MutexLock lock(mutex_);
    loaded_indexes_.reset();
  }
  return load_index(threads);
}

bool Repository::index_loaded() const {
  MutexLock lock(mutex_);
  return loaded_indexes_.has_value();
}

Status Repository::check_loaded_index() {
  std::vector<Id> now;
  for (const ObjectRef& object : TRY(list(ObjectType::index))) now.push_back(object.id);
  std::sort(now.begin(), now.end());
  MutexLock lock(mutex_);
  if (!loaded_indexes_ || std::includes(now.begin(), now.end(), loaded_indexes_->begin(), loaded_indexes_->end()))
    return {};
  return fail(
      ErrorClass::conflict, "repo.index_changed",
      fmt::format("the index of {} was rewritten while the lock was taken; nothing was published", store_->location()),
      "run the same command again");
}

bool Repository::is_damage(const Error& error) {
  return error.error_class != ErrorClass::unavailable && error.error_class != ErrorClass::interrupted &&
         error.error_class != ErrorClass::conflict;
}

void Repository::on_damage(std::function<void(const Id& pack, const Error&)> tell) {
  MutexLock lock(mutex_);
  tell_damage_ = std::move(tell);
}

void Repository::report_damage(const Id& pack, const Error& error) {
  MutexLock lock(mutex_);
  if (damaged_packs_.insert(pack).second && tell_damage_) tell_damage_(pack, error);
}

Result<std::vector<Snapshot>> Repository::load_snapshots(unsigned threads) {
  const auto objects = TRY(list(ObjectType::snapshot));
  forget_cached(ObjectType::snapshot, objects);
  std::vector<Snapshot> snapshots;
  std::mutex mutex;
  if (threads == 0) threads = std::max(cpu_threads(), store_->connections());
  TRY_VOID(parallel_for(
      objects.size(), threads, [&] { return Codec(master_key_); },
      [&](size_t i, Codec& codec) -> Status {
        auto text = load(ObjectType::snapshot, objects[i].id, codec);
        if (!text && text.error().id == store::kNotFound) return {};
        if (!text) return std::unexpected(std::move(text).error());
        Snapshot snapshot = TRY(parse_snapshot(as_text(*text)).context("snapshot " + objects[i].id.short_hex()));
        snapshot.id = objects[i].id;
        std::lock_guard lock(mutex);
        snapshots.push_back(std::move(snapshot));
        return {};
      }));
  std::sort(snapshots.begin(), snapshots.end(), [](const Snapshot& a, const Snapshot& b) {
    if (!a.time.same_instant(b.time)) return a.time.before(b.time);
    return a.id < b.id;
  });
  return snapshots;
}

Result<Snapshot> Repository::find_snapshot(const std::string& name,
                                           const std::function<bool(const Snapshot&)>& matches) {
  const auto none = [&](std::string what) {
    return fail(ErrorClass::refused, "repo.snapshot.not_found", std::move(what),
                "holdfast get snapshots -r " + store_->location());
  };
  if (name == "latest") {
    auto snapshots = TRY(load_snapshots());
    for (auto it = snapshots.rbegin(); it != snapshots.rend(); ++it) {
      if (!matches || matches(*it)) return std::move(*it);
    }
    return none(snapshots.empty() ? "the repository holds no snapshot" : "no snapshot matches");
  }
  const bool digits =
      name.size() >= 4 && name.size() <= 64 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!digits) {
    return fail(ErrorClass::usage, "repo.snapshot.name",
                fmt::format("\"{}\" is neither \"latest\" nor at least 4 hexadecimal digits of a snapshot's id", name),
                "holdfast get snapshots -r " + store_->location());
  }
  std::optional<Id> found;
  for (const auto& object : TRY(list(ObjectType::snapshot))) {
    if (!object.id.hex().starts_with(name)) continue;
    if (found) return none(fmt::format("more than one snapshot starts with {}", name));
    found = object.id;
  }
  if (!found) return none(fmt::format("no snapshot starts with {}", name));
  Codec codec(master_key_);
  const Buffer text = TRY(load(ObjectType::snapshot, *found, codec));
  Snapshot snapshot = TRY(parse_snapshot(as_text(text)).context("snapshot " + found->short_hex()));
  snapshot.id = *found;
  return snapshot;
}

Status Repository::decode_blob(const PackedBlob& blob, ByteSpan sealed, MutableByteSpan plain, Codec& codec) {
  if (!blob.compressed()) return codec.sealer.open(sealed, plain);
  codec.frame.resize(blob.length - crypto::kSealOverhead);
  TRY_VOID(codec.sealer.open(sealed, {codec.frame.data(), codec.frame.size()}));
  return codec.decompressor.decompress(codec.frame, plain);
}

Result<Buffer> Repository::load_blob(BlobType type, const Id& id, Codec& codec) {
  const auto copies = index_->copies(type, id);
  if (copies.empty()) {
    return damaged(fmt::format("{} blob {} is in no index", blob_type_name(type), id.short_hex()));
  }
  std::optional<Error> first;
  for (const BlobLocation& copy : copies) {
    auto plain = load_copy(copy, codec);
    if (!plain && !is_damage(plain.error())) return plain;
    if (plain && first) report_damage(copies.front().pack, *first);
    if (plain) return plain;
    if (!first) first = std::move(plain).error();
  }
  return std::unexpected(std::move(*first));
}

Result<Buffer> Repository::load_copy(const BlobLocation& location, Codec& codec) {
  if (cache_ && location.blob.type == BlobType::tree) {
    if (auto plain = read_blob(location, codec, true)) return plain;
  }
  auto plain = read_blob(location, codec, false);
  if (!plain && (plain.error().id == store::kNotFound || plain.error().id == store::kShortRead))
    return damaged(fmt::format("pack {}: {}", location.pack.hex(), plain.error().message));
  return plain;
}

Result<Buffer> Repository::read_blob(const BlobLocation& location, Codec& codec, bool from_cache) {
  const PackedBlob& blob = location.blob;
  const std::string key = object_key(ObjectType::pack, location.pack);
  Buffer sealed;
  if (from_cache) {
    auto bytes = cache_->read_range("packs", location.pack, blob.offset, blob.length);
    if (!bytes) {
      // One directory is rarely read alone: take the whole pack of them.
      Buffer pack;
      TRY_VOID(store_->get_all(key, pack, kMaxTreePack));
      if (crypto::sha256(pack) != location.pack.bytes) return damaged(key + " does not match its name");
      cache_->write("packs", location.pack, pack);
      if (uint64_t{blob.offset} + blob.length > pack.size()) return damaged(key + " is shorter than its index says");
      bytes = Buffer::copy_of(pack.span(blob.offset, blob.length));
    }
    sealed = std::move(*bytes);
  } else {
    TRY_VOID(store_->get(key, blob.offset, blob.length, sealed));
  }
  Buffer plain(blob.plain_length());
  auto decoded = decode_blob(blob, sealed, {plain.data(), plain.size()}, codec);
  if (!decoded || crypto::sha256(plain) != blob.id.bytes) {
    if (from_cache) cache_->remove("packs", location.pack);
    return damaged(fmt::format("blob {} in pack {}: {}", blob.id.short_hex(), location.pack.short_hex(),
                               decoded ? "content does not match its id" : decoded.error().message));
  }
  return plain;
}

}  // namespace holdfast::repo
