#include "engine/client_files.h"

#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

TEST(OptionFileText, IsReadAsTheClientsReadIt) {
  const auto file = parse_option_file(
      "user=nobody\n"
      "[mysqld]\nuser=mysql\nsocket=/wrong\n"
      "[client]\n"
      "# a comment\n; another\n!include /etc/other.cnf\n"
      "host = localhost\n"
      "  user   =  keeper   # who\n"
      "password = \"p#\\\"w\\\\x\\sy\\q\"\r\n"
      "socket=/run/mysqld/mysqld.sock\n"
      "[mysqldump]\npassword=other\n");
  EXPECT_EQ(file.user, "keeper");
  EXPECT_EQ(file.password.reveal(), "p#\"w\\x y\\q");
  EXPECT_EQ(file.socket, "/run/mysqld/mysqld.sock");
}

TEST(OptionFileText, TheLastWordCountsAndMayBeEmpty) {
  EXPECT_EQ(parse_option_file("[client]\npassword=a\n[client-mariadb]\npassword='b c'").password.reveal(), "b c");
  // Debian's own file for its maintenance scripts.
  const auto debian = parse_option_file("[client]\nhost     = localhost\nuser     = root\npassword = \n");
  EXPECT_EQ(debian.user, "root");
  EXPECT_TRUE(debian.password.empty());
  EXPECT_TRUE(parse_option_file("[client]\npassword\n").password.empty());
  EXPECT_TRUE(parse_option_file("").user.empty());
}

TEST(Pgpass, TheFirstLineThatFitsCounts) {
  const auto lines = parse_pgpass(
      "# host:port:database:user:password\n"
      "db1:5432:*:keeper:one\n"
      "db\\:2:*:postgres:keep\\\\er:t\\:wo:and more\n"
      "not a line\n"
      "*:6432:*:*:three\r\n"
      "localhost:*:*:postgres:four");
  ASSERT_EQ(lines.size(), 4u);
  const auto password = [&](const char* host, const char* port, const char* user) -> std::string {
    const auto* line = find_pgpass(lines, host, port, user);
    return line ? std::string(line->password.reveal()) : "-";
  };
  EXPECT_EQ(password("db1", "5432", "keeper"), "one");
  EXPECT_EQ(password("db1", "5433", "keeper"), "-");
  EXPECT_EQ(password("db:2", "1", "keep\\er"), "t:wo:and more");
  EXPECT_EQ(password("db1", "6432", "anybody"), "three");
  EXPECT_EQ(password("localhost", "5432", ""), "four") << "a line for every user does not say who we are";
  ASSERT_NE(find_pgpass(lines, "db1", "5432", ""), nullptr);
  EXPECT_EQ(find_pgpass(lines, "db1", "5432", "")->user, "keeper");
}

}  // namespace
}  // namespace holdfast::engine
