#include "engine/postgres/script.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace holdfast::engine {
namespace {

constexpr size_t kHeadBytes = 64;
constexpr size_t kWordBytes = 32;

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

}  // namespace

void ScriptLexer::feed(std::string_view text, const Take& take) {
  std::string joined;
  if (!held_.empty()) {
    joined = std::exchange(held_, {});
    joined += text;
    text = joined;
  }
  while (!text.empty()) {
    size_t used = 0;
    switch (state_) {
      case State::between:
        used = scan_between(text, take);
        break;
      case State::line_comment:
      case State::block_comment:
        used = scan_comment(text, take);
        break;
      case State::statement:
        used = scan_statement(text, take);
        break;
      case State::meta:
        used = scan_meta(text, take);
        break;
      case State::copy:
        used = scan_copy(text, take);
        break;
    }
    if (used == 0) {  // the next bytes decide
      held_ = text;
      return;
    }
    text.remove_prefix(used);
  }
}

size_t ScriptLexer::scan_between(std::string_view text, const Take& take) {
  size_t blanks = 0;
  while (blanks < text.size() && is_space(text[blanks])) {
    if (text[blanks++] == '\n' && copy_next_) {
      copy_next_ = false;
      state_ = State::copy;
      line_start_ = true;
      break;
    }
  }
  if (blanks > 0) {
    take({ScriptUnit::blank, text.substr(0, blanks), true});
    return blanks;
  }
  if (text[0] == '-' || text[0] == '/') {
    if (text.size() < 2) return 0;
    if (text.starts_with("--") || text.starts_with("/*")) {
      state_ = text[0] == '-' ? State::line_comment : State::block_comment;
      comment_depth_ = 0;
      return scan_comment(text, take);
    }
  }
  if (text[0] == '\\') {
    state_ = State::meta;
    return scan_meta(text, take);
  }
  start_statement();
  return scan_statement(text, take);
}

size_t ScriptLexer::scan_comment(std::string_view text, const Take& take) {
  if (state_ == State::line_comment) {
    // The newline is left to what follows: behind a COPY statement it starts the rows.
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      take({ScriptUnit::comment, text, false});
      return text.size();
    }
    state_ = State::between;
    take({ScriptUnit::comment, text.substr(0, end), true});
    return end > 0 ? end : scan_between(text, take);
  }
  size_t i = 0;
  while (i + 1 < text.size()) {
    if (text[i] == '/' && text[i + 1] == '*') {
      ++comment_depth_;
      i += 2;
    } else if (text[i] == '*' && text[i + 1] == '/') {
      i += 2;
      if (--comment_depth_ == 0) {
        state_ = State::between;
        take({ScriptUnit::comment, text.substr(0, i), true});
        return i;
      }
    } else {
      ++i;
    }
  }
  if (i > 0) take({ScriptUnit::comment, text.substr(0, i), false});
  return i;
}

size_t ScriptLexer::scan_meta(std::string_view text, const Take& take) {
  const size_t newline = text.find('\n');
  const bool last = newline != std::string_view::npos;
  const size_t used = last ? newline + 1 : text.size();
  if (last) {
    state_ = State::between;
    copy_next_ = false;
    standard_strings_ = true;  // another session
  }
  take({ScriptUnit::meta, text.substr(0, used), last});
  return used;
}

size_t ScriptLexer::scan_copy(std::string_view text, const Take& take) {
  size_t i = 0;
  while (i < text.size()) {
    if (line_start_ && text[i] == '\\') {
      const std::string_view rest = text.substr(i);
      size_t end = 0;
      if (rest.starts_with("\\.\n")) end = 3;
      if (rest.starts_with("\\.\r\n")) end = 4;
      const bool undecided = rest == "\\" || rest == "\\." || rest == "\\.\r";
      if (end > 0 || undecided) {
        if (i > 0) {
          take({ScriptUnit::copy, text.substr(0, i), true});
          return i;
        }
        if (undecided) return 0;
        state_ = State::between;
        take({ScriptUnit::copy_end, rest.substr(0, end), true});
        return end;
      }
    }
    const void* newline = std::memchr(text.data() + i, '\n', text.size() - i);
    line_start_ = newline != nullptr;
    i = newline ? static_cast<size_t>(static_cast<const char*>(newline) - text.data()) + 1 : text.size();
  }
  take({ScriptUnit::copy, text, line_start_});
  return text.size();
}

void ScriptLexer::start_statement() {
  state_ = State::statement;
  within_ = Within::plain;
  before_ = 0;
  reopens_ = Reopens::no;
  copies_in_ = false;
  parentheses_ = begins_ = 0;
  words_ = 0;
  word_.clear();
  last_word_.clear();
  first_word_.clear();
  create_.clear();
  head_.clear();
}

