#include "backup/replay.h"

#include <gtest/gtest.h>

namespace holdfast::backup {
namespace {

constexpr std::string_view kDump =
    "SET x = y;\nCREATE ROLE admin;\nALTER ROLE admin WITH SUPERUSER PASSWORD 'old';\nCREATE ROLE \"Odd one\";\n"
    "ALTER ROLE \"Odd one\" WITH LOGIN;\nCREATE ROLE app;\nALTER ROLE app WITH LOGIN PASSWORD 'x';\nALTER ROLE admin "
    "SET a TO 'b';\n"
    "\\connect template1\nCREATE ROLE admin;\nno newline at the end";

constexpr std::string_view kExpected =
    "SET x = y;\nALTER ROLE \"Odd one\" WITH LOGIN;\nCREATE ROLE app;\nALTER ROLE app WITH LOGIN PASSWORD 'x';\n"
    "ALTER ROLE admin SET a TO 'b';\n\\connect template1\nCREATE ROLE admin;\nno newline at the end";

TEST(RoleFilter, drops_only_what_stands_in_the_way_in_pieces_of_every_size) {
  for (size_t piece = 1; piece <= kDump.size(); ++piece) {
    RoleFilter filter({"admin", "\"Odd one\"", "pg_monitor"}, "admin");
    std::string out;
    for (size_t at = 0; at < kDump.size(); at += piece) out += filter.feed(kDump.substr(at, piece));
    out += filter.finish();
    EXPECT_EQ(out, kExpected) << piece;
  }
}

}  // namespace
}  // namespace holdfast::backup
