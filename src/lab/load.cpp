#include "lab/load.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "lab/layout.h"
#include "lab/load_data.h"
#include "lab/load_schema.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/file.h"
#include "sys/process.h"

namespace holdfast::lab {

using agent::MemberConfig;
using cluster::Engine;
using std::chrono::seconds;

namespace {

struct Primary {
  MemberConfig config;
  sql::Target target;
};

Result<Primary> find_primary(const Layout& layout, const std::string& name) {
  auto plans = TRY(select_clusters({name}));
  for (auto& member : existing_members(layout, plans[0])) {
    if (member.role != agent::Role::primary) continue;
    Primary primary;
    primary.target.socket = member.server_socket();
    primary.target.user = member.admin_user;
    primary.target.password = TRY(agent::read_password(member.admin_password_file));
    primary.target.app_name = "holdfast-lab";
    primary.config = std::move(member);
    return primary;
  }
  return fail(ErrorClass::unavailable, "lab.not_up", "the lab has no running " + plans[0].name,
              "holdfast lab up " + plans[0].name);
}

void append_mysql(std::string& out, const Cell& cell) {
  switch (cell.kind) {
    case Cell::Kind::null:
      out += "NULL";
      break;
    case Cell::Kind::number:
      out += cell.value;
      break;
    case Cell::Kind::text:
      out += sql::quote_mysql(cell.value);
      break;
    case Cell::Kind::bytes:
      out += "x'";
      for (unsigned char c : cell.value) fmt::format_to(std::back_inserter(out), "{:02x}", c);
      out += "'";
  }
}

void append_copy(std::string& out, const Cell& cell) {
  switch (cell.kind) {
    case Cell::Kind::null:
      out += "\\N";
      break;
    case Cell::Kind::number:
      out += cell.value;
      break;
    case Cell::Kind::bytes:
      out += "\\\\x";
      for (unsigned char c : cell.value) fmt::format_to(std::back_inserter(out), "{:02x}", c);
      break;
    case Cell::Kind::text:
      for (char c : cell.value) {
        if (c == '\\')
          out += "\\\\";
        else if (c == '\n')
          out += "\\n";
        else if (c == '\t')
          out += "\\t";
        else if (c == '\r')
          out += "\\r";
        else
          out += c;
      }
  }
}

size_t size_of(const Cells& cells) {
  size_t size = 8;
  for (const auto& cell : cells) size += cell.value.size();
  return size;
}

/// Makes the rows of one table until its share is reached.
class Rows {
 public:
  Rows(const TableData& table, uint64_t total_bytes, uint64_t seed)
      : table_(table),
        random_(seed * 1000 + std::hash<std::string_view>{}(table.table) % 1000),
        share_(total_bytes / 100 * table.percent) {}
  bool next(Cells& cells) {
    if (table_.fixed_rows ? rows >= table_.fixed_rows : bytes >= share_) return false;
    cells = table_.row(random_, ++rows);
    bytes += size_of(cells);
    return true;
  }
  uint64_t rows = 0, bytes = 0;

 private:
  const TableData& table_;
  Random random_;
  const uint64_t share_;
};

Status load_mysql(const Primary& primary, const LoadOptions& load, LoadResult& result, Deadline deadline,
                  std::stop_token stop) {
  auto connection = TRY(sql::MariadbConnection::connect(primary.target, deadline, stop));
  auto run_all = [&](const std::vector<std::string>& statements) -> Status {
    for (const auto& statement : statements) {
      auto done = connection.query(statement, deadline, stop);
      if (!done) return fail(std::move(done).error().with_context(statement.substr(0, 80)));
    }
    return {};
  };
  TRY_VOID(run_all(mysql_schema(connection.is_mariadb())));
  for (const auto& table : tables()) {
    Rows rows(table, load.bytes, load.seed);
    const std::string head = fmt::format("INSERT INTO {} ({}) VALUES ", table.table, table.columns);
    std::string statement;
    Cells cells;
    bool more = true;
    while (more) {
      statement = head;
      while (statement.size() < (768 << 10) && (more = rows.next(cells))) {
        statement += statement.size() == head.size() ? "(" : ",(";
        for (size_t i = 0; i < cells.size(); ++i) {
          if (i) statement += ',';
          append_mysql(statement, cells[i]);
        }
        statement += ')';
      }
      if (statement.size() > head.size()) {
        auto done = connection.query(statement, deadline, stop);
        if (!done) return fail(std::move(done).error().with_context("filling " + std::string(table.table)));
      }
    }
    result.rows += rows.rows;
    result.bytes += rows.bytes;
  }
  return run_all(mysql_objects(connection.is_mariadb()));
}

Status load_postgres(const Primary& primary, const LoadOptions& load, LoadResult& result, Deadline deadline,
                     std::stop_token stop) {
  auto run_all = [&](sql::PostgresConnection& connection, const std::vector<std::string>& statements) -> Status {
    for (const auto& statement : statements) {
      auto done = connection.query(statement, deadline, stop);
      if (!done) return fail(std::move(done).error().with_context(statement.substr(0, 80)));
    }
    return {};
  };
  auto admin = TRY(sql::PostgresConnection::connect(primary.target, deadline, stop));
  TRY_VOID(run_all(admin, postgres_databases()));
  sql::Target target = primary.target;
  target.database = "shop";
  auto connection = TRY(sql::PostgresConnection::connect(target, deadline, stop));
  TRY_VOID(run_all(connection, postgres_schema()));
  for (const auto& table : tables()) {
    Rows rows(table, load.bytes, load.seed);
    std::string chunk;
    auto produce = [&]() -> std::string_view {
      chunk.clear();
      Cells cells;
      while (chunk.size() < (256 << 10) && rows.next(cells)) {
        for (size_t i = 0; i < cells.size(); ++i) {
          if (i) chunk += '\t';
          append_copy(chunk, cells[i]);
        }
        chunk += '\n';
      }
      return chunk;
    };
    auto copied =
        connection.copy_in(fmt::format("COPY {} ({}) FROM STDIN", table.table, table.columns), produce, deadline, stop);
    if (!copied) return fail(std::move(copied).error().with_context("filling " + std::string(table.table)));
    result.rows += rows.rows;
    result.bytes += rows.bytes;
  }
  return run_all(connection, postgres_objects());
}

}  // namespace

Result<LoadResult> load(const Options& options, const LoadOptions& load, Deadline deadline, std::stop_token stop) {
  const Layout layout(options.state_dir);
  const Primary primary = TRY(find_primary(layout, load.cluster));
  const auto begun = std::chrono::steady_clock::now();
  LoadResult result;
  if (primary.config.engine == Engine::postgres)
    TRY_VOID(load_postgres(primary, load, result, deadline, stop));
  else
    TRY_VOID(load_mysql(primary, load, result, deadline, stop));
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return result;
}

namespace {

/// One connection of either family, for the writer.
struct Writer {
  std::optional<sql::MariadbConnection> mysql;
  std::optional<sql::PostgresConnection> postgres;