void ScriptLexer::end_statement() {
  state_ = State::between;
  copy_next_ = copies_in_;  // their rows start on the next line
  if (head_.starts_with("SET standard_conforming_strings = on;")) standard_strings_ = true;
  if (head_.starts_with("SET standard_conforming_strings = off;")) standard_strings_ = false;
}

void ScriptLexer::end_of_word() {
  if (word_.empty()) return;
  // psqlscan.l, {identifier}: the first four words of CREATE [OR REPLACE] FUNCTION or PROCEDURE open a body.
  if (words_ == 0) first_word_ = word_;
  if (create_.size() == words_ && words_ < 4 &&
      (word_ == "create" || word_ == "function" || word_ == "procedure" || word_ == "or" || word_ == "replace"))
    create_ += word_[0];
  ++words_;
  const bool routine = create_.starts_with("cf") || create_.starts_with("cp") || create_.starts_with("corf") ||
                       create_.starts_with("corp");
  if (routine && parentheses_ == 0) {
    // Unlike psql, which takes each "begin" for one: a name may be that.
    const bool body = word_ == "atomic" && last_word_ == "begin" && begins_ == 0;
    if (body || (word_ == "case" && begins_ > 0)) ++begins_;
    if (word_ == "end" && begins_ > 0) --begins_;
  }
  if (word_ == "stdin" && last_word_ == "from" && first_word_ == "copy" && parentheses_ == 0) copies_in_ = true;
  last_word_ = std::exchange(word_, {});
}

bool ScriptLexer::plain_character(char c) {
  const char before = std::exchange(before_, c);
  const bool in_word = !word_.empty();
  if (is_letter(c) || (in_word && (is_digit(c) || c == '$'))) {
    reopens_ = Reopens::no;
    if (word_.size() < kWordBytes) word_ += lower(c);
    return false;
  }
  const bool escape_prefix = word_ == "e";
  end_of_word();
  if (c == '\'') {
    within_ = Within::quote;
    const bool continued = reopens_ == Reopens::at_once || reopens_ == Reopens::behind_newline;
    if (!continued) escapes_ = escape_prefix || !standard_strings_;
    escaped_ = false;
    reopens_ = Reopens::no;
    return false;
  }
  if (is_space(c)) {
    if (reopens_ != Reopens::no && reopens_ != Reopens::behind_newline)
      reopens_ = c == '\n' || c == '\r' ? Reopens::behind_newline : Reopens::behind_blank;
    return false;
  }
  reopens_ = Reopens::no;
  last_word_.clear();
  switch (c) {
    case '"':
      within_ = Within::name;
      break;
    case '$':
      if (!in_word && !is_digit(before)) {
        within_ = Within::dollar_tag;
        tag_ = "$";
      }
      break;
    case '-':
      if (before == '-') within_ = Within::line_comment;
      break;
    case '*':
      if (before == '/') {
        within_ = Within::block_comment;
        comment_depth_ = 1;
        before_ = 0;
      }
      break;
    case '(':
      ++parentheses_;
      break;
    case ')':
      if (parentheses_ > 0) --parentheses_;
      break;
    case '\\':
      stray_backslash_ = true;
      break;
    case ';':
      return parentheses_ == 0 && begins_ == 0;
    default:
      break;
  }
  return false;
}

// Behind the end of the body, or the end of the text.
size_t ScriptLexer::skip_dollar_body(std::string_view text, size_t at) {
  while (at < text.size()) {
    if (tag_seen_ == 0) {
      const void* dollar = std::memchr(text.data() + at, '$', text.size() - at);
      if (!dollar) return text.size();
      at = static_cast<size_t>(static_cast<const char*>(dollar) - text.data()) + 1;
      tag_seen_ = 1;
    } else if (text[at] == tag_[tag_seen_]) {
      ++tag_seen_;
      ++at;
    } else {
      tag_seen_ = 0;  // a dollar here starts the tag again: it is not consumed
      continue;
    }
    if (tag_seen_ == tag_.size()) {
      within_ = Within::plain;
      before_ = 0;
      return at;
    }
  }
  return at;
}

