#include "engine/altered.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>

#include "engine/binlog/files.h"
#include "engine/binlog/scan.h"
#include "engine/binlog/transactions.h"
#include "sys/act_as.h"

namespace holdfast::engine {

using namespace binlog;

namespace {

constexpr uint64_t kFirstEvent = 4;
/// Of a longer event only the beginning is looked at.
constexpr size_t kMostOfAnEvent = 1 << 20;
constexpr size_t kMostTablesFollowed = 10'000;

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

/// An event of the wanted type, without its header; `whole` tells whether all of it is there.
using OnEvent = std::function<void(const Format& format, ByteSpan body, bool whole)>;

/// "" or why it could not be read. Ends where the server is writing.
Result<std::string> each_event(const std::string& path, uint64_t from, uint64_t end, EventType type,
                               const ErrantSearch& search, const OnEvent& on_event) {
  auto source = TRY(FileSource::open(path));
  Window window(source);
  const auto first = parse_header(TRY(window.view(kFirstEvent, kHeaderSize)));
  if (!first) return path + " is not a binary log";
  const Format format = TRY(parse_format(TRY(window.view(kFirstEvent, std::min<size_t>(first->size, kMostOfAnEvent)))));
  const size_t trailer = format.checksums ? kChecksumSize : 0;
  for (uint64_t at = std::max(from, kFirstEvent); at < std::min(end, window.size());) {
    if (search.deadline.passed() || search.stop.stop_requested())
      return std::string("there was no time to see whether their tables were altered afterwards");
    const auto header = parse_header(TRY(window.view(at, kHeaderSize)));
    if (!header || header->size > window.size() - at) break;
    if (header->size < kHeaderSize + trailer) return path + " cannot be read";
    if (header->type == type) {
      const size_t size = header->size - trailer;
      const auto event = TRY(window.view(at, std::min(size, kMostOfAnEvent)));
      if (event.size() >= kHeaderSize) on_event(format, event.subspan(kHeaderSize), event.size() == size);
    }
    at += header->size;
  }
  return std::string();
}

}  // namespace

Result<std::string> altered_afterwards(const ErrantSearch& search, const std::vector<ErrantTransaction>& list) {
  const sys::ActAs as_owner(sys::owner_of(search.data_dir));
  const auto files = TRY(find_log_files(search.data_dir, LogKind::binary, search.log_base)).paths;
  // "shop.orders" -> "orders". Of a name with a point in it the end, which stands in every statement that names it,
  // too.
  std::map<std::string, std::string> tables;
  const ErrantTransaction* earliest = nullptr;
  std::string said;
  for (const auto& t : list) {
    if (std::ranges::find(files, t.file) == files.end()) continue;
    if (!earliest) earliest = &t;
    const auto on_map = [&](const Format& format, ByteSpan body, bool) {
      const auto name = parse_table_map(format, body);
      if (name && tables.size() < kMostTablesFollowed)
        tables.try_emplace(*name, lower(name->substr(name->rfind('.') + 1)));
      else
        said = "it changes more tables than can be followed, or one that cannot be read";
    };
    const auto unread = TRY(each_event(t.file, t.offset, t.end, kTableMap, search, on_map));
    if (!unread.empty() || !said.empty()) return unread.empty() ? said : unread;
  }
  if (!earliest) return said;
  const auto on_query = [&](const Format& format, ByteSpan body, bool whole) {
    const auto query = parse_query(format, body);
    if (!query || kind_of_verb(statement_verb(query->statement)) != TransactionKind::ddl) return;
    const std::string text = lower(query->statement);
    for (const auto& [name, table] : tables)
      if (said.empty() && (!whole || text.find(table) != std::string::npos))
        said = fmt::format("{} was altered after it ({})", name, statement_verb(query->statement));
  };
  uint64_t from = earliest->end;
  for (auto path = std::ranges::find(files, earliest->file); path != files.end() && said.empty(); ++path) {
    const auto unread = TRY(each_event(*path, from, UINT64_MAX, kQuery, search, on_query));
    if (!unread.empty()) return unread;
    from = kFirstEvent;
  }
  return said;
}

}  // namespace holdfast::engine
