// A client program gets the settings of a replica's connection.
#include "agent/account_check.h"

#include <gtest/gtest.h>

namespace holdfast::agent {
namespace {

using cluster::Engine;

engine::Channel channel() {
  engine::Channel c;
  c.host = "db.example";
  c.port = 3306;
  c.user = "replicator";
  c.password = Secret("secret");
  return c;
}

bool has(const Secret& text, const std::string& line) {
  return ("\n" + std::string(text.reveal())).find("\n" + line + "\n") != std::string::npos;
}

TEST(AccountCheck, WithoutTlsWhereTheReplicaHasNone) {
  EXPECT_TRUE(has(client_options(Engine::mariadb, channel()), "skip-ssl"));
  EXPECT_TRUE(has(client_options(Engine::mysql, channel()), "ssl-mode=\"DISABLED\""));
}

TEST(AccountCheck, WithTheTlsOfTheReplica) {
  auto c = channel();
  c.options = {{"MASTER_SSL", "1"},
               {"MASTER_SSL_VERIFY_SERVER_CERT", "1"},
               {"MASTER_SSL_CA", "'/it\\'s/ca.pem'"},
               {"MASTER_SSL_KEY", "'/k'"}};
  const auto text = client_options(Engine::mariadb, c);
  for (const char* line : {"ssl", "ssl-verify-server-cert", "ssl-ca=\"/it's/ca.pem\"", "ssl-key=\"/k\""})
    EXPECT_TRUE(has(text, line)) << text.reveal();

  c.options = {{"SOURCE_SSL", "1"}};
  EXPECT_TRUE(has(client_options(Engine::mysql, c), "ssl-mode=\"REQUIRED\""));
  c.options["SOURCE_SSL_CA"] = "'/ca.pem'";
  EXPECT_TRUE(has(client_options(Engine::mysql, c), "ssl-mode=\"VERIFY_CA\""));
  c.options["SOURCE_SSL_VERIFY_SERVER_CERT"] = "1";
  c.options["SOURCE_BIND"] = "'127.0.0.3'";
  EXPECT_TRUE(has(client_options(Engine::mysql, c), "ssl-mode=\"VERIFY_IDENTITY\""));
  EXPECT_TRUE(has(client_options(Engine::mysql, c), "bind-address=\"127.0.0.3\""));
}

}  // namespace
}  // namespace holdfast::agent
