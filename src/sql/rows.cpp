#include "sql/rows.h"

#include <strings.h>

namespace holdfast::sql {

std::optional<size_t> Rows::column(std::string_view name) const {
  for (size_t i = 0; i < columns.size(); ++i)
    if (columns[i].size() == name.size() && ::strncasecmp(columns[i].data(), name.data(), name.size()) == 0) return i;
  return std::nullopt;
}

std::optional<std::string> Rows::value(std::string_view column_name, size_t row) const {
  auto at = column(column_name);
  if (!at || row >= rows.size() || *at >= rows[row].size()) return std::nullopt;
  return rows[row][*at];
}

std::string Rows::text(std::string_view column_name, size_t row) const {
  return value(column_name, row).value_or(std::string());
}

std::string error_code(const Error& error) {
  if (error.message.empty() || error.message[0] != '[') return {};
  auto end = error.message.find(']');
  return end == std::string::npos ? std::string() : error.message.substr(1, end - 1);
}

namespace {

std::string quote(std::string_view text, char mark, bool backslash) {
  std::string result;
  result.reserve(2 * text.size() + 2);  // never moved: no copy of a password is left behind
  result += mark;
  for (char c : text) {
    if (c == mark || (backslash && c == '\\')) result += c;
    result += c;
  }
  result += mark;
  return result;
}

}  // namespace

std::string quote_mysql(std::string_view text) {
  return quote(text, '\'', true);
}
std::string quote_postgres(std::string_view text) {
  // E'' only when needed: standard_conforming_strings may be off on a foreign server.
  if (text.find('\\') == text.npos) return quote(text, '\'', false);
  return " E" + quote(text, '\'', true);
}
Secret quote_mysql(const Secret& text) {
  return Secret(quote_mysql(text.reveal()));
}
Secret quote_postgres(const Secret& text) {
  const bool backslash = text.reveal().find('\\') != std::string_view::npos;
  return Secret(backslash ? " E" : "").append(Secret(quote(text.reveal(), '\'', backslash)));
}
std::string quote_mysql_name(std::string_view name) {
  return quote(name, '`', false);
}
std::string quote_postgres_name(std::string_view name) {
  return quote(name, '"', false);
}

}  // namespace holdfast::sql
