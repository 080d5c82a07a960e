// An open repository: its store, its keys, its index, and how objects are read and written.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/secret.h"
#include "codec/zstd.h"
#include "crypto/seal.h"
#include "repo/blob_index.h"
#include "repo/cache.h"
#include "repo/format/config.h"
#include "repo/format/snapshot.h"
#include "store/object_store.h"

namespace holdfast::repo {

enum class ObjectType { key, lock, snapshot, index, pack };

/// "snapshots", "index", ...
const char* object_directory(ObjectType type);
/// The store's key of an object: "snapshots/<id>", "data/ab/<id>".
std::string object_key(ObjectType type, const Id& id);

/// Bytes at most of a key file, config or lock: some hundred are usual.
inline constexpr uint64_t kMaxSmallObject = 1 << 20;

struct ObjectRef {
  Id id;
  uint64_t size = 0;
};

/// Per-thread tools for reading and writing sealed data with the repository's master key.
struct Codec {
  explicit Codec(const crypto::SealKey& key) : sealer(key), small(codec::ZstdProfile::small) {}
  crypto::Sealer sealer;
  codec::ZstdDecompressor decompressor;
  codec::ZstdCompressor small;
  Buffer frame;  // one opened, still compressed blob
};

struct InitOptions {
  unsigned version = 2;
  std::optional<uint64_t> polynomial;  ///< to share chunks with another repository; random otherwise
};

class Repository {
 public:
  /// Makes a new repository in an empty place. An existing config, key or snapshot is "repo.exists" (refused).
  static Result<std::unique_ptr<Repository>> init(std::shared_ptr<store::ObjectStore> store, const Secret& password,
                                                  const InitOptions& options = {});
  /// Opens with the first key that the password fits: "repo.not_found" when nothing is there, "repo.key.wrong_password"
  /// (refused) when no key fits. `key_hint` names a key (prefix of its id) to try first.
  static Result<std::unique_ptr<Repository>> open(std::shared_ptr<store::ObjectStore> store, const Secret& password,
                                                  const std::string& key_hint = {}, std::stop_token stop = {});

  /// Opens with a master key that the caller holds already (from an earlier open), without a password and its costly
  /// derivation. `key_id` may be empty.
  static Result<std::unique_ptr<Repository>> open_with_key(std::shared_ptr<store::ObjectStore> store,
                                                           const crypto::SealKey& master_key, const Id& key_id = {});

  /// Keeps indexes, snapshots and tree packs in `directory`/<repository id>; for remote stores.
  void use_cache(const std::string& directory);

  store::ObjectStore& store() { return *store_; }
  const std::shared_ptr<store::ObjectStore>& shared_store() const { return store_; }
  const Config& config() const { return config_; }
  const crypto::SealKey& master_key() const { return master_key_; }
  /// The key file that opened the repository.
  const Id& key_id() const { return key_id_; }
  BlobIndex& index() { return *index_; }

  /// All objects of a type; names that are no ids are skipped. Packs come with their sizes.
  Result<std::vector<ObjectRef>> list(ObjectType type);

  /// Plain text of an index, snapshot or lock object: hash against the name, MAC, decompression. Damage is
  /// "repo.object.damaged" (verification_failed), a missing object "store.not_found".
  Result<Buffer> load(ObjectType type, const Id& id, Codec& codec);
  /// Seals and stores an index, snapshot or lock; its id.
  Result<Id> save(ObjectType type, std::string_view text, Codec& codec);
  Status remove(ObjectType type, const Id& id);

  /// Reads every index object, `threads` at a time, before blobs are looked up. A second call changes nothing. While
  /// the index is watched, all is read again if objects were removed meanwhile.
  Status load_index(unsigned threads = 0);
  /// Reads it again: what this process has written since is in index objects now.
  Status reload_index(unsigned threads = 0);
  /// True once load_index() has read the index.
  bool index_loaded() const;
  /// Looks whether each index object that was loaded is still listed: without it, the packs it names may be gone.
  /// "repo.index_changed" (conflict). Thread-safe.
  Status check_loaded_index();
  /// From here to as many calls of unwatch_index(), each load_index() ends with check_loaded_index(): for the holder of
  /// a lock under which nobody removes anything any more. Thread-safe.
  void watch_index() { ++index_watchers_; }
  void unwatch_index() { --index_watchers_; }

  /// Every snapshot, oldest first. Objects that vanish between listing and reading are left out (forgotten meanwhile).
  Result<std::vector<Snapshot>> load_snapshots(unsigned threads = 0);
  /// One snapshot by id, unique prefix of at least 4 digits, or "latest" (the newest that `matches`).
  Result<Snapshot> find_snapshot(const std::string& name, const std::function<bool(const Snapshot&)>& matches = {});

  /// Plain bytes of a blob: from a pack that holds it, MAC, decompression, hash against the id.
  Result<Buffer> load_blob(BlobType type, const Id& id, Codec& codec);

  /// Opens the bytes of one stored blob (sealed, perhaps compressed) into `plain`, which has plain_length() bytes;
  /// checks MAC and size, not the hash.
  static Status decode_blob(const PackedBlob& blob, ByteSpan sealed, MutableByteSpan plain, Codec& codec);

  /// Damage that another copy made up for; `tell` is called once for each pack, from any thread, one at a time.
  void on_damage(std::function<void(const Id& pack, const Error&)> tell);
  void report_damage(const Id& pack, const Error& error);
  /// True if an object or a part of it cannot be had from the store as it should be, though the store can be reached.
  static bool is_damage(const Error& error);

  /// Adds a key file for another password (the master key stays). Returns its id.
  Result<Id> add_key(const Secret& password, const std::string& user, const std::string& host);
  Result<KeyFile> load_key_file(const Id& id);

 private:
  Repository(std::shared_ptr<store::ObjectStore> store) : store_(std::move(store)) {}
  Status open_key(const Secret& password, const std::string& key_hint, const std::stop_token& stop);
  Status load_config();
  void forget_cached(ObjectType type, const std::vector<ObjectRef>& present);
  void forget_cached_packs();
  Status read_sealed(ObjectType type, const Id& id, Buffer& sealed);
  Result<Buffer> read_blob(const BlobLocation& location, Codec& codec, bool from_cache);
  Result<Buffer> load_copy(const BlobLocation& location, Codec& codec);
  Result<std::vector<Id>> read_indexes(unsigned threads);

  std::shared_ptr<store::ObjectStore> store_;
  crypto::SealKey master_key_;
  Id key_id_;
  std::optional<Cache> cache_;
  Config config_;
  std::unique_ptr<BlobIndex> index_ = std::make_unique<BlobIndex>();
  std::atomic<int> index_watchers_{0};

  mutable Mutex mutex_;
  std::optional<std::vector<Id>> loaded_indexes_ GUARDED_BY(mutex_);  // sorted
  std::function<void(const Id&, const Error&)> tell_damage_ GUARDED_BY(mutex_);
  std::set<Id> damaged_packs_ GUARDED_BY(mutex_);  // reported already
};

/// The error of bytes that are not what their name promises.
std::unexpected<Error> damaged(std::string what);

}  // namespace holdfast::repo
