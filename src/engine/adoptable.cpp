#include "engine/adoptable.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "codec/base64.h"
#include "crypto/sha256.h"
#include "engine/binlog/scan.h"
#include "engine/binlog/transactions.h"
#include "position/gtid_set.h"

namespace holdfast::engine {

using namespace binlog;

namespace {

constexpr uint64_t kMagicSize = 4;

std::unexpected<Error> unfit(std::string why) {
  return fail(ErrorClass::refused, "adopt.unfit", std::move(why));
}

bool is_system(const std::string& database) {
  return database == "mysql" || database == "sys" || database == "performance_schema" ||
         database == "information_schema";
}

/// One log file: its format description, and its events one after another.
class Log {
 public:
  static Result<Log> open(const std::string& path) {
    Log log;
    log.source_ = std::make_unique<FileSource>(TRY(FileSource::open(path)));
    log.window_ = std::make_unique<Window>(*log.source_);
    const auto first = TRY(log.event(kMagicSize));
    if (first[4] != kFormatDescription) return unfit(path + " does not begin with its format");
    log.format = TRY(parse_format(first));
    log.format_event = codec::to_base64(first);
    // All of it but its header, the time it was made, and its checksum.
    constexpr size_t kCreated = kHeaderSize + 52;
    log.format_means = std::string(as_text(first.subspan(kHeaderSize, kCreated - kHeaderSize))) +
                       std::string(as_text(first.subspan(kCreated + 4, first.size() - kCreated - 4 - kChecksumSize)));
    return log;
  }
  /// The whole event; valid until the next call.
  Result<ByteSpan> event(uint64_t at) {
    const auto header = parse_header(TRY(window_->view(at, kHeaderSize)));
    if (!header || header->size < kHeaderSize + (format.checksums ? kChecksumSize : 0))
      return unfit("its binary log cannot be read");
    const auto whole = TRY(window_->view(at, header->size));
    if (whole.size() != header->size) return unfit("its binary log ends in the middle of an event");
    return whole;
  }
  ByteSpan body(ByteSpan event) const {
    return event.subspan(kHeaderSize, event.size() - kHeaderSize - (format.checksums ? kChecksumSize : 0));
  }

  Format format;
  std::string format_event, format_means;

 private:
  std::unique_ptr<FileSource> source_;
  std::unique_ptr<Window> window_;
};

/// Reads the events of one transaction.
class TransactionReader {
 public:
  TransactionReader(Adoptable& all, AdoptableTransaction& into, Log& log) : all_(all), into_(into), log_(log) {}

  Status read(uint64_t at, uint64_t end) {
    while (at < end) {
      const auto event = TRY(log_.event(at));
      if (log_.format.checksums && !checksum_holds(event)) return unfit("an event in its binary log is damaged");
      at += event.size();
      TRY_VOID(take(event));
    }
    if (!pending_.empty()) return unfit("its last statement has no end");
    if (!committed_) return unfit("it changed a table whose engine knows no transactions");
    return {};
  }
  uint64_t bytes() const { return bytes_; }

 private:
  Status take(ByteSpan event) {
    const ByteSpan body = log_.body(event);
    switch (event[4]) {
      case kGtid:
      case kGtidTagged:
      case kRowsQuery:
        return {};
      case kXid:
        committed_ = true;
        return {};
      case kQuery:
        return query(body);
      case kTableMap:
        return table_map(event, body);
      case kWriteRowsV1:
      case kUpdateRowsV1:
      case kDeleteRowsV1:
      case kWriteRows:
      case kUpdateRows:
      case kDeleteRows:
        return rows(event, body);
      case kTransactionPayload:
        return unfit("it is logged compressed (binlog_transaction_compression)");
      case kPartialUpdateRows:
        return unfit("its rows hold parts of JSON values only");
      case kXaPrepare:
        return unfit("it is an XA transaction");
      case kIntvar:
      case kRand:
      case kUserVar:
        return unfit("it is logged as statements, not as rows");
      default:
        return unfit(fmt::format("it holds an event of type {}", event[4]));
    }
  }

  Status query(ByteSpan body) {
    const auto query = parse_query(log_.format, body);
    if (!query) return unfit("a statement in it cannot be read");
    const std::string verb = statement_verb(query->statement);
    if (verb == "BEGIN" || verb == "SAVEPOINT") return {};
    if (verb == "COMMIT") {
      // What ends this way held nothing that could have been rolled back, or nothing at all.
      committed_ = into_.statements.empty();
      return {};
    }
    switch (kind_of_verb(verb)) {
      case TransactionKind::account:
        return unfit(fmt::format("it changes accounts ({})", verb));
      case TransactionKind::statement:
        return unfit(fmt::format("it is logged as a statement ({}), not as rows", verb));
      default:
        return unfit(fmt::format("it changes definitions ({})", verb));
    }
  }

