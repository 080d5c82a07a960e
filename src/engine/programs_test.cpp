#include "engine/programs.h"

#include <gtest/gtest.h>

#include "sys/file.h"

namespace holdfast::engine {
namespace {

TEST(Programs, MajorVersionsOfPostgres) {
  EXPECT_EQ(postgres_major("17.12 (Debian 17.12-0+deb13u1)"), 17);
  EXPECT_EQ(postgres_major("15"), 15);
  EXPECT_EQ(postgres_major("18beta1"), 18);
  EXPECT_EQ(postgres_major(""), 0);
  EXPECT_EQ(postgres_major("devel"), 0);
}

TEST(Programs, OfTheVersionThatIsAskedForElseTheNewest) {
  const auto dir = sys::TempDir::create("programs");
  ASSERT_TRUE(dir);
  const auto put = [&](const std::string& path) {
    ASSERT_TRUE(sys::make_directories(dir->path() + path.substr(0, path.rfind('/'))));
    ASSERT_TRUE(sys::publish_file(dir->path() + path, as_bytes(std::string_view("x")), 0755));
  };
  const std::vector<VersionFolders> folders = {{dir->path() + "/lib", ""}, {dir->path(), "pgsql-"}};
  EXPECT_EQ(find_by_version(folders, "pg_dump", 15), std::nullopt);
  put("/lib/9.6/bin/pg_dump");
  put("/lib/15/bin/pg_dump");
  put("/lib/17/bin/pg_dump");
  put("/lib/16/bin/psql");
  put("/pgsql-14/bin/pg_dump");
  put("/lib/current/bin/pg_dump");
  EXPECT_EQ(find_by_version(folders, "pg_dump", 15), dir->path() + "/lib/15/bin/pg_dump");
  EXPECT_EQ(find_by_version(folders, "pg_dump", 14), dir->path() + "/pgsql-14/bin/pg_dump");
  EXPECT_EQ(find_by_version(folders, "pg_dump", 16), dir->path() + "/lib/17/bin/pg_dump") << "16 has no pg_dump";
  EXPECT_EQ(find_by_version(folders, "pg_dump", 0), dir->path() + "/lib/17/bin/pg_dump");
}

}  // namespace
}  // namespace holdfast::engine
