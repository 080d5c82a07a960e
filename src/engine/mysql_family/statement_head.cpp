#include "engine/mysql_family/statement_head.h"

#include <algorithm>
#include <array>
#include <cctype>

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
    if (c == '`' || c == '\'' || c == '"') return take_quoted(c);
    size_t length = 0;
    while (length < text_.size() && is_word(text_[length])) ++length;
    word = text_.substr(0, std::max<size_t>(length, 1));
    std::ranges::transform(word, word.begin(), [](unsigned char ch) { return std::toupper(ch); });
    text_.remove_prefix(word.size());
    return true;
  }

  std::string word;
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

}  // namespace

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
