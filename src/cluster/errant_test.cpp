#include "cluster/errant.h"

#include <gtest/gtest.h>

namespace holdfast::cluster {
namespace {

TEST(ErrantNames, OfEachEngineAndNothingElse) {
  auto names = parse_errant(Engine::mariadb, "0-2-101..0-2-105,7-3-1");
  ASSERT_TRUE(names);
  ASSERT_EQ(names->ranges.size(), 2u);
  EXPECT_EQ(names->ranges[0], (position::MissingRange{0, 2, 100, 105}));
  EXPECT_EQ(names->ranges[1], (position::MissingRange{7, 3, 0, 1}));
  names = parse_errant(Engine::mysql, "11111111-1111-1111-1111-111111111111:1-3:7");
  ASSERT_TRUE(names);
  EXPECT_EQ(names->set.count(), 4u);
  names = parse_errant(Engine::postgres, "timeline 1 from 0/5000000 to 0/5000ABC, timeline 2 from 0/5000ABC to 1/0");
  ASSERT_TRUE(names);
  ASSERT_EQ(names->wal.size(), 2u);
  EXPECT_EQ(names->wal[0].timeline, 1u);
  EXPECT_EQ(names->wal[0].to.to_string(), "0/5000ABC");
  EXPECT_EQ(names->wal[1].to.value, uint64_t{1} << 32);
  for (const char* bad : {"", "x", "0-2-5..0-2-4", "0-2-5..0-3-6", "0-2-5..", "..", "0-2-0"})
    EXPECT_FALSE(parse_errant(Engine::mariadb, bad)) << bad;
  for (const char* bad : {"", "timeline 1 from 0/1", "timeline x from 0/1 to 0/2", "timeline 1 from 0/1 to 0/2 more"})
    EXPECT_FALSE(parse_errant(Engine::postgres, bad)) << bad;
}

TEST(Errant, AgentAnswersComeThroughWhole) {
  Errant e;
  e.transactions = "0-2-5";
  e.count = 3;
  e.exact = e.looked_at = true;
  e.unseen = "why";
  e.against = "m0";
  e.classes[ErrantClass::heartbeat] = {2, {"a.heartbeat"}, {}};
  e.classes[ErrantClass::ddl] = {1, {}, {"CREATE TABLE"}};
  e.wal_bytes = 77;
  e.wal_records = {{"Heap INSERT", 5}};
  const Errant back = errant_from(errant_value(e));
  EXPECT_EQ(codec::to_json(errant_value(back)), codec::to_json(errant_value(e)));
  EXPECT_EQ(back.classes.at(ErrantClass::heartbeat).tables, e.classes[ErrantClass::heartbeat].tables);
  EXPECT_EQ(errant_value(e)["classes"]["user_data"].integer(-1), 0) << "every class is always there";
}

TEST(HeartbeatTables, TheUsualOnesAndTheAnnotations) {
  DatabaseCluster cluster;
  EXPECT_TRUE(heartbeat_tables(cluster).contains("kubeblocks.kb_health_check"));
  cluster.annotations[std::string(kHeartbeatAnnotation)] = "ops.beat, *.pulse";
  EXPECT_TRUE(heartbeat_tables(cluster).contains("ops.beat"));
  EXPECT_TRUE(heartbeat_tables(cluster).contains("*.pulse"));
  EXPECT_TRUE(heartbeat_tables(cluster).contains("*.heartbeat"));
}

}  // namespace
}  // namespace holdfast::cluster
