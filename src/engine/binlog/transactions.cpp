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
  return transaction.kind == TransactionKind::rows && !transaction.tables.empty() &&
         transaction.tables.size() < kMostTables && std::ranges::includes(tables, transaction.tables);
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
  static uint64_t length_of(Reader& reader) {
    const uint64_t first = reader.fixed(1);
    return first < 251 ? first : first == 252 ? reader.fixed(2) : first == 253 ? reader.fixed(3) : reader.fixed(8);
  }

  /// MySQL's compressed transaction: fields {type, length, value} up to a 0, then the events without checksums.
  void payload(ByteSpan body) {
    Reader reader(body);
    uint64_t compression = 255, plain_size = 0;
    for (;;) {
      const uint64_t type = length_of(reader);
      if (!reader.ok()) return cannot();
      if (type == 0) break;
      const uint64_t length = length_of(reader);
      Reader value(reader.take(length));
      if (!reader.ok()) return cannot();
      if (type == 2) compression = length_of(value);
      if (type == 3) plain_size = length_of(value);
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

void look_into(Source& source, const Format& format, LoggedTransaction& transaction) {
  Window window(source);
  Looker looker(format, transaction);
  const size_t trailer = format.checksums ? kChecksumSize : 0;
  for (uint64_t at = transaction.offset; at < transaction.end;) {
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

TransactionList find_transactions(const std::string& data_dir, const WantedGtids& wanted, const ReadOptions& options,
                                  size_t most) {
  TransactionList list;
  auto files = find_log_files(data_dir, LogKind::binary, options.base, options.moved);
  if (!files) {
    list.unknown = files.error().message;
    list.missing = wanted;
    return list;
  }
  Gtids wanted_set;
  for (const auto& interval : wanted.mysql) wanted_set.add(interval);
  const std::set<MariadbGtid> wanted_list(wanted.mariadb.begin(), wanted.mariadb.end());
  const std::vector<MysqlInterval> all_wanted = wanted_set.mysql();
  std::set<MariadbGtid> found_list;
  Gtids found_set;
  const auto still_missing = [&] {
    WantedGtids missing;
    for (const auto& gtid : wanted_list)
      if (!found_list.contains(gtid)) missing.mariadb.push_back(gtid);
    missing.mysql = subtract(all_wanted, found_set.mysql());
    return missing;
  };
  list.missing = still_missing();
  for (auto path = files->paths.rbegin(); path != files->paths.rend(); ++path) {
    if (list.missing.mariadb.empty() && list.missing.mysql.empty()) break;
    auto source = FileSource::open(*path);
    if (!source) {
      // Purged since the index was written: nothing older is there either.
      if (source.error().id != "store.not_found") list.unknown = source.error().message;
      break;
    }
    std::vector<LoggedTransaction> here;
    std::optional<Format> format;
    ScanOptions how;
    how.deadline = options.deadline;
    how.stop = options.stop;
    how.on_group = [&](const Group& group, const Format& of) {
      const bool match = group.start.mariadb ? wanted_list.contains(*group.start.mariadb)
                                             : group.start.mysql && wanted_set.contains(*group.start.mysql);
      if (!match) return;
      if (group.start.mariadb) found_list.insert(*group.start.mariadb);
      if (group.start.mysql) found_set.add(*group.start.mysql);
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
    for (auto& transaction : here) look_into(*source, *format, transaction);
    list.found.insert(list.found.begin(), std::make_move_iterator(here.begin()), std::make_move_iterator(here.end()));
    list.missing = still_missing();
    if (!scan.trouble.empty() && list.unknown.empty()) list.unknown = *path + ": " + scan.trouble;
    if (options.deadline.passed() || options.stop.stop_requested()) break;
    if (!scan.has_list) continue;
    const bool earlier =
        std::ranges::any_of(list.missing.mariadb, [&](const auto& gtid) { return scan.at_start.covers(gtid); }) ||
        subtract(list.missing.mysql, scan.at_start.mysql()) != list.missing.mysql;
    if (!earlier) break;
  }
  return list;
}

}  // namespace holdfast::engine::binlog
