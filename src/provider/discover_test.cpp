#include "provider/discover.h"

#include <gtest/gtest.h>

namespace holdfast::provider {
namespace {

TEST(ServerSockets, AreTheListeningOnesByName) {
  const std::string table =
      "Num       RefCount Protocol Flags    Type St Inode Path\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 1001 /run/mysqld/mysqld.sock\n"
      "0000000000000000: 00000003 00000000 00000000 0001 03 1002 /run/mysqld/mysqld.sock\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 1003 /run/mysqld/mysqlx.sock\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 1004 /run/postgresql/.s.PGSQL.5432\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 1005 /srv/my data/maria db.sock\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 1006 /run/docker.sock\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 1007 @/run/mysqld/mysqld.sock\n"
      "0000000000000000: 00000002 00000000 00010000 0002 01 1008 /run/mysqld/other.sock\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 1009 /run/postgresql/.s.PGSQL.5432.lock\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 1010\n"
      "cut";
  EXPECT_EQ(server_sockets(cluster::Engine::mariadb, table),
            (std::vector<std::string>{"/run/mysqld/mysqld.sock", "/srv/my data/maria db.sock"}));
  EXPECT_EQ(server_sockets(cluster::Engine::postgres, table),
            (std::vector<std::string>{"/run/postgresql/.s.PGSQL.5432"}));
  EXPECT_TRUE(server_sockets(cluster::Engine::mysql, "").empty());
}

}  // namespace
}  // namespace holdfast::provider
