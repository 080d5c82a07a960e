#include "agent/epoch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "sys/file.h"

namespace holdfast::agent {
namespace {

using std::chrono::seconds;

const auto kNothing = [] {};

class Epochs : public testing::Test {
 protected:
  void SetUp() override {
    auto dir = sys::TempDir::create("epoch");
    ASSERT_TRUE(dir);
    dir_.emplace(std::move(*dir));
  }
  std::optional<sys::TempDir> dir_;
};

TEST_F(Epochs, LowerOnesAreRefusedAlsoAfterARestart) {
  {
    EpochGate gate(dir_->path());
    EXPECT_EQ(*gate.highest(), 0u);
    EXPECT_TRUE(gate.admit(7, Deadline::in(seconds(1)), kNothing));
    EXPECT_TRUE(gate.admit(7, Deadline::in(seconds(1)), kNothing)) << "the same operation asks again";
  }
  EpochGate gate(dir_->path());
  EXPECT_EQ(*gate.highest(), 7u);
  const auto stale = gate.admit(6, Deadline::in(seconds(1)), kNothing);
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().id, "agent.stale_epoch");
  EXPECT_EQ(stale.error().error_class, ErrorClass::refused);
  EXPECT_NE(stale.error().hint, "");
  EXPECT_TRUE(gate.admit(8, Deadline::in(seconds(1)), kNothing));
  EXPECT_FALSE(gate.admit(7, Deadline::in(seconds(1)), kNothing));
}

TEST_F(Epochs, OlderWorkIsToldToEndAndWaitedFor) {
  EpochGate gate(dir_->path());
  std::atomic<bool> told = false, ended = false;
  auto old = gate.admit(1, Deadline::in(seconds(1)), kNothing);
  ASSERT_TRUE(old);
  std::jthread worker([&ended, &told, pass = std::move(*old)] {
    while (!told) std::this_thread::yield();
    ended = true;
  });
  EXPECT_TRUE(gate.admit(2, Deadline::in(seconds(10)), [&] { told = true; }));
  EXPECT_TRUE(told);
  worker.join();
  EXPECT_TRUE(ended);
  bool again = false;
  EXPECT_TRUE(gate.admit(3, Deadline::in(seconds(1)), [&] { again = true; }));
  EXPECT_FALSE(again) << "nobody older is at work";
}

TEST_F(Epochs, ADamagedFileLetsNobodyInWithAnEpoch) {
  ASSERT_TRUE(sys::publish_file(dir_->path() + "/epoch", as_bytes(std::string_view("7x\n")), 0600));
  EpochGate gate(dir_->path());
  const auto refused = gate.admit(9, Deadline::in(seconds(1)), kNothing);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "agent.epoch_damaged");
}

}  // namespace
}  // namespace holdfast::agent
