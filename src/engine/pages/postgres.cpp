#include "engine/pages/postgres.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <string_view>

#include "engine/pages/table_files.h"
#include "engine/postgres/control.h"

namespace holdfast::engine::pages {

namespace {

constexpr size_t kLanes = 32;
constexpr uint32_t kPrime = 16777619;  // of FNV-1a
using Lanes = std::array<uint32_t, kLanes>;

/// Where the lanes begin; part of the format.
constexpr Lanes kStart = {
    0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c,
    0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb,
    0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4,
    0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
};

constexpr size_t kChecksumAt = 8, kUpperAt = 14;

uint16_t two(ByteSpan page, size_t at) {
  uint16_t value;
  std::memcpy(&value, page.data() + at, 2);
  return value;
}

[[gnu::always_inline]] inline void mix(Lanes& sums, const Lanes& row) {
  for (size_t lane = 0; lane < kLanes; ++lane) {
    const uint32_t mixed = sums[lane] ^ row[lane];
    sums[lane] = (mixed * kPrime) ^ (mixed >> 17);
  }
}

[[gnu::always_inline]] inline uint32_t fold_page(ByteSpan page) {
  Lanes sums = kStart, row;
  std::memcpy(row.data(), page.data(), sizeof row);
  row[kChecksumAt / 4] &= 0xffff0000;  // the field itself counts as 0; the flags behind it count
  mix(sums, row);
  for (size_t at = sizeof row; at + sizeof row <= page.size(); at += sizeof row) {
    std::memcpy(row.data(), page.data() + at, sizeof row);
    mix(sums, row);
  }
  row.fill(0);  // two rounds more, so that the last words reach all bits
  mix(sums, row);
  mix(sums, row);
  uint32_t folded = 0;
  for (const uint32_t sum : sums) folded ^= sum;
  return folded;
}

#if defined(__x86_64__)
__attribute__((target("avx2"), optimize("O3"))) uint32_t fold_avx2(ByteSpan page) {
  return fold_page(page);
}
#endif
__attribute__((optimize("O3"))) uint32_t fold_any(ByteSpan page) {
  return fold_page(page);
}

class PostgresFormat final : public Format {
 public:
  PostgresFormat(size_t size, uint32_t first_block, bool main_fork, bool checksums)
      : first_block_(first_block), checksums_(checksums) {
    page_size = size;
    tells_empty = main_fork;
  }
  Verdict judge(ByteSpan page, uint64_t index) const override {
    // No free space was ever set up: new. The server takes that only from a page of nothing but zeros.
    if (two(page, kUpperAt) == 0 && all_zero(page)) return tells_empty ? Verdict::empty : Verdict::good;
    if (!checksums_) return Verdict::unknown;
    if (two(page, kUpperAt) == 0) return Verdict::bad;
    const auto block = static_cast<uint32_t>(first_block_ + index);
    return postgres_checksum(page, block) == two(page, kChecksumAt) ? Verdict::good : Verdict::bad;
  }

 private:
  uint32_t first_block_;
  bool checksums_;
};

/// The segment of a file name like 16384, 16384_fsm, 16384.2 or 16384_vm.1; nothing for other names.
std::optional<uint32_t> segment_of(std::string_view name) {
  const auto digits = [&] {
    const size_t end = std::min(name.find_first_not_of("0123456789"), name.size());
    const std::string_view number = name.substr(0, end);
    name.remove_prefix(end);
    return number;
  };
  if (digits().empty()) return std::nullopt;
  if (name.starts_with('_')) {
    const std::string_view fork = name.substr(1, name.find('.') - 1);  // npos - 1: to the end as well
    if (fork != "fsm" && fork != "vm" && fork != "init") return std::nullopt;
    name.remove_prefix(1 + fork.size());
  }
  if (name.empty()) return 0;
  if (!name.starts_with('.')) return std::nullopt;
  name.remove_prefix(1);
  const std::string_view number = digits();
  uint32_t segment = 0;
  if (!name.empty() || std::from_chars(number.data(), number.data() + number.size(), segment).ec != std::errc())
    return std::nullopt;
  return segment;
}

class PostgresFiles final : public TableFiles {
 public:
  PostgresFiles(std::string data_dir, size_t block_size, uint32_t segment_blocks, bool checksums)
      : data_dir_(std::move(data_dir)),
        block_size_(block_size),
        segment_blocks_(segment_blocks),
        checksums_(checksums) {}

  std::vector<TableFile> list() const override {
    std::vector<TableFile> files;
    const auto add = [&](const std::string& directory) {
      for (const std::string& name : names(directory))
        if (segment_of(name))
          if (auto file = table_file(data_dir_, directory + "/" + name)) files.push_back(std::move(*file));
    };
    add("global");
    for (const std::string& database : names("base")) add("base/" + database);
    for (const std::string& space : names("pg_tblspc"))
      for (const std::string& version : names("pg_tblspc/" + space))
        if (version.starts_with("PG_"))
          for (const std::string& database : names("pg_tblspc/" + space + "/" + version))
            add("pg_tblspc/" + space + "/" + version + "/" + database);
    return files;
  }

  std::unique_ptr<Format> format_of(int, const std::string& name) const override {
    const auto last = std::string_view(name).substr(name.rfind('/') + 1);
    const auto segment = segment_of(last);
    if (!segment) return nullptr;
    return std::make_unique<PostgresFormat>(block_size_, *segment * segment_blocks_, !last.contains('_'), checksums_);
  }

 private:
  std::vector<std::string> names(const std::string& directory) const { return names_in(data_dir_ + "/" + directory); }

  std::string data_dir_;
  size_t block_size_;
  uint32_t segment_blocks_;
  bool checksums_;
};

}  // namespace

uint16_t postgres_checksum(ByteSpan page, uint32_t block) {
#if defined(__x86_64__)
  static const bool wide = __builtin_cpu_supports("avx2") != 0;
  const uint32_t folded = wide ? fold_avx2(page) : fold_any(page);
#else
  const uint32_t folded = fold_any(page);
#endif
  return static_cast<uint16_t>((folded ^ block) % 65535 + 1);
}

Result<std::unique_ptr<TableFiles>> postgres_table_files(const std::string& data_dir) {
  const postgres::ControlData control = TRY(postgres::read_control(data_dir));
  if (!std::has_single_bit(control.block_size) || control.block_size < 1024 || control.block_size > 32768)
    return fail(ErrorClass::failed, "postgres.control", "pg_control: its block size cannot be");
  const uint32_t segment = control.segment_blocks ? control.segment_blocks : (1u << 30) / control.block_size;
  const bool checksums = control.data_checksum_version == 1;  // otherwise none, or being switched on or off
  return std::make_unique<PostgresFiles>(data_dir, control.block_size, segment, checksums);
}

}  // namespace holdfast::engine::pages