  Status table_map(ByteSpan event, ByteSpan body) {
    auto map = parse_whole_table_map(log_.format, body);
    if (!map) return unfit("a table map in it cannot be read");
    if (is_system(map->database)) return unfit("it changes " + map->name());
    const std::string name = map->name();
    const auto [known, fresh] = all_.tables.try_emplace(name, MappedTable{map->database, map->table, map->columns});
    const bool same = std::ranges::equal(known->second.columns, map->columns, [](const auto& a, const auto& b) {
      return a.type == b.type && a.meta == b.meta;
    });
    if (!fresh && !same) return unfit(fmt::format("{} was altered between its transactions", name));
    maps_[map->id] = std::move(*map);
    append(event);
    return {};
  }

  Status rows(ByteSpan event, ByteSpan body) {
    const auto id = rows_table_id(body);
    const auto map = maps_.find(id.value_or(0));
    if (!id || map == maps_.end()) return unfit("rows in it belong to no table");
    auto parsed = parse_rows_event(log_.format, event[4], body, map->second);
    if (!parsed) return unfit(fmt::format("{}: {}", map->second.name(), parsed.error().message));
    if (parsed->unchecked)
      return unfit(fmt::format("{} was written with foreign_key_checks or unique_checks off", map->second.name()));
    auto& counts = into_.rows[map->second.name()];
    for (auto& change : parsed->changes) {
      ++counts[!change.before ? 0 : change.after ? 1 : 2];
      changes_.push_back({map->second.name(), std::move(change)});
    }
    append(event);
    if (!parsed->ends_statement) return {};
    into_.statements.push_back({codec::to_base64(pending_.span()), std::move(changes_)});
    pending_.resize(0);
    changes_.clear();
    maps_.clear();
    return {};
  }

  void append(ByteSpan event) {
    pending_.append(event);
    bytes_ += event.size();
  }

  Adoptable& all_;
  AdoptableTransaction& into_;
  Log& log_;
  std::map<uint64_t, TableMap> maps_;
  Buffer pending_;
  std::vector<AdoptableChange> changes_;
  bool committed_ = false;
  uint64_t bytes_ = 0;
};

std::string digest_of(const Adoptable& all) {
  crypto::Sha256 hash;
  for (const auto& transaction : all.transactions) {
    hash.update(as_bytes(transaction.gtid + "\n"));
    for (const auto& statement : transaction.statements) hash.update(as_bytes(statement.events + "\n"));
  }
  std::string text;
  for (const uint8_t byte : hash.finish()) fmt::format_to(std::back_inserter(text), "{:02x}", byte);
  return text;
}

}  // namespace

Result<Adoptable> read_adoptable(const ErrantLog& log, std::string_view transactions) {
  Adoptable all;
  const auto& list = log.list;
  const auto names = TRY(cluster::parse_errant(cluster::Engine::mysql, transactions));
  if (!list.errant.unseen.empty()) return unfit(list.errant.unseen);
  if (list.cut_short || list.list.size() != names.set.count())
    return unfit(fmt::format("only {} of {} were found in its logs", list.list.size(), names.set.count()));
  uint64_t bytes = 0, rows = 0;
  std::string format_means;
  for (const auto& piece : log.pieces) {
    if (piece.received) return unfit(list.list[piece.first].id + " was received there and never applied");
    auto events = TRY(Log::open(piece.path));
    if (all.format.empty()) {
      all.format = events.format_event;
      format_means = events.format_means;
    } else if (format_means != events.format_means) {
      return unfit("they are in logs of different versions of the server");
    }
    for (size_t i = 0; i < piece.at.size(); ++i) {
      const auto& found = list.list[piece.first + i];
      if (!names.set.contains(TRY(position::Gtid::parse(found.id)))) return unfit(found.id + " was not asked for");
      auto& transaction = all.transactions.emplace_back();
      transaction.gtid = found.id;
      transaction.time = found.time;
      TransactionReader reader(all, transaction, events);
      if (auto read = reader.read(piece.at[i], piece.at[i] + (found.end - found.offset)); !read)
        return unfit(fmt::format("{}: {}", found.id, read.error().message));
      bytes += reader.bytes();
      for (const auto& [table, counts] : transaction.rows) rows += counts[0] + counts[1] + counts[2];
      if (bytes > kMostAdoptedBytes || rows > kMostAdoptedRows)
        return unfit(fmt::format("they are more than {} MiB or {} rows", kMostAdoptedBytes >> 20, kMostAdoptedRows));
    }
  }
  if (!log.altered.empty()) return unfit(log.altered);
  all.digest = digest_of(all);
  return all;
}

}  // namespace holdfast::engine
