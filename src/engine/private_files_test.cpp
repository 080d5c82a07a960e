// What a program of MariaDB or MySQL reads from our option file is what was meant, whatever the password is made of.
#include "engine/private_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

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

TEST(PrivateFile, IsItsReadersAndNoMore) {
  HOLDFAST_NEED("root", ::geteuid() == 0, "only root may give a file away");
  const sys::Identity reader{65534, 65533, {}};
  const auto file = PrivateFile::create("pgpass", Secret("secret"), reader).value();
  struct stat made{};
  ASSERT_EQ(::stat(file.path().c_str(), &made), 0);
  EXPECT_EQ(made.st_uid, reader.uid);
  EXPECT_EQ(made.st_mode & 07777, 0600u);
  ASSERT_EQ(::stat(file.directory().c_str(), &made), 0);
  EXPECT_EQ(made.st_uid, 0u) << "what is in it is not the reader's to change";
  EXPECT_EQ(made.st_mode & 07777, 0711u);
  sys::Command command{.argv = {"cat", file.path()}};
  sql::Target target;
  target.socket = "/run/x.sock";
  target.peer = reader;
  run_as_peer(command, target);
  const auto read = sys::run_ok(std::move(command), Deadline::in(std::chrono::seconds(20)));
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->out, "secret");
  target.socket.clear();
  target.host = "127.0.0.1";
  sys::Command over_network;
  run_as_peer(over_network, target);
  EXPECT_FALSE(over_network.identity) << "the server cannot ask who connects there";
}

TEST(Conninfo, ASocketIsADirectoryAndAPort) {
  sql::Target target;
  target.port = 5433;
  const auto conninfo = [&](const char* socket) {
    target.socket = socket;
    const std::string text = postgres_conninfo(target, "/p", "").value();
    return text.substr(0, text.find(" user="));
  };
  EXPECT_EQ(conninfo("/run/postgresql"), "host='/run/postgresql' port='5433'");
  EXPECT_EQ(conninfo("/run/postgresql/.s.PGSQL.5440"), "host='/run/postgresql' port='5440'");
  EXPECT_EQ(conninfo("/run/.s.PGSQL.dir/x"), "host='/run/.s.PGSQL.dir/x' port='5433'");
}

}  // namespace
}  // namespace holdfast::engine
