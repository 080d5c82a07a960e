// The PostgreSQL part of engine/errant_log.h.
#include "engine/errant_log.h"

#include <fmt/format.h>

#include <set>

#include "engine/postgres/errant.h"
#include "engine/stored/files.h"
#include "sys/act_as.h"

namespace holdfast::engine::detail {

using codec::Value;
using namespace postgres;

namespace {

constexpr size_t kCommitsInItem = 200, kRecordsInItem = 2000;

Status read_commits(const std::vector<ErrantTransaction>& list, ErrantLogSink& to) {
  for (size_t at = 0; at < list.size();) {
    Value some{Value::List()};
    for (const size_t end = std::min(list.size(), at + kCommitsInItem); at < end; ++at)
      some.push(transaction_value(list[at])).set("file", list[at].file);
    TRY_VOID(to.item(Value::object({{"transactions", std::move(some)}})));
  }
  return {};
}

Value record_value(const WalItem& item) {
  const auto record = parse_wal_record(item);
  return Value::object({{"lsn", lsn_text(item.start)},
                        {"end", lsn_text(item.end)},
                        {"timeline", item.timeline},
                        {"record", record ? wal_record_name(*record) : "unreadable"},
                        {"xid", record ? Value(record->xid) : Value()},
                        {"bytes", item.bytes.size()}});
}

/// Records of the spans; which segments they are in goes to `segments`.
class Records {
 public:
  Records(const ErrantSearch& search, const WalAccess& access, size_t most, ErrantLogSink& to)
      : search_(search), access_(access), most_(most), to_(to) {}

  /// False where the log could not be read to its end.
  Result<bool> read(const cluster::WalSpan& span, std::set<std::string>& segments) {
    const uint32_t segment_size = access_.control.wal_segment_size;
    const auto on_record = [&](const WalItem& item) {
      segments.insert(segment_file_name({item.timeline, item.start / segment_size}, segment_size));
      segments.insert(segment_file_name({item.timeline, (item.end - 1) / segment_size}, segment_size));
      if (++seen_ > most_ || !sent_) return;
      some_.push(record_value(item));
      if (some_.items().size() >= kRecordsInItem) sent_ = flush();
    };
    const WalPiece piece{span.from.value, span.to.value};
    const auto walk = [&] {
      const sys::ActAs as_owner(sys::owner_of(search_.data_dir));
      return walk_wal(search_.data_dir, access_.control, piece, on_record, access_.options);
    }();
    TRY_VOID(std::move(sent_));
    TRY_VOID(flush());
    if (span.timeline > 1) segments.insert(history_file_name(span.timeline));
    TRY_VOID(to_.item(
        Value::object({{"span", Value::object({{"timeline", span.timeline},
                                               {"from", span.from.to_string()},
                                               {"to", span.to.to_string()},
                                               {"readTo", lsn_text(walk.end)},
                                               {"bytes", walk.end - piece.from},
                                               {"unread", walk.unknown.empty() ? Value() : Value(walk.unknown)}})}})));
    return walk.unknown.empty();
  }
  bool cut_short() const { return seen_ > most_; }

 private:
  Status flush() {
    if (some_.items().empty()) return {};
    return to_.item(Value::object({{"records", std::exchange(some_, Value(Value::List()))}}));
  }

  const ErrantSearch& search_;
  const WalAccess& access_;
  const size_t most_;
  ErrantLogSink& to_;
  Value some_{Value::List()};
  Status sent_;
  size_t seen_ = 0;
};

Status read_segment(const ErrantSearch& search, const std::string& name, ErrantLogSink& to) {
  auto source = [&] {
    const sys::ActAs as_owner(sys::owner_of(search.data_dir));
    return stored::FileSource::open(search.data_dir + "/pg_wal/" + name);
  }();
  if (!source && source.error().id == "store.not_found") return {};  // on no disk any more; the list says so
  if (!source) return fail(std::move(source).error());
  TRY_VOID(to.item(Value::object({{"segment", name}})));
  return send_bytes(*source, 0, source->size(), search.stop, to);
}

}  // namespace

Status read_errant_wal(const ErrantSearch& search, const ErrantList& list, const ErrantLogOptions& options,
                       ErrantLogSink& to, Value& result) {
  const auto names = cluster::parse_errant(search.engine, search.transactions);
  const auto access = [&] {
    const sys::ActAs as_owner(sys::owner_of(search.data_dir));
    return open_wal(search.data_dir, search.deadline, search.stop);
  }();
  auto first = Value::object({{"errant", cluster::errant_value(list.errant)}, {"cutShort", list.cut_short}});
  if (access) first.set("systemIdentifier", std::to_string(access->control.system_identifier));
  TRY_VOID(to.item(first));
  if (!access || !names) return {};
  TRY_VOID(read_commits(list.list, to));
  std::set<std::string> segments;
  Records records(search, *access, options.most_records, to);
  for (const auto& span : names->wal)
    if (!TRY(records.read(span, segments))) break;
  for (const auto& name : segments) TRY_VOID(read_segment(search, name, to));
  result.set("recordsCutShort", records.cut_short());
  return {};
}

}  // namespace holdfast::engine::detail
