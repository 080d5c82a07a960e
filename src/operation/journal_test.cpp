#include "operation/journal.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace holdfast::operation {
namespace {

TEST(OperationId, SortsByAgeWithinASecondToo) {
  std::string before = new_operation_id();
  EXPECT_EQ(before.size(), 22u) << before;
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    const std::string now = new_operation_id();
    EXPECT_LT(before, now);
    before = now;
  }
}

}  // namespace
}  // namespace holdfast::operation
