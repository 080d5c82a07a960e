#include "engine/mysql_family/statement_head.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace holdfast::engine {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// Words in capitals, quoted names and literals as values, other characters by themselves; spaces and the marks of
// conditional comments are nothing.
class Tokens {
 public:
  explicit Tokens(std::string_view text) : text_(text) {}

  bool next() {
    quoted = false;
    word.clear();
    while (!text_.empty()) {
      const char c = text_[0];
      if (std::isspace(static_cast<unsigned char>(c)) != 0) {
        text_.remove_prefix(1);
      } else if (text_.starts_with("/*!") || text_.starts_with("/*M!")) {
        text_.remove_prefix(text_[2] == 'M' ? 4 : 3);
        while (!text_.empty() && std::isdigit(static_cast<unsigned char>(text_[0])) != 0) text_.remove_prefix(1);
      } else if (text_.starts_with("*/")) {
        text_.remove_prefix(2);
      } else {
        break;
      }
    }
    if (text_.empty()) return false;
    const char c = text_[0];
    if (c == '`' || c == '\'' || c == '"') {
      const bool whole = take_quoted(c);
      raw = word;
      return whole;
    }
    size_t length = 0;
    while (length < text_.size() && is_word(text_[length])) ++length;
    raw = word = text_.substr(0, std::max<size_t>(length, 1));
    std::ranges::transform(word, word.begin(), [](unsigned char ch) { return std::toupper(ch); });
    text_.remove_prefix(word.size());
    return true;
  }

  std::string word;
  std::string raw;  ///< as it is written, without quotes
  bool quoted = false;

 private:
  bool take_quoted(char quote) {
    quoted = true;
    for (size_t i = 1; i < text_.size(); ++i) {
      if (text_[i] == '\\' && quote != '`' && i + 1 < text_.size()) {
        word += text_[++i];
      } else if (text_[i] != quote) {
        word += text_[i];
      } else if (i + 1 < text_.size() && text_[i + 1] == quote) {
        word += text_[++i];
      } else {
        text_.remove_prefix(i + 1);
        return true;
      }
    }
    text_ = {};
    return false;
  }

  std::string_view text_;
};

StatementHead named(StatementHead::Kind kind, Tokens& tokens) {
  while (tokens.next()) {
    if (tokens.quoted) return {kind, tokens.word};
  }
  return {kind, ""};
}

constexpr std::array<std::string_view, 15> kTypes = {"TABLE",   "VIEW",      "SEQUENCE", "TRIGGER",    "EVENT",
                                                     "PACKAGE", "PROCEDURE", "FUNCTION", "DATABASE",   "SCHEMA",
                                                     "USER",    "ROLE",      "SERVER",   "TABLESPACE", "TABLES"};

// `a`, `a`.`b` or 'a'@'b', of which the first token is at hand.
void take_name(Tokens& tokens, StatementObject& object) {
  object.name = tokens.raw;
  if (!tokens.next() || tokens.quoted || (tokens.word != "." && tokens.word != "@")) return;
  const bool account = tokens.word == "@";
  if (!tokens.next()) return;
  if (account) {
    object.name += "@" + tokens.raw;
  } else {
    object.database = std::exchange(object.name, tokens.raw);
  }
}

}  // namespace

StatementObject statement_object(std::string_view head) {
  Tokens tokens(head);
  StatementObject object;
  if (!tokens.next() || tokens.quoted) return object;
  const std::string verb = tokens.word;
  constexpr std::array<std::string_view, 10> kVerbs = {"CREATE", "DROP", "ALTER", "INSERT", "REPLACE",
                                                       "LOCK",   "DO",   "GRANT", "REVOKE", "ANALYZE"};
  if (std::ranges::find(kVerbs, verb) == kVerbs.end()) return object;
  if (verb == "GRANT" || verb == "REVOKE") {
    object.type = "ACCOUNT";
    while (tokens.next()) {
      if (tokens.quoted) object.name = tokens.raw;
      if (!tokens.quoted && tokens.word == "@" && tokens.next()) object.name += "@" + tokens.raw;
    }
    return object;
  }
  object.creates = verb == "CREATE";
  if (verb == "INSERT" || verb == "REPLACE") object.type = "TABLE DATA";
  if (verb == "DO") object.type = "SEQUENCE";
  constexpr std::array<std::string_view, 8> kBetween = {"IF", "NOT", "EXISTS", "BODY", "INTO", "IGNORE", "SETVAL", "("};
  while (true) {
    if (!tokens.next()) return {};
    if (object.type.empty()) {  // a definer may come first
      if (!tokens.quoted && std::ranges::find(kTypes, tokens.word) != kTypes.end()) object.type = tokens.word;
    } else if (tokens.quoted || std::ranges::find(kBetween, tokens.word) == kBetween.end()) {
      break;
    }
  }
  take_name(tokens, object);
  if (object.type == "TABLES") object.type = "TABLE";
  if (object.type == "SCHEMA") object.type = "DATABASE";
  if (object.type == "USER" || object.type == "ROLE") object.type = "ACCOUNT";
  if (object.type == "TRIGGER" && object.creates) {
    while (tokens.next())
      if (!tokens.quoted && tokens.word == "ON" && tokens.next()) break;
    object.table = tokens.raw;
  }
  return object;
}

StatementHead statement_head(std::string_view head) {
  using Kind = StatementHead::Kind;
  Tokens tokens(head);
  if (!tokens.next() || tokens.quoted) return {};
  if (tokens.word == "USE") return named(Kind::use, tokens);
  if (tokens.word == "SET") return {Kind::set, ""};
  if (tokens.word != "CREATE") return {};
  bool algorithm = false;
  while (tokens.next()) {
    if (tokens.quoted) continue;  // a definer
    if (tokens.word == "ALGORITHM") algorithm = true;
    if (tokens.word == "DATABASE" || tokens.word == "SCHEMA") return named(Kind::database, tokens);
    if (tokens.word == "TABLE") return named(Kind::table, tokens);
    if (tokens.word == "SEQUENCE") return {Kind::sequence, ""};
    if (tokens.word == "VIEW") return {algorithm ? Kind::view : Kind::other, ""};
    if (tokens.word == "TRIGGER") return {Kind::trigger, ""};
    if (tokens.word == "EVENT") return {Kind::event, ""};
    if (tokens.word == "PROCEDURE" || tokens.word == "FUNCTION" || tokens.word == "PACKAGE") return {Kind::routine, ""};
    if (tokens.word == "(") return {};
  }
  return {};
}

size_t insert_target(std::string_view head) {
  static constexpr std::array<std::string_view, 4> kStarts = {"INSERT INTO `", "INSERT  IGNORE INTO `",
                                                              "INSERT IGNORE INTO `", "REPLACE INTO `"};
  for (const auto start : kStarts) {
    if (head.starts_with(start)) return start.size() - 1;
  }
  return std::string_view::npos;
}

}  // namespace holdfast::engine
