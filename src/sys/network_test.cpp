#include "sys/network.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <future>

namespace holdfast::sys {
namespace {

using std::chrono::milliseconds;

TEST(Network, ThisProcessHasALoopbackAndAStackOfItsOwn) {
  const auto own = own_network();
  EXPECT_NE(std::ranges::find(own.addresses, "127.0.0.1"), own.addresses.end());
  EXPECT_FALSE(own.hostname.empty());
  EXPECT_FALSE(own.id.empty());
  EXPECT_EQ(own_network(::getpid()).id, own.id);
  EXPECT_EQ(own_network(-1).id, own.id) << "no server runs";
}

TEST(NameLookup, TellsWhereNamesLead) {
  NameLookup lookup;
  const auto found = lookup.answers({"localhost"}, Deadline::in(std::chrono::seconds(20)));
  ASSERT_TRUE(found.contains("localhost"));
  EXPECT_TRUE(std::ranges::any_of(found.at("localhost"), [](const auto& a) { return a == "127.0.0.1" || a == "::1"; }));
}

TEST(NameLookup, ASilentNameServerHoldsNobodyUp) {
  const auto gate = std::make_shared<std::promise<void>>();
  const auto opened = gate->get_future().share();
  const auto asked = std::make_shared<std::atomic<int>>(0);
  NameLookup lookup([opened, asked](const std::string& name) -> std::vector<std::string> {
    ++*asked;
    if (name == "silent") opened.wait();
    return {"10.0.0.1"};
  });
  lookup.ask({"silent"});
  const auto begun = std::chrono::steady_clock::now();
  const auto found = lookup.answers({"silent", "fast"}, Deadline::in(milliseconds(200)));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
  EXPECT_FALSE(found.contains("silent"));
  lookup.ask({"silent"});
  gate->set_value();
  const auto later = lookup.answers({"silent", "fast"}, Deadline::in(std::chrono::seconds(20)));
  EXPECT_TRUE(later.contains("silent"));
  EXPECT_TRUE(later.contains("fast"));
  EXPECT_EQ(asked->load(), 2)
      << "each name once: one that is asked for, and one that is known, are not asked for again";
}

TEST(NameLookup, ForgetsAfterAWhile) {
  const auto asked = std::make_shared<std::atomic<int>>(0);
  NameLookup lookup(
      [asked](const std::string&) {
        ++*asked;
        return std::vector<std::string>();
      },
      milliseconds(0));
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(lookup.answers({"db1"}, Deadline::in(std::chrono::seconds(20))).empty());
  EXPECT_EQ(asked->load(), 2);
}

}  // namespace
}  // namespace holdfast::sys
