#include "engine/dump_scan.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace holdfast::engine {
namespace {

constexpr size_t kHeadBytes = 1024;  // enough for the names in a statement's first line
constexpr size_t kTailBytes = 512;
constexpr size_t kPositionBytes = 64 << 10;

// The name in `quotes` at the start of `text`, doubled quotes undone; "" when there is none.
std::string quoted_name(std::string_view text, char quote, size_t* after = nullptr) {
  std::string name;
  if (text.empty() || text[0] != quote) return name;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] != quote) {
      name += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == quote) {
      name += text[++i];
    } else {
      if (after) *after = i + 1;
      return name;
    }
  }
  return "";
}

// A PostgreSQL name, quoted or plain, at the start of `text`.
std::string pg_name(std::string_view text, size_t* after) {
  if (!text.empty() && text[0] == '"') return quoted_name(text, '"', after);
  const size_t end = std::min(text.find_first_of(" .;\n("), text.size());
  *after = end;
  return std::string(text.substr(0, end));
}

std::string field(std::string_view line, std::string_view key) {
  const size_t at = line.find(key);
  if (at == std::string_view::npos) return "";
  const size_t from = at + key.size();
  return std::string(line.substr(from, line.find(';', from) - from));
}

}  // namespace

void DumpScanner::feed(ByteSpan bytes) {
  std::string_view text = as_text(bytes);
  counts_.bytes += text.size();
  if (text.size() >= kTailBytes) {
    tail_ = text.substr(text.size() - kTailBytes);
  } else {
    tail_.append(text);
    if (tail_.size() > kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
  }
  while (!text.empty()) {
    if (in_values_) {
      text.remove_prefix(skip_values(text));
      continue;
    }
    const void* newline = std::memchr(text.data(), '\n', text.size());
    const size_t length = newline ? static_cast<size_t>(static_cast<const char*>(newline) - text.data()) : text.size();
    if (in_copy_ && head_.empty() && at_line_start_ && newline) {
      // The usual line of the usual dump: a row of COPY data, whole.
      if (length == 2 && text[0] == '\\' && text[1] == '.') {
        in_copy_ = false;
      } else {
        ++*rows_;
        ++counts_.rows;
      }
      text.remove_prefix(length + 1);
      continue;
    }
    if (at_line_start_) head_.append(text.substr(0, std::min(length, kHeadBytes - std::min(kHeadBytes, head_.size()))));
    // The rows of an INSERT may follow in the same line, so it is looked at as soon as its head is there.
    const bool insert = flavour_ == DumpFlavour::mysql && !in_body_ && head_.starts_with("INSERT INTO `");
    if (at_line_start_ && insert) {
      const size_t before = head_.size() - std::min(length, head_.size());
      size_t values = head_.find(" VALUES");
      if (values != std::string::npos && (newline || values + 7 < head_.size())) {
        mysql_line(std::string_view(head_).substr(0, values));
        in_values_ = true;
        in_quote_ = escaped_ = false;
        depth_ = 0;
        text.remove_prefix(std::min(length, values + 7 - std::min(before, values + 7)));
        head_.clear();
        continue;
      }
    }
    if (newline) {
      if (at_line_start_) line_start(head_, true);
      head_.clear();
      at_line_start_ = true;
      text.remove_prefix(length + 1);
    } else {
      if (head_.size() >= kHeadBytes && at_line_start_ && !insert) {
        line_start(head_, false);
        at_line_start_ = false;
      }
      text.remove_prefix(length);
    }
  }
}

// Consumes bytes of "(1,'x'),(2,NULL);" and counts the rows; ends after the semicolon.
size_t DumpScanner::skip_values(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    if (in_quote_) {
      if (escaped_) {
        escaped_ = false;
        ++i;
        continue;
      }
      const char c = text[i++];
      if (c == '\\') {
        escaped_ = true;
      } else if (c == '\'') {
        in_quote_ = false;  // a doubled quote opens the string again at once
      }
      continue;
    }
    switch (text[i++]) {
      case '\'':
        in_quote_ = true;
        break;
      case '(':
        if (depth_++ == 0) {
          ++counts_.rows;
          if (rows_) ++*rows_;
        }
        break;
      case ')':
        --depth_;
        break;
      case ';':
        if (depth_ == 0) {
          in_values_ = false;
          at_line_start_ = true;
          return i;
        }
        break;
      default:
        break;
    }
  }
  return i;
}

void DumpScanner::line_start(std::string_view line, bool whole) {
  if (flavour_ == DumpFlavour::mysql) {
    mysql_line(line);
  } else if (in_copy_) {
    if (whole && line == "\\.") {
      in_copy_ = false;
    } else {
      ++*rows_;
      ++counts_.rows;
    }
  } else {
    postgres_line(line);
  }
}

void DumpScanner::note_position(std::string_view line) {
  if (position_lines_.size() + line.size() < kPositionBytes) {
    position_lines_.append(line);
    position_lines_ += '\n';
  }
}

