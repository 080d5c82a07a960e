// Every byte of a small repository with a flipped bit, in process: each flip is found by the full check, and no read
// gives a wrong byte. HOLDFAST_ALL_OPERATIONS=1 flips all eight bits of each byte and not one.
#include <algorithm>
#include <memory>

#include "repo/check.h"
#include "repo/dump.h"
#include "repo/repository.h"
#include "repo/tree_access.h"
#include "store/memory_store.h"
#include "tests/damage/damage.h"
#include "tests/support/sample.h"

namespace holdfast::test {
namespace {

class Bitflip : public Damage {
 protected:
  /// The repository on disk, as objects in memory.
  std::shared_ptr<store::MemoryStore> in_memory() {
    auto memory = std::make_shared<store::MemoryStore>();
    for (const auto& file : files()) EXPECT_TRUE(memory->put(file, as_bytes(load(file))));
    return memory;
  }

  static bool found_by_check(const std::shared_ptr<store::MemoryStore>& memory) {
    auto repository = repo::Repository::open(memory, Secret(kPassword));
    if (!repository) return true;
    repo::CheckOptions options;
    options.read.kind = repo::ReadSelection::Kind::all;
    const auto report = repo::check_repository(**repository, options, {});
    return !report || report->errors > 0;
  }

  /// Bytes of the stream `name` that a dump gives before it ends or fails; `ok` tells which.
  static std::string dumped(const std::shared_ptr<store::MemoryStore>& memory, const std::string& name, bool& ok) {
    std::string bytes;
    const auto dump = [&]() -> Status {
      const auto repository = TRY(repo::Repository::open(memory, Secret(kPassword)));
      const auto snapshot = TRY(repository->find_snapshot("latest", [&](const repo::Snapshot& candidate) {
        return candidate.paths == std::vector<std::string>{name};
      }));
      TRY_VOID(repository->load_index());
      repo::Codec codec(repository->master_key());
      const auto node = TRY(repo::find_node(*repository, snapshot.tree, name, codec));
      if (!node) return fail(ErrorClass::refused, "test", "no such path");
      return repo::dump_blobs(*repository, node->content,
                              [&](ByteSpan piece) -> Status {
                                bytes += as_text(piece);
                                return {};
                              },
                              {}, {});
    };
    ok = dump().has_value();
    return bytes;
  }
};

TEST_F(Bitflip, every_byte) {
  const auto memory = in_memory();
  EXPECT_FALSE(found_by_check(memory));
  const bool all_bits = takes_everything();
  uint64_t flips = 0, missed = 0;
  std::string first_missed;
  for (const auto& file : files()) {
    const auto size = load(file).size();
    for (size_t at = 0; at < size; ++at) {
      for (unsigned bit = all_bits ? 0 : static_cast<unsigned>(sample_hash(file, std::to_string(at)) % 8),
                    last = all_bits ? 7 : bit;
           bit <= last; ++bit) {
        const auto flip = [&](std::vector<uint8_t>& bytes) { bytes[at] ^= static_cast<uint8_t>(1u << bit); };
        ASSERT_TRUE(memory->tamper(file, flip));
        ++flips;
        const auto what = "bit " + std::to_string(bit) + " of byte " + std::to_string(at) + " of " + file + " (" +
                          std::to_string(size) + " bytes)";
        if (!found_by_check(memory) && ++missed == 1) first_missed = what;
        for (const auto& [name, content] : streams) {
          bool ok = false;
          const auto bytes = dumped(memory, name, ok);
          EXPECT_TRUE(ok ? bytes == content : content.starts_with(bytes)) << what << " gives wrong bytes of " << name;
        }
        ASSERT_TRUE(memory->tamper(file, flip));
        if (HasFailure()) return;
      }
    }
  }
  EXPECT_EQ(missed, 0u) << "of " << flips << " flips; the first: " << first_missed;
  EXPECT_GT(flips, 2000u);
}

TEST_F(Bitflip, every_length) {
  const auto memory = in_memory();
  for (const auto& file : files()) {
    const auto good = load(file);
    for (size_t size = 0; size < good.size(); size += 1 + size / 16) {
      ASSERT_TRUE(memory->tamper(file, [&](std::vector<uint8_t>& bytes) { bytes.resize(size); }));
      EXPECT_TRUE(found_by_check(memory)) << file << " cut to " << size;
      for (const auto& [name, content] : streams) {
        bool ok = false;
        const auto bytes = dumped(memory, name, ok);
        EXPECT_TRUE(ok ? bytes == content : content.starts_with(bytes)) << file << " cut to " << size;
      }
      ASSERT_TRUE(memory->tamper(file, [&](std::vector<uint8_t>& bytes) { bytes.assign(good.begin(), good.end()); }));
    }
  }
  EXPECT_FALSE(found_by_check(memory));
}

}  // namespace
}  // namespace holdfast::test
