// What a Galera node's settings and arguments say, and that options of one start hold for that one only.
#include "agent/galera_node.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agent/existing.h"
#include "agent/launch.h"
#include "agent/server.h"
#include "sys/file.h"

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;
using Settings = std::map<std::string, std::string>;

Settings node(const Settings& other = {}) {
  Settings settings = {{"wsrep_on", "ON"},
                       {"wsrep_provider", "/usr/lib/galera/libgalera_smm.so"},
                       {"wsrep_node_name", "db-a"},
                       {"wsrep_cluster_name", "orders"},
                       {"wsrep_cluster_address", "gcomm://10.0.0.5,10.0.0.6"},
                       {"wsrep_sst_method", "rsync"},
                       {"wsrep_sst_auth", ""}};
  for (const auto& [name, value] : other) settings[name] = value;
  return settings;
}

std::string refusal(const Settings& settings) {
  const auto read = read_node(settings, true);
  return read ? "" : read.error().id;
}

TEST(GaleraNode, SaysWhatItIs) {
  const auto read = read_node(node(), std::nullopt);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->name, "db-a");
  EXPECT_EQ(read->cluster, "orders");
  EXPECT_EQ(read->address, "gcomm://10.0.0.5,10.0.0.6");
  EXPECT_TRUE(read->remarks.empty());
  EXPECT_EQ(refusal(node({{"wsrep_on", "OFF"}})), "adopt.engine");
  EXPECT_EQ(refusal(node({{"wsrep_provider", "none"}})), "adopt.engine");
  EXPECT_EQ(refusal({}), "adopt.engine") << "another server";
}

TEST(GaleraNode, OneThatFormsAComponentAtEachStartIsRefused) {
  for (const char* address : {"", "gcomm://", "gcomm://?pc.weight=2", "gcomm:// , "})
    EXPECT_EQ(refusal(node({{"wsrep_cluster_address", address}})), "adopt.new_component") << address;
  EXPECT_EQ(nodes_of("gcomm://a:4567, b?gmcast.segment=1"), (Words{"a:4567", "b"}));
  const auto unit = check_node_unit("first.service", "ExecStart={ argv[]=/usr/sbin/mariadbd --wsrep-new-cluster ; }");
  ASSERT_FALSE(unit);
  EXPECT_EQ(unit.error().id, "adopt.new_component");
  EXPECT_TRUE(check_node_unit("mariadb.service",
                              "ExecStart={ argv[]=/bin/sh -c exec mariadbd $MYSQLD_OPTS $_WSREP_NEW_CLUSTER $VAR ; }"));
}

TEST(GaleraNode, WhoCannotGiveItsStateSaysSo) {
  const auto remarks = [](const char* method, const char* login, std::optional<bool> own_account) {
    return read_node(node({{"wsrep_sst_method", method}, {"wsrep_sst_auth", login}}), own_account)->remarks.size();
  };
  EXPECT_EQ(remarks("mariabackup", "", false), 1U);
  EXPECT_EQ(remarks("mariabackup", "", true), 0U) << "it logs in as the user it runs as";
  EXPECT_EQ(remarks("mariabackup", "", std::nullopt), 0U) << "not known is not missing";
  EXPECT_EQ(remarks("mariabackup", "********", false), 0U);
  EXPECT_EQ(remarks("mysqldump", "", true), 1U);
  EXPECT_EQ(remarks("rsync", "", false), 0U);
}

TEST(GaleraNode, ArgumentsOfOneStartAreNotKept) {
  EXPECT_EQ(lasting_arguments({"--defaults-group-suffix=.a", "--wsrep-new-cluster", "--wsrep_new_cluster",
                               "--wsrep_start_position=x:1,0-1-2", "--loose-wsrep-start-position=x:1", "--port=1"}),
            (Words{"--defaults-group-suffix=.a", "--port=1"}));
  EXPECT_TRUE(is_told_its_position({"--wsrep_start_position=x:1"}));
  EXPECT_FALSE(is_told_its_position({"--wsrep-new-cluster"}));
  EXPECT_TRUE(is_position_recovery({"mariadbd", "--user=mysql", "--wsrep_recover", "--disable-log-error"}));
  EXPECT_FALSE(is_position_recovery({"mariadbd", "--wsrep_start_position=x:1"}));
}

class GaleraStart : public testing::Test {
 protected:
  void SetUp() override {
    config_.engine = cluster::Engine::galera;
    config_.member = "orders-0";
    config_.dir = top_.path() + "/member";
    config_.socket_dir = top_.path() + "/run/orders-0";
    config_.uid = ::geteuid();
    config_.gid = ::getegid();
    config_.server_survives = true;
    Existing& e = config_.existing.emplace();
    e.data_dir = top_.path() + "/data";
    e.drop_in = "/etc/mysql/mariadb.conf.d/zzz-holdfast-orders-0.cnf";
    e.arguments = {"--defaults-group-suffix=.a"};
    fs::create_directories(config_.dir);
    fs::create_directories(e.data_dir);
  }
  std::string said() const {
    const auto text = sys::read_file(start_file(config_));
    return text ? std::string(as_text(text->span())) : "";
  }

  const sys::TempDir top_ = sys::TempDir::create("galera").value();
  MemberConfig config_;
};

TEST_F(GaleraStart, IsSaidWhereABootForgetsIt) {
  EXPECT_EQ(start_file(config_), top_.path() + "/run/orders-0.start.cnf") << "beside what is its server's";
  EXPECT_NE(drop_in_text(config_).find("!include " + start_file(config_) + "\n"), std::string::npos);
  ASSERT_TRUE(detail::tell_existing(config_, {"--wsrep-new-cluster", "--wsrep-start-position=x:7"}));
  EXPECT_NE(said().find("[mysqld.a]\nwsrep-new-cluster\nwsrep-start-position=x:7\n"), std::string::npos) << said();
  EXPECT_EQ(fs::status(start_file(config_)).permissions(), fs::perms(0644)) << "clients read it, too";
  ASSERT_TRUE(detail::tell_existing(config_, {}));
  EXPECT_FALSE(fs::exists(start_file(config_)));
  EXPECT_TRUE(detail::tell_existing(config_, {})) << "nothing said, nothing to take back";
  EXPECT_FALSE(fs::exists(config_.dir + "/etc/role.cnf")) << "a node has no role";
}

TEST_F(GaleraStart, WhatAKilledAgentHasSaidIsForgottenByTheNext) {
  ASSERT_TRUE(detail::tell_existing(config_, {"--wsrep-new-cluster"}));
  ASSERT_TRUE(fs::exists(start_file(config_)));
  Server server(config_);
  EXPECT_FALSE(server.adopt());
  EXPECT_FALSE(fs::exists(start_file(config_))) << "the next start of the node would form a second component";
}

}  // namespace
}  // namespace holdfast::agent
