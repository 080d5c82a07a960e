// Transactions read from the text of SHOW ENGINE INNODB STATUS: what a statement says must not pass for InnoDB's words.
#include "engine/mysql_family/transactions.h"

#include <gtest/gtest.h>

namespace holdfast::engine::mysql_family {
namespace {

TEST(InnodbStatus, ListsTransactionsAndTheirSessions) {
  const auto found = parse_innodb_status(
      "------------\nTRANSACTIONS\n------------\nTrx id counter 2900\n"
      "---TRANSACTION 421, not started\n0 lock struct(s), heap size 1128\n"
      "---TRANSACTION 2871, ACTIVE 75 sec\n2 lock struct(s)\n"
      "MySQL thread id 12, OS thread handle 140, query id 99 localhost app updating\n"
      "UPDATE t SET note = '\n---TRANSACTION 9, ACTIVE 1 sec\nMySQL thread id 77, OS\n'\n"
      "---TRANSACTION 2872, ACTIVE 3 sec starting index read\n"
      "LOCK WAIT 2 lock struct(s), heap size 1128, 1 row lock(s)\nMySQL thread id 13, OS thread handle 141\n"
      "------- TRX HAS BEEN WAITING 3 SEC FOR THIS LOCK TO BE GRANTED:\n------------------\n"
      "---TRANSACTION 2860, ACTIVE (PREPARED) 600 sec recovered trx\n2 lock struct(s)\n"
      "--------\nFILE I/O\n--------\n");
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0].id, "2871");
  EXPECT_EQ(found[0].session, 12u);
  EXPECT_EQ(found[0].seconds, 75);
  EXPECT_FALSE(found[0].waits);
  // A statement may begin a line as InnoDB does: that adds one that is young, and takes none away.
  EXPECT_EQ(found[1].id, "9");
  EXPECT_EQ(found[2].session, 13u);
  EXPECT_TRUE(found[2].waits);
  EXPECT_EQ(found[3].id, "2860");
  EXPECT_EQ(found[3].session, 0u);
  EXPECT_EQ(found[3].seconds, 600);
}

TEST(InnodbStatus, NothingOfNothing) {
  EXPECT_TRUE(parse_innodb_status("").empty());
  EXPECT_TRUE(parse_innodb_status("---TRANSACTION").empty());
  EXPECT_TRUE(parse_innodb_status("MySQL thread id 5, OS\n").empty());
}

}  // namespace
}  // namespace holdfast::engine::mysql_family
