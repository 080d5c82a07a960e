#include "engine/binlog/skipped.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "engine/binlog/event.h"
#include "engine/binlog/files.h"
#include "engine/binlog/scan.h"

namespace holdfast::engine::binlog {

namespace {

/// Of an empty transaction: its GTID, BEGIN and COMMIT, with the variables and the database a query event may carry.
constexpr size_t kLargestEmpty = 900;
constexpr size_t kMostNamed = 1000;

struct Candidate {
  MysqlGtid gtid;
  uint64_t offset = 0;
  size_t size = 0;
};

/// GTID, query, and a query or XID: anything with a content has an event more, or (DDL) one less.
bool is_empty(ByteSpan bytes) {
  std::vector<uint8_t> types;
  for (size_t at = 0; at < bytes.size();) {
    const auto header = parse_header(bytes.subspan(at));
    if (!header || header->size < kHeaderSize) return false;
    types.push_back(header->type);
    at += header->size;
  }
  return types.size() == 3 && types[1] == kQuery && (types[2] == kQuery || types[2] == kXid);
}

class Finder {
 public:
  explicit Finder(const ReadOptions& options) : options_(options) {}

  /// In the order of the log. False when the rest cannot be read either.
  bool read(const std::string& path, SkippedList& list);
  std::string text() const;

 private:
  void note_gap(const MariadbGtid& gtid);

  const ReadOptions& options_;
  std::map<uint32_t, uint64_t> last_;  ///< MariaDB: of each domain in this file
  std::vector<std::string> gaps_;
  std::map<MysqlSource, std::vector<uint64_t>> empty_;
  size_t named_ = 0;
};

void Finder::note_gap(const MariadbGtid& gtid) {
  const auto before = last_.find(gtid.domain);
  if (before != last_.end() && gtid.sequence > before->second + 1 && named_ < kMostNamed) {
    const uint64_t first = before->second + 1, last = gtid.sequence - 1;
    const auto name = [&](uint64_t n) { return fmt::format("{}-{}-{}", gtid.domain, gtid.server, n); };
    gaps_.push_back(first == last ? name(first) : name(first) + ".." + name(last));
    ++named_;
  }
  last_[gtid.domain] = std::max(gtid.sequence, before == last_.end() ? 0 : before->second);
}

bool Finder::read(const std::string& path, SkippedList& list) {
  auto source = FileSource::open(path);
  if (!source) {
    list.unknown = source.error().message;
    return false;
  }
  // Between two files there may have been a start of the server, before which it did not log what it applied.
  last_.clear();
  std::vector<Candidate> candidates;
  ScanOptions how;
  how.deadline = options_.deadline;
  how.stop = options_.stop;
  how.on_group = [&](const Group& group, const Format&) {
    if (group.start.mariadb) note_gap(*group.start.mariadb);
    if (group.start.mysql && group.end - group.offset <= kLargestEmpty)
      candidates.push_back({*group.start.mysql, group.offset, static_cast<size_t>(group.end - group.offset)});
  };
  const Scan scan = scan_log(*source, how);
  if (!scan.trouble.empty()) list.unknown = path + ": " + scan.trouble;
  list.bytes += source->size();
  std::array<uint8_t, kLargestEmpty> buffer{};
  for (const auto& one : candidates) {
    if (options_.deadline.passed() || options_.stop.stop_requested()) {
      list.unknown = "there was no time to look at all of " + path;
      return false;
    }
    const auto got = source->read(one.offset, MutableByteSpan(buffer.data(), one.size));
    if (!got || *got != one.size || !is_empty(ByteSpan(buffer.data(), one.size)) || named_ >= kMostNamed) continue;
    empty_[one.gtid.source].push_back(one.gtid.number);
    ++named_;
  }
  return true;
}

std::string Finder::text() const {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ",") + part; };
  for (const auto& gap : gaps_) add(gap);
  for (auto [source, numbers] : empty_) {
    std::ranges::sort(numbers);
    const std::string who = source.uuid_text() + (source.tag.empty() ? "" : ":" + source.tag);
    for (size_t i = 0, j = 0; i < numbers.size(); i = j) {
      for (j = i + 1; j < numbers.size() && numbers[j] <= numbers[j - 1] + 1;) ++j;
      add(numbers[i] == numbers[j - 1] ? fmt::format("{}:{}", who, numbers[i])
                                       : fmt::format("{}:{}-{}", who, numbers[i], numbers[j - 1]));
    }
  }
  return text;
}

}  // namespace

SkippedList find_skipped(const std::string& data_dir, uint64_t most_bytes, const ReadOptions& options) {
  SkippedList list;
  auto files = find_log_files(data_dir, LogKind::binary, options.base, options.moved);
  if (!files) {
    list.unknown = files.error().message;
    return list;
  }
  size_t begin = files->paths.size();
  for (uint64_t bytes = 0; begin > 0; --begin) {
    const auto source = FileSource::open(files->paths[begin - 1]);
    if (!source) break;  // purged meanwhile, and all before it
    bytes += source->size();
    if (bytes > most_bytes && begin < files->paths.size()) {
      list.unknown = "only the newest files were looked into, from " + files->paths[begin] + " on";
      break;
    }
  }
  Finder finder(options);
  for (size_t i = begin; i < files->paths.size(); ++i)
    if (!finder.read(files->paths[i], list)) break;
  list.transactions = finder.text();
  return list;
}

}  // namespace holdfast::engine::binlog
