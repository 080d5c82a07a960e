// Proving one pack: its name, its header, each of its blobs.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "crypto/sha256.h"
#include "repo/repository.h"

namespace holdfast::repo {

/// How much of a pack is in memory at once. A verifier needs about `section` + `group` + two of the largest blobs.
struct VerifyBudget {
  size_t section = 20 * 1024 * 1024;  ///< bytes of the pack; packs up to this size are hashed together with their blobs
  size_t group =
      40 * 1024 * 1024;  ///< plain bytes of blobs hashed together: enough to fill the lanes beside the pack's

  /// For that many verifiers at once within about 200 MiB.
  static VerifyBudget for_threads(unsigned threads);
};

/// One per thread.
class PackVerifier {
 public:
  PackVerifier(Repository& repository, VerifyBudget budget);

  struct Outcome {
    std::vector<std::string> problems;  ///< empty: the pack is what the index says
    bool unstable = false;              ///< a first reading failed, a second one did not
    uint64_t bytes_read = 0;
  };
  /// Reads the pack, whose object has `size` bytes and whose blobs, by the index, are `blobs` in offset order (none:
  /// the pack is in no index, only its name is proved). A reading that finds something wrong is repeated once. Fails
  /// only if the store cannot be reached.
  Result<Outcome> verify(const Id& pack, uint64_t size, std::span<const PackedBlob> blobs);

 private:
  struct Section {
    uint64_t offset, length;
    size_t first, last;  // of the blobs in it
  };
  Result<std::vector<std::string>> read_once(const Id& pack, uint64_t size, std::span<const PackedBlob> blobs,
                                             uint64_t& bytes_read);
  std::vector<Section> plan(uint64_t size, std::span<const PackedBlob> blobs) const;
  void verify_blobs(const Section& section, ByteSpan raw, std::span<const PackedBlob> blobs, bool whole,
                    crypto::Digest& name, std::vector<std::string>& problems);
  void verify_header(ByteSpan tail, uint64_t size, std::span<const PackedBlob> blobs,
                     std::vector<std::string>& problems);

  Repository& repository_;
  const VerifyBudget budget_;
  Codec codec_;
  Buffer raw_;    // the section's stored bytes, where the store has to copy them
  Buffer plain_;  // the group's plain blobs, one after the other
  Buffer header_;
};

}  // namespace holdfast::repo
