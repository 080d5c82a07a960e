#include "repo/repository.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <mutex>

#include "crypto/random.h"
#include "crypto/sha256.h"
#include "repo/environment.h"
#include "repo/format/chunker.h"
#include "repo/parallel.h"

namespace holdfast::repo {
namespace {

constexpr uint8_t kCompressedMark = 2;          // first plain byte of a compressed object
constexpr size_t kMaxObject = size_t{1} << 30;  // plain bytes of one index, snapshot or lock
constexpr int kMaxKeys = 20;                    // key files tried, as restic does: each costs a scrypt
// What whoever can write key files can make an opening cost. Ours need 32 MiB and 100 MB of mixing.
constexpr uint64_t kMaxKeyMemory = uint64_t{512} << 20;  // of one key file
constexpr uint64_t kMaxKeyWork = uint64_t{8} << 30;      // bytes mixed for all of them
constexpr uint64_t kMaxSmallObject = 1 << 20;            // a key file, config or lock has some hundred bytes
constexpr uint64_t kMaxTreePack = uint64_t{256} << 20;   // restic's largest pack has 128 MiB

uint64_t key_memory(const crypto::ScryptCost& cost) {
  if (cost.n > kMaxKeyMemory || cost.r > kMaxKeyMemory || cost.n * cost.r > kMaxKeyMemory) return UINT64_MAX;
  return 128 * cost.n * cost.r;
}

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

Result<std::unique_ptr<Repository>> Repository::init(std::shared_ptr<store::ObjectStore> store, const Secret& password,
                                                     const InitOptions& options) {
  const auto exists = [&](const char* what) {
    return fail(ErrorClass::refused, "repo.exists", fmt::format("{} already holds a {}", store->location(), what),
                "holdfast get snapshots -r " + store->location());
  };
  if (password.empty()) {
    return fail(ErrorClass::usage, "repo.key.empty_password", "an empty password protects nothing",
                "set RESTIC_PASSWORD_FILE to a file with the password");
  }
  if (options.version != 1 && options.version != 2) {
    return fail(ErrorClass::usage, "repo.config.version", "a repository's version is 1 or 2", "--repository-version 2");
  }
  std::unique_ptr<Repository> repository(new Repository(store));
  TRY_VOID(store->create());  // first: where there is no bucket, not even absence can be asked for
  if (TRY(store->stat("config"))) return exists("repository (config)");
  if (!TRY(repository->list(ObjectType::key)).empty()) return exists("key");
  if (!TRY(repository->list(ObjectType::snapshot)).empty()) return exists("snapshot");

  repository->master_key_ = crypto::random_seal_key();
  repository->config_.version = options.version;
  crypto::fill_random(repository->config_.id.bytes);
  repository->config_.polynomial = options.polynomial ? *options.polynomial : find_chunker_polynomial([] {
    uint64_t value;
    crypto::fill_random({reinterpret_cast<uint8_t*>(&value), sizeof value});
    return value;
  });
  const Environment environment = Environment::of_process();
  repository->key_id_ = TRY(repository->add_key(password, environment.user, environment.host));
  // The config comes last: only with it does the place count as a repository.
  crypto::Sealer sealer(repository->master_key_);
  const Buffer sealed = sealer.seal(as_bytes(config_text(repository->config_)));
  auto written = store->put("config", sealed, {.if_absent = true});
  if (!written) {
    if (written.error().id == store::kExists) {
      // Somebody else was faster; their repository stays theirs.
      (void)repository->remove(ObjectType::key, repository->key_id_);
      return exists("repository (config)");
    }
    return std::unexpected(std::move(written).error());
  }
  repository->index_->finish_loading();
  return repository;
}

Result<std::unique_ptr<Repository>> Repository::open(std::shared_ptr<store::ObjectStore> store, const Secret& password,
                                                     const std::string& key_hint, std::stop_token stop) {
  std::unique_ptr<Repository> repository(new Repository(std::move(store)));
  TRY_VOID(repository->open_key(password, key_hint, stop));
  TRY_VOID(repository->load_config());
  return repository;
}

Result<std::unique_ptr<Repository>> Repository::open_with_key(std::shared_ptr<store::ObjectStore> store,
                                                              const crypto::SealKey& master_key, const Id& key_id) {
  std::unique_ptr<Repository> repository(new Repository(std::move(store)));
  repository->master_key_ = master_key;
  repository->key_id_ = key_id;
  TRY_VOID(repository->load_config());
  return repository;
}

Result<KeyFile> Repository::load_key_file(const Id& id) {
  Buffer text;
  TRY_VOID(store_->get_all(object_key(ObjectType::key, id), text, kMaxSmallObject));
  if (crypto::sha256(text) != id.bytes) return damaged(fmt::format("key {} does not match its name", id.short_hex()));
  return parse_key_file(as_text(text));
}

Status Repository::open_key(const Secret& password, const std::string& key_hint, const std::stop_token& stop) {
  std::vector<ObjectRef> keys = TRY(list(ObjectType::key));
  if (keys.empty()) {
    return fail(ErrorClass::refused, "repo.not_found", fmt::format("there is no repository at {}", store_->location()),
                fmt::format("holdfast repo init -r {}", store_->location()));
  }
  std::stable_partition(keys.begin(), keys.end(),
                        [&](const ObjectRef& key) { return !key_hint.empty() && key.id.hex().starts_with(key_hint); });
  std::optional<Error> problem;
  int tried = 0;
  uint64_t work = 0;
  for (const auto& key : keys) {
    if (stop.stop_requested()) return fail(ErrorClass::interrupted, "interrupted", "stopped");
    if (tried == kMaxKeys) break;
    ++tried;
    auto file = load_key_file(key.id);
    if (!file) {
      // Another key may still open the repository; a store that cannot be reached will not answer for that one either.
      if (file.error().error_class == ErrorClass::unavailable) return std::unexpected(std::move(file).error());
      problem = std::move(file).error();
      continue;
    }
    const uint64_t memory = key_memory(file->cost);
    const uint64_t mixed = memory > kMaxKeyMemory || file->cost.p > kMaxKeyWork ? UINT64_MAX : memory * file->cost.p;
    if (memory > kMaxKeyMemory || mixed > kMaxKeyWork - work) {
      problem = Error{ErrorClass::verification_failed,
                      "repo.key.cost",
                      fmt::format("key {} asks for more work than any key needs (N={} r={} p={}) and was not tried",
                                  key.id.short_hex(), file->cost.n, file->cost.r, file->cost.p),
                      "name the key that fits with --key-hint; holdfast repo key list shows who made which",
                      {}};
      continue;
    }
    work += mixed;
    auto derived = crypto::scrypt(password, file->salt, file->cost);
    if (!derived) {
      problem = std::move(derived).error();
      continue;
    }
    crypto::SealKey user_key;
    std::memcpy(user_key.encrypt.data(), derived->data(), 32);
    std::memcpy(user_key.mac_k.data(), derived->data() + 32, 16);
    std::memcpy(user_key.mac_r.data(), derived->data() + 48, 16);
    auto text = crypto::Sealer(user_key).open_in_place({file->sealed_key.data(), file->sealed_key.size()});
    if (!text) continue;
    master_key_ = TRY(parse_master_key(as_text(*text)));
    key_id_ = key.id;
    return {};
  }
  if (problem) return std::unexpected(std::move(*problem).with_context("opening " + store_->location()));
  return fail(ErrorClass::refused, "repo.key.wrong_password",
              static_cast<size_t>(tried) < keys.size()
                  ? fmt::format("the password opens none of the {} keys of {} that were tried, of {}", tried,
                                store_->location(), keys.size())
                  : fmt::format("the password opens none of the {} keys of {}", keys.size(), store_->location()),
              static_cast<size_t>(tried) < keys.size()
                  ? "name the key that fits with --key-hint"
                  : "check RESTIC_PASSWORD, RESTIC_PASSWORD_FILE or RESTIC_PASSWORD_COMMAND");
}

Status Repository::load_config() {
  Buffer sealed;
  auto got = store_->get_all("config", sealed, kMaxSmallObject);
  if (!got) {
    if (got.error().id != store::kNotFound) return got;
    return fail(ErrorClass::refused, "repo.not_found",
                fmt::format("{} holds keys but no config: it is not a whole repository", store_->location()),
                "restore the config object from a copy of the repository");
  }
  auto text = crypto::Sealer(master_key_).open_in_place({sealed.data(), sealed.size()});
  if (!text) return damaged("config: " + text.error().message);
  config_ = TRY(parse_config(as_text(*text)));
  return {};
}

Result<Id> Repository::add_key(const Secret& password, const std::string& user, const std::string& host) {
  KeyFile file;
  file.created = now();
  file.username = user;
  file.hostname = host;
  file.salt.resize(64);
  crypto::fill_random({file.salt.data(), file.salt.size()});
  const auto derived = TRY(crypto::scrypt(password, file.salt, file.cost));
  crypto::SealKey user_key;
  std::memcpy(user_key.encrypt.data(), derived.data(), 32);
  std::memcpy(user_key.mac_k.data(), derived.data() + 32, 16);
  std::memcpy(user_key.mac_r.data(), derived.data() + 48, 16);
  file.sealed_key = crypto::Sealer(user_key).seal(as_bytes(master_key_text(master_key_)));
  const std::string text = key_file_text(file);
  const Id id{crypto::sha256(as_bytes(text))};
  TRY_VOID(store_->put(object_key(ObjectType::key, id), as_bytes(text), {.sha256 = id.bytes}));
  return id;
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
        const Buffer text = TRY(load(ObjectType::index, objects[i].id, codec).context("reading the index"));
        return parse_index(as_text(text), [&](PackContents&& pack) { index_->load_pack(pack.id, pack.blobs); });
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
    Status current = index_guard_ ? index_guard_() : Status();
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
