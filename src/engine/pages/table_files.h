// What an engine's table files are and how their pages are judged: what the page check asks of an engine.
#pragma once

#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::engine::pages {

enum class Verdict {
  good,
  bad,
  empty,    ///< nothing but zeros, where the engine keeps what is written there later
  unknown,  ///< cannot be judged: encrypted, compressed, scratch space
};

/// How the pages of one open file are judged.
class Format {
 public:
  virtual ~Format() = default;
  virtual Verdict judge(ByteSpan page, uint64_t index) const = 0;

  size_t page_size = 0;
  uint64_t expected_pages = 0;  ///< that the file says to have; 0 = it does not say
  bool tells_empty = false;     ///< its pages may be Verdict::empty
};

struct TableFile {
  std::string name;  ///< relative to the data directory
  uint64_t size = 0;
  timespec modified{};
};

/// The table files of one data directory.
class TableFiles {
 public:
  virtual ~TableFiles() = default;
  virtual std::vector<TableFile> list() const = 0;
  /// Null when pages of this file cannot be judged.
  virtual std::unique_ptr<Format> format_of(int fd, const std::string& name) const = 0;
};

/// Fills `into` from `offset` on; the bytes read, fewer at the end of the file or where it cannot be read.
size_t read_at(int fd, MutableByteSpan into, uint64_t offset);
bool all_zero(ByteSpan bytes);
/// What is in a directory, in no order; nothing if it cannot be read.
std::vector<std::string> names_in(const std::string& directory);
/// Name, size and time of a regular file under `data_dir`, nothing if it is none.
std::optional<TableFile> table_file(const std::string& data_dir, const std::string& name);

std::unique_ptr<TableFiles> innodb_table_files(const std::string& data_dir);
/// Without data checksums, pages are empty or cannot be judged.
Result<std::unique_ptr<TableFiles>> postgres_table_files(const std::string& data_dir);

}  // namespace holdfast::engine::pages
