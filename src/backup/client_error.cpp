#include "backup/client_error.h"

#include <algorithm>

namespace holdfast::backup {
namespace {

constexpr size_t kFirst = 512, kLast = 16 << 10, kShown = 600, kStatement = 120;
constexpr std::string_view kRule = "--------------\n";  // around a statement, as mariadb prints it

std::string trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  while (!text.empty() && (text.front() == '\n' || text.front() == ' ')) text.remove_prefix(1);
  return std::string(text);
}

/// Where the last line with an error begins, or npos.
size_t last_error(std::string_view text) {
  size_t found = std::string_view::npos;
  for (size_t from = 0; from < text.size();) {
    const size_t end = std::min(text.find('\n', from), text.size());
    const std::string_view line = text.substr(from, end - from);
    if (line.starts_with("ERROR ") || line.find(": ERROR: ") != line.npos || line.find(": FATAL: ") != line.npos)
      found = from;
    from = end + 1;
  }
  return found;
}

}  // namespace

void ClientWords::add(std::string_view text) {
  first_.append(text.substr(0, kFirst - first_.size()));
  last_.append(text.substr(text.size() - std::min(text.size(), kLast)));
  if (last_.size() > kLast) last_.erase(0, last_.size() - kLast);
}

std::string ClientWords::complaint() const {
  const size_t error = last_error(last_);
  if (error == std::string::npos)
    return trimmed(std::string_view(last_).substr(last_.size() - std::min(last_.size(), kShown)));
  std::string out = trimmed(std::string_view(last_).substr(error, kShown));
  if (first_.starts_with(kRule)) {
    std::string statement = trimmed(std::string_view(first_).substr(kRule.size(), kStatement));
    statement = statement.substr(0, statement.find("\n--------------"));
    std::ranges::replace(statement, '\n', ' ');
    out += "; the statement begins: " + statement;
  }
  return out;
}

}  // namespace holdfast::backup
