#include "engine/mysql_family/exact_rows.h"

#include <fmt/format.h>

#include "engine/mysql_family/program_head.h"

namespace holdfast::engine {
namespace {

constexpr size_t kPiece = 512 << 10;  // of an INSERT statement: well below any server's packet
constexpr size_t kReady = 4;          // pieces read ahead

}  // namespace

ExactRows::ExactRows(sql::MariadbConnection snapshot, std::vector<ExactTable> tables)
    : snapshot_(std::move(snapshot)), tables_(std::move(tables)) {}

ExactRows::~ExactRows() {
  thread_.request_stop();
  changed_.notify_all();
}

void ExactRows::start() {
  thread_ = std::jthread([this](std::stop_token stop) {
    auto outcome = read(stop);
    MutexLock lock(mutex_);
    outcome_ = std::move(outcome);
    ended_ = true;
    changed_.notify_all();
  });
}

Result<std::string> ExactRows::next(std::stop_token stop) {
  MutexLock lock(mutex_);
  const auto ready = [&]() REQUIRES(mutex_) { return ended_ || !ready_.empty(); };
  while (!lock.wait_for(changed_, std::chrono::milliseconds(200), ready)) {
    if (stop.stop_requested()) return fail(ErrorClass::interrupted, "sys.interrupted", "stopped while reading rows");
  }
  if (ready_.empty()) {
    if (!outcome_) return fail(outcome_.error());
    return std::string();
  }
  std::string text = std::move(ready_.front());
  ready_.pop_front();
  changed_.notify_all();
  return text;
}

bool ExactRows::put(std::string text, const std::stop_token& stop) {
  if (text.empty()) return !stop.stop_requested();  // nothing: next() says by it that all tables have passed
  MutexLock lock(mutex_);
  const auto space = [&]() REQUIRES(mutex_) { return ready_.size() < kReady; };
  while (!lock.wait_for(changed_, std::chrono::milliseconds(200), space)) {
    if (stop.stop_requested()) return false;
  }
  ready_.push_back(std::move(text));
  changed_.notify_all();
  return !stop.stop_requested();
}

Status ExactRows::read(std::stop_token stop) {
  put(exact_rows_prologue(), stop);
  for (const auto& table : tables_) TRY_VOID(read_table(table, stop));
  put(exact_rows_epilogue(), stop);
  return {};
}

Status ExactRows::note_lost_history(const ExactTable& table, std::stop_token stop) {
  const std::string name = table.name.text();
  const auto rows = TRY(
      snapshot_.query(fmt::format("SELECT COUNT(*) AS n FROM {}.{} FOR SYSTEM_TIME ALL WHERE NOT ({})",
                                  sql::quote_mysql_name(table.name.database), sql::quote_mysql_name(table.name.table),
                                  loadable_history(table.start, table.end)),
                      Deadline::in(std::chrono::hours(24)), stop));
  if (rows.text("n") != "0")
    notes_.push_back(
        {"history.rows", name,
         fmt::format("{} former rows of table {} are not in the dump: they end when they begin, or before, "
                     "and no statement can load that",
                     rows.text("n"), name)});
  return {};
}

Status ExactRows::read_table(const ExactTable& table, std::stop_token stop) {
  const std::string insert = exact_insert(table);
  std::string text = fmt::format("\n--\n-- Dumping data for table {0}\n--\n\nUSE {1};\nSET sql_mode='{2}{3}{4}';\n",
                                 sql::quote_mysql_name(table.name.table), sql::quote_mysql_name(table.name.database),
                                 kLoadingModes, table.modes, table.plain_literals ? ",NO_BACKSLASH_ESCAPES" : "");
  // An open table keeps its expressions as they are in the modes it was opened in.
  const std::string reopen = table.modes.empty() && !table.plain_literals
                                 ? ""
                                 : fmt::format("FLUSH LOCAL TABLES {};\n", sql::quote_mysql_name(table.name.table));
  text += reopen;
  if (table.history) text += "SET system_versioning_insert_history=1;\n";
  bool open = false, any = false;
  size_t inexact = 0;
  const auto on_row = [&](const sql::Row& row) {
    any = true;
    text += fmt::format("{}\n({})", open ? "," : insert, exact_values(table.columns, row, &inexact));
    open = true;
    if (text.size() < kPiece) return true;
    text += ";\n";
    open = false;
    return put(std::exchange(text, {}), stop);
  };
  if (table.history) TRY_VOID(note_lost_history(table, stop));
  TRY_VOID(snapshot_.stream(exact_select(table), on_row, Deadline::in(std::chrono::hours(24 * 7)), stop));
  if (open) text += ";\n";
  text += reopen;
  // Its rows move the counter: they were written upwards.
  if (!any && !table.counter.empty())
    text += fmt::format("ALTER TABLE {} AUTO_INCREMENT={};\n", sql::quote_mysql_name(table.name.table), table.counter);
  if (table.history) text += "SET system_versioning_insert_history=DEFAULT;\n";
  text += table.triggers;
  if (!table.triggers.empty()) text += "SET NAMES utf8mb4;\n";
  put(std::move(text), stop);
  if (inexact > 0) {
    const std::string name = table.name.database + "." + table.name.table;
    notes_.push_back({"json.types", name,
                      fmt::format("{} JSON values of table {} hold types that no statement makes (bit strings, "
                                  "timestamps); they are dumped as text",
                                  inexact, name)});
  }
  return {};
}

}  // namespace holdfast::engine
