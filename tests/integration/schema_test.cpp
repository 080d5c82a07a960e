// The checker refuses what the schema of triage does not say; the faults check real outputs with it.
#include <gtest/gtest.h>

#include "tests/integration/schema.h"

namespace holdfast::test {
namespace {

using codec::Value;

Value minimal() {
  return *codec::parse_value(
      R"({"cluster":"c","namespace":"n","engine":"mysql","provider":"host","healthy":true,"sentence":"s",
          "authority":"provable","authorityMember":"m","authorityReasons":[],"leader":null,"compared":null,"members":[],
          "diagnoses":[{"id":"no-writer","severity":"critical","members":[],"summary":"s","evidence":[],"remedy":"",
                        "blocks":[]}]})");
}

TEST(TriageSchema, TakesWhatIsRightAndNothingElse) {
  EXPECT_EQ(check_schema("triage.schema.json", minimal()), "");
  Value more = minimal();
  more.set("extra", 1);
  EXPECT_EQ(check_schema("triage.schema.json", more), ": 'extra' is not described");
  Value word = minimal();
  word.set("authority", "proven");
  EXPECT_NE(check_schema("triage.schema.json", word), "");
  Value type = minimal();
  type.set("leader", 1);
  EXPECT_NE(check_schema("triage.schema.json", type), "");
  Value::Object without = minimal().members();
  without.erase(without.begin());
  EXPECT_EQ(check_schema("triage.schema.json", Value(without)), ": 'cluster' is missing");
  EXPECT_NE(check_against(*codec::parse_value(R"({"oneOf":[]})"), minimal()), "") << "a keyword that is not checked";
}

}  // namespace
}  // namespace holdfast::test
