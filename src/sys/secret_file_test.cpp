// Files with a password: whole or the first line, also from a pipe, and not without end.
#include "sys/secret_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "sys/file.h"

namespace holdfast::sys {
namespace {

class SecretFiles : public testing::Test {
 protected:
  void put(const std::string& text) const { std::ofstream(path_) << text; }
  const TempDir dir_ = TempDir::create("secret").value();
  const std::string path_ = dir_.path() + "/password";
};

TEST_F(SecretFiles, ThePasswordIsTheFirstLine) {
  for (const auto& [text, password] :
       {std::pair("geheim\n", "geheim"), {"geheim", "geheim"}, {"a b \r\nc", "a b "}, {"", ""}, {"\nsecond", ""}}) {
    put(text);
    EXPECT_EQ(read_password_file(path_).value().reveal(), password);
    EXPECT_EQ(read_secret_file(path_).value().reveal(), text);
  }
}

TEST_F(SecretFiles, OneThatIsTooLongIsRefused) {
  put(std::string(64 << 10, 'x'));
  EXPECT_EQ(read_password_file(path_).value().reveal().size(), 64u << 10);
  put(std::string((64 << 10) + 1, 'x'));
  EXPECT_EQ(read_password_file(path_).error().id, "sys.secret_too_long");
  EXPECT_EQ(read_secret_file("/dev/zero").error().id, "sys.secret_too_long");
}

TEST_F(SecretFiles, WhatCannotBeReadIsNamed) {
  EXPECT_EQ(read_password_file(path_).error().id, "store.not_found");
  EXPECT_NE(read_password_file(dir_.path()).error().to_string().find(dir_.path()), std::string::npos);
}

TEST_F(SecretFiles, APipeWillDo) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  std::jthread writer([&] {
    std::ofstream pipe(path_);
    pipe << "gehe" << std::flush;
    pipe << "im\n";
  });
  EXPECT_EQ(read_password_file(path_).value().reveal(), "geheim");
}

}  // namespace
}  // namespace holdfast::sys
