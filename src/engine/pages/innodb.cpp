#include "engine/pages/innodb.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <string_view>

#include "codec/crc32.h"
#include "engine/pages/table_files.h"
#include "engine/stored/files.h"

namespace holdfast::engine::pages {

namespace fs = std::filesystem;

namespace {

constexpr size_t kMaxPage = 65536;
// Of every page:
constexpr size_t kTypeAt = 24, kKeyVersionAt = 26, kBodyAt = 38, kTrailer = 8;
// Of a tablespace's first page:
constexpr size_t kSizeAt = 46, kFlagsAt = 54;
constexpr uint32_t kFullCrc32 = 1 << 4;
constexpr uint32_t kPunches = 7 << 5, kOldPunches = 1 << 16;  // page_compressed of full_crc32, and before it
constexpr size_t kLsnAt = 16;
// Of the system tablespace's page 5, from its end: the doublewrite buffer.
constexpr size_t kTransactionPage = 5, kDoublewriteFromEnd = 200;
constexpr uint32_t kDoublewriteMagic = 536853855;
constexpr uint32_t kNoChecksum = 0xdeadbeef;

uint32_t big4(ByteSpan page, size_t at) {
  return uint32_t{page[at]} << 24 | uint32_t{page[at + 1]} << 16 | uint32_t{page[at + 2]} << 8 | page[at + 3];
}
uint64_t big8(ByteSpan page, size_t at) {
  return uint64_t{big4(page, at)} << 32 | big4(page, at + 4);
}
uint32_t big2(ByteSpan page, size_t at) {
  return uint32_t{page[at]} << 8 | page[at + 1];
}

/// The checksum of servers up to MySQL 5.6 and MariaDB 10.1: pages that no newer server wrote again still have it.
uint32_t old_checksum(ByteSpan page) {
  const auto fold = [](ByteSpan bytes) {
    uint32_t sum = 0;
    for (const uint8_t byte : bytes) sum = ((((sum ^ byte ^ 1653893711u) << 8) + sum) ^ 1463735687u) + byte;
    return sum;
  };
  return fold(page.subspan(4, 22)) + fold(page.subspan(kBodyAt, page.size() - kBodyAt - kTrailer));
}

/// Page types under which the older format stores what is compressed or encrypted; the checksum is of another content.
bool opaque_type(uint32_t type) {
  constexpr std::array<uint32_t, 7> kOpaque = {14, 15, 16, 17, 34354, 37401, 37402};
  return std::ranges::find(kOpaque, type) != kOpaque.end();
}

/// MariaDB notes the keys of a tablespace behind the list of extents on its first page.
bool says_encrypted(ByteSpan first) {
  return as_text(first).find("s\x0e\x0cREt") != std::string_view::npos;
}

/// A full_crc32 page that was compressed says its length in units of 256 bytes, and is sealed there.
bool compressed_fits(ByteSpan page) {
  const uint32_t type = big2(page, kTypeAt), size = (type & 0x7fff) << 8;
  return (type & 0x8000) && size > 0 && size < page.size() && full_crc32_fits(page.first(size));
}

class InnodbPages final : public Format {
 public:
  explicit InnodbPages(const InnodbFormat& format) : full_crc32_(format.full_crc32) {
    page_size = format.page_size;
    expected_pages = format.pages;
  }
  Verdict judge(ByteSpan page, uint64_t index) const override {
    for (const uint64_t begin : scratch)
      if (index >= begin && index - begin < scratch_pages) return Verdict::unknown;
    if (all_zero(page)) {
      const bool lost = index < in_use.size() && in_use[index];
      return lost || (index == 0 && needs_first_page) ? Verdict::bad : Verdict::good;
    }
    if (full_crc32_ ? full_crc32_fits(page) : classic_fits(page)) return Verdict::good;
    if (full_crc32_) return compressed_fits(page) ? Verdict::good : Verdict::bad;
    if (index == 0 && !continues) return Verdict::bad;  // a first page is always plain
    if (opaque_type(big2(page, kTypeAt)) || (encrypted && big4(page, kKeyVersionAt) != 0)) return Verdict::unknown;
    return Verdict::bad;
  }

