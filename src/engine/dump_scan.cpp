#include "engine/dump_scan.h"

#include "engine/dump_scan_dialect.h"

namespace holdfast::engine {
namespace {

constexpr size_t kTailBytes = 512;

}  // namespace

std::string TableName::text() const {
  return schema.empty() ? database + "." + table : database + "." + schema + "." + table;
}

std::string quoted_name(std::string_view text, char quote, size_t* after) {
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

DumpScanner::DumpScanner(DumpFlavour flavour)
    : flavour_(flavour), dialect_(flavour == DumpFlavour::mysql ? mysql_dump_scan() : postgres_dump_scan()) {}
DumpScanner::~DumpScanner() = default;

const DumpCounts& DumpScanner::counts() const {
  return dialect_->counts;
}
const std::string& DumpScanner::position_lines() const {
  return dialect_->position_lines;
}

const std::set<TableName>& DumpScanner::unknown_options() const {
  return dialect_->unknown_options;
}

const std::set<TableName>& DumpScanner::too_large() const {
  return dialect_->too_large;
}

void DumpScanner::feed(ByteSpan bytes) {
  const std::string_view text = as_text(bytes);
  dialect_->counts.bytes += text.size();
  if (text.size() >= kTailBytes) {
    tail_ = text.substr(text.size() - kTailBytes);
  } else {
    tail_.append(text);
    if (tail_.size() > kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
  }
  dialect_->feed(text);
}

bool DumpScanner::complete() const {
  if (!dialect_->between_statements()) return false;
  std::string_view tail = tail_;
  const std::string_view marker =
      flavour_ == DumpFlavour::mysql ? "-- Dump completed" : "-- PostgreSQL database cluster dump complete";
  const size_t at = tail.rfind(marker);
  if (at == std::string_view::npos || (at > 0 && tail[at - 1] != '\n')) return false;
  if (flavour_ == DumpFlavour::mysql) {
    // The whole last line, with or without its date.
    const std::string_view line = tail.substr(at + marker.size());
    return line.find('\n') == line.size() - 1 && (line == "\n" || line.starts_with(" on "));
  }
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
