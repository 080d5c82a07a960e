#include "backup/mysql_selection.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "engine/dump_scan_dialect.h"
#include "engine/mysql_family/statement_head.h"

namespace holdfast::backup {
namespace {

constexpr size_t kHead = 4096;  // names are in it

bool is_blank(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

// mariadb-dump begins with a conditional comment of no version, which joins the first statement, and that brings the
// comment lines between them along.
std::string_view without_prologue(std::string_view text) {
  constexpr std::string_view kSandbox = "/*M!999999\\-";
  if (text.starts_with(kSandbox)) text.remove_prefix(std::min(text.size(), text.find("*/") + 2));
  while (!text.empty()) {
    if (is_blank(text[0])) {
      text.remove_prefix(1);
    } else if (text.starts_with("--")) {
      text.remove_prefix(std::min(text.size(), text.find('\n')));
    } else {
      break;
    }
  }
  return text;
}

// In capitals; the marks of a conditional comment are nothing.
std::string first_word(std::string_view text) {
  if (text.starts_with("/*!") || text.starts_with("/*M!")) {
    text.remove_prefix(text[2] == 'M' ? 4 : 3);
    while (!text.empty() && (std::isdigit(static_cast<unsigned char>(text[0])) != 0 || is_blank(text[0])))
      text.remove_prefix(1);
  }
  std::string word;
  for (const char c : text) {
    if (std::isalpha(static_cast<unsigned char>(c)) == 0) break;
    word += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return word;
}

// The literal behind the first EXECUTE IMMEDIATE (engine::tolerated()).
std::string executed_literal(std::string_view text) {
  constexpr std::string_view kExecute = "EXECUTE IMMEDIATE '";
  const size_t at = text.find(kExecute);
  std::string inner;
  if (at == std::string_view::npos) return inner;
  for (size_t i = at + kExecute.size(); i < text.size() && inner.size() < kHead; ++i) {
    if (text[i] == '\'' && (i + 1 == text.size() || text[i + 1] != '\'')) break;
    if (text[i] == '\\' || text[i] == '\'') ++i;
    if (i < text.size()) inner += text[i];
  }
  return inner;
}

}  // namespace

bool is_mysql_system_database(std::string_view name) {
  constexpr std::array<std::string_view, 4> kOwn = {"mysql", "sys", "information_schema", "performance_schema"};
  return std::ranges::find(kOwn, name) != kOwn.end();
}

bool MysqlSelection::takes_object(std::string_view statement) const {
  const auto object = engine::statement_object(statement.substr(0, kHead));
  if (object.type.empty() || object.type == "ACCOUNT" || object.type == "SERVER" || object.type == "TABLESPACE")
    return false;
  if (object.type == "DATABASE") return databases_.contains(object.name);
  return object.database.empty() ? here_ : databases_.contains(object.database);
}

bool MysqlSelection::takes_setting(std::string_view statement) {
  constexpr std::string_view kPrepared = "SET @holdfast = ";
  if (statement.starts_with(kPrepared)) {
    // Of what the dump prepares, only the rounds of sequences are about a database and not about accounts.
    constexpr std::string_view kSequence = "'DO SETVAL(";
    const size_t at = statement.find(kSequence);
    prepared_ = at != std::string_view::npos &&
                databases_.contains(engine::quoted_name(statement.substr(at + kSequence.size()), '`'));
    return prepared_;
  }
  if (statement.starts_with("SET @holdfast_definer_")) return false;
  std::string text(statement.substr(0, kHead));
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
  for (const char* beyond : {"GLOBAL", "PERSIST", "SQL_LOG_BIN"})
    if (text.find(beyond) != std::string::npos) return false;
  return true;
}

bool MysqlSelection::takes(std::string_view statement) {
  statement = without_prologue(statement);
  const auto head = engine::statement_head(statement.substr(0, kHead));
  if (head.kind == engine::StatementHead::Kind::use) {
    here_ = databases_.contains(head.name);
    return here_;
  }
  if (head.kind == engine::StatementHead::Kind::set) return takes_setting(statement);
  const std::string word = first_word(statement);
  if (word == "PREPARE" || word == "EXECUTE" || word == "DEALLOCATE") return prepared_;
  if (word == "UNLOCK" || word == "COMMIT" || word == "START") return true;
  if (word == "BEGIN") return takes_object(executed_literal(statement));
  return takes_object(statement);
}

}  // namespace holdfast::backup
