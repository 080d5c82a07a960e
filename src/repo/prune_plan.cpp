#include "repo/prune_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "repo/format/pack_header.h"

namespace holdfast::repo {
namespace {

constexpr size_t kFewSmallPacks = 10;  // fewer are not worth rewriting, and would be rewritten for ever
constexpr uint64_t kSmallFloor = 4 * 1024 * 1024;

class Decision {
 public:
  Decision(const BlobIndex& index, const PackTable& table, const EntrySet& used,
           const std::vector<std::optional<uint64_t>>& sizes, unsigned version, const PruneLimits& limits)
      : entries_(index.entries()), index_(index), used_(used), version_(version), limits_(limits) {
    result_.packs.resize(index.packs().size());
    result_.copies = std::make_unique<EntrySet>(entries_.size());
    for (size_t i = 0; i < sizes.size(); ++i) {
      PackFacts& pack = result_.packs[i];
      pack.present = sizes[i].has_value();
      pack.stored_size = sizes[i].value_or(0);
      const auto blobs = table.blobs(static_cast<uint32_t>(i));
      usable_.push_back(pack.present && pack_size(blobs) == pack.stored_size);
    }
  }

  Result<PackDecision> run() {
    TRY_VOID(count());
    choose_copies();
    decide();
    select_repack();
    mark_copies();
    return std::move(result_);
  }

 private:
  size_t end_of_group(size_t first) const {
    size_t last = first + 1;
    while (last < entries_.size() && entries_[last].id == entries_[first].id &&
           entries_[last].type() == entries_[first].type()) {
      ++last;
    }
    return last;
  }

  // Copies of one blob stand side by side; blobs with several usable copies are settled in choose_copies().
  Status count() {
    size_t missing = 0;
    std::string first_missing;
    for (size_t first = 0; first < entries_.size();) {
      const size_t last = end_of_group(first);
      const bool used = used_.contains(first);
      size_t usable = 0;
      for (size_t i = first; i < last; ++i) usable += usable_[entries_[i].pack()];
      if (used && usable == 0) {
        if (missing++ == 0) {
          first_missing = fmt::format("{} blob {} of pack {}", blob_type_name(entries_[first].type()),
                                      entries_[first].id.hex(), index_.packs()[entries_[first].pack()].hex());
        }
      }
      for (size_t i = first; i < last; ++i) {
        const auto& entry = entries_[i];
        PackFacts& pack = result_.packs[entry.pack()];
        (entry.type() == BlobType::data ? pack.data : pack.trees) = true;
        if (entry.raw_length == 0) pack.uncompressed = true;
        if (used && usable == 1 && usable_[entry.pack()]) {
          ++pack.used_blobs;
          pack.used_bytes += entry.length;
          result_.stats.used.add(entry.length);
          continue;
        }
        ++pack.unused_blobs;
        pack.unused_bytes += entry.length;
        if (used && usable_[entry.pack()]) {
          ++pack.duplicate_blobs;
          result_.stats.duplicate.add(entry.length);
        } else {
          result_.stats.unused.add(entry.length);
        }
      }
      first = last;
    }
    result_.stats.packs = result_.packs.size();
    if (missing == 0) return {};
    return fail(ErrorClass::verification_failed, "repo.prune.missing",
                fmt::format("{} blobs that snapshots need are in no whole pack, among them {}; nothing was removed",
                            missing, first_missing),
                "holdfast check --read-data names what is damaged");
  }

  // Of each used blob with several copies one becomes used: in a pack that is used anyway, or that holds nothing but
  // such copies (as a prune that was interrupted leaves them), else the last one.
  void choose_copies() {
    for (size_t first = 0; first < entries_.size();) {
      const size_t last = end_of_group(first);
      size_t usable = 0, chosen = last;
      if (used_.contains(first)) {
        for (size_t i = first; i < last; ++i) usable += usable_[entries_[i].pack()];
      }
      if (usable > 1) {
        for (size_t i = first; i < last; ++i) {
          if (!usable_[entries_[i].pack()]) continue;
          const PackFacts& pack = result_.packs[entries_[i].pack()];
          chosen = i;
          if (pack.used_blobs > 0 || pack.duplicate_blobs == pack.unused_blobs) break;
        }
        PackFacts& pack = result_.packs[entries_[chosen].pack()];
        const uint32_t length = entries_[chosen].length;
        ++pack.used_blobs;
        --pack.unused_blobs;
        pack.used_bytes += length;
        pack.unused_bytes -= length;
        result_.stats.used.add(length);
        --result_.stats.duplicate.blobs;
        result_.stats.duplicate.bytes -= length;
      }
      first = last;
    }
  }

  uint64_t small_limit() const {
    std::vector<uint64_t> sizes;
    for (const PackFacts& pack : result_.packs) {
      if (pack.present) sizes.push_back(pack.stored_size);
    }
    std::sort(sizes.begin(), sizes.end());
    const uint64_t low = sizes.empty() ? 0 : sizes[sizes.size() * 3 / 100];
    uint64_t limit = std::min<uint64_t>(std::max(kSmallFloor, low), limits_.pack_size) / 5 * 4;
    if (limits_.repack_small) limit = std::max<uint64_t>(limit, limits_.pack_size / 5 * 4);
    return limit;
  }

