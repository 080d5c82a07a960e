// What is known of a server that was there before its agent, and where that is put.
#include "agent/existing.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agent/data_dir.h"
#include "agent/launch.h"
#include "agent/unit.h"

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;
using cluster::Engine;

MemberConfig existing(const std::string& dir, const std::string& data) {
  MemberConfig c;
  c.member = "orders-0";
  c.cluster = "orders";
  c.dir = dir;
  c.socket_dir = dir + "/run";
  c.uid = ::geteuid();
  c.gid = ::getegid();
  Existing& e = c.existing.emplace();
  e.data_dir = data;
  e.socket = "/run/mysqld/second.sock";
  e.pid_file = "/run/mysqld/second.pid";
  e.unit = "mariadb@second.service";
  e.triggers = {"mariadb@second.socket"};
  e.arguments = {"--defaults-group-suffix=.second"};
  e.groups = {4, 5};
  return c;
}

std::string text_of(const std::string& path) {
  const auto text = sys::read_file(path);
  return text ? std::string(as_text(text->span())) : text.error().to_string();
}

TEST(Existing, IsKeptInTheConfigurationOfItsAgent) {
  const auto dir = sys::TempDir::create("existing").value();
  MemberConfig c = existing(dir.path(), "/srv/db/main");
  c.existing->elsewhere = {"log_bin_basename = /srv/log/bin"};
  c.existing->beside_is_servers = true;
  c.existing->unit_drop_in = "/etc/systemd/system/mariadb@second.service.d/holdfast-orders-0.conf";
  c.existing->group_suffix = ".holdfast-orders-0";
  c.existing->time_zone = "Europe/Oslo";
  ASSERT_TRUE(write_config(c));
  const MemberConfig read = read_config(dir.path()).value();
  ASSERT_TRUE(read.existing);
  const Existing &is = *read.existing, &was = *c.existing;
  EXPECT_EQ(is.data_dir, was.data_dir);
  EXPECT_EQ(is.socket, was.socket);
  EXPECT_EQ(is.pid_file, was.pid_file);
  EXPECT_EQ(is.unit, was.unit);
  EXPECT_EQ(is.triggers, was.triggers);
  EXPECT_EQ(is.arguments, was.arguments);
  EXPECT_EQ(is.groups, was.groups);
  EXPECT_EQ(is.elsewhere, was.elsewhere);
  EXPECT_EQ(is.unit_drop_in, was.unit_drop_in);
  EXPECT_EQ(is.group_suffix, was.group_suffix);
  EXPECT_EQ(is.time_zone, was.time_zone);
  EXPECT_TRUE(is.beside_is_servers);
  c.existing.reset();
  ASSERT_TRUE(write_config(c));
  EXPECT_FALSE(read_config(dir.path()).value().existing);
}

TEST(Existing, HasItsDirectoriesBesideItsData) {
  MemberConfig c = existing("/var/lib/holdfast/members/orders-0", "/srv/db/main");
  EXPECT_EQ(c.data_dir(), "/srv/db/main");
  EXPECT_EQ(side_of(c).data_dir(), "/srv/db/main.new");
  EXPECT_EQ(c.data_home(), "/srv/db");
  EXPECT_EQ(c.server_socket(), "/run/mysqld/second.sock");
  EXPECT_EQ(c.pid_file(), "/run/mysqld/second.pid");
  c.apart = true;
  EXPECT_EQ(fs::path(c.pid_file()).filename(), "second.pid") << "MariaDB calls its logs after it";
  EXPECT_TRUE(c.pid_file().starts_with(c.dir)) << c.pid_file();
  c.work = "prepare";
  EXPECT_TRUE(c.server_socket().starts_with(c.socket_dir)) << "not where its clients are";
  EXPECT_EQ(existing("/m", "/data").data_home(), "/");
}

TEST(Existing, WhatHasItsDataInSeveralPlacesIsNotReplaced) {
  const auto dir = sys::TempDir::create("existing").value();
  MemberConfig c = existing(dir.path() + "/member", dir.path() + "/data");
  fs::create_directories(c.dir);
  fs::create_directories(c.data_dir());
  c.existing->elsewhere = {"log_bin_basename = /srv/log/bin"};
  const auto aside = set_data_aside(c);
  ASSERT_FALSE(aside);
  EXPECT_EQ(aside.error().id, "agent.data_elsewhere");
  const auto made = make_data_dir(side_of(c), [] { return Status(); });
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().id, "agent.data_elsewhere");
  c.existing->elsewhere.clear();
  EXPECT_TRUE(set_data_aside(c).value().starts_with(c.data_dir() + ".replaced-"));
}

