#include "repo/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <numeric>
#include <optional>
#include <random>
#include <unordered_map>
#include <vector>

#include "base/units.h"
#include "crypto/random.h"
#include "repo/format/pack_header.h"
#include "repo/index_objects.h"
#include "repo/lock.h"
#include "repo/pack_verifier.h"
#include "repo/parallel.h"
#include "repo/reference_walk.h"

namespace holdfast::repo {
namespace {

class Check {
 public:
  Check(Repository& repository, const CheckOptions& options, std::stop_token stop)
      : repository_(repository), options_(options), stop_(std::move(stop)) {}

  Result<CheckReport> run() {
    phase("keys and locks");
    TRY_VOID(check_names());
    TRY_VOID(check_keys());
    TRY_VOID(check_locks());
    phase("snapshots");
    const std::vector<Id> roots = TRY(check_snapshots());
    phase("index");
    TRY_VOID(check_index());
    phase("packs");
    TRY_VOID(check_packs());
    phase("trees");
    TRY_VOID(check_trees(roots));
    if (options_.read.kind != ReadSelection::Kind::none) TRY_VOID(read_packs());
    return report_;
  }

 private:
  struct StoredPack {
    Id id;
    uint64_t size = 0;
    std::optional<uint32_t> number;  // in the index
  };

  void error(const std::string& id, std::string message, std::string hint = {}) {
    std::lock_guard lock(mutex_);
    ++report_.errors;
    if (options_.on_error) {
      options_.on_error({ErrorClass::verification_failed, "repo.check." + id, std::move(message), std::move(hint), {}});
    }
  }
  void hint(const std::string& id, const std::string& message) {
    std::lock_guard lock(mutex_);
    ++report_.hints;
    if (options_.on_hint) options_.on_hint("repo.check." + id, message);
  }
  void phase(const char* name, uint64_t bytes = 0) {
    if (options_.on_phase) options_.on_phase(name, bytes);
  }
  Status stopped() const {
    if (stop_.stop_requested()) return fail(ErrorClass::interrupted, "interrupted", "stopped");
    return {};
  }
  // A store that does not answer proves nothing about the data.
  static bool is_unreachable(const Error& error) { return error.error_class == ErrorClass::unavailable; }

  // Objects whose names say nothing are not looked at by anybody: an object whose name was damaged is missing under its
  // right one, which the other steps find for everything that is referred to. Keys and snapshots nobody refers to.
  Status check_names() {
    for (const ObjectType type : {ObjectType::key, ObjectType::snapshot, ObjectType::index, ObjectType::lock}) {
      TRY_VOID(repository_.store().list(
          std::string(object_directory(type)) + "/", [&](const store::ObjectInfo& info) -> Status {
            const auto id = Id::parse(std::string_view(info.key).substr(info.key.rfind('/') + 1));
            if (!id || object_key(type, *id) != info.key) hint("name", info.key + " is not an object of a repository");
            return {};
          }));
    }
    return {};
  }

  Status check_keys() {
    for (const ObjectRef& key : TRY(repository_.list(ObjectType::key))) {
      ++report_.keys;
      const auto file = repository_.load_key_file(key.id);
      if (file) continue;
      if (is_unreachable(file.error())) return std::unexpected(file.error());
      error("key", fmt::format("key {}: {}", key.id.hex(), file.error().message),
            fmt::format("holdfast repo key remove {}", key.id.short_hex()));
    }
    return stopped();
  }

  Status check_locks() {
    Codec codec(repository_.master_key());
    for (const ObjectRef& object : TRY(repository_.list(ObjectType::lock))) {
      if (object.size == 0) {
        hint("lock", fmt::format("lock {} is empty: its writer crashed", object.id.short_hex()));
        continue;
      }
      auto text = repository_.load(ObjectType::lock, object.id, codec);
      if (!text && text.error().id == store::kNotFound) continue;
      if (!text && is_unreachable(text.error())) return std::unexpected(std::move(text).error());
      const auto lock = text ? parse_lock(as_text(*text)) : Result<LockFile>(std::unexpected(text.error()));
      if (!lock)
        error("lock", fmt::format("lock {}: {}", object.id.hex(), lock.error().message),
              "holdfast repo unlock --remove-all");
    }
    return stopped();
  }

