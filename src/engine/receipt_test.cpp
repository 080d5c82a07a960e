#include "engine/receipt.h"

#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

using cluster::Engine;

TEST(Receipt, TellsWhatTheSourceHasAndTheReplicaDidNotGet) {
  const std::string a = "11111111-1111-1111-1111-111111111111:1-", b = "22222222-2222-2222-2222-222222222222:1";
  EXPECT_TRUE(lacks_of(Engine::mysql, a + "99", a + "100"));
  EXPECT_FALSE(lacks_of(Engine::mysql, a + "100", a + "100"));
  EXPECT_FALSE(lacks_of(Engine::mysql, a + "100," + b, a + "100")) << "what it has besides does not matter here";
  EXPECT_TRUE(lacks_of(Engine::mariadb, "0-1-99", "0-1-100"));
  EXPECT_FALSE(lacks_of(Engine::mariadb, "0-2-100", "0-1-100")) << "after a change of roles";
  EXPECT_TRUE(lacks_of(Engine::mariadb, "0-1-100", "0-1-100,5-1-7"));
  EXPECT_TRUE(lacks_of(Engine::postgres, "0/4FFFFFF", "0/5000000"));
  EXPECT_FALSE(lacks_of(Engine::postgres, "1/0", "0/5000000"));
}

TEST(Receipt, WhatCannotBeComparedIsNotToldAsMissing) {
  EXPECT_FALSE(lacks_of(Engine::mysql, "nonsense", "nonsense"));
  EXPECT_FALSE(lacks_of(Engine::postgres, "", "0/5000000"));
  EXPECT_FALSE(lacks_of(Engine::galera, "", ""));
}

}  // namespace
}  // namespace holdfast::engine