  bool encrypted = false;                 ///< or it cannot be told: pages with a key version are not judged
  bool continues = false;                 ///< the file goes on where another one of the tablespace ends
  bool needs_first_page = false;          ///< others are whole: an empty first page cannot be
  std::array<uint64_t, 2> scratch{0, 0};  ///< where the doublewrite buffer's halves begin
  uint64_t scratch_pages = 0;
  std::vector<bool> in_use;  ///< pages that must have been written

 private:
  bool full_crc32_;
};

bool digits_follow(std::string_view name, std::string_view prefix) {
  return name.starts_with(prefix) && name.size() > prefix.size() &&
         name.find_first_not_of("0123456789", prefix.size()) == name.npos;
}
bool is_system(std::string_view name) {
  return digits_follow(name, "ibdata");
}
bool is_undo(std::string_view name) {
  return digits_follow(name, "undo_") || digits_follow(name, "undo") || name.ends_with(".ibu");
}

class InnodbFiles final : public TableFiles {
 public:
  explicit InnodbFiles(std::string data_dir) : data_dir_(std::move(data_dir)) {
    auto fd = stored::open_regular(data_dir_ + "/ibdata1");
    if (!fd) return;
    Buffer head(kMaxPage);
    head.resize(read_at(fd->get(), {head.data(), head.size()}, 0));
    system_ = innodb_format(head);
    if (!system_) return;
    default_size_ = system_->page_size;
    system_encrypted_ = says_encrypted(head.span(0, default_size_));
  }

  std::vector<TableFile> list() const override {
    std::vector<TableFile> files;
    std::vector<std::string> left{""};  // directories, each with a slash behind it
    while (!left.empty()) {
      const std::string directory = std::move(left.back());
      left.pop_back();
      for (const std::string& name : names_in(data_dir_ + "/" + directory)) {
        std::string path = directory + name;
        const bool table = name.ends_with(".ibd") || is_undo(name) || (directory.empty() && is_system(name));
        if (auto file = table ? table_file(data_dir_, path) : std::nullopt) {
          files.push_back(std::move(*file));
        } else if (!table) {
          std::error_code error;
          const fs::path full = data_dir_ + "/" + path;
          // A database's directory may be a link; links further down could go round in circles.
          if (fs::is_directory(full, error) && (directory.empty() || !fs::is_symlink(full, error)))
            left.push_back(std::move(path) + "/");
        }
      }
    }
    return files;
  }

  std::unique_ptr<Format> format_of(int fd, const std::string& name) const override {
    if (is_system(name) && name != "ibdata1") {  // goes on where the file before ends: no first page of its own
      if (!system_) return nullptr;
      InnodbFormat format = *system_;
      format.pages = 0;
      auto pages = std::make_unique<InnodbPages>(format);
      pages->continues = true;
      pages->encrypted = system_encrypted_;
      return pages;
    }
    Buffer head(kMaxPage);
    head.resize(read_at(fd, {head.data(), head.size()}, 0));
    auto format = innodb_format(head);
    const bool first_is_bad = !format;
    if (!format) format = format_of_others(fd);
    if (!format) return nullptr;
    // A tablespace of several files is larger than each; MariaDB cuts an undo tablespace before it writes the new size.
    if ((name == "ibdata1" && table_file(data_dir_, "ibdata2")) || is_undo(name.substr(name.rfind('/') + 1)))
      format->pages = 0;
    auto pages = std::make_unique<InnodbPages>(*format);
    pages->needs_first_page = first_is_bad;
    pages->encrypted = first_is_bad || says_encrypted(head.span(0, format->page_size));
    if (name == "ibdata1") find_doublewrite(fd, *format, *pages);
    const uint32_t punches = format->full_crc32 ? kPunches : kOldPunches;
    if (name.ends_with(".ibd") && !first_is_bad && !(big4(head, kFlagsAt) & punches))
      find_pages_in_use(fd, *format, *pages);
    return pages;
  }