  Status connect(const Primary& primary, std::stop_token stop) {
    sql::Target target = primary.target;
    if (primary.config.engine == Engine::postgres) {
      target.database = "shop";
      postgres.emplace(TRY(sql::PostgresConnection::connect(target, Deadline::in(seconds(3)), stop)));
    } else {
      mysql.emplace(TRY(sql::MariadbConnection::connect(target, Deadline::in(seconds(3)), stop)));
    }
    return {};
  }
  Status insert(int64_t id, std::stop_token stop) {
    const std::string statement =
        fmt::format("INSERT INTO shop.ledger (id, payload) VALUES ({}, 'row {} 😀 of the writer')", id, id);
    const Deadline deadline = Deadline::in(seconds(15));
    if (postgres)
      TRY(postgres->query(statement, deadline, stop));
    else
      TRY(mysql->query(statement, deadline, stop));
    return {};
  }
  void drop() {
    mysql.reset();
    postgres.reset();
  }
  bool connected() const { return mysql || postgres; }
};

/// The last id of the journal; 0 when there is none.
Result<int64_t> last_id(const std::string& path) {
  auto text = sys::read_file(path);
  if (!text) return 0;
  std::string_view view = as_text(text->span());
  auto end = view.rfind('\n');  // a torn last line does not count
  if (end == view.npos) return 0;
  auto start = view.rfind('\n', end ? end - 1 : 0);
  return std::strtoll(std::string(view.substr(start == view.npos ? 0 : start + 1, end)).c_str(), nullptr, 10);
}

}  // namespace

Status can_write(const Options& options, const std::string& cluster) {
  TRY(find_primary(Layout(options.state_dir), cluster));
  return {};
}

Result<WriteResult> write_rows(const Options& options, const WriteOptions& write, std::stop_token stop) {
  const Layout layout(options.state_dir);
  Primary primary = TRY(find_primary(layout, write.cluster));
  const std::string folder = layout.cluster_dir(primary.config.cluster);
  WriteResult result;
  result.journal = folder + "/acknowledged.journal";
  sys::Fd lock = TRY(sys::open_file(folder + "/writer.lock", O_RDWR | O_CREAT, 0600));
  if (!sys::lock_file(lock.get()))
    return fail(ErrorClass::conflict, "lab.writer", "another writer works on " + primary.config.cluster,
                "wait for it, or end it");
  TRY_VOID(sys::write_all(lock.get(), as_bytes(fmt::format("{:<12}\n", ::getpid()))));  // `lab down` ends us by it
  // Ids are never used twice, also not those whose answer was lost: the next run leaves a gap after the last one.
  int64_t id = TRY(last_id(result.journal)) + 1000;
  sys::Fd journal = TRY(sys::open_file(result.journal, O_WRONLY | O_CREAT | O_APPEND, 0644));
  const Deadline end = Deadline::in(write.span);
  Writer writer;
  std::error_code error;
  while (!end.passed() && !stop.stop_requested() && std::filesystem::exists(folder + "/complete", error)) {
    if (!writer.connected()) {
      if (auto connected = writer.connect(primary, stop); !connected) {
        if (connected.error().error_class == ErrorClass::refused) return fail(std::move(connected).error());
        (void)sys::wait_until([] { return false; }, end.at_most(std::chrono::milliseconds(100)), stop);
        if (auto again = find_primary(layout, write.cluster)) primary = std::move(*again);
        continue;
      }
    }
    ++id;
    auto inserted = writer.insert(id, stop);
    if (inserted) {
      auto now =
          std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
      TRY_VOID(sys::write_all(journal.get(), as_bytes(fmt::format("{} {}\n", id, now.count()))));
      ++result.acknowledged;
      continue;
    }
    const std::string code = sql::error_code(inserted.error());
    if (code == "1146" || code == "1049" || code == "42P01" || code == "3D000") {
      if (!result.acknowledged)
        return fail(ErrorClass::refused, "lab.no_ledger",
                    primary.config.cluster + " has no table shop.ledger to write to",
                    "holdfast lab load -c " + primary.config.cluster + " makes it");
    }
    if (inserted.error().id != "sql.error") ++result.indeterminate;
    writer.drop();
    (void)sys::wait_until([] { return false; }, end.at_most(std::chrono::milliseconds(100)), stop);
  }
  return result;
}

}  // namespace holdfast::lab
