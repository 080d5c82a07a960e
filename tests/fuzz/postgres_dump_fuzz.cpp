#include <algorithm>
#include <cstdlib>
#include <string>

#include "engine/dump_scan.h"

// Any bytes, in each place where a dump carries what users wrote: they are never taken for the dump's own statements.
// And the bytes as a dump of their own, in one piece and byte by byte, give the same.
namespace {

using namespace holdfast;
using engine::DumpCounts;
using engine::DumpScanner;

void scan(DumpScanner& scanner, const std::string& text, size_t piece) {
  for (size_t at = 0; at < text.size(); at += piece) scanner.feed(as_bytes(std::string_view(text).substr(at, piece)));
}

std::string doubled(const std::string& text, const char* which) {
  std::string out;
  for (char c : text) {
    if (std::string_view(which).find(c) != std::string_view::npos) out += c;
    out += c;
  }
  return out;
}

std::string copy_value(const std::string& text) {
  std::string out;
  for (char c : text) out += c == '\\' ? "\\\\" : c == '\n' ? "\\n" : c == '\r' ? "\\r" : std::string(1, c);
  return out;
}

void expect(bool held) {
  if (!held) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), std::min<size_t>(size, 4096));
  {
    DumpScanner whole(engine::DumpFlavour::postgres), parts(engine::DumpFlavour::postgres);
    scan(whole, bytes, bytes.size() + 1);
    scan(parts, bytes, 1);
    expect(whole.counts().table_rows == parts.counts().table_rows && whole.counts().rows == parts.counts().rows);
    expect(whole.counts().objects() == parts.counts().objects() && whole.complete() == parts.complete());
  }
  std::string body = bytes, comment, name = bytes.substr(0, 60);
  for (size_t at; (at = body.find("$_f$")) != body.npos;) body.erase(at, 4);
  while (!body.empty() && body.back() == '$') body.pop_back();
  if (body.ends_with("$_f")) body += ' ';
  for (char c : bytes) comment += c == '\n' ? ' ' : c;
  const std::string prefix = "\\connect shop\nSET standard_conforming_strings = on;\n";
  const std::string suffix = "\nCOPY public.t (a) FROM stdin;\n" + copy_value(bytes) + "\n2\n\\.\n\nCOPY s.\"" +
                             doubled(name, "\"") +
                             "\" (a) FROM stdin;\n\\.\n--\n-- PostgreSQL database cluster dump complete\n--\n\n";
  for (const std::string& statement :
       {"CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $_f$" + body + "$_f$;",
        "COMMENT ON TABLE t IS '" + doubled(bytes, "'") + "';", "SELECT E'" + doubled(bytes, "'\\") + "';",
        "ALTER TABLE \"" + doubled(bytes, "\"") + "\" OWNER TO x;", "-- Name: " + comment + "; Type: TABLE\n"}) {
    const std::string dump = prefix + statement + suffix;
    for (const size_t piece : {dump.size(), size_t{7}}) {
      DumpScanner scanner(engine::DumpFlavour::postgres);
      scan(scanner, dump, piece);
      const DumpCounts& counts = scanner.counts();
      expect(scanner.complete() && counts.rows == 2 && counts.tables == 0);
      expect(counts.table_rows ==
             std::map<engine::TableName, uint64_t>{{{"shop", "public", "t"}, 2}, {{"shop", "s", name}, 0}});
    }
  }
  return 0;
}
