#include "engine/client_files.h"

#include <optional>

namespace holdfast::engine {
namespace {

constexpr std::string_view kBlank = " \t\r\f\v";

std::string_view trimmed(std::string_view text) {
  const size_t from = text.find_first_not_of(kBlank);
  return from == std::string_view::npos ? std::string_view()
                                        : text.substr(from, text.find_last_not_of(kBlank) + 1 - from);
}

/// Takes the next line off `text`.
std::string_view next_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

/// Where the value's comment begins: at a # outside of quotes.
std::string_view without_comment(std::string_view value) {
  char quote = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (c == '\\' && i + 1 < value.size())
      ++i;
    else if (quote == 0 && (c == '"' || c == '\''))
      quote = c;
    else if (c == quote)
      quote = 0;
    else if (c == '#' && quote == 0)
      return value.substr(0, i);
  }
  return value;
}

/// As the clients read it: quotes around all of it go, and backslashes mean what they mean in C for a few letters.
Secret option_value(std::string_view text) {
  text = trimmed(without_comment(text));
  if (text.size() >= 2 && (text[0] == '"' || text[0] == '\'') && text.back() == text[0])
    text = text.substr(1, text.size() - 2);
  std::string value;
  value.reserve(text.size() + 1);  // never moved: no copy is left behind
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      value += text[i];
      continue;
    }
    const char c = text[++i];
    constexpr std::string_view kLetters = "ntrbs\"'\\", kMeaning = "\n\t\r\b \"'\\";
    if (const size_t at = kLetters.find(c); at != std::string_view::npos)
      value += kMeaning[at];
    else
      (value += '\\') += c;
  }
  return Secret(std::move(value));
}

/// The field up to the next colon, without its backslashes.
std::optional<Secret> pgpass_field(std::string_view& rest, bool last) {
  std::string value;
  value.reserve(rest.size() + 1);
  for (size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] == ':' && !last) {
      rest.remove_prefix(i + 1);
      return Secret(std::move(value));
    }
    if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
    value += rest[i];
  }
  Secret field(std::move(value));
  return last ? std::optional(std::move(field)) : std::nullopt;
}

bool fits(std::string_view pattern, std::string_view value) {
  return pattern == "*" || pattern == value;
}

}  // namespace

OptionFile parse_option_file(std::string_view text) {
  OptionFile file;
  bool ours = false;
  while (!text.empty()) {
    const std::string_view line = trimmed(next_line(text));
    if (line.empty() || line[0] == '#' || line[0] == ';' || line[0] == '!') continue;
    if (line[0] == '[') {
      const std::string_view group = trimmed(line.substr(1, line.find(']') - 1));
      ours = group == "client" || group == "client-server" || group == "client-mariadb";
      continue;
    }
    const size_t equals = line.find('=');
    if (!ours || equals == std::string_view::npos) continue;
    const std::string_view key = trimmed(line.substr(0, equals));
    if (key != "user" && key != "password" && key != "socket") continue;
    Secret value = option_value(line.substr(equals + 1));
    if (key == "password")
      file.password = std::move(value);
    else
      (key == "user" ? file.user : file.socket) = value.reveal();
  }
  return file;
}

std::vector<PgpassLine> parse_pgpass(std::string_view text) {
  std::vector<PgpassLine> lines;
  while (!text.empty()) {
    std::string_view rest = next_line(text);
    if (!rest.empty() && rest.back() == '\r') rest.remove_suffix(1);
    if (rest.empty() || rest[0] == '#') continue;
    std::optional<Secret> fields[5];
    bool whole = true;
    for (size_t i = 0; i < std::size(fields) && whole; ++i) {
      fields[i] = pgpass_field(rest, i + 1 == std::size(fields));
      whole = fields[i].has_value();
    }
    if (!whole) continue;
    lines.push_back({std::string(fields[0]->reveal()), std::string(fields[1]->reveal()),
                     std::string(fields[3]->reveal()), std::move(*fields[4])});
  }
  return lines;
}

const PgpassLine* find_pgpass(const std::vector<PgpassLine>& lines, std::string_view host, std::string_view port,
                              std::string_view user) {
  for (const auto& line : lines)
    if (fits(line.host, host) && fits(line.port, port) && (user.empty() ? line.user != "*" : fits(line.user, user)))
      return &line;
  return nullptr;
}

}  // namespace holdfast::engine
