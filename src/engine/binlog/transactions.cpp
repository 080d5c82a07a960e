#include "engine/binlog/transactions.h"

#include <algorithm>

#include "codec/zstd.h"

namespace holdfast::engine::binlog {

std::string_view transaction_kind_name(TransactionKind kind) {
  switch (kind) {
    case TransactionKind::rows:
      return "rows";
    case TransactionKind::statement:
      return "statement";
    case TransactionKind::ddl:
      return "ddl";
    case TransactionKind::account:
      return "account";
    case TransactionKind::empty:
      return "empty";
    case TransactionKind::unknown:
      break;
  }
  return "unknown";
}

bool changes_only(const LoggedTransaction& transaction, const std::set<std::string>& tables) {
  const auto listed = [&](const std::string& name) {
    return tables.contains(name) || tables.contains("*" + name.substr(std::min(name.find('.'), name.size())));
  };
  return transaction.kind == TransactionKind::rows && !transaction.tables.empty() &&
         transaction.tables.size() < kMostTables && std::ranges::all_of(transaction.tables, listed);
}

namespace {

constexpr size_t kMostOfAStatement = 64 << 10;
constexpr size_t kLargestPayload = 256 << 20;

bool is_account_table(const std::string& name) {
  static const std::set<std::string> names = {
      "mysql.user",
      "mysql.db",
      "mysql.global_priv",
      "mysql.tables_priv",
      "mysql.columns_priv",
      "mysql.procs_priv",
      "mysql.proxies_priv",
      "mysql.roles_mapping",
      "mysql.role_edges",
      "mysql.default_roles",
      "mysql.host",
      "mysql.global_grants",
      "mysql.password_history",
  };
  return names.contains(name);
}

/// Collects what the events of one transaction are.
class Looker {
 public:
  Looker(const Format& format, LoggedTransaction& into) : format_(format), into_(into) {}

  void event(uint8_t type, ByteSpan body) {
    switch (type) {
      case kTableMap:
        if (auto name = parse_table_map(format_, body)) {
          if (into_.tables.size() < kMostTables) into_.tables.insert(std::move(*name));
        } else {
          unknown_ = true;
        }
        break;
      case kQuery: {
        const auto query = parse_query(format_, body);
        const std::string verb = query ? statement_verb(query->statement.substr(0, kMostOfAStatement)) : std::string();
        const auto kind = kind_of_verb(verb);
        if (kind != TransactionKind::empty) {
          into_.verbs.insert(verb.empty() ? "?" : verb);
          (kind == TransactionKind::ddl         ? ddl_
           : kind == TransactionKind::account   ? account_
           : kind == TransactionKind::statement ? statement_
                                                : unknown_) = true;
        }
        break;
      }
      case kQueryCompressed:
        unknown_ = true;
        break;
      case kTransactionPayload:
        payload(body);
        break;
      case kWriteRowsV1:
      case kUpdateRowsV1:
      case kDeleteRowsV1:
      case kWriteRows:
      case kUpdateRows:
      case kDeleteRows:
      case kPartialUpdateRows:
      case 166:
      case 167:
      case 168:
      case 169:
      case 170:
      case 171:
        ++into_.row_events;
        break;
      case kXid:
      case kXaPrepare:
      case kIntvar:
      case kRand:
      case kUserVar:
      case kRowsQuery:
      case kAnnotateRows:
      case kGtid:
      case kGtidTagged:
      case kAnonymousGtid:
      case kMariadbGtid:
        break;
      case 9:   // append block
      case 11:  // delete file
      case 17:  // begin load query
      case 18:  // execute load query
        statement_ = true;
        into_.verbs.insert("LOAD");
        break;
      default:
        unknown_ = true;
    }
  }

  void finish() {
    using Kind = TransactionKind;
    bool accounts = account_, rows = false;
    if (into_.row_events > 0 || !into_.tables.empty()) {
      const bool only_accounts = !into_.tables.empty() && std::ranges::all_of(into_.tables, is_account_table);
      (only_accounts ? accounts : rows) = true;
    }
    into_.kind = unknown_     ? Kind::unknown
                 : rows       ? Kind::rows
                 : statement_ ? Kind::statement
                 : ddl_       ? Kind::ddl
                 : accounts   ? Kind::account
                              : Kind::empty;
  }

  void cannot() { unknown_ = true; }