  bool must_compress(const PackFacts& pack) const {
    return version_ >= 2 && pack.uncompressed && (pack.trees || limits_.repack_uncompressed);
  }

  void decide() {
    small_limit_ = small_limit();
    std::vector<uint32_t> small;
    for (size_t i = 0; i < result_.packs.size(); ++i) {
      PackFacts& pack = result_.packs[i];
      if (pack.used_blobs == 0) {
        pack.action = pack.present ? PackAction::remove : PackAction::forget;
        result_.stats.packs_removed += pack.present;
        result_.stats.removed.blobs += pack.unused_blobs;
        result_.stats.removed.bytes += pack.unused_bytes;
      } else if (limits_.repack_cacheable_only && !pack.trees) {
        // stays
      } else if (pack.unused_blobs == 0 && !pack.mixed() && !must_compress(pack)) {
        if (pack.stored_size < small_limit_) small.push_back(static_cast<uint32_t>(i));
      } else {
        candidates_.push_back(static_cast<uint32_t>(i));
      }
    }
    if (small.size() >= kFewSmallPacks) candidates_.insert(candidates_.end(), small.begin(), small.end());
    std::sort(candidates_.begin(), candidates_.end(), [&](uint32_t a, uint32_t b) {
      const PackFacts &pa = result_.packs[a], &pb = result_.packs[b];
      if (pa.trees != pb.trees) return pa.trees;
      const bool sa = is_small(pa), sb = is_small(pb);
      if (sa != sb) return sa;
      const auto ratio_a = static_cast<unsigned __int128>(pa.unused_bytes) * pb.used_bytes;
      const auto ratio_b = static_cast<unsigned __int128>(pb.unused_bytes) * pa.used_bytes;
      return ratio_a != ratio_b ? ratio_a > ratio_b : a < b;
    });
  }
  bool is_small(const PackFacts& pack) const { return pack.stored_size < small_limit_; }

  uint64_t max_unused_after() const {
    if (!limits_.max_unused_percent) return limits_.max_unused_bytes;
    const double percent = *limits_.max_unused_percent;
    if (percent >= 100) return UINT64_MAX;
    // Percent of what the repository holds afterwards.
    return static_cast<uint64_t>(percent / (100 - percent) * static_cast<double>(result_.stats.used.bytes));
  }

  void select_repack() {
    PruneStats& stats = result_.stats;
    const uint64_t allowed = max_unused_after();
    for (const uint32_t number : candidates_) {
      PackFacts& pack = result_.packs[number];
      if (stats.repacked.bytes + pack.used_bytes + pack.unused_bytes >= limits_.max_repack_bytes) continue;
      if (!pack.trees && !must_compress(pack) && stats.unused_after() <= allowed && !is_small(pack)) continue;
      pack.action = PackAction::repack;
      result_.repack.push_back(number);
      stats.repacked.blobs += pack.used_blobs + pack.unused_blobs;
      stats.repacked.bytes += pack.used_bytes + pack.unused_bytes;
      stats.repacked_away.blobs += pack.unused_blobs;
      stats.repacked_away.bytes += pack.unused_bytes;
    }
    stats.packs_repacked = result_.repack.size();
    for (const PackFacts& pack : result_.packs) stats.packs_kept += pack.action == PackAction::keep && pack.present;
  }

  // A blob that a kept pack holds is not copied; of several copies in packs to be rewritten one is.
  void mark_copies() {
    for (size_t first = 0; first < entries_.size();) {
      const size_t last = end_of_group(first);
      if (used_.contains(first)) {
        bool stays = false;
        size_t source = last;
        for (size_t i = first; i < last; ++i) {
          if (!usable_[entries_[i].pack()]) continue;
          const PackAction action = result_.packs[entries_[i].pack()].action;
          stays = stays || action == PackAction::keep;
          if (action == PackAction::repack && source == last) source = i;
        }
        if (!stays && source != last) result_.copies->insert(source);
      }
      first = last;
    }
  }

  const std::span<const BlobIndex::Entry> entries_;
  const BlobIndex& index_;
  const EntrySet& used_;
  const unsigned version_;
  const PruneLimits& limits_;
  std::vector<bool> usable_;  // by pack: there, and as long as its blobs need
  std::vector<uint32_t> candidates_;
  uint64_t small_limit_ = 0;
  PackDecision result_;
};

}  // namespace

Result<PackDecision> decide_packs(const BlobIndex& index, const PackTable& table, const EntrySet& used,
                                  const std::vector<std::optional<uint64_t>>& sizes, unsigned version,
                                  const PruneLimits& limits) {
  return Decision(index, table, used, sizes, version, limits).run();
}

}  // namespace holdfast::repo
