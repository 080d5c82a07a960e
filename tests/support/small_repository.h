// Small repositories in memory, for tests that damage, crash or rewrite them.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "repo/dump.h"
#include "repo/repository.h"
#include "repo/stream_backup.h"
#include "repo/tree_access.h"
#include "store/memory_store.h"

namespace holdfast::test {

/// Bytes that do not compress and are the same for the same seed.
inline Buffer random_bytes(size_t size, uint32_t seed) {
  Buffer bytes(size);
  std::mt19937 generator(seed);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(generator());
  return bytes;
}

inline const Secret kPassword{"correct horse"};

/// A store with one repository in it; init() derives a key once, everything after opens with the master key.
class SmallRepository {
 public:
  explicit SmallRepository(unsigned version = 2) {
    repo::InitOptions options;
    options.version = version;
    options.polynomial = 0x3DA3358B4DC173;
    auto made = repo::Repository::init(store, kPassword, options);
    if (!made) throw std::runtime_error(made.error().to_string());
    master_key = (*made)->master_key();
  }

  /// Through `on` (a FaultStore around `store`), or `store` itself.
  Result<std::unique_ptr<repo::Repository>> open(std::shared_ptr<store::ObjectStore> on = {}) const {
    return repo::Repository::open_with_key(on ? std::move(on) : store, master_key);
  }

  /// Backs `content` up at `path`; the time is that many hours after 2026-01-01.
  static Result<repo::Snapshot> backup(repo::Repository& repository, const std::string& path, ByteSpan content,
                                       int hours, std::vector<std::string> tags = {}) {
    TRY_VOID(repository.load_index());
    repo::SnapshotOptions options;
    options.time = {repo::seconds_of(2026, 1, 1, 0, 0, 0) + hours * 3600, 0, 0};
    options.hostname = "tester";
    options.tags = std::move(tags);
    repo::SaverOptions saver;
    saver.pack_size = 64 * 1024;  // a pack for each chunk: more places to die in
    saver.workers = 2;
    repo::StreamBackup backup(repository, saver, options, {});
    auto source = repo::read_memory(content);
    TRY_VOID(backup.add(path, *source));
    return backup.commit();
  }

  repo::Snapshot must_backup(const std::string& path, ByteSpan content, int hours, std::vector<std::string> tags = {}) {
    auto repository = open();
    if (!repository) throw std::runtime_error(repository.error().to_string());
    auto snapshot = backup(**repository, path, content, hours, std::move(tags));
    if (!snapshot) throw std::runtime_error(snapshot.error().to_string());
    return *snapshot;
  }

  /// The content of a file in a snapshot.
  static Result<Buffer> read(repo::Repository& repository, const repo::Snapshot& snapshot, const std::string& path) {
    repo::Codec codec(repository.master_key());
    const auto node = TRY(repo::find_node(repository, snapshot.tree, path, codec));
    if (!node) return fail(ErrorClass::refused, "test.no_file", path + " is not there");
    Buffer content;
    TRY_VOID(repo::dump_blobs(repository, node->content,
                              [&](ByteSpan bytes) -> Status {
                                content.append(bytes);
                                return {};
                              },
                              {}, {}));
    return content;
  }

  std::shared_ptr<store::MemoryStore> store = std::make_shared<store::MemoryStore>();
  crypto::SealKey master_key;
};

inline bool same_bytes(ByteSpan a, ByteSpan b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}

}  // namespace holdfast::test
