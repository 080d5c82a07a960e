#include "engine/errant_log.h"

#include <algorithm>
#include <span>

#include "engine/altered.h"
#include "engine/binlog/files.h"
#include "engine/binlog/scan.h"
#include "sys/act_as.h"

namespace holdfast::engine {

using codec::Value;

namespace {

constexpr size_t kChunk = 1 << 20;
/// Each may name a hundred tables.
constexpr size_t kInItem = 200;
constexpr std::string_view kMagic(
    "\xfe"
    "bin",
    4);

/// The format description event that counts at `offset`: [first, second) in the file.
Result<std::pair<uint64_t, uint64_t>> format_before(stored::Source& source, uint64_t offset) {
  binlog::Window window(source);
  std::pair<uint64_t, uint64_t> format{0, 0};
  for (uint64_t at = kMagic.size(); at < offset;) {
    const auto head = TRY(window.view(at, binlog::kHeaderSize));
    const auto header = binlog::parse_header(head);
    if (!header || header->size < binlog::kHeaderSize) break;
    if (header->type == binlog::kFormatDescription) format = {at, at + header->size};
    at += header->size;
  }
  if (format.second == 0) return fail(ErrorClass::failed, "divergence.log", "the binary log has no format description");
  return format;
}

/// Of one file.
Status read_piece(std::span<const ErrantTransaction> transactions, bool received, const ErrantSearch& search,
                  ErrantLogSink& to) {
  const std::string& file = transactions.front().file;
  auto source = TRY([&] {
    const sys::ActAs as_owner(sys::owner_of(search.data_dir));
    return binlog::FileSource::open(file);
  }());
  const auto format = TRY(format_before(source, transactions.front().offset));
  for (size_t done = 0; done < transactions.size();) {
    const auto some = transactions.subspan(done, std::min(kInItem, transactions.size() - done));
    Value item = Value::object(), list{Value::List()};
    if (done == 0)
      item = Value::object(
          {{"file", file}, {"received", received}, {"head", kMagic.size() + format.second - format.first}});
    for (const auto& transaction : some) list.push(detail::transaction_value(transaction));
    item.set("transactions", std::move(list));
    TRY_VOID(to.item(item));
    if (done == 0) {
      TRY_VOID(to.bytes(as_bytes(kMagic)));
      TRY_VOID(detail::send_bytes(source, format.first, format.second, search.stop, to));
    }
    for (const auto& transaction : some)
      TRY_VOID(detail::send_bytes(source, transaction.offset, transaction.end, search.stop, to));
    done += some.size();
  }
  return {};
}

Status read_pieces(const ErrantSearch& search, std::vector<ErrantTransaction>& list, ErrantLogSink& to) {
  std::vector<std::string> files;
  {
    const sys::ActAs as_owner(sys::owner_of(search.data_dir));
    if (auto found = find_log_files(search.data_dir, binlog::LogKind::binary, search.log_base))
      files = std::move(found->paths);
  }
  // In the order of the log, and what was received behind it.
  const auto place = [&](const ErrantTransaction& t) { return std::ranges::find(files, t.file) - files.begin(); };
  std::ranges::stable_sort(list, {}, place);
  for (size_t i = 0; i < list.size();) {
    size_t end = i;
    while (end < list.size() && list[end].file == list[i].file) ++end;
    const bool received = std::ranges::find(files, list[i].file) == files.end();
    TRY_VOID(read_piece(std::span(list).subspan(i, end - i), received, search, to));
    i = end;
  }
  return {};
}

}  // namespace

namespace detail {

Value transaction_value(const ErrantTransaction& t) {
  return Value::object({{"id", t.id},
                        {"time", t.time},
                        {"class", cluster::errant_class_name(t.kind)},
                        {"tables", Value::list_of(t.tables)},
                        {"verbs", Value::list_of(t.verbs)},
                        {"size", t.size},
                        {"offset", t.offset},
                        {"end", t.end}});
}

Status send_bytes(stored::Source& from, uint64_t at, uint64_t end, const std::stop_token& stop, ErrantLogSink& to) {
  Buffer chunk;
  while (at < end) {
    if (stop.stop_requested()) return fail(ErrorClass::interrupted, "cli.interrupted", "interrupted");
    chunk.resize(static_cast<size_t>(std::min<uint64_t>(kChunk, end - at)));
    const size_t got = TRY(from.read(at, {chunk.data(), chunk.size()}));
    if (got != chunk.size())
      return fail(ErrorClass::unavailable, "divergence.log", "a log file became shorter while it was read");
    TRY_VOID(to.bytes(chunk.span()));
    at += got;
  }
  return {};
}

}  // namespace detail

Result<Value> read_errant_log(const ErrantSearch& search, const ErrantLogOptions& options, ErrantLogSink& to) {
  ErrantList list = find_errant(search);
  if (search.stop.stop_requested()) return fail(ErrorClass::interrupted, "cli.interrupted", "interrupted");
  auto result = Value::object();
  if (search.engine == cluster::Engine::postgres) {
    TRY_VOID(detail::read_errant_wal(search, list, options, to, result));
    return result;
  }
  TRY_VOID(to.item(Value::object({{"errant", cluster::errant_value(list.errant)}, {"cutShort", list.cut_short}})));
  TRY_VOID(read_pieces(search, list.list, to));
  if (options.altered && search.engine == cluster::Engine::mysql)
    result.set("altered", TRY(altered_afterwards(search, list.list)));
  return result;
}

}  // namespace holdfast::engine
