// pg_dumpall, and pg_dump joined the way pg_dumpall joins it.
#include <algorithm>

#include "engine/dump_scan_dialect.h"
#include "engine/postgres/script.h"

namespace holdfast::engine {
namespace {

constexpr size_t kHeadBytes = 2048;  // enough for the names in a statement's first words

class PostgresScan : public DialectScan {
 public:
  void feed(std::string_view text) override {
    lexer_.feed(text, [this](const ScriptPiece& piece) { look(piece); });
  }
  bool between_statements() const override { return lexer_.between_units(); }

 private:
  void look(const ScriptPiece& piece) {
    switch (piece.unit) {
      case ScriptUnit::statement:
      case ScriptUnit::meta:
        if (head_.size() < kHeadBytes) head_ += piece.text.substr(0, kHeadBytes - head_.size());
        if (!piece.last) return;
        if (piece.unit == ScriptUnit::statement) {
          statement(head_);
        } else if (auto database = connect_database(head_)) {
          database_ = std::move(*database);
        }
        head_.clear();
        return;
      case ScriptUnit::copy: {
        const auto lines = static_cast<uint64_t>(std::ranges::count(piece.text, '\n'));
        counts.rows += lines;
        if (rows_) *rows_ += lines;
        return;
      }
      case ScriptUnit::copy_end:
        rows_ = nullptr;
        return;
      case ScriptUnit::blank:
      case ScriptUnit::comment:
        return;
    }
  }

  void statement(std::string_view text) {
    if (text.starts_with("COPY ")) {
      // The only statement that names a table whose rows are in the dump: pg_dump writes it for empty tables too.
      size_t after = 0;
      text.remove_prefix(5);
      TableName name{database_, "", script_name(text, &after)};
      if (after < text.size() && text[after] == '.') {
        name.schema = std::exchange(name.table, {});
        name.table = script_name(text.substr(after + 1), &after);
      }
      rows_ = &counts.table_rows[name];
      return;
    }
    if (text.starts_with("ALTER TABLE ") && text.find(" ADD GENERATED ") != text.npos) {
      ++counts.sequences;
      return;
    }
    if (!text.starts_with("CREATE ")) return;
    text.remove_prefix(7);
    static const std::pair<std::string_view, uint64_t DumpCounts::*> kinds[] = {
        {"TABLE ", &DumpCounts::tables},
        {"UNLOGGED TABLE ", &DumpCounts::tables},
        {"FOREIGN TABLE ", &DumpCounts::tables},
        {"VIEW ", &DumpCounts::views},
        {"MATERIALIZED VIEW ", &DumpCounts::views},
        {"SEQUENCE ", &DumpCounts::sequences},
        {"UNLOGGED SEQUENCE ", &DumpCounts::sequences},
        {"FUNCTION ", &DumpCounts::routines},
        {"PROCEDURE ", &DumpCounts::routines},
        {"AGGREGATE ", &DumpCounts::routines},
        {"TRIGGER ", &DumpCounts::triggers},
        {"CONSTRAINT TRIGGER ", &DumpCounts::triggers},
        {"EVENT TRIGGER ", &DumpCounts::events},
        {"DATABASE ", &DumpCounts::databases},
        {"ROLE ", &DumpCounts::roles},
    };
    for (const auto& [start, count] : kinds) {
      if (text.starts_with(start)) ++(counts.*count);
    }
  }

  ScriptLexer lexer_;
  std::string head_;
  std::string database_;
  uint64_t* rows_ = nullptr;  ///< of the table whose rows pass by
};

}  // namespace

std::unique_ptr<DialectScan> postgres_dump_scan() {
  return std::make_unique<PostgresScan>();
}

}  // namespace holdfast::engine