 private:
  /// When the first page is of no use: by three others whose checksums hold, among the first 4 MiB.
  std::optional<InnodbFormat> format_of_others(int fd) const {
    Buffer pages(4 << 20);
    pages.resize(read_at(fd, {pages.data(), pages.size()}, 0));
    for (const bool full_crc32 : {true, false}) {
      int fit = 0;
      for (size_t at = default_size_; at + default_size_ <= pages.size(); at += default_size_) {
        const ByteSpan page = pages.span(at, default_size_);
        if (!full_crc32 && big4(page, 0) == kNoChecksum) continue;
        fit += !all_zero(page) && (full_crc32 ? full_crc32_fits(page) : classic_fits(page));
        if (fit == 3) return InnodbFormat{full_crc32, default_size_, 0};
      }
    }
    return std::nullopt;
  }

  /// The doublewrite buffer holds copies of pages of any tablespace, in its format, torn or not.
  static void find_doublewrite(int fd, const InnodbFormat& format, InnodbPages& pages) {
    const size_t size = format.page_size;
    Buffer page(size);
    const bool whole = read_at(fd, {page.data(), size}, kTransactionPage * size) == size;
    pages.scratch_pages = size <= 16384 ? (1 << 20) / size : 64;  // an extent each
    pages.scratch = {pages.scratch_pages, 2 * pages.scratch_pages};
    if (!whole || !(format.full_crc32 ? full_crc32_fits(page) : classic_fits(page))) return;  // where it always is
    const size_t at = size - kDoublewriteFromEnd;
    if (big4(page, at + 10) == kDoublewriteMagic)
      pages.scratch = {big4(page, at + 14), big4(page, at + 18)};
    else
      pages.scratch_pages = 0;
  }

  /// A page in use may be empty on the disk for as long as it is only in the server's memory. So only what was in use
  /// before the last checkpoint counts: the descriptors are read first, then the checkpoint, and the pages after both.
  void find_pages_in_use(int fd, const InnodbFormat& format, InnodbPages& pages) const {
    const uint64_t size = format.page_size;
    std::vector<Buffer> descriptors;
    for (uint64_t at = 0; at < format.pages; at += size) {
      Buffer page(size);
      if (read_at(fd, {page.data(), size}, at * size) != size) break;
      descriptors.push_back(std::move(page));
    }
    const auto checkpoint = innodb_checkpoint(data_dir_);
    if (!checkpoint) return;
    pages.in_use.resize(format.pages);
    for (uint64_t at = 0; at / size < descriptors.size(); at += size) {
      const Buffer& page = descriptors[at / size];
      if (all_zero(page) || !(format.full_crc32 ? full_crc32_fits(page) : classic_fits(page)) ||
          big8(page, kLsnAt) >= *checkpoint)
        continue;
      const auto in_use = pages_in_use(page);
      for (uint64_t i = 0; i < in_use.size() && at + i < format.pages; ++i) pages.in_use[at + i] = in_use[i];
    }
  }

