// Who we are where a resource says little, and how a member is reached then.
#include "engine/login.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "sys/file.h"
#include "tests/support/require.h"

namespace holdfast::engine {
namespace {

using cluster::DatabaseCluster;
using cluster::Engine;

class LoginTest : public testing::Test {
 protected:
  LoginTest() {
    cluster_.name = ClusterName("orders");
    cluster_.members.resize(1);
    cluster_.members[0].host.clear();
    cluster_.members[0].socket = file("server.sock", "");
  }
  std::string file(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const std::string path = dir_.path() + "/" + name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  Result<Login> login() const {
    return cluster_login(cluster_, [](const std::string& name) -> std::optional<std::string> {
      return name == "SET" ? std::optional<std::string>("of the environment") : std::nullopt;
    });
  }
  sql::Target target() const {
    const auto done = login();
    EXPECT_TRUE(done) << done.error().to_string();
    return done ? member_target(cluster_, cluster_.members[0], *done) : sql::Target();
  }

  const sys::TempDir dir_ = sys::TempDir::create("login").value();
  DatabaseCluster cluster_;
};

TEST_F(LoginTest, WithoutCredentialsItIsTheUnixUser) {
  const std::string me = sys::own_user_name().value();
  for (const Engine engine : {Engine::mariadb, Engine::mysql, Engine::galera}) {
    cluster_.engine = engine;
    EXPECT_EQ(target().user, me);
    EXPECT_TRUE(target().password.empty());
    EXPECT_EQ(target().socket, cluster_.members[0].socket);
    EXPECT_FALSE(target().peer) << "the account and we have one name";
  }
  cluster_.engine = Engine::postgres;
  EXPECT_EQ(target().user, "postgres");
}

TEST_F(LoginTest, RootConnectsAsTheUserOfTheAccount) {
  HOLDFAST_NEED("root", ::geteuid() == 0, "only root may act as another user");
  const auto nobody = sys::find_user("nobody");
  ASSERT_TRUE(nobody);
  for (const Engine engine : {Engine::mariadb, Engine::postgres}) {
    cluster_.engine = engine;
    cluster_.credentials.user = "nobody";
    ASSERT_TRUE(target().peer);
    EXPECT_EQ(target().peer->uid, nobody->uid);
    EXPECT_EQ(target().peer->gid, nobody->gid);
    cluster_.credentials.user = "root";
    EXPECT_FALSE(target().peer);
  }
  // No user of this machine has the name of the account: PostgreSQL's map may know the server's own.
  cluster_.credentials.user = "no-such-user-here";
  EXPECT_FALSE(target().peer) << "the socket is root's";
  ASSERT_EQ(::chown(cluster_.members[0].socket.c_str(), 4711, 4712), 0);
  ASSERT_TRUE(target().peer);
  EXPECT_EQ(target().peer->uid, 4711u);
  cluster_.engine = Engine::mariadb;
  EXPECT_FALSE(target().peer) << "MariaDB's knows root";
  // With a password the server does not ask who connects.
  cluster_.credentials = {.user = "nobody", .password = {.file = file("pw", "secret\n"), .env = ""}};
  EXPECT_FALSE(target().peer);
  EXPECT_EQ(target().password.reveal(), "secret");
}

TEST_F(LoginTest, OverTheNetworkNobodyIsAskedWithoutAPassword) {
  cluster_.members[0].host = "db1";
  cluster_.members[0].socket = dir_.path() + "/gone.sock";
  EXPECT_EQ(target().socket, cluster_.members[0].socket) << "a server that is down has no other way";
  cluster_.credentials = {.user = "keeper", .password = {.file = "", .env = "SET"}};
  EXPECT_EQ(target().socket, "");
  EXPECT_EQ(target().password.reveal(), "of the environment");
}

TEST_F(LoginTest, AnOptionFileSaysWhoAndWhere) {
  cluster_.credentials.option_file = file("my.cnf", "[client]\nuser=keeper\npassword=pw\nsocket=/run/of/file.sock\n");
  cluster_.members[0].socket.clear();
  auto asked = target();
  EXPECT_EQ(asked.user, "keeper");
  EXPECT_EQ(asked.password.reveal(), "pw");
  EXPECT_EQ(asked.socket, "/run/of/file.sock");
  cluster_.credentials.user = "other";
  cluster_.members[0].host = "db1";
  asked = target();
  EXPECT_EQ(asked.user, "other") << "the resource's own word counts";
  EXPECT_EQ(asked.socket, "") << "the file's socket is of the machine that it is on";
  cluster_.credentials = {.option_file = file("none.cnf", "[mysqld]\nuser=mysql\n", 0644)};
  EXPECT_EQ(target().user, sys::own_user_name().value());
}

TEST_F(LoginTest, APgpassFileSaysWho) {
  cluster_.engine = Engine::postgres;
  cluster_.members[0].port = 5432;
  cluster_.credentials.pgpass_file = file("pgpass", "db1:5432:*:keeper:one\nlocalhost:*:*:postgres:two\n");
  auto asked = target();
  EXPECT_EQ(asked.user, "postgres");
  EXPECT_EQ(asked.password.reveal(), "two");
  cluster_.members[0].host = "db1";
  cluster_.members[0].socket.clear();
  asked = target();
  EXPECT_EQ(asked.user, "keeper");
  EXPECT_EQ(asked.password.reveal(), "one");
  cluster_.members[0].host = "db2";
  asked = target();
  EXPECT_EQ(asked.user, "postgres");
  EXPECT_TRUE(asked.password.empty());
}

TEST_F(LoginTest, WhatCannotBeHadIsRefused) {
  const auto refused = [&](const char* part) {
    const auto done = login();
    ASSERT_FALSE(done) << part;
    EXPECT_EQ(done.error().id, "config.credentials");
    EXPECT_EQ(done.error().error_class, ErrorClass::usage);
    EXPECT_NE(done.error().message.find(part), std::string::npos) << done.error().message;
    EXPECT_FALSE(done.error().hint.empty());
  };
  cluster_.credentials = {.user = "u", .password = {.file = dir_.path() + "/gone", .env = ""}};
  refused("No such file");
  cluster_.credentials.password.file = file("empty", "\n");
  refused("is empty");
  cluster_.credentials = {.user = "u", .password = {.file = "", .env = "NOT_SET"}};
  refused("$NOT_SET");
  cluster_.credentials = {.option_file = dir_.path() + "/gone.cnf"};
  refused("gone.cnf");
  cluster_.credentials = {.option_file = file("open.cnf", "[client]\npassword=x\n", 0604)};
  refused("open to every user");
  cluster_.credentials = {.pgpass_file = file("open", "*:*:*:u:x\n", 0602)};
  refused("open to every user");
  cluster_.credentials = {.pgpass_file = dir_.path() + "/gone"};
  refused("pgpass file");
}

}  // namespace
}  // namespace holdfast::engine
