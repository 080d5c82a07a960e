// What a statement is about, from its first words.
#include <algorithm>
#include <array>
#include <cctype>

#include "engine/binlog/transactions.h"

namespace holdfast::engine::binlog {

namespace {

/// Drops blanks and comments. An executable comment ("/*!40101 SET") counts as its text.
std::string_view skip_blanks(std::string_view text) {
  for (;;) {
    while (!text.empty() && (std::isspace(static_cast<unsigned char>(text[0])) || text[0] == '('))
      text.remove_prefix(1);
    if (text.starts_with("/*!") || text.starts_with("/*M!")) {
      text.remove_prefix(text[2] == '!' ? 3 : 4);
      while (!text.empty() && std::isdigit(static_cast<unsigned char>(text[0]))) text.remove_prefix(1);
    } else if (text.starts_with("/*")) {
      const size_t end = text.find("*/", 2);
      if (end == std::string_view::npos) return {};
      text.remove_prefix(end + 2);
    } else if (text.starts_with("--") || text.starts_with("#")) {
      const size_t end = text.find('\n');
      if (end == std::string_view::npos) return {};
      text.remove_prefix(end + 1);
    } else {
      return text;
    }
  }
}

std::string next_word(std::string_view& text) {
  text = skip_blanks(text);
  std::string word;
  while (!text.empty() && (std::isalpha(static_cast<unsigned char>(text[0])) || text[0] == '_') && word.size() < 24) {
    word += static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
    text.remove_prefix(1);
  }
  return word;
}

template <size_t N>
bool one_of(std::string_view word, const std::array<std::string_view, N>& list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

constexpr std::array<std::string_view, 22> kObjects = {
    "TABLE",   "TABLES",   "DATABASE",  "SCHEMA",     "INDEX",    "VIEW",    "USER",       "ROLE",
    "TRIGGER", "FUNCTION", "PROCEDURE", "EVENT",      "SEQUENCE", "SERVER",  "TABLESPACE", "PACKAGE",
    "LOGFILE", "INSTANCE", "SPATIAL",   "PRIVILEGES", "PASSWORD", "DEFAULT",
};

}  // namespace

std::string statement_verb(std::string_view statement) {
  std::string verb = next_word(statement);
  if (verb == "XA") return verb + " " + next_word(statement);
  if (!one_of(verb, std::array<std::string_view, 6>{"CREATE", "ALTER", "DROP", "RENAME", "SET", "FLUSH"})) return verb;
  // Between verb and object stand OR REPLACE, TEMPORARY, DEFINER=..., UNIQUE and more: the object is what counts.
  for (int i = 0; i < 8; ++i) {
    const std::string word = next_word(statement);
    if (one_of(word, kObjects)) return verb + " " + word;
    if (word.empty()) break;
    if (word == "DEFINER" || word == "ALGORITHM") {
      // DEFINER=`a`@`b`: to the blank behind it, quotes respected.
      char quote = 0;
      statement = skip_blanks(statement);
      size_t at = 0;
      for (; at < statement.size(); ++at) {
        const char c = statement[at];
        if (quote ? c == quote : (c == '`' || c == '\'' || c == '"'))
          quote = quote ? 0 : c;
        else if (!quote && at > 1 && std::isspace(static_cast<unsigned char>(c)))
          break;
      }
      statement.remove_prefix(at);
    }
  }
  return verb;
}

TransactionKind kind_of_verb(std::string_view verb) {
  using Kind = TransactionKind;
  const size_t space = verb.find(' ');
  const auto first = verb.substr(0, space);
  if (space != std::string_view::npos &&
      one_of(verb.substr(space + 1),
             std::array<std::string_view, 5>{"USER", "ROLE", "PRIVILEGES", "PASSWORD", "DEFAULT"}))
    return Kind::account;
  if (verb == "XA COMMIT") return Kind::statement;  // what was prepared before takes effect
  if (first == "GRANT" || first == "REVOKE") return Kind::account;
  if (one_of(first, std::array<std::string_view, 11>{"CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE", "ANALYZE",
                                                     "OPTIMIZE", "REPAIR", "FLUSH", "INSTALL", "UNINSTALL"}))
    return Kind::ddl;
  if (one_of(first, std::array<std::string_view, 9>{"INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "CALL", "SELECT",
                                                    "WITH", "DO"}))
    return Kind::statement;
  if (one_of(first, std::array<std::string_view, 6>{"BEGIN", "COMMIT", "ROLLBACK", "XA", "SAVEPOINT", "RELEASE"}))
    return Kind::empty;
  return Kind::unknown;
}

}  // namespace holdfast::engine::binlog