size_t ScriptLexer::scan_statement(std::string_view text, const Take& take) {
  if (head_.size() < kHeadBytes) head_ += text.substr(0, kHeadBytes - head_.size());
  size_t i = 0;
  while (i < text.size()) {
    switch (within_) {
      case Within::plain:
        if (plain_character(text[i++])) {
          end_statement();
          take({ScriptUnit::statement, text.substr(0, i), true});
          return i;
        }
        break;
      case Within::quote: {
        const char c = text[i];
        if (escaped_) {
          escaped_ = false;
          ++i;
        } else if (c == '\'') {
          within_ = Within::plain;
          before_ = 0;
          reopens_ = Reopens::at_once;
          ++i;
        } else if (escapes_ && c == '\\') {
          escaped_ = true;
          ++i;
        } else if (escapes_) {
          i = std::min(text.find_first_of("'\\", i), text.size());
        } else {
          i = std::min(text.find('\'', i), text.size());
        }
        break;
      }
      case Within::name:
        i = text.find('"', i);
        if (i == std::string_view::npos) {
          i = text.size();
        } else {
          ++i;
          within_ = Within::plain;  // a doubled quote opens it again
          before_ = 0;
        }
        break;
      case Within::dollar_tag:
        if (text[i] == '$') {
          tag_ += '$';
          tag_seen_ = 0;
          within_ = Within::dollar;
          ++i;
        } else if (is_letter(text[i]) || (tag_.size() > 1 && is_digit(text[i]))) {
          tag_ += text[i++];
        } else {
          within_ = Within::plain;
          before_ = 0;
        }
        break;
      case Within::dollar:
        i = skip_dollar_body(text, i);
        break;
      case Within::line_comment:
        i = text.find('\n', i);
        if (i == std::string_view::npos) {
          i = text.size();
        } else {
          within_ = Within::plain;
          before_ = 0;
        }
        break;
      case Within::block_comment: {
        const char c = text[i++];
        const char before = std::exchange(before_, c);
        if (before == '/' && c == '*') {
          ++comment_depth_;
          before_ = 0;
        } else if (before == '*' && c == '/') {
          before_ = 0;
          if (--comment_depth_ == 0) within_ = Within::plain;
        }
        break;
      }
    }
  }
  take({ScriptUnit::statement, text, false});
  return text.size();
}

std::string script_name(std::string_view text, size_t* after) {
  std::string name;
  *after = 0;
  if (text.starts_with('"')) {
    for (size_t i = 1; i < text.size(); ++i) {
      if (text[i] != '"') {
        name += text[i];
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        name += text[++i];
      } else {
        *after = i + 1;
        return name;
      }
    }
    return "";
  }
  const size_t end = std::min(text.find_first_of(" .;\r\n(\t"), text.size());
  *after = end;
  return std::string(text.substr(0, end));
}

namespace {

// The text of an argument in psql's single quotes: \n, \', \\ and doubled quotes undone.
std::optional<std::string> single_quoted(std::string_view text) {
  std::string out;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      const char c = text[++i];
      out += c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
    } else if (text[i] != '\'') {
      out += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == '\'') {
      out += text[++i];
    } else {
      return i + 1 == text.size() ? std::optional(out) : std::nullopt;
    }
  }
  return std::nullopt;
}

// dbname=VALUE and nothing else, as a connection string has it.
std::optional<std::string> conninfo_database(std::string_view text) {
  if (!text.starts_with("dbname=")) return std::nullopt;
  text.remove_prefix(7);
  std::string out;
  if (!text.starts_with('\'')) {
    if (text.find_first_of(" '\\") != text.npos) return std::nullopt;
    return std::string(text);
  }
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      out += text[++i];
    } else if (text[i] == '\'') {
      return i + 1 == text.size() ? std::optional(out) : std::nullopt;
    } else {
      out += text[i];
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> connect_database(std::string_view meta) {
  if (!meta.starts_with("\\connect ")) return std::nullopt;
  meta.remove_prefix(9);
  while (!meta.empty() && is_space(meta.back())) meta.remove_suffix(1);
  const bool reuse = meta.starts_with("-reuse-previous=on ");
  if (reuse) meta.remove_prefix(19);
  std::optional<std::string> argument;
  if (meta.starts_with('\'')) {
    argument = single_quoted(meta);
  } else {
    size_t after = 0;
    std::string name = script_name(meta, &after);
    // A plain argument ends at a blank; a dot belongs to it.
    if (!meta.starts_with('"')) {
      if (meta.find_first_of(" \t\"'`:\\=") != meta.npos) return std::nullopt;
      name = meta;
      after = meta.size();
    }
    if (after == meta.size() && after > 0) argument = std::move(name);
  }
  if (!argument || argument->empty()) return std::nullopt;
  if (!reuse) {
    if (argument->find('=') != argument->npos || argument->starts_with("postgres:") ||
        argument->starts_with("postgresql:"))
      return std::nullopt;
    return argument;
  }
  return conninfo_database(*argument);
}

}  // namespace holdfast::engine
