#include "cluster/passed_over.h"

#include <gtest/gtest.h>

namespace holdfast::cluster {
namespace {

constexpr const char* kOwn = "11111111-1111-1111-1111-111111111111";
constexpr const char* kOther = "22222222-2222-2222-2222-222222222222";

TEST(PassedOver, OnesOwnEmptyTransactionsPassNothingOver) {
  const std::string own = std::string(kOwn) + ":1-9",
                    other = std::string(kOther) + ":3,22222222-2222-2222-2222-222222222222:7-8";
  EXPECT_EQ(written_by_others(Engine::mysql, kOwn, own), "");
  EXPECT_EQ(written_by_others(Engine::mysql, kOwn, own + "," + other), other);
  EXPECT_EQ(written_by_others(Engine::mariadb, "", "0-1-3,0-1-7..0-1-9"), "0-1-3,0-1-7..0-1-9");
  EXPECT_EQ(written_by_others(Engine::mysql, kOwn, "nonsense"), "");
}

}  // namespace
}  // namespace holdfast::cluster