TEST(Existing, TheRoleIsSaidWhereItsConfigurationIncludesIt) {
  const auto dir = sys::TempDir::create("existing").value();
  MemberConfig c = existing(dir.path() + "/member", dir.path() + "/data");
  c.existing->drop_in = "/etc/mysql/conf.d/zzz-holdfast-orders-0.cnf";
  c.role = Role::replica;
  const std::string file = detail::role_file(c);
  ASSERT_TRUE(detail::tell_existing(c, {"--skip-slave-start"}));
  EXPECT_NE(text_of(file).find("[mysqld.second]\nread-only=ON\nskip-slave-start\n"), std::string::npos)
      << text_of(file);
  c.role = Role::primary;
  ASSERT_TRUE(detail::tell_existing(c, {}));
  EXPECT_NE(text_of(file).find("read-only=OFF\n"), std::string::npos) << text_of(file);
  EXPECT_EQ(text_of(file).find("skip-slave-start"), std::string::npos) << "for one start only";
  EXPECT_EQ(fs::status(file).permissions(), fs::perms(0644)) << "clients read it, too";
  EXPECT_NE(drop_in_text(c).find("!include " + file + "\n"), std::string::npos);
}

TEST(Existing, LogsOutsideOfItsDataAreFound) {
  const auto dir = sys::TempDir::create("existing").value();
  const std::string data = fs::canonical(dir.path()).string() + "/data";
  fs::create_directories(data);
  auto places = data_places(Engine::mysql, data,
                            {{"log_bin_basename", data + "/bin"},
                             {"log_bin_index", data + "/bin.index"},
                             {"relay_log_basename", data + "/relay"},
                             {"relay_log_index", data + "/other.index"}});
  EXPECT_EQ(places.binlog_base + places.relay_base, "");
  EXPECT_TRUE(places.elsewhere.empty());
  places = data_places(
      Engine::mysql, data,
      {{"log_bin_basename", "/srv/bin"}, {"log_bin_index", "/srv/bin.index"}, {"relay_log_basename", "/srv/relay"}});
  EXPECT_EQ(places.binlog_base, "/srv/bin");
  EXPECT_EQ(places.relay_base, "/srv/relay");
  EXPECT_TRUE(places.elsewhere.empty());
  for (const Settings& unfit : {Settings{{"log_bin_basename", "/srv/bin"}, {"log_bin_index", data + "/bin.index"}},
                                Settings{{"log_bin_basename", data + "/bin"}, {"log_bin_index", "/srv/bin.index"}},
                                Settings{{"log_bin_basename", "/srv/my.bin"}},
                                Settings{{"log_bin_basename", "/srv/a/log"}, {"relay_log_basename", "/srv/b/log"}}}) {
    places = data_places(Engine::mysql, data, unfit);
    EXPECT_EQ(places.elsewhere.size(), 1u) << unfit.begin()->second;
  }
}

TEST(Existing, PartsOfItsDataThatAreElsewhereAreFound) {
  const auto dir = sys::TempDir::create("existing").value();
  const std::string data = fs::canonical(dir.path()).string() + "/data";
  fs::create_directories(data);
  const auto parts = [&](const Settings& settings) { return data_places(Engine::mysql, data, settings).elsewhere; };
  EXPECT_TRUE(parts({{"innodb_undo_directory", "./"},
                     {"innodb_doublewrite_dir", ""},
                     {"innodb_log_group_home_dir", "NULL"},
                     {"aria_log_dir_path", data + "/"},
                     {"log_bin_basename", data + "/binlog"},
                     {"datadir", "/elsewhere/"}})
                  .empty());
  for (const char* name : {"innodb_doublewrite_dir", "aria_log_dir_path", "innodb_undo_directory"}) {
    EXPECT_EQ(parts({{name, "/srv/log/x"}}), std::vector{std::string(name) + " = /srv/log/x"});
    EXPECT_EQ(parts({{name, "../x"}}), std::vector{std::string(name) + " = ../x"});
  }
  const Settings logs = {{"log_bin_basename", "/srv/log/bin"}, {"log_bin_index", "/srv/log/bin.index"}};
  EXPECT_TRUE(parts(logs).empty()) << "these follow (log_files)";
  EXPECT_EQ(data_places(Engine::galera, data, logs).elsewhere.size(), 2u) << "and not of a node";
  fs::create_directories(data + "/pg_tblspc");
  EXPECT_TRUE(data_places(Engine::postgres, data, {}).elsewhere.empty());
  fs::create_symlink("/srv/wal", data + "/pg_wal");
  fs::create_symlink("/srv/space", data + "/pg_tblspc/16400");
  EXPECT_EQ(data_places(Engine::postgres, data, {}).elsewhere.size(), 2u) << "it leads nowhere";
  fs::remove(data + "/pg_wal");
  fs::create_directories(dir.path() + "/wal");
  fs::create_symlink(dir.path() + "/wal", data + "/pg_wal");
  EXPECT_EQ(data_places(Engine::postgres, data, {}).elsewhere.size(), 1u) << "a copy gets WAL of its own";
}

