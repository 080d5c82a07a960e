#include "engine/postgres/wal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "codec/crc32.h"
#include "engine/stored/files.h"
#include "engine/stored/window.h"

namespace holdfast::engine::postgres {

namespace {

constexpr size_t kShortHeader = 24, kLongHeader = 40, kRecordHeader = 24;
constexpr uint16_t kFirstIsContinuation = 1, kLongPage = 2, kOverwrite = 8, kAllFlags = 15;
constexpr uint32_t kLargestRecord = 1020u << 20;

/// First field of each page, by major version: 13, 14, 15, 16, 17, 18.
constexpr uint16_t kMagics[] = {0xd106, 0xd10d, 0xd110, 0xd113, 0xd116, 0xd118};

template <class Number>
Number get(ByteSpan bytes, size_t at) {
  Number value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

Lsn aligned(Lsn lsn) {
  return (lsn + 7) & ~Lsn{7};
}

/// A timeline of the member's history: [begin, end) of it counts.
struct Part {
  uint32_t timeline = 0;
  Lsn begin = 0, end = UINT64_MAX;
};

class Walker {
 public:
  Walker(const std::string& data_dir, const ControlData& control, const WalOptions& options)
      : wal_dir_(data_dir + "/pg_wal"), control_(control), options_(options) {}

  WalReading run();
  WalWalk walk(const WalPiece& piece, const std::function<void(const WalItem&)>& on_record);

 private:
  enum class Step { record, end, trouble };
  bool find_chain();
  /// Reads the record at `at_`.
  Step record();
  /// The page at an address (a multiple of the block size), or an empty span; `why_` says why.
  ByteSpan page(Lsn address);
  bool open_segment(uint64_t number);
  bool header_fits(ByteSpan page, Lsn address) const;
  size_t header_size(ByteSpan page) const { return get<uint16_t>(page, 2) & kLongPage ? kLongHeader : kShortHeader; }
  bool checksum_holds(ByteSpan record) const;
  /// Is there anything valid behind the end? Says what.
  std::optional<std::string> beyond();
  const Part* part_of(uint32_t timeline) const;
  Step give_up(std::string why) {
    trouble_ = std::move(why);
    return Step::trouble;
  }
  Step no_more(std::string why) {
    why_ = std::move(why);
    return Step::end;
  }
  WalEnd so_far() const;

  const std::string wal_dir_;
  const ControlData& control_;
  const WalOptions& options_;
  std::vector<std::string> names_;
  std::vector<Part> chain_;  // oldest first

  std::optional<stored::FileSource> file_;
  std::unique_ptr<stored::Window> window_;
  SegmentName segment_;
  uint16_t magic_ = 0;

  Lsn at_ = 0;          // where the next record should be
  Lsn last_start_ = 0;  // of the last valid record
  Lsn end_ = 0;
  Lsn gathered_ = 0;               // how far the pages of the record at end_ were there
  std::optional<Lsn> empty_page_;  // begun, with nothing in it yet
  uint32_t end_timeline_ = 0;
  uint64_t records_ = 0;
  Buffer record_;
  std::string why_, trouble_;
  const std::function<void(const WalItem&)>* on_record_ = nullptr;
};

const Part* Walker::part_of(uint32_t timeline) const {
  const auto found = std::ranges::find(chain_, timeline, &Part::timeline);
  return found == chain_.end() ? nullptr : &*found;
}

bool Walker::find_chain() {
  uint32_t target = std::max(control_.timeline, control_.minimum_recovery_timeline);
  const auto has_history = [&](uint32_t timeline) {
    return std::ranges::binary_search(names_, history_file_name(timeline));
  };
  if (options_.standby)
    while (target < UINT32_MAX && has_history(target + 1)) ++target;
  chain_.clear();
  if (target > 1 && has_history(target)) {
    const auto text = stored::read_small(wal_dir_ + "/" + history_file_name(target));
    if (!text) return give_up(text.error().message), false;
    const auto history = parse_history(target, *text);
    if (!history) return give_up(history.error().message), false;
    Lsn begin = 0;
    for (const auto& step : history->entries) {
      chain_.push_back({step.timeline, begin, step.at.value});
      begin = step.at.value;
    }
    chain_.push_back({target, begin});
  } else {
    if (target != control_.timeline) return give_up(fmt::format("{} is missing", history_file_name(target))), false;
    chain_.push_back({target, 0});
  }
  if (!part_of(control_.timeline))
    return give_up(fmt::format("timeline {} of the latest checkpoint is not in {}", control_.timeline,
                               history_file_name(target))),
           false;
  return true;
}

bool Walker::open_segment(uint64_t number) {
  if (file_ && segment_.number == number) return true;
  const uint32_t size = control_.wal_segment_size;
  for (auto part = chain_.rbegin(); part != chain_.rend(); ++part) {
    if (file_ && part->timeline < segment_.timeline) break;
    if (part->begin / size > number) continue;
    const SegmentName name{part->timeline, number};
    auto file = stored::FileSource::open(wal_dir_ + "/" + segment_file_name(name, size));
    if (!file && file.error().id == "store.not_found") continue;
    if (!file) return give_up(file.error().message), false;
    if (file->size() != size)
      return give_up(fmt::format("segment {} has {} bytes instead of {}", segment_file_name(name, size), file->size(),
                                 size)),
             false;
    window_.reset();
    file_ = std::move(*file);
    window_ = std::make_unique<stored::Window>(*file_);
    segment_ = name;
    return true;
  }
  why_ = fmt::format("there is no segment {}", segment_file_name({chain_.back().timeline, number}, size));
  return false;
}

bool Walker::header_fits(ByteSpan page, Lsn address) const {
  const auto magic = get<uint16_t>(page, 0);
  const auto flags = get<uint16_t>(page, 2);
  if (magic_ != 0 ? magic != magic_ : std::ranges::find(kMagics, magic) == std::end(kMagics)) return false;
  const bool first = address % control_.wal_segment_size == 0;
  if ((flags & ~kAllFlags) != 0 || ((flags & kLongPage) != 0) != first) return false;
  if (get<uint64_t>(page, 8) != address || !part_of(get<uint32_t>(page, 4))) return false;
  return !first ||
         (get<uint64_t>(page, 24) == control_.system_identifier &&
          get<uint32_t>(page, 32) == control_.wal_segment_size && get<uint32_t>(page, 36) == control_.wal_block_size);
}

ByteSpan Walker::page(Lsn address) {
  const uint32_t block = control_.wal_block_size;
  if (!open_segment(address / control_.wal_segment_size)) return {};
  const uint64_t offset = address % control_.wal_segment_size;
  ByteSpan page = window_->peek(offset, block);
  if (page.empty()) {
    auto read = window_->view(offset, block);
    if (!read) {
      give_up(read.error().message);
      return {};
    }
    page = *read;
  }
  if (page.size() < block) {
    give_up("a segment became shorter while it was read");
    return {};
  }
  if (!header_fits(page, address)) {
    why_ = fmt::format("no valid page at {}", lsn_text(address));
    if (address % control_.wal_segment_size == 0) {
      // A whole page of the right place and another system is no end.
      const auto magic = get<uint16_t>(page, 0);
      if (std::ranges::find(kMagics, magic) != std::end(kMagics) && get<uint64_t>(page, 8) == address &&
          get<uint64_t>(page, 24) != control_.system_identifier)
        give_up(fmt::format("segment {} is of another system (identifier {})",
                            segment_file_name(segment_, control_.wal_segment_size), get<uint64_t>(page, 24)));
    }
    return {};
  }
  magic_ = get<uint16_t>(page, 0);
  return page;
}

bool Walker::checksum_holds(ByteSpan record) const {
  const uint32_t crc = codec::crc32c(record.first(20), codec::crc32c(record.subspan(kRecordHeader)));
  return crc == get<uint32_t>(record, 20);
}

Walker::Step Walker::record() {
  const uint32_t block = control_.wal_block_size;
  const auto failed = [&] { return trouble_.empty() ? Step::end : Step::trouble; };
  ByteSpan current = page(at_ - at_ % block);
  if (current.empty()) return failed();
  size_t offset = at_ % block;
  if (offset == 0) {
    offset = header_size(current);
    if (get<uint16_t>(current, 2) & kFirstIsContinuation) return no_more("a page that continues with another record");
  }
  if (offset < header_size(current)) return give_up(fmt::format("{} lies inside a page header", lsn_text(at_)));
  const Lsn start = at_ - at_ % block + offset;
  const uint32_t length = get<uint32_t>(current, offset);
  gathered_ = start;
  if (length == 0) {
    if (at_ % block == 0) empty_page_ = at_;
    return no_more("no record");
  }
  if (length < kRecordHeader || length > kLargestRecord) return no_more(fmt::format("a record of {} bytes", length));
  record_.clear();
  Lsn place = start;
  for (;;) {
    const size_t take = std::min<size_t>(length - record_.size(), block - offset);
    record_.append(current.subspan(offset, take));
    place = place - place % block + offset + take;
    gathered_ = place;
    if (record_.size() == length) break;
    if ((record_.size() & 0xfffff) < block && (options_.deadline.passed() || options_.stop.stop_requested()))
      return give_up("there was no time to continue");
    if (record_.size() >= kRecordHeader && get<uint64_t>(record_, 8) != last_start_ && last_start_ != 0)
      return no_more("a record that does not follow the one before");
    current = page(place);
    if (current.empty()) {
      if (trouble_.empty()) why_ = "a record that was not finished: " + why_;
      return failed();
    }
    const auto flags = get<uint16_t>(current, 2);
    if (flags & kOverwrite) {
      // The server crashed inside this record once; after its restart it went on here.
      at_ = place;
      return Step::record;
    }
    if (!(flags & kFirstIsContinuation) || get<uint32_t>(current, 16) != length - record_.size())
      return no_more("a record that was not finished");
    offset = header_size(current);
  }
  const uint64_t back = get<uint64_t>(record_, 8);
  if (last_start_ != 0 ? back != last_start_ : back >= start)
    return no_more("a record that does not follow the one before");
  if (!checksum_holds(record_)) return no_more("a record whose checksum is wrong");
  last_start_ = start;
  const uint8_t info = record_[16], manager = record_[17];
  const bool is_switch = manager == 0 && (info & 0xf0) == 0x40;
  const uint32_t size = control_.wal_segment_size;
  at_ = is_switch ? (place + size - 1) / size * size : aligned(place);
  end_ = at_;
  end_timeline_ = segment_.timeline;
  ++records_;
  if (on_record_) (*on_record_)({start, end_, segment_.timeline, magic_, record_});
  return Step::record;
}

std::optional<std::string> Walker::beyond() {
  const uint32_t block = control_.wal_block_size, size = control_.wal_segment_size;
  const Lsn end = end_;
  // Records in the rest of its page that say they come after it. Where zeros stand at the end, a record was being
  // copied there when the server died, and another one may have been copied behind it: no damage.
  if (end % block != 0 && open_segment(end / size)) {
    const auto read = window_->view(end % size - end % block, block);
    if (read && read->size() == block && header_fits(*read, end - end % block) &&
        get<uint32_t>(*read, end % block) != 0) {
      for (size_t at = end % block + 8; at + kRecordHeader <= block; at += 8) {
        const uint32_t length = get<uint32_t>(*read, at);
        if (length < kRecordHeader || length > block - at) continue;
        const auto back = get<uint64_t>(*read, at + 8);
        if (back < end || back >= end - end % block + at) continue;
        if (checksum_holds(read->subspan(at, length)))
          return fmt::format("a valid record at {}", lsn_text(end - end % block + at));
      }
    }
  }
  // Whole pages behind what was read; a recycled segment still has the addresses of its old place.
  const Lsn from = std::max(end, gathered_);
  const Lsn next_page = (from + block - 1) / block * block;
  const Lsn segment_end = (next_page + size - 1) / size * size;
  for (Lsn address = next_page; address < segment_end; address += block) {
    if (address == empty_page_) continue;
    if (!open_segment(address / size)) break;
    const auto read = window_->view(address % size, kLongHeader);
    if (read && read->size() == kLongHeader && header_fits(*read, address))
      return fmt::format("a valid page at {}", lsn_text(address));
    if (options_.deadline.passed()) return "no time to look further";
  }
  // Later segments.
  for (const auto& name : names_) {
    const auto segment = parse_segment_name(name, size);
    const Lsn address = segment ? segment->number * size : 0;
    if (!segment || address < segment_end || address == empty_page_) continue;
    const Part* part = part_of(segment->timeline);
    if (part && part->end / size < segment->number) continue;  // the timeline was left before
    if (!part && segment->timeline < chain_.back().timeline) continue;
    auto file = stored::FileSource::open(wal_dir_ + "/" + name);
    if (!file) continue;
    uint8_t head[kLongHeader];
    const auto got = file->read(0, head);
    if (!got || *got < sizeof head) continue;
    const ByteSpan bytes(head);
    const bool ours = std::ranges::find(kMagics, get<uint16_t>(bytes, 0)) != std::end(kMagics) &&
                      get<uint64_t>(bytes, 8) == address && get<uint64_t>(bytes, 24) == control_.system_identifier;
    if (!ours) continue;
    if (!part) return fmt::format("segment {} of a timeline this member does not follow", name);
    return fmt::format("a valid segment {}", name);
  }
  return std::nullopt;
}

WalEnd Walker::so_far() const {
  WalEnd end;
  end.end = end_;
  end.timeline = end_timeline_;
  // A segment begins with a copy of the timeline it was left from.
  for (auto part = chain_.rbegin(); part != chain_.rend(); ++part)
    if (part->timeline <= end_timeline_ && end_ > part->begin) {
      end.timeline = part->timeline;
      break;
    }
  end.last_record = last_start_;
  end.ended_because = why_;
  end.records = records_;
  return end;
}

WalWalk Walker::walk(const WalPiece& piece, const std::function<void(const WalItem&)>& on_record) {
  WalWalk walk;
  walk.end = at_ = end_ = piece.from;
  on_record_ = &on_record;
  auto listing = stored::list_directory(wal_dir_, 1'000'000);
  if (!listing.all_names) {
    walk.unknown = fmt::format("{} cannot be listed: {}", wal_dir_, listing.why);
    return walk;
  }
  names_ = std::move(listing.names);
  if (!find_chain()) {
    walk.unknown = trouble_;
    return walk;
  }
  while (at_ < piece.to) {
    if ((records_ & 0xfff) == 0xfff && (options_.deadline.passed() || options_.stop.stop_requested())) {
      walk.unknown = fmt::format("there was no time to continue behind {}", lsn_text(end_));
      break;
    }
    const Step step = record();
    if (step == Step::record) continue;
    walk.unknown = fmt::format("at {}: {}", lsn_text(at_), step == Step::trouble ? trouble_ : why_);
    break;
  }
  walk.end = end_;
  walk.records = records_;
  return walk;
}

WalReading Walker::run() {
  WalReading reading;
  const auto minimum = [&] {
    WalEnd end;
    end.end = control_.minimum_recovery_point;
    end.timeline = control_.minimum_recovery_timeline;
    end.ended_because = "minimum recovery point";
    end.from_minimum_recovery_point = true;
    return end;
  };
  const auto unknown = [&](std::string why) {
    reading.unknown = std::move(why);
    if (records_ > 0 && end_ >= control_.minimum_recovery_point)
      reading.at_least = so_far();
    else if (control_.minimum_recovery_point != 0)
      reading.at_least = minimum();
    return reading;
  };
  auto listing = stored::list_directory(wal_dir_, 1'000'000);
  if (!listing.all_names) return unknown(fmt::format("{} cannot be listed: {}", wal_dir_, listing.why));
  names_ = std::move(listing.names);
  if (!find_chain()) return unknown(trouble_);
  at_ = control_.redo;
  Step step;
  while ((step = record()) == Step::record)
    if ((records_ & 0xfff) == 0 && (options_.deadline.passed() || options_.stop.stop_requested())) {
      step = give_up("there was no time to continue");
      break;
    }
  if (step == Step::trouble) return unknown(fmt::format("after {}: {}", lsn_text(end_), trouble_));
  if (records_ == 0)
    return unknown(fmt::format("the record at the redo point {} cannot be read: {}", lsn_text(control_.redo), why_));
  if (end_ <= control_.checkpoint)
    return unknown(fmt::format("valid WAL ends at {} ({}), before the checkpoint at {}", lsn_text(end_), why_,
                               lsn_text(control_.checkpoint)));
  const std::string why = why_;
  if (const auto more = beyond())
    return unknown(
        fmt::format("valid WAL ends at {} ({}), yet there is {}: damage, not an end", lsn_text(end_), why, *more));
  if (options_.deadline.passed() || options_.stop.stop_requested()) return unknown("there was no time to continue");
  why_ = why;
  WalEnd end = so_far();
  const Part* applied = part_of(control_.minimum_recovery_timeline);
  if (applied && control_.minimum_recovery_point > applied->end && end.timeline > applied->timeline)
    return unknown(fmt::format("timeline {} was applied up to {}, beyond where the history leaves it ({})",
                               applied->timeline, lsn_text(control_.minimum_recovery_point), lsn_text(applied->end)));
  if (control_.minimum_recovery_point > end.end) {
    const std::string walked = fmt::format("WAL in pg_wal ends at {}", lsn_text(end.end));
    end = minimum();
    end.ended_because = walked;
    end.records = records_;
  }
  reading.end = std::move(end);
  return reading;
}

}  // namespace

WalWalk walk_wal(const std::string& data_dir, const ControlData& control, const WalPiece& piece,
                 const std::function<void(const WalItem&)>& on_record, const WalOptions& options) {
  return Walker(data_dir, control, options).walk(piece, on_record);
}

WalReading read_wal_end(const std::string& data_dir, const ControlData& control, const WalOptions& options) {
  return Walker(data_dir, control, options).run();
}

}  // namespace holdfast::engine::postgres