  std::string data_dir_;
  std::optional<InnodbFormat> system_;
  bool system_encrypted_ = false;
  size_t default_size_ = 16384;
};

}  // namespace

std::optional<uint64_t> innodb_checkpoint(const std::string& data_dir) {
  constexpr size_t kBlock = 512;
  std::optional<uint64_t> newest;
  const auto look = [&](const std::string& path) {
    const auto fd = stored::open_regular(path);
    Buffer head(3 * 4096);
    if (!fd) return;
    head.resize(read_at(fd->get(), {head.data(), head.size()}, 0));
    const auto take = [&](size_t block, size_t lsn, size_t sealed) {
      if (head.size() < block + kBlock) return;
      const ByteSpan bytes = head.span(block, kBlock);
      const uint64_t value = big8(bytes, lsn);
      if (value > 0 && codec::crc32c(bytes.first(sealed)) == big4(bytes, sealed))
        newest = std::max(newest.value_or(0), value);
    };
    const bool one_file = head.size() >= 4 && as_text(head.span(0, 4)) == "Phys";  // MariaDB 10.8
    for (const size_t block : {4096, 8192})
      if (one_file) take(block, 0, 60);
    for (const size_t block : {512, 1536})
      if (!one_file) take(block, 8, kBlock - 4);
  };
  look(data_dir + "/ib_logfile0");
  const std::string files = data_dir + "/#innodb_redo";
  for (const std::string& name : names_in(files))
    if (digits_follow(name, "#ib_redo")) look(files + "/" + name);
  return newest;
}

std::vector<bool> pages_in_use(ByteSpan descriptors) {
  constexpr size_t kFirst = 150, kStateAt = 20, kBitsAt = 24;
  const size_t size = descriptors.size(), extent = std::max<size_t>(64, (1 << 20) / size), bytes = kBitsAt + extent / 4;
  std::vector<bool> in_use(size);
  for (size_t begin = 0; begin < size; begin += extent) {
    const size_t at = kFirst + begin / extent * bytes;
    if (at + bytes + kTrailer > size) break;
    const uint32_t state = big4(descriptors, at + kStateAt);
    if (state < 2 || state > 5) continue;  // free, or never used
    for (size_t i = 0; i < extent; ++i) in_use[begin + i] = (descriptors[at + kBitsAt + i / 4] >> (i % 4 * 2) & 1) == 0;
  }
  in_use[0] = in_use[1] = false;
  return in_use;
}

std::unique_ptr<TableFiles> innodb_table_files(const std::string& data_dir) {
  return std::make_unique<InnodbFiles>(data_dir);
}

bool full_crc32_fits(ByteSpan page) {
  const uint32_t stored = big4(page, page.size() - 4);
  return codec::crc32c(page.first(page.size() - 4)) == stored;
}

bool classic_fits(ByteSpan page) {
  const uint32_t stored = big4(page, 0);
  const uint32_t crc =
      codec::crc32c(page.subspan(4, 22)) ^ codec::crc32c(page.subspan(kBodyAt, page.size() - kBodyAt - kTrailer));
  return crc == stored || stored == kNoChecksum || old_checksum(page) == stored;
}

std::optional<InnodbFormat> innodb_format(ByteSpan head) {
  constexpr uint32_t kLeast = 3, kMost = 7;  // 512 << 3 = 4 KiB up to 64 KiB
  if (head.size() < 4096) return std::nullopt;
  const uint32_t flags = big4(head, kFlagsAt);
  InnodbFormat format;
  format.full_crc32 = (flags & kFullCrc32) != 0;
  format.pages = big4(head, kSizeAt);
  uint32_t shift = format.full_crc32 ? flags & 15 : flags >> 6 & 15;
  if (!format.full_crc32) {
    if ((flags >> 1 & 15) != 0) return std::nullopt;  // KEY_BLOCK_SIZE
    if (shift == 0) shift = 5;
  }
  if (shift < kLeast || shift > kMost) return std::nullopt;
  format.page_size = size_t{512} << shift;
  if (head.size() < format.page_size) return std::nullopt;
  const ByteSpan page = head.first(format.page_size);
  if (all_zero(page)) return std::nullopt;
  // The magic alone proves nothing of the first page: what follows from it must be certain.
  const bool none = big4(page, 0) == kNoChecksum && big4(page, page.size() - kTrailer) != kNoChecksum;
  if (format.full_crc32 ? !full_crc32_fits(page) : none || !classic_fits(page)) return std::nullopt;
  return format;
}

}  // namespace holdfast::engine::pages
