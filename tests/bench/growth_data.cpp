#include "tests/bench/growth_data.h"

#include <fmt/format.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "codec/hex.h"
#include "codec/zstd.h"
#include "crypto/seal.h"
#include "crypto/sha256.h"
#include "tests/bench/random.h"
#include "tests/cli_support/repo_forge.h"

namespace holdfast::bench {
namespace {

constexpr uint64_t kBlobsPerIndex = 50'000;
constexpr size_t kBlobSize = 64;

void write_file(const std::string& path, ByteSpan body) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(body.data()), static_cast<std::streamsize>(body.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

class Writer {
 public:
  Writer(std::string directory, const crypto::SealKey& key) : directory_(std::move(directory)), sealer_(key) {}

  /// Adds a blob to the pack being built; its id.
  std::string add(ByteSpan plain, bool tree) {
    const auto id = crypto::sha256(plain);
    Buffer stored;
    if (tree) {
      const auto frame = compressor_.compress(plain);
      stored = sealer_.seal(frame);
    } else {
      stored = sealer_.seal(plain);
    }
    const auto hex = codec::to_hex(id);
    blobs_ += fmt::format("{}{{\"id\":\"{}\",\"type\":\"{}\",\"offset\":{},\"length\":{}", blobs_.empty() ? "" : ",",
                          hex, tree ? "tree" : "data", pack_.size(), stored.size());
    header_.push_back(tree ? 3 : 0);
    number(static_cast<uint32_t>(stored.size()));
    if (tree) {
      blobs_ += fmt::format(",\"uncompressed_length\":{}", plain.size());
      number(static_cast<uint32_t>(plain.size()));
    }
    blobs_ += '}';
    header_.insert(header_.end(), id.begin(), id.end());
    pack_.append(stored.span());
    ++count_;
    return hex;
  }

  void end_pack() {
    if (pack_.empty()) return;
    const auto sealed = sealer_.seal(header_);
    pack_.append(sealed.span());
    const auto length = static_cast<uint32_t>(sealed.size());
    pack_.append(ByteSpan(reinterpret_cast<const uint8_t*>(&length), sizeof length));  // little endian, as this machine
    const auto id = codec::to_hex(crypto::sha256(pack_));
    write_file(directory_ + "/data/" + id.substr(0, 2) + "/" + id, pack_);
    packs_ += fmt::format("{}{{\"id\":\"{}\",\"blobs\":[{}]}}", packs_.empty() ? "" : ",", id, blobs_);
    pack_.clear();
    header_.clear();
    blobs_.clear();
    if (count_ >= kBlobsPerIndex) end_index();
  }

  void end_index() {
    if (packs_.empty()) return;
    add_file("index", "{\"packs\":[" + packs_ + "]}");
    packs_.clear();
    count_ = 0;
  }

  /// A compressed, sealed file named by its hash.
  void add_file(const std::string& folder, const std::string& text) {
    Buffer plain;
    plain.append("\2");
    plain.append(compressor_.compress(as_bytes(text)).span());
    const auto sealed = sealer_.seal(plain);
    write_file(directory_ + "/" + folder + "/" + codec::to_hex(crypto::sha256(sealed)), sealed);
  }

  Buffer seal(std::string_view text) { return sealer_.seal(as_bytes(text)); }

 private:
  void number(uint32_t value) {
    for (int i = 0; i < 4; ++i) header_.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }

  std::string directory_;
  crypto::Sealer sealer_;
  codec::ZstdCompressor compressor_{codec::ZstdProfile::small};
  Buffer pack_;
  std::vector<uint8_t> header_;
  std::string blobs_, packs_;  ///< JSON of the pack's blobs, of the index's packs
  uint64_t count_ = 0;
};

}  // namespace

void write_grown_repository(const GrowthOptions& options, const std::string& directory, const std::string& password) {
  namespace fs = std::filesystem;
  if (fs::exists(directory)) throw std::runtime_error(directory + " exists");
  for (const char* folder : {"keys", "locks", "snapshots", "index", "data"})
    fs::create_directories(directory + "/" + folder);
  for (unsigned i = 0; i < 256; ++i) fs::create_directory(fmt::format("{}/data/{:02x}", directory, i));
  const auto key = crypto::random_seal_key();
  Writer writer(directory, key);
  write_file(directory + "/config",
             writer.seal(fmt::format("{{\"version\":2,\"id\":\"{}\",\"chunker_polynomial\":\"3da3358b4dc173\"}}",
                                     codec::to_hex(crypto::sha256(as_bytes(directory))))));
  test::add_cheap_key(directory, key, password);

  const uint64_t each = options.blobs / options.snapshots;
  const time_t end = ::time(nullptr);
  uint64_t blob = 0;
  std::vector<std::string> snapshots;
  std::vector<std::string> trees;
  for (uint64_t i = 0; i < options.snapshots; ++i) {
    std::string content;
    for (uint64_t j = 0; j < each; ++j, ++blob) {
      uint64_t bytes[kBlobSize / 8];
      Random random(options.seed, blob);
      for (auto& word : bytes) word = random.next();
      content += fmt::format("{}\"{}\"", j ? "," : "",
                             writer.add({reinterpret_cast<const uint8_t*>(bytes), sizeof bytes}, false));
      if ((blob + 1) % options.blobs_per_pack == 0) writer.end_pack();
    }
    const time_t at = end - static_cast<time_t>((options.snapshots - i) * 3600);
    tm broken{};
    ::gmtime_r(&at, &broken);
    char when[32];
    std::strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &broken);
    trees.push_back(fmt::format(
        "{{\"nodes\":[{{\"name\":\"dump.sql\",\"type\":\"file\",\"mode\":420,\"mtime\":\"{0}\",\"atime\":\"{0}\","
        "\"ctime\":\"{0}\",\"uid\":0,\"gid\":0,\"size\":{1},\"content\":[{2}]}}]}}\n",
        when, each * kBlobSize, content));
    snapshots.push_back(
        fmt::format("\"paths\":[\"/dump.sql\"],\"hostname\":\"db{}\",\"username\":\"root\",\"tags\":[\"cluster=c{}\","
                    "\"type=backup\"],\"time\":\"{}\"}}",
                    i % 10, i % 10, when));
  }
  writer.end_pack();
  for (size_t i = 0; i < trees.size(); ++i) {
    snapshots[i] = "{\"tree\":\"" + writer.add(as_bytes(trees[i]), true) + "\"," + snapshots[i];
    if (i % 50 == 49) writer.end_pack();
  }
  writer.end_pack();
  writer.end_index();
  for (const auto& snapshot : snapshots) writer.add_file("snapshots", snapshot);
}

}  // namespace holdfast::bench