  Result<std::vector<Id>> check_snapshots() {
    const auto objects = TRY(repository_.list(ObjectType::snapshot));
    std::vector<Id> roots;
    std::mutex mutex;
    TRY_VOID(parallel_for(
        objects.size(), network_threads(), [&] { return Codec(repository_.master_key()); },
        [&](size_t i, Codec& codec) -> Status {
          TRY_VOID(stopped());
          auto text = repository_.load(ObjectType::snapshot, objects[i].id, codec);
          if (!text && text.error().id == store::kNotFound) return {};  // forgotten meanwhile
          if (!text && is_unreachable(text.error())) return std::unexpected(std::move(text).error());
          const auto snapshot = text ? parse_snapshot(as_text(*text)) : Result<Snapshot>(std::unexpected(text.error()));
          if (!snapshot) {
            error("snapshot", fmt::format("snapshot {}: {}", objects[i].id.hex(), snapshot.error().message));
            return {};
          }
          std::lock_guard lock(mutex);
          roots.push_back(snapshot->tree);
          return {};
        }));
    report_.snapshots = objects.size();
    std::sort(roots.begin(), roots.end());
    roots.erase(std::unique(roots.begin(), roots.end()), roots.end());
    return roots;
  }

  Status check_index() {
    const auto objects = TRY(load_index_objects(repository_));
    const BlobIndex& index = repository_.index();
    report_.indexes = objects.size();
    report_.blobs = index.entries().size();
    std::vector<uint8_t> times_named(index.packs().size(), 0);
    for (const IndexObject& object : objects) {
      if (object.error) {
        error("index", fmt::format("index {}: {}", object.id.hex(), object.error->message),
              "holdfast repo repair-index");
      }
      for (const uint32_t pack : object.packs)
        times_named[pack] = static_cast<uint8_t>(std::min(times_named[pack] + 1, 2));
      for (const MarkedPack& marked : object.marked) {
        if (const auto mark = parse_mark(marked)) marked_.push_back(mark->id);
      }
    }
    for (size_t i = 0; i < times_named.size(); ++i) {
      if (times_named[i] > 1) hint("pack_twice", fmt::format("pack {} is in several indexes", index.packs()[i].hex()));
    }
    std::sort(marked_.begin(), marked_.end());
    return stopped();
  }

  Status check_packs() {
    const BlobIndex& index = repository_.index();
    table_.emplace(index);
    std::unordered_map<Id, uint32_t> numbers;
    numbers.reserve(index.packs().size());
    for (size_t i = 0; i < index.packs().size(); ++i) numbers.emplace(index.packs()[i], static_cast<uint32_t>(i));
    std::vector<bool> found(index.packs().size(), false);
    std::vector<Id> unmarked;
    TRY_VOID(repository_.store().list("data/", [&](const store::ObjectInfo& info) -> Status {
      const auto id = Id::parse(std::string_view(info.key).substr(info.key.rfind('/') + 1));
      if (!id || object_key(ObjectType::pack, *id) != info.key) {
        hint("name", info.key + " is not a pack, or not where it belongs");
        return {};
      }
      StoredPack pack{*id, info.size, {}};
      if (const auto at = numbers.find(*id); at != numbers.end()) {
        pack.number = at->second;
        found[at->second] = true;
        check_pack(pack);
      } else {
        ++report_.orphans;
        report_.orphan_bytes += info.size;
        if (!std::binary_search(marked_.begin(), marked_.end(), *id)) unmarked.push_back(*id);
      }
      packs_.push_back(pack);
      return {};
    }));
    if (!unmarked.empty()) {
      hint(
          "pack_orphaned",
          fmt::format("{} packs ({} in all, the first is {}) are in no index: remains of a backup that did not end, or "
                      "one is running; holdfast prune removes them when they stay so",
                      unmarked.size(), human_size(report_.orphan_bytes), unmarked.front().short_hex()));
    }
    for (size_t i = 0; i < found.size(); ++i) {
      if (found[i]) continue;
      error("pack_missing",
            fmt::format("pack {} with {} blobs is missing", index.packs()[i].hex(),
                        table_->positions(static_cast<uint32_t>(i)).size()),
            "bring it back from a copy of the repository, or holdfast repo repair-index to see what can be saved");
    }
    report_.packs = packs_.size();
    return stopped();
  }

