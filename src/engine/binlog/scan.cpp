#include "engine/binlog/scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace holdfast::engine::binlog {

namespace {
constexpr size_t kLargestChecked = 64 << 20;  // a list of GTIDs larger than this is not believed
constexpr size_t kNear = 16 << 10;
constexpr uint64_t kSearchLimit = 256ull << 20;  // how far behind a bad place whole events are looked for
}  // namespace

namespace {

using End = Scan::End;

bool is_zero(ByteSpan bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

/// One pass over one file.
class Scanner {
 public:
  Scanner(Source& source, const ScanOptions& options) : window_(source), options_(options) {
    scan_.file_size = window_.size();
  }
  Scan run();

 private:
  /// Reads the event at `at_`; false when the scan is over.
  bool step();
  bool outside(const EventHeader& header, ByteSpan body);
  bool inside(const EventHeader& header);
  bool begin(const EventHeader& header, std::optional<GroupStart> start);
  bool query_ends(ByteSpan body);
  void finish_group(uint64_t end);
  /// The event at `at_` whole, its checksum verified. Nothing when there is trouble.
  std::optional<ByteSpan> checked(const EventHeader& header);
  ByteSpan body_of(ByteSpan event) const {
    return event.subspan(kHeaderSize, event.size() - kHeaderSize - (checksums() ? kChecksumSize : 0));
  }
  bool checksums() const { return !scan_.format || scan_.format->checksums; }
  bool stop_at(End end, std::string tail = {});
  bool trouble(std::string why);
  /// The file ends here in the middle of something: crash or damage?
  bool cut(std::string tail, End end);
  std::optional<uint64_t> later_event();
  bool plausible(ByteSpan head, uint64_t at, EventHeader& header) const;
  void check_last_groups();

  Window window_;
  const ScanOptions& options_;
  Scan scan_;
  uint64_t at_ = 4;
  uint64_t events_ = 0;
  bool list_seen_ = false;
  struct Open {
    GroupStart start;
    uint64_t offset = 0;
    uint32_t timestamp = 0;
    bool first = true;          // nothing that tells its kind has come yet
    bool until_commit = false;  // ends by an XID, COMMIT, ROLLBACK or XA PREPARE
  };
  std::optional<Open> open_;
};

bool Scanner::stop_at(End end, std::string tail) {
  scan_.end = end;
  scan_.tail = std::move(tail);
  scan_.stopped_at = at_;
  return false;
}

bool Scanner::trouble(std::string why) {
  scan_.trouble = fmt::format("at offset {} of {}: {}", at_, scan_.file_size, why);
  return stop_at(End::trouble);
}

bool Scanner::plausible(ByteSpan head, uint64_t at, EventHeader& header) const {
  const auto parsed = parse_header(head);
  if (!parsed) return false;
  header = *parsed;
  return header.type != 0 && header.type < kLastType && header.size >= kHeaderSize + 4 &&
         header.size <= window_.size() - at && header.end == static_cast<uint32_t>(at + header.size);
}

std::optional<uint64_t> Scanner::later_event() {
  const uint64_t limit = std::min(window_.size(), at_ + kSearchLimit);
  // Close by, also events that stand where they do not belong: bytes before them are missing.
  if (auto piece = window_.view(at_, kNear); piece && checksums()) {
    const ByteSpan near = *piece;
    for (size_t i = 1; i + kHeaderSize + kChecksumSize <= near.size(); ++i) {
      const auto header = parse_header(near.subspan(i, kHeaderSize));
      if (header->type == 0 || header->type >= kLastType || header->size < kHeaderSize + kChecksumSize ||
          header->size > near.size() - i)
        continue;
      if (checksum_holds(near.subspan(i, header->size))) return at_ + i;
    }
  }
  if (options_.relay || scan_.relay_log) return std::nullopt;  // events of a relay log do not say where they stand
  uint64_t looked = 0;
  for (uint64_t at = at_ + 1; at + kHeaderSize <= limit;) {
    if (options_.deadline.passed() || options_.stop.stop_requested()) return std::nullopt;
    auto piece = window_.view(at, 1 << 16);
    if (!piece || piece->size() < kHeaderSize) return std::nullopt;
    // A copy: the window moves while candidates are looked at.
    const Buffer bytes = Buffer::copy_of(*piece);
    for (size_t i = 0; i + kHeaderSize <= bytes.size(); ++i) {
      EventHeader header;
      uint32_t size, end;
      std::memcpy(&size, bytes.data() + i + 9, 4);
      std::memcpy(&end, bytes.data() + i + 13, 4);
      if (end != static_cast<uint32_t>(at + i + size)) continue;
      if (!plausible(bytes.span(i, kHeaderSize), at + i, header) || header.size > kLargestChecked) continue;
      auto event = window_.view(at + i, header.size);
      if (!event || event->size() < header.size) continue;
      looked += header.size;
      if (checksums() ? checksum_holds(*event) : header.size < 64 << 10) return at + i;
      if (looked > kSearchLimit) return std::nullopt;
    }
    at += bytes.size() - (kHeaderSize - 1);
  }
  return std::nullopt;
}

bool Scanner::cut(std::string tail, End end) {
  if (const auto later = later_event())
    return trouble(fmt::format("{}, yet a whole event is at offset {}: damage, not an end", tail, *later));
  if (options_.deadline.passed() || options_.stop.stop_requested()) return trouble("there was no time to continue");
  return stop_at(end, std::move(tail));
}

std::optional<ByteSpan> Scanner::checked(const EventHeader& header) {
  if (header.size > kLargestChecked) {
    trouble(fmt::format("an event of type {} and {} bytes is not believed", header.type, header.size));
    return std::nullopt;
  }
  ByteSpan event = window_.peek(at_, header.size);
  if (event.empty()) {
    auto read = window_.view(at_, header.size);
    if (!read) {
      trouble(read.error().message);
      return std::nullopt;
    }
    event = *read;
  }
  if (event.size() < header.size) {
    cut("the file became shorter while it was read", End::partial_event);
    return std::nullopt;
  }
  if (checksums() && !checksum_holds(event)) {
    trouble(fmt::format("the checksum of an event of type {} is wrong", header.type));
    return std::nullopt;
  }
  return event;
}

void Scanner::finish_group(uint64_t end) {
  Group group{std::move(open_->start), open_->offset, end, open_->timestamp};
  open_.reset();
  scan_.valid_end = end;
  scan_.added.add(group.start);
  ++scan_.groups;
  if (!group.start.mariadb && !group.start.mysql) ++scan_.anonymous;
  if (options_.on_group) options_.on_group(group, *scan_.format);
  scan_.last_group = std::move(group);
}

bool Scanner::begin(const EventHeader& header, std::optional<GroupStart> start) {
  if (!start) return trouble(fmt::format("a GTID event (type {}) makes no sense", header.type));
  Open open;
  open.start = std::move(*start);
  open.offset = at_;
  open.timestamp = header.timestamp;
  open.until_commit = header.type == kMariadbGtid && !open.start.standalone && !open.start.completed_xa;
  open_ = std::move(open);
  return true;
}

/// An event between transactions.
bool Scanner::outside(const EventHeader& header, ByteSpan body) {
  switch (header.type) {
    case kFormatDescription: {
      auto format = parse_format(*window_.view(at_, header.size));
      if (!format) return trouble(format.error().message);
      if (scan_.format && !options_.relay && !scan_.relay_log) return trouble("a second format description event");
      scan_.format = std::move(*format);
      break;
    }
    case kMariadbGtidList:
    case kPreviousGtids: {
      Gtids list;
      const bool good = header.type == kPreviousGtids ? list.add_previous_gtids(body) : list.add_mariadb_list(body);
      if (!good) return trouble("its list of GTIDs makes no sense");
      // A relay log may hold the lists of several of the source's logs; its own stands first.
      if (!list_seen_) scan_.at_start = std::move(list);
      list_seen_ = scan_.has_list = true;
      if (options_.start_only) {
        scan_.valid_end = at_ + header.size;
        return stop_at(End::start_only);
      }
      break;
    }
    case kMariadbGtid:
      return begin(header, parse_mariadb_gtid_event(header, body));
    case kGtid:
      return begin(header, parse_gtid_event(body));
    case kGtidTagged:
      return begin(header, parse_tagged_gtid_event(body));
    case kAnonymousGtid:
      return begin(header, GroupStart{});
    case kStartEncryption:
      scan_.encrypted = true;
      return trouble("the log is encrypted");
    case kStop:
    case kRotate:
      if (header.type == kRotate) {
        const auto name = parse_rotate(body);
        if (!name) return trouble("a rotate event that makes no sense");
        scan_.next_file = *name;
      }
      if (options_.relay || scan_.relay_log) break;  // may be the source's
      scan_.end = header.type == kStop ? End::closed : End::rotated;
      break;
    case kBinlogCheckpoint:
    case kHeartbeat:
    case kHeartbeatV2:
    case kIgnorable:
    case kIncident:
      break;
    default:
      if (header.flags & 0x80) break;  // to be ignored by those who do not know it
      return trouble(fmt::format("an event of type {} is outside of any transaction", header.type));
  }
  scan_.valid_end = at_ + header.size;
  return true;
}

/// Does this query end the transaction? Learns its kind from the first one.
bool Scanner::query_ends(ByteSpan body) {
  const auto query = parse_query(*scan_.format, body);
  const std::string_view text = query ? query->statement : std::string_view();
  if (open_->until_commit) return text == "COMMIT" || text == "ROLLBACK";
  if (open_->start.standalone || open_->start.completed_xa) return true;
  if (open_->first && (text == "BEGIN" || text.starts_with("XA START") || text.starts_with("XA BEGIN"))) {
    open_->until_commit = true;
    return false;
  }
  return true;  // one statement that commits by itself
}

/// An event of a transaction.
bool Scanner::inside(const EventHeader& header) {
  bool ends = false;
  const bool alone = open_->start.standalone;
  switch (header.type) {
    case kXid:
    case kXaPrepare:
    case kTransactionPayload:
    case kIncident:
      ends = true;
      break;
    case kQuery: {
      // Most queries are short; a long one cannot be COMMIT, and a long statement of its own ends by its type.
      if (open_->until_commit && header.size > 4096) break;
      if (header.size > kLargestChecked) {
        ends = true;
        break;
      }
      ByteSpan event = window_.peek(at_, header.size);
      if (event.empty()) {
        auto read = window_.view(at_, header.size);
        if (!read) return trouble(read.error().message);
        event = *read;
      }
      if (event.size() < header.size) return cut("the file became shorter while it was read", End::partial_event);
      ends = query_ends(body_of(event));
      break;
    }
    case kQueryCompressed:
      ends = !open_->until_commit;
      break;
    case kGtid:
    case kGtidTagged:
    case kAnonymousGtid:
    case kMariadbGtid:
    case kMariadbGtidList:
    case kPreviousGtids:
    case kStop:
    case kRotate:
    case kFormatDescription:
      if (options_.relay || scan_.relay_log) {
        // A reconnect of the receiving thread leaves half a transaction, which then comes again.
        open_.reset();
        const auto event = checked(header);
        return event && outside(header, body_of(*event));
      }
      if (!checked(header)) return false;
      return trouble(fmt::format("transaction {} has no end", open_->start.to_string()));
    case kIntvar:
    case kRand:
    case kUserVar:
    case kAnnotateRows:
    case kRowsQuery:
    case kTableMap:
      break;
    default:
      // MariaDB: a statement of its own that is no query.
      ends = alone && !open_->until_commit;
  }
  open_->first = false;
  if (!ends) return true;
  // The last of the transaction is verified, so that no flipped bit can end one early.
  if (header.size <= kLargestChecked && !checked(header)) return false;
  finish_group(at_ + header.size);
  return true;
}

bool Scanner::step() {
  if ((++events_ & 0xfff) == 0 && (options_.deadline.passed() || options_.stop.stop_requested()))
    return trouble("there was no time to continue");
  ByteSpan head = window_.peek(at_, kHeaderSize);
  if (head.empty()) {
    auto read = window_.view(at_, kHeaderSize);
    if (!read) return trouble(read.error().message);
    head = *read;
  }
  if (head.empty()) {
    if (open_) return stop_at(End::partial_group);
    return scan_.end == End::closed || scan_.end == End::rotated ? stop_at(scan_.end) : stop_at(End::open);
  }
  if (scan_.end == End::closed || scan_.end == End::rotated) return trouble("there are bytes behind its last event");
  if (head.size() > 4 && is_zero(head)) return trouble("zeros where an event should be");
  if (head.size() > 4 && (head[4] == 0 || head[4] >= kLastType))
    return trouble(fmt::format("an event of the unknown type {}", head[4]));
  const auto header = parse_header(head);
  if (!header) return cut(fmt::format("{} bytes of an event header", head.size()), End::partial_event);
  if (header->size < kHeaderSize || (checksums() && header->size < kHeaderSize + kChecksumSize))
    return trouble(fmt::format("an event of {} bytes", header->size));
  const bool foreign = options_.relay || scan_.relay_log;
  // MariaDB 11.4 and later leaves the end open inside of transactions only.
  const bool open_end = open_ && header->end == 0 && scan_.format->flavour == Flavour::mariadb;
  if (!foreign && !open_end && header->end != static_cast<uint32_t>(at_ + header->size))
    return trouble(fmt::format("an event of type {} that says it ends at {}", header->type, header->end));
  if (header->size > window_.size() - at_)
    return cut(
        fmt::format("{} of the {} bytes of an event of type {}", window_.size() - at_, header->size, header->type),
        End::partial_event);
  if (open_) {
    if (!inside(*header)) return false;
  } else {
    const auto event = checked(*header);
    if (!event || !outside(*header, body_of(*event))) return false;
  }
  at_ += header->size;
  return true;
}

/// All checksums of the last transaction, and of what is there of the one behind it: a position rests on what came
/// last, and a flipped bit in its last event must not look like a transaction that was never finished.
void Scanner::check_last_groups() {
  if (!checksums() || scan_.end == End::trouble || scan_.end == End::start_only) return;
  const uint64_t first = scan_.last_group ? scan_.last_group->offset : open_ ? open_->offset : at_;
  const uint64_t end = open_ ? at_ : scan_.last_group ? scan_.last_group->end : at_;
  for (uint64_t at = first; at < end;) {
    auto head = window_.view(at, kHeaderSize);
    const auto header = head ? parse_header(*head) : std::nullopt;
    if (!header || header->size < kHeaderSize) return void(trouble("the last transaction changed while it was read"));
    if (header->size <= kLargestChecked) {
      auto event = window_.view(at, header->size);
      if (!event || event->size() < header->size || !checksum_holds(*event)) {
        at_ = at;
        return void(
            trouble(fmt::format("the checksum of an event of type {} in the last transaction is wrong", header->type)));
      }
    }
    if (options_.deadline.passed() || options_.stop.stop_requested())
      return void(trouble("there was no time to continue"));
    at += header->size;
  }
}

Scan Scanner::run() {
  at_ = 0;
  auto magic = window_.view(0, 4);
  if (!magic) {
    trouble(magic.error().message);
    return std::move(scan_);
  }
  const auto text = as_text(*magic);
  if (text ==
      "\xfd"
      "bin") {
    scan_.encrypted = true;
    trouble("the log is encrypted");
  } else if (magic->empty()) {
    trouble("the file is empty");
  } else if (text !=
             "\xfe"
             "bin") {
    trouble("it does not begin as a binary log does");
  } else {
    at_ = 4;
    auto head = window_.view(4, kHeaderSize);
    const auto header = head ? parse_header(*head) : std::nullopt;
    if (!header || header->type != kFormatDescription || header->size > 4096 || header->size > window_.size() - 4) {
      trouble("it has no whole format description event");
    } else {
      scan_.in_use = header->flags & kFlagInUse;
      scan_.relay_log = header->flags & kFlagRelayLog;
      scan_.end = End::open;
      while (step()) {
      }
      if (open_ && (scan_.end == End::partial_group || scan_.end == End::partial_event)) {
        scan_.partial = open_->start;
        const std::string lost =
            fmt::format("transaction {} at offset {} has no end", open_->start.to_string(), open_->offset);
        scan_.tail = scan_.tail.empty() ? lost : scan_.tail + ": " + lost;
      }
      check_last_groups();
    }
  }
  return std::move(scan_);
}

}  // namespace

Scan scan_log(Source& source, const ScanOptions& options) {
  return Scanner(source, options).run();
}

}  // namespace holdfast::engine::binlog