TEST(Existing, NoOtherServerReadsHowItStarts) {
  const auto dir = sys::TempDir::create("existing").value();
  MemberConfig c = existing(dir.path() + "/100% member", dir.path() + "/data");
  c.existing->arguments.clear();
  c.existing->drop_in = "/etc/mysql/conf.d/zz-holdfast-orders-0.cnf";
  c.existing->group_suffix = ".holdfast-orders-0";
  ASSERT_TRUE(detail::tell_existing(c, {}));
  const std::string role = text_of(detail::role_file(c));
  EXPECT_NE(role.find("\n[mysqld.holdfast-orders-0]\n"), std::string::npos) << role;
  EXPECT_EQ(role.find("[mysqld]"), std::string::npos) << "every server of this host reads it:\n" << role;
  const std::string unit = unit_drop_in_text(c);
  EXPECT_NE(unit.find("\n[Service]\n"), std::string::npos) << unit;
  EXPECT_NE(unit.find("\nEnvironment=MYSQL_GROUP_SUFFIX=.holdfast-orders-0\n"), std::string::npos) << unit;
  EXPECT_NE(unit.find("\nAssertPathExists=!" + dir.path() + "/100%% member/incomplete\n"), std::string::npos) << unit;
  // One that has groups of its own is given none.
  c = existing(dir.path() + "/member", dir.path() + "/data");
  EXPECT_EQ(unit_drop_in_text(c).find("Environment="), std::string::npos) << unit_drop_in_text(c);
}

TEST(Existing, HasTheTimeZoneThatItsUnitGivesIt) {
  MemberConfig c = existing("/m", "/srv/db/main");
  const auto zone_of = [](const MemberConfig& of) -> std::optional<std::string> {
    const sys::Command command = detail::base_command(of, {"/bin/true"});
    for (const auto& [name, value] : command.env)
      if (name == "TZ") return value;
    return std::nullopt;
  };
  EXPECT_EQ(zone_of(c), std::nullopt) << "the host's";
  c.existing->time_zone = "Europe/Oslo";
  EXPECT_EQ(zone_of(c), "Europe/Oslo");
  c.existing.reset();
  EXPECT_EQ(zone_of(c), "UTC");
}