 private:
  /// MySQL's compressed transaction: fields {type, length, value} up to a 0, then the events without checksums.
  void payload(ByteSpan body) {
    Reader reader(body);
    uint64_t compression = 255, plain_size = 0;
    for (;;) {
      const uint64_t type = reader.packed();
      if (!reader.ok()) return cannot();
      if (type == 0) break;
      const uint64_t length = reader.packed();
      Reader value(reader.take(length));
      if (!reader.ok()) return cannot();
      if (type == 2) compression = value.packed();
      if (type == 3) plain_size = value.packed();
    }
    ByteSpan events = reader.take(reader.left());
    Buffer plain;
    if (compression == 0) {
      if (plain_size > kLargestPayload) return cannot();
      codec::ZstdDecompressor decompressor;
      auto decoded = decompressor.decompress(events, kLargestPayload);
      if (!decoded) return cannot();
      plain = std::move(*decoded);
      events = plain;
    } else if (compression != 255) {
      return cannot();
    }
    while (!events.empty()) {
      const auto header = parse_header(events);
      if (!header || header->size < kHeaderSize || header->size > events.size()) return cannot();
      if (header->type == kTransactionPayload) return cannot();
      event(header->type, events.subspan(kHeaderSize, header->size - kHeaderSize));
      events = events.subspan(header->size);
    }
  }

  const Format& format_;
  LoggedTransaction& into_;
  bool unknown_ = false, statement_ = false, ddl_ = false, account_ = false;
};

/// What of `wanted` is not in `found`.
std::vector<MysqlInterval> subtract(const std::vector<MysqlInterval>& wanted, const std::vector<MysqlInterval>& found) {
  std::vector<MysqlInterval> left;
  for (auto rest : wanted) {
    bool over = false;
    for (const auto& have : found) {
      if (have.source != rest.source || have.last < rest.first || have.first > rest.last) continue;
      if (have.first > rest.first) left.push_back({rest.source, rest.first, have.first - 1});
      if (have.last >= rest.last) {
        over = true;
        break;
      }
      rest.first = have.last + 1;
    }
    if (!over) left.push_back(rest);
  }
  return left;
}

}  // namespace

void look_into(Source& source, const Format& format, LoggedTransaction& transaction, Deadline deadline) {
  Window window(source);
  Looker looker(format, transaction);
  const size_t trailer = format.checksums ? kChecksumSize : 0;
  size_t events = 0;
  for (uint64_t at = transaction.offset; at < transaction.end;) {
    if ((++events & 0xff) == 0 && deadline.passed()) {
      looker.cannot();
      break;
    }
    const auto head = window.view(at, kHeaderSize);
    const auto header = head ? parse_header(*head) : std::nullopt;
    if (!header || header->size < kHeaderSize + trailer || header->size > transaction.end - at) {
      looker.cannot();
      break;
    }
    // Of long events only the beginning is needed, but for a compressed one.
    const size_t most = header->type == kTransactionPayload ? kLargestPayload : kMostOfAStatement * 2;
    const size_t whole = header->size - trailer;
    const auto event = window.view(at, std::min(whole, most));
    if (!event || event->size() < kHeaderSize || (header->type == kTransactionPayload && event->size() < whole))
      looker.cannot();
    else
      looker.event(header->type, event->subspan(kHeaderSize));
    at += header->size;
  }
  looker.finish();
}

namespace {

/// What is looked for, and what of it was seen.
class Search {
 public:
  explicit Search(const WantedGtids& wanted)
      : list_(wanted.mariadb.begin(), wanted.mariadb.end()),
        ranges_(wanted.ranges),
        open_(wanted.ranges),
        ends_seen_(wanted.ranges.size()) {
    Gtids set;
    for (const auto& interval : wanted.mysql) set.add(interval);
    set_ = std::move(set);
    all_wanted_ = set_.mysql();
  }

  bool take(const GroupStart& start) {
    if (start.mysql) {
      if (!set_.contains(*start.mysql)) return false;
      found_set_.add(*start.mysql);
      return true;
    }
    if (!start.mariadb) return false;
    bool match = false;
    for (size_t i = 0; i < ranges_.size(); ++i) {
      if (!ranges_[i].contains(*start.mariadb)) continue;
      match = true;
      if (start.mariadb->sequence == ranges_[i].up_to) ends_seen_[i] = true;
    }
    if (list_.contains(*start.mariadb)) {
      found_list_.insert(*start.mariadb);
      match = true;
    }
    return match;
  }

