#include "agent/launch.h"

#include <gtest/gtest.h>

#include "sys/file.h"

namespace holdfast::agent::detail {
namespace {

TEST(MariadbShareOf, AProgramIsBesideIt) {
  const auto dir = sys::TempDir::create("share");
  ASSERT_TRUE(dir);
  const std::string program = dir->path() + "/bin/mariadbd";
  const auto put = [&](const std::string& path) {
    ASSERT_TRUE(sys::make_directories(path.substr(0, path.rfind('/'))));
    ASSERT_TRUE(sys::publish_file(path, as_bytes(std::string_view("x")), 0644));
  };
  put(program);
  const auto none = find_mariadb_share(program, {dir->path() + "/nowhere"});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().id, "agent.no_system_tables");
  EXPECT_NE(none.error().message.find("/nowhere"), std::string::npos) << none.error().message;
  put(dir->path() + "/share/mysql/mysql_system_tables.sql");
  auto found = find_mariadb_share(program);
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(found->folder, dir->path() + "/share/mysql");
  EXPECT_EQ(found->prefix, "mysql");
  put(dir->path() + "/share/mysql/mariadb_system_tables.sql");
  found = find_mariadb_share(program);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->prefix, "mariadb") << "of 11.0 and later";
  put(dir->path() + "/share/mariadb/mariadb_system_tables.sql");
  found = find_mariadb_share(program);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->folder, dir->path() + "/share/mariadb");
}

}  // namespace
}  // namespace holdfast::agent::detail
