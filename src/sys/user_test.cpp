#include "sys/user.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "sys/process.h"

namespace holdfast::sys {
namespace {

TEST(User, is_what_id_says) {
  for (const char* name : {"root", "nobody"}) {
    const auto user = find_user(name);
    ASSERT_TRUE(user) << user.error().to_string();
    const auto id = [&](const char* flag) {
      Command command;
      command.argv = {"id", flag, name};
      auto result = run_ok(command, Deadline::in(std::chrono::seconds(10)));
      return result ? result->out : result.error().to_string();
    };
    EXPECT_EQ(std::to_string(user->uid) + "\n", id("-u"));
    EXPECT_EQ(std::to_string(user->gid) + "\n", id("-g"));
    std::istringstream said(id("-G"));
    std::set<gid_t> groups;
    for (gid_t group; said >> group;) groups.insert(group);
    EXPECT_EQ(std::set<gid_t>(user->groups.begin(), user->groups.end()), groups);
  }
}

TEST(User, unknown_one_is_an_error) {
  EXPECT_EQ(find_user("no-such-user-here").error().id, "sys.no_user");
}

TEST(User, own_name_is_what_id_says) {
  const auto said = run_ok({.argv = {"id", "-un"}}, Deadline::in(std::chrono::seconds(10)));
  ASSERT_TRUE(said) << said.error().to_string();
  EXPECT_EQ(own_user_name().value() + "\n", said->out);
}

}  // namespace
}  // namespace holdfast::sys
