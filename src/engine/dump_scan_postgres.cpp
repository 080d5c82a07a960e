// pg_dumpall, and pg_dump joined the way pg_dumpall joins it.
#include <algorithm>
#include <cstring>

#include "engine/dump_scan_dialect.h"

namespace holdfast::engine {
namespace {

constexpr size_t kHeadBytes = 1024;  // enough for the names in a statement's first line

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

class PostgresScan : public DialectScan {
 public:
  void feed(std::string_view text) override;
  bool between_statements() const override { return !in_copy_; }

 private:
  void line_start(std::string_view line, bool whole);
  void statement_line(std::string_view line);

  std::string head_;           ///< start of the current line, as far as needed
  bool at_line_start_ = true;  ///< the next byte starts a line, or continues head_
  bool in_copy_ = false;       ///< inside COPY data
  std::string database_;
  uint64_t* rows_ = nullptr;  ///< of the table whose rows pass by
};

void PostgresScan::feed(std::string_view text) {
  while (!text.empty()) {
    const void* newline = std::memchr(text.data(), '\n', text.size());
    const size_t length = newline ? static_cast<size_t>(static_cast<const char*>(newline) - text.data()) : text.size();
    if (in_copy_ && head_.empty() && at_line_start_ && newline) {
      // The usual line of the usual dump: a row of COPY data, whole.
      if (length == 2 && text[0] == '\\' && text[1] == '.') {
        in_copy_ = false;
      } else {
        ++*rows_;
        ++counts.rows;
      }
      text.remove_prefix(length + 1);
      continue;
    }
    if (at_line_start_) head_.append(text.substr(0, std::min(length, kHeadBytes - std::min(kHeadBytes, head_.size()))));
    if (newline) {
      if (at_line_start_) line_start(head_, true);
      head_.clear();
      at_line_start_ = true;
      text.remove_prefix(length + 1);
    } else {
      if (head_.size() >= kHeadBytes && at_line_start_) {
        line_start(head_, false);
        at_line_start_ = false;
      }
      text.remove_prefix(length);
    }
  }
}

void PostgresScan::line_start(std::string_view line, bool whole) {
  if (!in_copy_) {
    statement_line(line);
  } else if (whole && line == "\\.") {
    in_copy_ = false;
  } else {
    ++*rows_;
    ++counts.rows;
  }
}

void PostgresScan::statement_line(std::string_view line) {
  if (line.starts_with("COPY ")) {
    if (!line.ends_with(" FROM stdin;") && line.size() < kHeadBytes) return;
    size_t after = 0;
    std::string_view rest = line.substr(5);
    TableName name{database_, pg_name(rest, &after), ""};
    if (after < rest.size() && rest[after] == '.') {
      size_t end = 0;
      name.table = pg_name(rest.substr(after + 1), &end);
    }
    rows_ = &counts.table_rows[name];
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
    ++counts.databases;
  } else if (line.starts_with("CREATE ROLE ")) {
    ++counts.roles;
  } else if (line.starts_with("-- Name: ")) {
    const std::string type = field(line, "; Type: ");
    if (type == "TABLE" || type == "FOREIGN TABLE") {
      ++counts.tables;
      const std::string name = std::string(line.substr(9, line.find("; Type: ") - 9));
      counts.table_rows[{database_, field(line, "; Schema: "), name}];
    } else if (type == "VIEW" || type == "MATERIALIZED VIEW") {
      ++counts.views;
    } else if (type == "SEQUENCE") {
      ++counts.sequences;
    } else if (type == "FUNCTION" || type == "PROCEDURE" || type == "AGGREGATE") {
      ++counts.routines;
    } else if (type == "TRIGGER") {
      ++counts.triggers;
    } else if (type == "EVENT TRIGGER") {
      ++counts.events;
    }
  }
}

}  // namespace

std::unique_ptr<DialectScan> postgres_dump_scan() {
  return std::make_unique<PostgresScan>();
}

}  // namespace holdfast::engine
