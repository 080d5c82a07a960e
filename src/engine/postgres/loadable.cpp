#include "engine/postgres/loadable.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

namespace holdfast::engine {
namespace {

enum class Kind { word, name, literal, sign };
struct Token {
  Kind kind;
  size_t from, to;
};

bool in_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         (c & 0x80);
}

/// Behind the quote that ends what starts at `at`; a doubled one does not.
size_t end_of_quoted(std::string_view text, size_t at, bool escapes) {
  const char quote = text[at++];
  for (; at < text.size(); ++at) {
    if (escapes && text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      if (at + 1 == text.size() || text[at + 1] != quote) return at + 1;
      ++at;
    }
  }
  return text.size();
}

std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> tokens;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    const size_t from = at;
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
      ++at;
    } else if (c == '\'' || c == '"') {
      at = end_of_quoted(text, at, false);
      tokens.push_back({c == '"' ? Kind::name : Kind::literal, from, at});
    } else if (c == 'E' && at + 1 < text.size() && text[at + 1] == '\'') {
      at = end_of_quoted(text, at + 1, true);
      tokens.push_back({Kind::literal, from, at});
    } else if (c == '$') {
      const size_t tag = text.find('$', at + 1);
      const bool opens = tag != text.npos && std::all_of(text.begin() + static_cast<ptrdiff_t>(at) + 1,
                                                         text.begin() + static_cast<ptrdiff_t>(tag), in_word);
      const size_t end = opens ? text.find(text.substr(at, tag + 1 - at), tag + 1) : text.npos;
      at = end == text.npos ? at + 1 : end + (tag + 1 - at);
      tokens.push_back({Kind::literal, from, at});
    } else if (in_word(c)) {
      while (at < text.size() && in_word(text[at])) ++at;
      tokens.push_back({Kind::word, from, at});
    } else {
      tokens.push_back({Kind::sign, from, ++at});
    }
  }
  return tokens;
}

/// 'value'::type as type 'value'; nothing where it is no such constant.
std::optional<std::string> typed_literal(std::string_view text, const std::vector<Token>& tokens, size_t first,
                                         size_t end) {
  if (first + 3 >= end) return std::nullopt;
  const auto part = [&](size_t i) { return text.substr(tokens[i].from, tokens[i].to - tokens[i].from); };
  if (part(first + 1) != ":" || part(first + 2) != ":") return std::nullopt;
  const std::string value(part(first));
  if (value == "NULL") return value;
  if (tokens[first].kind != Kind::literal) return std::nullopt;
  std::string type(text.substr(tokens[first + 3].from, tokens[end - 1].to - tokens[first + 3].from)), fields;
  if (type.starts_with("interval ")) fields = type.substr(8), type.resize(8);
  return type + " " + value + fields;
}

}  // namespace

bool may_need_loadable(std::string_view head) {
  constexpr std::array<std::string_view, 8> kStarts = {"CREATE VIEW ",       "CREATE MATERIALIZED VIEW ",
                                                       "CREATE OR REPLACE ", "CREATE FUNCTION ",
                                                       "CREATE PROCEDURE ",  "CREATE RULE ",
                                                       "CREATE POLICY ",     "ALTER TABLE "};
  return std::ranges::any_of(kStarts, [&](std::string_view start) { return head.starts_with(start); });
}

std::string loadable(std::string_view statement) {
  if (statement.starts_with("ALTER TABLE ")) {
    if (statement.find(" TRIGGER \"RI_ConstraintTrigger_") == statement.npos) return std::string(statement);
    const auto tokens = tokens_of(statement);
    const Token& named = tokens[tokens.size() < 2 ? 0 : tokens.size() - 2];
    const bool of_key = named.kind == Kind::name && statement.substr(named.from).starts_with("\"RI_ConstraintTrigger_");
    return of_key ? "" : std::string(statement);
  }
  const bool routine = statement.starts_with("CREATE FUNCTION ") || statement.starts_with("CREATE PROCEDURE ") ||
                       statement.starts_with("CREATE OR REPLACE FUNCTION ") ||
                       statement.starts_with("CREATE OR REPLACE PROCEDURE ");
  const bool cycles = statement.find(" CYCLE ") != statement.npos;
  if (!cycles && (!routine || statement.find("begin") == statement.npos)) return std::string(statement);
  const auto tokens = tokens_of(statement);
  const auto is = [&](size_t i, std::string_view word) {
    return i < tokens.size() && statement.substr(tokens[i].from, tokens[i].to - tokens[i].from) == word;
  };
  std::string out;
  size_t done = 0;
  const auto replace = [&](size_t from, size_t to, std::string_view by) {
    out += statement.substr(done, from - done);
    out += by;
    done = to;
  };
  // The server prints keywords in capital letters, and quotes names that have any.
  bool cycle = false;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].kind != Kind::word) continue;
    if (routine && is(i, "begin")) replace(tokens[i].from, tokens[i].to, "\"begin\"");
    if (is(i, "CYCLE") || is(i, "USING")) cycle = is(i, "CYCLE");
    if (!cycle || !(is(i, "TO") || is(i, "DEFAULT"))) continue;
    const std::string_view next = is(i, "TO") ? "DEFAULT" : "USING";
    size_t end = i + 1;
    while (end < tokens.size() && !(tokens[end].kind == Kind::word && is(end, next))) ++end;
    cycle = next == "DEFAULT";
    if (const auto typed = typed_literal(statement, tokens, i + 1, end)) {
      replace(tokens[i + 1].from, tokens[end - 1].to, *typed);
      i = end - 1;
    }
  }
  out += statement.substr(done);
  return out;
}

}  // namespace holdfast::engine
