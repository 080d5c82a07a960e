#include <algorithm>
#include <cstdlib>
#include <string>

#include "engine/dump_scan.h"

namespace {

using holdfast::engine::DumpFlavour;
using holdfast::engine::DumpScanner;

std::string doubled(const std::string& text, const char* special, char with) {
  std::string out;
  for (const char c : text) {
    if (std::string_view(special).find(c) != std::string_view::npos) out += with == 0 ? c : with;
    out += c;
  }
  return out;
}

std::string in_comments(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '\n' ? std::string("\n-- ") : std::string(1, c);
  return out;
}

bool same(const DumpScanner& a, const DumpScanner& b) {
  return a.counts().table_rows == b.counts().table_rows && a.counts().objects() == b.counts().objects() &&
         a.counts().databases == b.counts().databases && a.position_lines() == b.position_lines() &&
         a.complete() == b.complete();
}

}  // namespace

// Any bytes: where they are cut does not matter. As a name, a literal, a comment or a literal in a body, as the dump
// programs write them: they are never taken for the dump's own statements.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  DumpScanner whole(DumpFlavour::mysql), pieces(DumpFlavour::mysql);
  whole.feed(holdfast::as_bytes(text));
  const size_t step = size > 0 ? 1 + data[0] % 13 : 1;
  for (size_t at = 0; at < size; at += step) pieces.feed(holdfast::as_bytes(std::string_view(text).substr(at, step)));
  if (!same(whole, pieces)) std::abort();

  const std::string name = doubled(text.substr(0, 1500), "`", 0);
  const std::string literal = doubled(text, "'\\", '\\');
  std::string body = doubled(text, "'\\", '\\');
  body.erase(std::remove(body.begin(), body.end(), ';'), body.end());
  const std::string dump =
      "--\n-- Table structure for table `" + in_comments(text) + "`\n--\n\nUSE `d`;\nCREATE TABLE `" + name +
      "` (i int COMMENT '" + literal + "');\nINSERT INTO `" + name + "` (`" + name + "`) VALUES (1,'" + literal +
      "'),\n('" + literal + "');\nDELIMITER ;;\nCREATE DEFINER=`" + name + "`@`h` PROCEDURE `p`()\nbegin select '" +
      body + "'; end ;;\nDELIMITER ;\n\n-- Dump completed\n";
  DumpScanner scanner(DumpFlavour::mysql);
  scanner.feed(holdfast::as_bytes(dump));
  const auto& counts = scanner.counts();
  if (!scanner.complete() || counts.tables != 1 || counts.rows != 2 || counts.databases != 0 || counts.views != 0 ||
      counts.routines != 1 || !scanner.position_lines().empty() || counts.table_rows.size() != 1 ||
      counts.table_rows.begin()->second != 2 || counts.table_rows.begin()->first.table != text.substr(0, 1500))
    std::abort();
  return 0;
}