void DumpScanner::mysql_line(std::string_view line) {
  if (line.starts_with("DELIMITER ")) {
    in_body_ = line != "DELIMITER ;";
    return;
  }
  auto has = [&](std::string_view word) { return line.find(word) != std::string_view::npos; };
  if (in_body_) {
    // The first line of a definition; the lines of its body may say anything.
    if (line.starts_with("CREATE ") || line.starts_with("/*!50003 CREATE*/") || line.starts_with("/*!50106 CREATE*/") ||
        line.starts_with("/*!50020 CREATE*/")) {
      auto upper = std::string(line.substr(0, 200));
      std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
      if (line.starts_with("/*!50003 CREATE*/") && upper.find("TRIGGER ") != std::string::npos) {
        ++counts_.triggers;
      } else if (line.starts_with("/*!50106 CREATE*/")) {
        ++counts_.events;
      } else if (upper.find("PROCEDURE ") != std::string::npos || upper.find("FUNCTION ") != std::string::npos ||
                 upper.find("PACKAGE ") != std::string::npos) {
        ++counts_.routines;
      }
    }
    return;
  }
  if (line.starts_with("USE `")) {
    database_ = quoted_name(line.substr(4), '`');
  } else if (line.starts_with("CREATE DATABASE ")) {
    ++counts_.databases;
  } else if (line.starts_with("CREATE TABLE ")) {
    const size_t at = line.find('`');
    if (at == std::string_view::npos) return;
    ++counts_.tables;
    rows_ = &counts_.table_rows[database_ + "." + quoted_name(line.substr(at), '`')];
  } else if (line.starts_with("CREATE SEQUENCE ")) {
    ++counts_.sequences;
  } else if (line.starts_with("/*!50001 CREATE ALGORITHM=")) {
    ++counts_.views;
  } else if (line.starts_with("INSERT INTO `")) {
    rows_ = &counts_.table_rows[database_ + "." + quoted_name(line.substr(12), '`')];
  } else if (has("gtid_slave_pos=") || has("GTID_PURGED=") || has("CHANGE MASTER TO MASTER_LOG_FILE") ||
             has("CHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE")) {
    note_position(line);
  }
}

void DumpScanner::postgres_line(std::string_view line) {
  if (line.starts_with("COPY ")) {
    if (!line.ends_with(" FROM stdin;") && line.size() < kHeadBytes) return;
    size_t after = 0;
    std::string_view rest = line.substr(5);
    std::string name = pg_name(rest, &after);
    if (after < rest.size() && rest[after] == '.') {
      size_t end = 0;
      name += "." + pg_name(rest.substr(after + 1), &end);
    }
    rows_ = &counts_.table_rows[database_ + "." + name];
    in_copy_ = true;
  } else if (line.starts_with("\\connect ")) {
    size_t after = 0;
    std::string_view rest = line.substr(9);
    const size_t dbname = rest.find("dbname='");
    if (rest.starts_with("-reuse-previous") && dbname != std::string_view::npos) {
      database_ = quoted_name(rest.substr(dbname + 7), '\'');
      if (database_.ends_with('"')) database_.pop_back();
    } else {
      database_ = pg_name(rest, &after);
    }
  } else if (line.starts_with("CREATE DATABASE ")) {
    ++counts_.databases;
  } else if (line.starts_with("CREATE ROLE ")) {
    ++counts_.roles;
  } else if (line.starts_with("-- Name: ")) {
    const std::string type = field(line, "; Type: ");
    if (type == "TABLE" || type == "FOREIGN TABLE") {
      ++counts_.tables;
      const std::string name = std::string(line.substr(9, line.find("; Type: ") - 9));
      counts_.table_rows[database_ + "." + field(line, "; Schema: ") + "." + name];
    } else if (type == "VIEW" || type == "MATERIALIZED VIEW") {
      ++counts_.views;
    } else if (type == "SEQUENCE") {
      ++counts_.sequences;
    } else if (type == "FUNCTION" || type == "PROCEDURE" || type == "AGGREGATE") {
      ++counts_.routines;
    } else if (type == "TRIGGER") {
      ++counts_.triggers;
    } else if (type == "EVENT TRIGGER") {
      ++counts_.events;
    }
  }
}

bool DumpScanner::complete() const {
  if (in_values_ || in_copy_) return false;
  std::string_view tail = tail_;
  const std::string_view marker =
      flavour_ == DumpFlavour::mysql ? "-- Dump completed" : "-- PostgreSQL database cluster dump complete";
  const size_t at = tail.rfind(marker);
  if (at == std::string_view::npos || (at > 0 && tail[at - 1] != '\n')) return false;
  // Behind it only comment lines, blanks and psql's \unrestrict may stand.
  std::string_view rest = tail.substr(at);
  if (!rest.ends_with('\n')) return false;
  for (size_t from = rest.find('\n') + 1; from < rest.size();) {
    const size_t end = rest.find('\n', from);
    const auto line = rest.substr(from, end - from);
    if (!line.empty() && !line.starts_with("--") && !line.starts_with("\\unrestrict")) return false;
    from = end + 1;
  }
  return true;
}

}  // namespace holdfast::engine
