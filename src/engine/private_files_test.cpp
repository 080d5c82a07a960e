// What a program of MariaDB or MySQL reads from our option file is what was meant, whatever the password is made of.
#include "engine/private_files.h"

#include <gtest/gtest.h>

#include "engine/programs.h"
#include "sys/process.h"
#include "tests/support/require.h"

namespace holdfast::engine {
namespace {

TEST(OptionFile, EveryPasswordIsReadAsItIs) {
  // The user is shown by --print-defaults, the password is not; both are written in the same way.
  for (const auto& [engine, name] :
       {std::pair(cluster::Engine::mariadb, "mariadb"), {cluster::Engine::mysql, "mysql"}}) {
    const auto program = find_program(engine, name);
    HOLDFAST_NEED(name, program.has_value(), "its client is not installed");
    for (const std::string user : {"plain", "a\"b#c", "a\"#", "#x", "a'b#c", "a\\b", "a\\\"#b", "\"", " a b ", "a;b"}) {
      sql::Target target;
      target.user = user;
      target.password = Secret(std::string("p\"#w"));
      target.host = "127.0.0.1";
      const auto file = PrivateFile::create("client.cnf", mysql_option_file(engine, target).value()).value();
      const auto shown = sys::run_ok({.argv = {*program, "--defaults-file=" + file.path(), "--print-defaults"}},
                                     Deadline::in(std::chrono::seconds(20)));
      ASSERT_TRUE(shown) << shown.error().to_string();
      EXPECT_NE(shown->out.find("--user=" + user + " "), std::string::npos) << user << " became " << shown->out;
    }
  }
}

}  // namespace
}  // namespace holdfast::engine
