#include <algorithm>
#include <utility>

#include "backup/dump_content.h"
#include "backup/postgres_selection.h"
#include "engine/postgres/script.h"

namespace holdfast::backup {
namespace {

using engine::ScriptPiece;
using engine::ScriptUnit;

// Statements about databases and roles are short; of the others the beginning says that they are none.
constexpr size_t kMost = 256 << 10;

/// As engine/dump_scan_postgres counts them, but for tables.
bool is_counted_object(std::string_view text) {
  constexpr std::string_view kCreate = "CREATE ";
  if (!text.starts_with(kCreate)) return false;
  text.remove_prefix(kCreate.size());
  for (const std::string_view kind :
       {"VIEW ", "MATERIALIZED VIEW ", "SEQUENCE ", "FUNCTION ", "PROCEDURE ", "TRIGGER ", "CONSTRAINT TRIGGER "})
    if (text.starts_with(kind)) return true;
  return false;
}

class Reader : public ContentReader {
 public:
  void feed(std::string_view bytes) override {
    lexer_.feed(bytes, [this](const ScriptPiece& piece) { take(piece); });
  }
  DumpContent content() override { return std::move(content_); }

 private:
  void take(const ScriptPiece& piece) {
    if (piece.unit != ScriptUnit::statement && piece.unit != ScriptUnit::meta) return;
    if (text_.size() < kMost) text_ += piece.text;
    if (!piece.last) return;
    const std::string text = std::exchange(text_, {});
    if (piece.unit == ScriptUnit::statement) {
      statement(text);
    } else if (const auto name = engine::connect_database(text)) {
      globals_ = false;
      database_ = *name;
    }
  }

  DumpedDatabase* find(const std::string& name) {
    const auto found = std::ranges::find(content_.databases, name, &DumpedDatabase::name);
    return found == content_.databases.end() ? nullptr : &*found;
  }

  void statement(const std::string& text) {
    if (globals_) return role(text);
    constexpr std::string_view kCreate = "CREATE DATABASE ";
    if (text.starts_with(kCreate)) {
      size_t after = 0;
      database_ = engine::script_name(std::string_view(text).substr(kCreate.size()), &after);
      if (is_postgres_system_database(database_) || find(database_)) return;
      content_.databases.push_back({});
      content_.databases.back().name = database_;
      content_.databases.back().create = text.substr(0, text.rfind(';'));
      return;
    }
    auto* database = find(database_);
    if (!database) return;
    if (is_counted_object(text)) ++database->others;
    auto [owners, others] = roles_of_statement(text);
    if (const auto about = database_of_statement(text); about == database->name) {
      if (text.starts_with("ALTER DATABASE ") && owners.size() == 1)
        database->owner = owners[0];
      else
        database->properties.push_back(text);
    }
    database->owners.insert(owners.begin(), owners.end());
    database->roles.insert(others.begin(), others.end());
  }

  // CREATE ROLE app; ALTER ROLE app WITH ... LOGIN ...;
  void role(const std::string& text) {
    for (const std::string_view start : {"CREATE ROLE ", "ALTER ROLE "}) {
      if (!text.starts_with(start)) continue;
      size_t after = 0;
      const auto name = engine::script_name(std::string_view(text).substr(start.size()), &after);
      if (after > 0) content_.roles[name] = content_.roles[name] || text.find(" LOGIN") != std::string::npos;
    }
  }

  engine::ScriptLexer lexer_;
  DumpContent content_;
  std::string text_, database_;
  bool globals_ = true;
};

}  // namespace

std::unique_ptr<ContentReader> postgres_content_reader() {
  return std::make_unique<Reader>();
}

}  // namespace holdfast::backup