  void check_pack(const StoredPack& pack) {
    const auto blobs = table_->blobs(*pack.number);
    const uint64_t expected = pack_size(blobs);
    if (expected != pack.size) {
      error("pack_size",
            fmt::format("pack {} has {} bytes, by the index it should have {}", pack.id.hex(), pack.size, expected),
            "holdfast repo repair-index");
    }
    const bool mixed =
        std::any_of(blobs.begin(), blobs.end(), [&](const PackedBlob& b) { return b.type != blobs[0].type; });
    if (mixed && repository_.config().version >= 2) {
      hint("pack_mixed", fmt::format("pack {} holds both trees and data; prune separates them", pack.id.hex()));
    }
  }

  Status check_trees(const std::vector<Id>& roots) {
    std::atomic<uint64_t> trees{0};
    TRY_VOID(walk_trees(
        repository_, roots,
        [&](const Id& id, const Result<Tree>& tree) -> Status {
          ++trees;
          if (tree) {
            check_tree(id, *tree);
          } else {
            error("tree", fmt::format("tree {}: {}", id.hex(), tree.error().to_string()));
          }
          return {};
        },
        stop_));
    report_.trees = trees;
    return stopped();
  }

  void check_tree(const Id& id, const Tree& tree) {
    for (const Node& node : tree.nodes) {
      const auto in_tree = [&](std::string_view what) {
        error("tree", fmt::format("tree {}, entry \"{}\": {}", id.hex(), node.name, what));
      };
      if (node.type == NodeType::dir && !node.subtree) in_tree("a directory without a tree");
      if (node.type == NodeType::dir && node.subtree && *node.subtree == Id{})
        in_tree("a directory with an empty tree id");
      if (node.type != NodeType::file) continue;
      if (!node.has_content) in_tree("a file without a list of contents");
      for (const Id& blob : node.content) {
        if (!repository_.index().position(BlobType::data, blob)) {
          in_tree(fmt::format("its data blob {} is in no index", blob.hex()));
        }
      }
    }
  }

  std::vector<StoredPack> selected_packs() {
    using Kind = ReadSelection::Kind;
    const ReadSelection& read = options_.read;
    std::vector<StoredPack> chosen = packs_;
    if (read.kind == Kind::bucket) {
      std::erase_if(chosen, [&](const StoredPack& pack) { return pack.id.bytes[0] % read.buckets != read.bucket - 1; });
    } else if (read.kind == Kind::percent || read.kind == Kind::size) {
      uint64_t seed;
      crypto::fill_random({reinterpret_cast<uint8_t*>(&seed), sizeof seed});
      std::shuffle(chosen.begin(), chosen.end(), std::mt19937_64(seed));
      if (read.kind == Kind::percent) {
        const auto count = static_cast<size_t>(static_cast<double>(chosen.size()) * read.percent / 100);
        chosen.resize(std::min(chosen.size(), std::max<size_t>(count, chosen.empty() ? 0 : 1)));
      } else {
        uint64_t bytes = 0;
        size_t count = 0;
        while (count < chosen.size() && (count == 0 || bytes + chosen[count].size <= read.size))
          bytes += chosen[count++].size;
        chosen.resize(count);
      }
    }
    // The large ones first: at the end no thread is left alone with one.
    std::sort(chosen.begin(), chosen.end(), [](const StoredPack& a, const StoredPack& b) {
      return a.size != b.size ? a.size > b.size : a.id < b.id;
    });
    return chosen;
  }

