// What logs of real servers say, told apart.
#include "cluster/server_log.h"

#include <gtest/gtest.h>

namespace holdfast::cluster {
namespace {

TEST(ServerLog, ARefusedConfigurationIsNoDamage) {
  for (const char* line : {
           "2026-11-22T10:00:00.000000Z 0 [ERROR] [MY-000067] [Server] unknown variable 'innodb_bufer_pool_size=1G'.",
           "2026-11-22 10:00:00 0 [ERROR] /usr/sbin/mariadbd: unknown variable 'frobnicate=1'",
           ("2026-11-22T10:00:00Z 0 [ERROR] [MY-013178] [Server] Persistent configuration file is corrupted. Please "
            "ensure mysqld-auto.cnf file is valid JSON."),
           "mysqld: [ERROR] Found option without preceding group in config file /etc/my.cnf at line 1.",
           "2026-11-22 UTC [12] LOG:  syntax error in file \"/srv/postgresql.auto.conf\" line 3, near token \"x\"",
           "2026-11-22 10:00:00.000 UTC [12] FATAL:  configuration file \"/srv/postgresql.conf\" contains errors",
           "2026-11-22 UTC [12] LOG:  unrecognized configuration parameter \"foo\" in file \"/srv/p.conf\" line 5",
           "2026-11-22 10:00:00.000 UTC [12] FATAL:  could not load pg_hba.conf",
           "2026-11-22 10:00:00.000 UTC [12] FATAL:  could not access file \"timescaledb\": No such file or directory",
           "2026-11-22 10:00:00.000 UTC [12] postgres@postgres DETAIL:  Hot standby mode is disabled.",
       }) {
    EXPECT_TRUE(refuses_configuration(line)) << line;
    EXPECT_FALSE(tells_of_damage(line)) << line;
  }
  // A client's mistake, a remark.
  EXPECT_FALSE(refuses_configuration("2026-11-22 10:00 UTC [12] ERROR:  invalid value for parameter \"work_mem\""));
  EXPECT_FALSE(refuses_configuration("2026-11-22 10:00:00 0 [Warning] unknown variable 'loose_x=1'"));
}

TEST(ServerLog, DamageIsDamage) {
  for (const char* line : {
           "[ERROR] [MY-012224] [InnoDB] Header page consists of zero bytes; data files are corrupt",
           "2026-11-22 UTC [12] PANIC:  could not locate a valid checkpoint record",
       })
    EXPECT_TRUE(tells_of_damage(line)) << line;
}

TEST(ServerLog, ARunningServerMeetsDamage) {
  for (const char* line : {
           "2026-11-22 12 [ERROR] InnoDB: Database page corruption on disk or a failed read of file './s/t.ibd'",
           "2026-11-22 10:00:00 12 [ERROR] InnoDB: index corruption in index `k` of table `shop`.`t`",
           "2026-11-22T10:00:00Z 12 [ERROR] [MY-012869] [InnoDB] Index k of table shop.t is corrupted",
           "2026-11-22 10:00:00 UTC [12] ERROR:  invalid page in block 3 of relation base/5/16384",
           "2026-11-22 10:00:00 UTC [12] ERROR:  index \"k\" contains unexpected zero page at block 3",
       })
    EXPECT_TRUE(met_damage(line)) << line;
  for (const char* line : {
           "2026-11-22 12 [ERROR] Slave SQL: Relay log read failure: Could not parse relay log event entry, it "
           "is corrupted",
           "2026-11-22 10:00:00 12 [ERROR] Event crc check failed! Most likely there is event corruption.",
           "2026-11-22 10:00:00 UTC [12] STATEMENT:  SELECT 'ERROR: invalid page in block'",
           "2026-11-22 10:00:00 12 [Note] InnoDB: Buffer pool(s) load completed",
       })
    EXPECT_FALSE(met_damage(line)) << line;
}

TEST(ServerLog, WhyAReceiverDoesNotStream) {
  const std::string begin = "2026-11-22 10:00:00 UTC [1] LOG:  starting PostgreSQL 15.4 on x86_64\n";
  const std::string at = "2026-11-22 10:00:01 UTC [9] FATAL:  ";
  for (const char* said : {
           ("could not connect to the primary server: connection to server at \"::1\", port 5432 failed: FATAL:  the "
            "database system is starting up"),
           "could not receive data from WAL stream: ERROR:  requested WAL segment 00000001 has already been removed",
           "could not start WAL streaming: ERROR:  replication slot \"a\" does not exist",
           "database system identifier differs between the primary and standby",
           "highest timeline 1 of the primary is behind recovery timeline 2",
           "terminating walreceiver due to timeout",
       })
    EXPECT_EQ(receiver_trouble(begin + at + said + "\n"), said);
  // Of those who connected to it.
  for (const char* said : {
           "the database system is not yet accepting connections",
           "no pg_hba.conf entry for replication connection from host \"10.0.0.1\", user \"r\", no encryption",
           "terminating connection due to administrator command",
           "remaining connection slots are reserved for non-replication superuser connections",
       })
    EXPECT_EQ(receiver_trouble(begin + at + said + "\n"), "") << said;
  const std::string trouble = at + "could not receive data from WAL stream: server closed the connection\n";
  EXPECT_EQ(receiver_trouble(begin + trouble + "2026 LOG:  started streaming WAL from primary at 0/3000000\n"), "");
  EXPECT_EQ(receiver_trouble(trouble + begin), "");
  EXPECT_EQ(receiver_trouble(at), "");
}

TEST(ServerLog, SettingsAStandbyNeeds) {
  const std::string last =
      "2026-11-22 10:00:00 UTC [1] LOG:  starting PostgreSQL 15.4 on x86_64\n"
      "2026-11-22 10:00:00 UTC [2] FATAL:  recovery aborted because of insufficient parameter settings\n"
      "2026-11-22 10:00:00 UTC [2] DETAIL:  max_connections = 100 is a lower setting than on the primary server, where "
      "its value was 160.\n"
      "2026-11-22 10:00:00 UTC [2] HINT:  You can restart the server after making the necessary changes.\n";
  EXPECT_EQ(settings_too_small(last), (std::map<std::string, int64_t>{{"max_connections", 160}}));
  EXPECT_TRUE(settings_too_small(last + "2026-11-22 10:01:00 UTC [9] LOG:  starting PostgreSQL 15.4\n").empty());
  EXPECT_TRUE(settings_too_small("").empty());
}

}  // namespace
}  // namespace holdfast::cluster