  /// All that is older than this file has been logged before `at_start`.
  void reached(const Gtids& at_start) {
    std::vector<MariadbRange> open;
    for (auto range : ranges_) {
      if (!at_start.covers({range.domain, range.server, range.after + 1})) continue;
      for (const auto& gtid : at_start.mariadb())
        if (gtid.domain == range.domain && gtid.server == range.server)
          range.up_to = std::min(range.up_to, gtid.sequence);
      open.push_back(range);
    }
    open_ = std::move(open);
  }

  WantedGtids missing() const {
    WantedGtids missing;
    for (const auto& gtid : list_)
      if (!found_list_.contains(gtid)) missing.mariadb.push_back(gtid);
    missing.mysql = subtract(all_wanted_, found_set_.mysql());
    missing.ranges = open_;
    for (size_t i = 0; i < ranges_.size(); ++i) {
      const auto& range = ranges_[i];
      const bool told = std::ranges::any_of(open_, [&](const MariadbRange& open) {
        return open.domain == range.domain && open.server == range.server && open.up_to == range.up_to;
      });
      if (!ends_seen_[i] && !told) missing.ranges.push_back({range.domain, range.server, range.up_to - 1, range.up_to});
    }
    return missing;
  }

  /// Nothing older can be wanted.
  bool done(const Gtids& at_start) const {
    if (!open_.empty()) return false;
    const WantedGtids missing = this->missing();
    return std::ranges::none_of(missing.mariadb, [&](const auto& gtid) { return at_start.covers(gtid); }) &&
           subtract(missing.mysql, at_start.mysql()) == missing.mysql;
  }
  bool complete() const { return open_.empty() && missing().empty(); }

 private:
  const std::set<MariadbGtid> list_;
  const std::vector<MariadbRange> ranges_;
  Gtids set_;
  std::vector<MysqlInterval> all_wanted_;
  std::vector<MariadbRange> open_;  ///< may be in older files
  std::vector<bool> ends_seen_;
  std::set<MariadbGtid> found_list_;
  Gtids found_set_;
};

}  // namespace

TransactionList find_transactions(const std::string& data_dir, const WantedGtids& wanted, const ReadOptions& options,
                                  size_t most, LogKind kind) {
  TransactionList list;
  auto files = find_log_files(data_dir, kind, options.base, options.moved);
  if (!files) {
    list.unknown = files.error().message;
    list.missing = wanted;
    return list;
  }
  Search search(wanted);
  for (auto path = files->paths.rbegin(); path != files->paths.rend(); ++path) {
    if (search.complete()) break;
    if (options.deadline.passed() || options.stop.stop_requested()) {
      if (list.unknown.empty()) list.unknown = "there was no time to look at " + *path;
      break;
    }
    auto source = FileSource::open(*path);
    if (!source) {
      // Purged since the index was written: nothing older is there either.
      if (source.error().id != "store.not_found") list.unknown = source.error().message;
      break;
    }
    std::vector<LoggedTransaction> here;
    std::optional<Format> format;
    ScanOptions how;
    how.relay = kind == LogKind::relay;
    how.deadline = options.deadline;
    how.stop = options.stop;
    how.on_group = [&](const Group& group, const Format& of) {
      if (!search.take(group.start)) return;
      ++list.matched;
      if (list.found.size() + here.size() >= most) {
        list.cut_short = true;
        return;
      }
      format = of;
      LoggedTransaction transaction;
      transaction.gtid = group.start.to_string();
      transaction.file = *path;
      transaction.offset = group.offset;
      transaction.end = group.end;
      transaction.timestamp = group.timestamp;
      here.push_back(std::move(transaction));
    };
    const Scan scan = scan_log(*source, how);
    for (auto& transaction : here) look_into(*source, *format, transaction, options.deadline);
    list.found.insert(list.found.begin(), std::make_move_iterator(here.begin()), std::make_move_iterator(here.end()));
    if (!scan.trouble.empty() && list.unknown.empty()) list.unknown = *path + ": " + scan.trouble;
    if (kind == LogKind::relay || !scan.has_list) continue;
    search.reached(scan.at_start);
    if (search.done(scan.at_start)) break;
  }
  list.missing = search.missing();
  return list;
}

}  // namespace holdfast::engine::binlog
