#include "tests/support/member_sql.h"

#include <gtest/gtest.h>

#include "sys/file.h"

namespace holdfast::test {

sql::Target target_of(const codec::Value& member) {
  sql::Target target;
  target.host = member["host"].text();
  target.port = static_cast<int>(member["port"].integer());
  target.user = member["user"].text();
  auto password = sys::read_file(member["passwordFile"].text());
  EXPECT_TRUE(password) << member["passwordFile"].text();
  if (password) {
    std::string text(as_text(password->span()));
    target.password = Secret(text.substr(0, text.find('\n')));
  }
  return target;
}

}  // namespace holdfast::test
