#include "backup/dump_content.h"

#include <algorithm>

namespace holdfast::backup {

const DumpedDatabase* DumpContent::find(std::string_view name) const {
  const auto found = std::ranges::find(databases, name, &DumpedDatabase::name);
  return found == databases.end() ? nullptr : &*found;
}

Result<DumpContent> read_content(repo::Repository& repository, const repo::Snapshot& snapshot, const std::string& path,
                                 cluster::Engine engine, std::atomic<uint64_t>* progress, std::stop_token stop) {
  auto reader = engine == cluster::Engine::postgres ? postgres_content_reader() : mysql_content_reader();
  const auto read = [&](ByteSpan bytes) -> Status {
    if (progress) *progress += bytes.size();
    reader->feed(as_text(bytes));
    return {};
  };
  auto counts = TRY(read_dump(repository, snapshot, path, engine, read, std::move(stop)));
  DumpContent content = reader->content();
  content.counts = std::move(counts);
  for (const auto& [table, rows] : content.counts.table_rows) {
    const auto found = std::ranges::find(content.databases, table.database, &DumpedDatabase::name);
    if (found != content.databases.end()) {
      ++found->tables;
      found->rows += rows;
    } else if (engine == cluster::Engine::postgres) {
      content.of_server.insert(table.database);
    }
  }
  return content;
}

}  // namespace holdfast::backup
