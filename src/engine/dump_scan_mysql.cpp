// mariadb-dump and mysqldump.
#include <algorithm>
#include <cstring>

#include "engine/dump_scan_dialect.h"

namespace holdfast::engine {
namespace {

constexpr size_t kHeadBytes = 1024;  // enough for the names in a statement's first line
constexpr size_t kPositionBytes = 64 << 10;

class MysqlScan : public DialectScan {
 public:
  void feed(std::string_view text) override;
  bool between_statements() const override { return !in_values_; }

 private:
  void line_of(std::string_view line);
  size_t skip_values(std::string_view text);
  void note_position(std::string_view line);

  std::string head_;           ///< start of the current line, as far as needed
  bool at_line_start_ = true;  ///< the next byte starts a line, or continues head_
  bool in_values_ = false;     ///< inside the rows of an INSERT
  bool in_quote_ = false;      ///< ... inside a quoted string
  bool escaped_ = false;       ///< ... right after a backslash
  int depth_ = 0;              ///< ... parentheses
  bool in_body_ = false;       ///< between DELIMITER ;; and DELIMITER ;
  std::string database_;
  uint64_t* rows_ = nullptr;  ///< of the table whose rows pass by
};

void MysqlScan::feed(std::string_view text) {
  while (!text.empty()) {
    if (in_values_) {
      text.remove_prefix(skip_values(text));
      continue;
    }
    const void* newline = std::memchr(text.data(), '\n', text.size());
    const size_t length = newline ? static_cast<size_t>(static_cast<const char*>(newline) - text.data()) : text.size();
    if (at_line_start_) head_.append(text.substr(0, std::min(length, kHeadBytes - std::min(kHeadBytes, head_.size()))));
    // The rows of an INSERT may follow in the same line, so it is looked at as soon as its head is there.
    const bool insert = !in_body_ && head_.starts_with("INSERT INTO `");
    if (at_line_start_ && insert) {
      const size_t before = head_.size() - std::min(length, head_.size());
      size_t values = head_.find(" VALUES");
      if (values != std::string::npos && (newline || values + 7 < head_.size())) {
        line_of(std::string_view(head_).substr(0, values));
        in_values_ = true;
        in_quote_ = escaped_ = false;
        depth_ = 0;
        text.remove_prefix(std::min(length, values + 7 - std::min(before, values + 7)));
        head_.clear();
        continue;
      }
    }
    if (newline) {
      if (at_line_start_) line_of(head_);
      head_.clear();
      at_line_start_ = true;
      text.remove_prefix(length + 1);
    } else {
      if (head_.size() >= kHeadBytes && at_line_start_ && !insert) {
        line_of(head_);
        at_line_start_ = false;
      }
      text.remove_prefix(length);
    }
  }
}

// Consumes bytes of "(1,'x'),(2,NULL);" and counts the rows; ends after the semicolon.
size_t MysqlScan::skip_values(std::string_view text) {
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
          ++counts.rows;
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

void MysqlScan::note_position(std::string_view line) {
  if (position_lines.size() + line.size() < kPositionBytes) {
    position_lines.append(line);
    position_lines += '\n';
  }
}

void MysqlScan::line_of(std::string_view line) {
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
        ++counts.triggers;
      } else if (line.starts_with("/*!50106 CREATE*/")) {
        ++counts.events;
      } else if (upper.find("PROCEDURE ") != std::string::npos || upper.find("FUNCTION ") != std::string::npos ||
                 upper.find("PACKAGE ") != std::string::npos) {
        ++counts.routines;
      }
    }
    return;
  }
  if (line.starts_with("USE `")) {
    database_ = quoted_name(line.substr(4), '`');
  } else if (line.starts_with("CREATE DATABASE ")) {
    ++counts.databases;
  } else if (line.starts_with("CREATE TABLE ")) {
    const size_t at = line.find('`');
    if (at == std::string_view::npos) return;
    ++counts.tables;
    rows_ = &counts.table_rows[{database_, "", quoted_name(line.substr(at), '`')}];
  } else if (line.starts_with("CREATE SEQUENCE ")) {
    ++counts.sequences;
  } else if (line.starts_with("/*!50001 CREATE ALGORITHM=")) {
    ++counts.views;
  } else if (line.starts_with("INSERT INTO `")) {
    rows_ = &counts.table_rows[{database_, "", quoted_name(line.substr(12), '`')}];
  } else if (has("gtid_slave_pos=") || has("GTID_PURGED=") || has("CHANGE MASTER TO MASTER_LOG_FILE") ||
             has("CHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE")) {
    note_position(line);
  }
}

}  // namespace

std::unique_ptr<DialectScan> mysql_dump_scan() {
  return std::make_unique<MysqlScan>();
}

}  // namespace holdfast::engine