  Status read_packs() {
    const auto chosen = selected_packs();
    phase("reading packs", std::accumulate(chosen.begin(), chosen.end(), uint64_t{0},
                                           [](uint64_t sum, const StoredPack& pack) { return sum + pack.size; }));
    const unsigned threads = std::min(network_threads(), 12u);
    const VerifyBudget budget = VerifyBudget::for_threads(threads);
    std::atomic<uint64_t> bytes{0}, packs{0};
    TRY_VOID(parallel_for(
        chosen.size(), threads, [&] { return std::make_unique<PackVerifier>(repository_, budget); },
        [&](size_t i, std::unique_ptr<PackVerifier>& verifier) -> Status {
          TRY_VOID(stopped());
          const StoredPack& pack = chosen[i];
          if (i + threads < chosen.size()) {
            const StoredPack& later = chosen[i + threads];
            repository_.store().expect(object_key(ObjectType::pack, later.id), 0, later.size);
          }
          const auto blobs = pack.number ? table_->blobs(*pack.number) : std::vector<PackedBlob>{};
          const auto outcome = TRY(verifier->verify(pack.id, pack.size, blobs));
          for (const std::string& problem : outcome.problems) {
            error("pack_damaged", fmt::format("pack {}: {}", pack.id.hex(), problem));
          }
          if (outcome.unstable) {
            hint("pack_unstable",
                 fmt::format("pack {} was read wrong once, then right: look after the disk, the memory "
                             "or the network",
                             pack.id.hex()));
          }
          bytes += outcome.bytes_read;
          ++packs;
          if (options_.on_bytes) options_.on_bytes(pack.size);
          return {};
        }));
    report_.bytes_read = bytes;
    report_.packs_read = packs;
    return stopped();
  }

  unsigned network_threads() const {
    return repository_.store().is_remote() ? std::max(cpu_threads(), repository_.store().connections()) : cpu_threads();
  }

  Repository& repository_;
  const CheckOptions& options_;
  const std::stop_token stop_;
  std::vector<Id> marked_;  // sorted: packs that rustic or a prune marked for deletion
  std::optional<PackTable> table_;
  std::vector<StoredPack> packs_;
  std::mutex mutex_;
  CheckReport report_;  // errors and hints guarded by mutex_
};

}  // namespace

Result<ReadSelection> parse_read_selection(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorClass::usage, "cli.value", fmt::format("--read-data-subset: '{}' is not a part of the data", text),
                "give a part like 2/5, a percentage like 10%, or a size like 500M");
  };
  ReadSelection read;
  const auto whole_number = [](std::string_view digits) -> std::optional<uint64_t> {
    uint64_t value = 0;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (digits.empty() || problem != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return value;
  };
  if (const size_t slash = text.find('/'); slash != std::string_view::npos) {
    const auto bucket = whole_number(text.substr(0, slash)), buckets = whole_number(text.substr(slash + 1));
    if (!bucket || !buckets || *bucket == 0 || *bucket > *buckets || *buckets > 256) return bad();
    read.kind = ReadSelection::Kind::bucket;
    read.bucket = static_cast<unsigned>(*bucket);
    read.buckets = static_cast<unsigned>(*buckets);
    return read;
  }
  if (text.ends_with('%')) {
    const std::string digits(text.substr(0, text.size() - 1));
    char* end = nullptr;
    read.percent = std::strtod(digits.c_str(), &end);
    if (digits.empty() || *end != 0 || !(read.percent > 0) || read.percent > 100) return bad();
    read.kind = ReadSelection::Kind::percent;
    return read;
  }
  const auto size = parse_size(text);
  if (!size || *size == 0) return bad();
  read.kind = ReadSelection::Kind::size;
  read.size = *size;
  return read;
}

Result<CheckReport> check_repository(Repository& repository, const CheckOptions& options, std::stop_token stop) {
  return Check(repository, options, std::move(stop)).run();
}

}  // namespace holdfast::repo