TEST(Existing, AStandbyFindsItsSourceInItsOwnFiles) {
  const auto dir = sys::TempDir::create("existing").value();
  MemberConfig c = existing(dir.path() + "/member", dir.path() + "/data");
  fs::create_directories(c.data_dir());
  const std::string conf = c.data_dir() + "/postgresql.auto.conf";
  c.engine = Engine::postgres;
  c.role = Role::replica;
  c.upstream = "orders-1";
  c.plain_text = true;
  c.replication_user = "copier";
  c.replication_password_file = dir.path() + "/password";
  std::ofstream(c.replication_password_file) << "it's secret\n";
  c.peers = {{"orders-0", "10.0.0.5", 5432, 0, ""}, {"orders-1", "10.0.0.6", 5433, 0, ""}};
  std::ofstream(conf) << "# by hand\nwork_mem = '8MB'\nprimary_conninfo = 'host=10.0.0.9 port=5432'\n";
  ASSERT_TRUE(detail::tell_existing(c, {"-c", "max_connections=200"}));
  const std::string text = text_of(conf);
  EXPECT_TRUE(fs::exists(c.data_dir() + "/standby.signal"));
  for (const char* part : {"work_mem = '8MB'\n", "host=''10.0.0.6'' port=''5433''", "password=''it\\\\''s secret''",
                           "primary_slot_name = 'orders_0'", "max_connections = '200'"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
  for (const char* part : {"10.0.0.9", "passfile"}) EXPECT_EQ(text.find(part), std::string::npos) << text;
  // One that leads there already is its owner's.
  const std::string own = "primary_conninfo = 'service=main host=10.0.0.6 port=5433 sslmode=verify-full'\n";
  std::ofstream(conf) << own;
  ASSERT_TRUE(detail::tell_existing(c, {}));
  EXPECT_EQ(text_of(conf), own);
  // Another one is not this one because its name begins alike; and without an account there is nothing to say.
  const std::string other = "primary_conninfo = 'host=10.0.0.60 port=5433 user=copier'\n";
  std::ofstream(conf) << other;
  c.replication_user.clear();
  ASSERT_TRUE(detail::tell_existing(c, {}));
  EXPECT_EQ(text_of(conf), other);
  c.replication_user = "copier";
  ASSERT_TRUE(detail::tell_existing(c, {}));
  EXPECT_EQ(text_of(conf).find("10.0.0.60"), std::string::npos) << text_of(conf);
  c.role = Role::primary;
  ASSERT_TRUE(detail::tell_existing(c, {}));
  EXPECT_FALSE(fs::exists(c.data_dir() + "/standby.signal"));
}

TEST(Existing, AStandbyThatRunsIsLedElsewhereAndBack) {
  const auto dir = sys::TempDir::create("existing").value();
  MemberConfig c = existing(dir.path() + "/member", dir.path() + "/data");
  fs::create_directories(c.data_dir());
  fs::create_directories(c.dir);
  const std::string conf = c.data_dir() + "/postgresql.auto.conf";
  c.engine = Engine::postgres;
  c.role = Role::replica;
  c.upstream = "orders-1";
  c.plain_text = true;
  c.peers = {{"orders-1", "10.0.0.6", 5433, 0, ""}};
  const std::string own = "work_mem = '8MB'\nprimary_conninfo = 'host=10.0.0.9 password=secret'\n";
  std::ofstream(conf) << own;
  // Without an account there is nothing better to say, and it is said.
  EXPECT_FALSE(detail::tell_source(c).value());
  EXPECT_EQ(text_of(conf), own);
  c.replication_user = "copier";
  c.replication_password_file = dir.path() + "/password";
  std::ofstream(c.replication_password_file) << "pw\n";
  for (int again = 0; again < 2; ++again) {
    EXPECT_TRUE(detail::tell_source(c).value());
    EXPECT_NE(text_of(conf).find("10.0.0.6"), std::string::npos) << text_of(conf);
    EXPECT_EQ(text_of(conf).find("10.0.0.9"), std::string::npos) << text_of(conf);
  }
  EXPECT_EQ(fs::status(c.dir + "/source-before").permissions(), fs::perms(0600)) << "it holds a password";
  ASSERT_TRUE(detail::tell_source_before(c));
  EXPECT_EQ(text_of(conf), own);
  EXPECT_FALSE(fs::exists(c.dir + "/source-before"));
  ASSERT_TRUE(detail::tell_source_before(c));
  EXPECT_EQ(text_of(conf), own);
  c.role = Role::primary;
  EXPECT_FALSE(detail::tell_source(c).value());
}

TEST(Existing, TheLastDirectoryThatItsConfigurationIncludesIsTaken) {
  const auto dir = sys::TempDir::create("existing").value();
  const std::string& root = dir.path();
  for (const char* folder : {"/etc/mysql/conf.d", "/etc/mysql/mariadb.conf.d", "/etc/my.cnf.d", "/srv/conf.d"})
    fs::create_directories(root + folder);
  EXPECT_EQ(include_directory({}, root), "") << "no file";
  std::ofstream(root + "/etc/my.cnf") << "[client-server]\n!includedir /etc/my.cnf.d\n";
  EXPECT_EQ(include_directory({}, root), "/etc/my.cnf.d");
  std::ofstream(root + "/etc/mysql/my.cnf")
      << "# !includedir /srv/conf.d\n!includedir /etc/mysql/conf.d/\n  !includedir /etc/mysql/mariadb.conf.d/ \n";
  EXPECT_EQ(include_directory({}, root), "/etc/mysql/mariadb.conf.d") << "it is read behind the other file";
  std::ofstream(root + "/srv/own.cnf") << "[mysqld]\n!include /srv/more.cnf\n!includedir /srv/gone.d\n";
  EXPECT_EQ(include_directory({"--defaults-file=/srv/own.cnf"}, root), "");
  std::ofstream(root + "/srv/more.cnf") << "!includedir /srv/conf.d\n!include /srv/more.cnf\n";
  EXPECT_EQ(include_directory({"--defaults-file=/srv/own.cnf"}, root), "/srv/conf.d");
  EXPECT_EQ(include_directory({"--no-defaults"}, root), "");
}

TEST(Units, AreNamedByControlGroups) {
  EXPECT_EQ(unit_in("0::/system.slice/mariadb.service\n"), "mariadb.service");
  EXPECT_EQ(unit_in("0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n"),
            "postgresql@15-main.service");
  EXPECT_EQ(unit_in("12:pids:/x.service\n1:name=systemd:/system.slice/mysqld@a:b.service/sub\n"), "mysqld@a:b.service");
  EXPECT_EQ(unit_in("0::/user.slice/user-0.slice/session-1.scope\n"), "");
  EXPECT_EQ(unit_in("0::/\n"), "");
  EXPECT_EQ(unit_in(""), "");
}

}  // namespace
}  // namespace holdfast::agent
