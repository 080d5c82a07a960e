// A lab with hosts: each member in a network namespace with an address of its own, and what can be done to its network.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "agent/config.h"
#include "engine/programs.h"
#include "lab/hosts.h"
#include "lab/slow_wire.h"
#include "net/certificates.h"
#include "sql/postgres.h"
#include "sys/any_process.h"
#include "sys/net_namespace.h"
#include "tests/support/host_sockets.h"
#include "tests/support/lab_guard.h"
#include "tests/support/member_sql.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;

#define NEED_HOSTS() \
  HOLDFAST_NEED("root", lab::can_have_hosts(), "network namespaces need root, and a container that allows them")

lab::HostNetwork network_of(const LabGuard& lab) {
  return lab::HostNetwork(lab::Layout(lab.state_dir()));
}

/// Namespaces and interfaces that have this lab's name.
std::string remains_of(const LabGuard& lab) {
  const auto network = network_of(lab);
  std::string found;
  for (const auto& name : sys::net_namespaces(network.name())) found += " " + name;
  if (lab::link_state(network.name()) != lab::Link::none) found += " interface " + network.name();
  return found;
}

/// Id of the first error of a holdfast that is started by `by`, and ends with `exit_code`.
std::string error_of(const LabGuard& lab, std::vector<std::string> words, int exit_code,
                     std::vector<std::string> by = {}) {
  by.push_back(holdfast_binary());
  by.insert(by.end(), words.begin(), words.end());
  by.insert(by.end(), {"-o", "json", "--state-dir", lab.state_dir()});
  const auto result = run_program(by);
  EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err;
  const auto value = codec::parse_value(result.out);
  return value && !(*value)["errors"].items().empty() ? (*value)["errors"].items()[0]["id"].text() : result.out;
}

std::string ask_tcp(Engine engine, const Value& member, const std::string& statement) {
  sql::Target target = target_of(member);
  target.plain_text = true;
  return ask(engine, target, statement);
}

bool arrives(Engine engine, const Value& member, const std::string& statement, const std::string& wanted) {
  std::string seen;
  const auto arrived =
      sys::wait_until([&] { return (seen = ask_tcp(engine, member, statement)) == wanted; }, Deadline::in(seconds(60)));
  EXPECT_TRUE(*arrived) << member["member"].text() << ": " << seen;
  return *arrived;
}

/// "net:[4026532000]" of a process, or of a name.
std::string network_inode(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? std::to_string(info.st_ino) : "none: " + path;
}

struct Kind {
  Engine engine;
  const char *cluster, *program;
  int port;
};
constexpr Kind kMariadb{Engine::mariadb, "shop-mariadb", "mariadbd", 3306};
constexpr Kind kGalera{Engine::galera, "shop-galera", "mariadbd", 3306};
constexpr Kind kMysql{Engine::mysql, "shop-mysql", "mysqld", 3306};
constexpr Kind kPostgres{Engine::postgres, "shop-postgres", "postgres", 5432};

std::string table_of(const Kind& kind) {
  return kind.engine == Engine::postgres ? "t" : "t.t";
}

/// Writes a row through the primary and sees it on all, asked by address.
void expect_replicates(LabGuard& lab, const Kind& kind, int row) {
  const std::string name(kind.cluster), table = table_of(kind);
  const Value primary = lab.member(name + "-0");
  if (kind.engine != Engine::postgres) {
    EXPECT_EQ(ask_tcp(kind.engine, primary, "CREATE DATABASE IF NOT EXISTS t"), "");
  }
  EXPECT_EQ(ask_tcp(kind.engine, primary, "CREATE TABLE IF NOT EXISTS " + table + " (a int primary key)"), "");
  EXPECT_EQ(ask_tcp(kind.engine, primary, fmt::format("INSERT INTO {} VALUES ({})", table, row)), "");
  for (int i = 0; i < 3; ++i)
    arrives(kind.engine, lab.member(fmt::format("{}-{}", name, i)),
            fmt::format("SELECT a FROM {} WHERE a = {}", table, row), std::to_string(row));
}

void expect_hosts_of_their_own(LabGuard& lab, const Kind& kind) {
  const Value members = lab.members();
  ASSERT_EQ(members.items().size(), 3u);
  std::set<std::string> addresses, namespaces;
  const std::string ours = network_inode("/proc/self/ns/net");
  const auto subnet = network_of(lab).subnet();
  ASSERT_TRUE(subnet);
  for (const auto& m : members.items()) {
    EXPECT_EQ(m["state"].text(), "running") << m["member"].text();
    EXPECT_TRUE(m["host"].text().starts_with(fmt::format("10.213.{}.", *subnet))) << m["host"].text();
    EXPECT_EQ(m["port"].integer(), kind.port);
    EXPECT_EQ(m["agent"].text(), m["host"].text() + ":7420");
    addresses.insert(m["host"].text());
    namespaces.insert(m["networkNamespace"].text());
    const std::string its = network_inode("/run/netns/" + m["networkNamespace"].text());
    EXPECT_NE(its, ours);
    for (const char* pid : {"agentPid", "pid"})
      EXPECT_EQ(network_inode(fmt::format("/proc/{}/ns/net", m[pid].integer())), its)
          << m["member"].text() << " " << pid;
  }
  EXPECT_EQ(addresses.size(), 3u);
  EXPECT_EQ(namespaces.size(), 3u);
  for (const auto& to : members.items()) {
    EXPECT_EQ(connect_from("", to["host"].text(), kind.port, seconds(5)), "connected");
    for (const auto& from : members.items())
      EXPECT_EQ(connect_from(from["networkNamespace"].text(), to["host"].text(), kind.port, seconds(5)), "connected")
          << from["member"].text() << " to " << to["member"].text();
  }
}

/// The certificates that the resource and the agents name: issued by the lab's authority, for the right address.
void expect_certificates(LabGuard& lab, const Kind& kind) {
  const std::string folder = lab.state_dir() + "/lab/pki/";
  const auto described = [&](const std::string& path) {
    const auto text = sys::read_file(path);
    EXPECT_TRUE(text) << path;
    const auto info = net::describe_certificate(text ? as_text(text->span()) : "");
    EXPECT_TRUE(info) << path;
    return info ? *info : net::CertificateInfo();
  };
  EXPECT_TRUE(described(folder + "ca.crt").authority);
  EXPECT_EQ(described(folder + "operator.crt").role, net::Role::operate);
  for (const auto& member : lab.members().items()) {
    const auto config =
        agent::read_config(fmt::format("{}/lab/{}/{}", lab.state_dir(), kind.cluster, member["member"].text()));
    ASSERT_TRUE(config);
    EXPECT_EQ(config->listen, member["agent"].text());
    EXPECT_EQ(config->tls_ca, folder + "ca.crt");
    const auto info = described(config->tls_certificate);
    EXPECT_EQ(info.role, net::Role::agent);
    EXPECT_TRUE(std::ranges::count(info.names, member["host"].text()) == 1) << config->tls_certificate;
    struct stat key{};
    ASSERT_EQ(::stat(config->tls_key.c_str(), &key), 0);
    EXPECT_EQ(key.st_mode & 0777, 0600U);
  }
}

void serves_on_three_hosts(const Kind& kind) {
  NEED_HOSTS();
  HOLDFAST_NEED(std::string(kind.cluster).substr(5), engine::find_program(kind.engine, kind.program), "no server");
  LabGuard lab;
  const std::string name(kind.cluster);
  auto up = lab.holdfast({"lab", "up", "--hosts", "3", name});
  ASSERT_EQ(up.exit_code, 0) << up.err;
  expect_hosts_of_their_own(lab, kind);
  expect_replicates(lab, kind, 1);

  // The resource names what a caller on another host has, and that is enough to read a member.
  const auto resource = sys::read_file(lab.state_dir() + "/clusters/" + name + ".yaml");
  ASSERT_TRUE(resource);
  const std::string text(as_text(resource->span()));
  EXPECT_NE(text.find("agent: "), std::string::npos) << text;
  EXPECT_NE(text.find(":7420"), std::string::npos) << text;
  EXPECT_NE(text.find("agents:"), std::string::npos) << text;
  for (const char* none : {"socket", "Socket", "dataDir", "127.0.0.1"})
    EXPECT_EQ(text.find(none), std::string::npos) << text;
  auto manifest = lab.holdfast({"lab", "manifest", "-c", name, "-i", "2"});
  EXPECT_EQ(manifest.exit_code, 0) << manifest.err;
  EXPECT_NE(manifest.out.find(".t 1:"), std::string::npos) << manifest.out;

  expect_certificates(lab, kind);

  // Again: nothing is touched. Elsewhere: refused.
  const Value before = lab.members();
  ASSERT_EQ(lab.holdfast({"lab", "up", "--hosts", "3", name}).exit_code, 0);
  const Value after = lab.members();
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(after.items()[i]["pid"].integer(), before.items()[i]["pid"].integer());
  auto elsewhere = lab.holdfast({"lab", "up", "--hosts", "2", name});
  EXPECT_EQ(elsewhere.exit_code, 3) << elsewhere.err;
  EXPECT_NE(elsewhere.err.find("there already"), std::string::npos) << elsewhere.err;

  // The server goes with its agent, and up brings both back, on the host where they were.
  const Value victim = lab.member(name + "-2");
  auto server = sys::open_pidfd(static_cast<pid_t>(victim["pid"].integer()));
  ASSERT_TRUE(server);
  ASSERT_EQ(::kill(static_cast<pid_t>(victim["agentPid"].integer()), SIGKILL), 0);
  EXPECT_TRUE(*sys::wait_fd(server->get(), 1 /* POLLIN */, Deadline::in(seconds(20)))) << "it outlived its agent";
  up = lab.holdfast({"lab", "up", name});
  ASSERT_EQ(up.exit_code, 0) << up.err;
  expect_hosts_of_their_own(lab, kind);
  expect_replicates(lab, kind, 2);

  // Kept data comes up where it was, though another network has the addresses by now.
  ASSERT_EQ(lab.holdfast({"lab", "down", "--keep-data"}).exit_code, 0);
  EXPECT_TRUE(lab.processes().empty());
  EXPECT_EQ(remains_of(lab), "");
  const std::string had = victim["host"].text().substr(0, victim["host"].text().rfind('.')) + ".0/24";
  ASSERT_EQ(run_program({"ip", "route", "add", had, "dev", "lo"}).exit_code, 0);
  up = lab.holdfast({"lab", "up", name});
  EXPECT_EQ(run_program({"ip", "route", "delete", had, "dev", "lo"}).exit_code, 0);
  ASSERT_EQ(up.exit_code, 0) << up.err;
  EXPECT_NE(lab.member(name + "-2")["host"].text(), victim["host"].text());
  expect_certificates(lab, kind);
  expect_hosts_of_their_own(lab, kind);
  expect_replicates(lab, kind, 3);

  ASSERT_EQ(lab.holdfast({"lab", "down"}).exit_code, 0);
  EXPECT_TRUE(lab.processes().empty());
  EXPECT_EQ(remains_of(lab), "");
  EXPECT_FALSE(std::filesystem::exists(lab.state_dir() + "/lab/pki"));
}

TEST(LabHosts, MariadbServesOnThreeHosts) {
  serves_on_three_hosts(kMariadb);
}
TEST(LabHosts, GaleraServesOnThreeHosts) {
  serves_on_three_hosts(kGalera);
}
TEST(LabHosts, MysqlServesOnThreeHosts) {
  serves_on_three_hosts(kMysql);
}
TEST(LabHosts, PostgresServesOnThreeHosts) {
  serves_on_three_hosts(kPostgres);
}

#define NEED_POSTGRES() HOLDFAST_NEED("postgres", engine::find_program(Engine::postgres, "postgres"), "no postgres")

TEST(LabHosts, PostgresFewerHostsThanMembersAndMore) {
  NEED_HOSTS();
  NEED_POSTGRES();
  LabGuard lab;
  auto up = lab.holdfast({"lab", "up", "--hosts", "2", "shop-postgres"});
  ASSERT_EQ(up.exit_code, 0) << up.err;
  const Value first = lab.member("shop-postgres-0"), third = lab.member("shop-postgres-2");
  EXPECT_EQ(first["host"].text(), third["host"].text());
  EXPECT_NE(first["port"].integer(), third["port"].integer());
  EXPECT_NE(first["agent"].text(), third["agent"].text());
  expect_replicates(lab, kPostgres, 1);
  ASSERT_EQ(lab.holdfast({"lab", "down"}).exit_code, 0);
  // A host that no member lives on: for a caller that is elsewhere too.
  up = lab.holdfast({"lab", "up", "--hosts", "4", "shop-postgres"});
  ASSERT_EQ(up.exit_code, 0) << up.err;
  EXPECT_EQ(connect_from(network_of(lab).host_name(4), lab.member("shop-postgres-2")["host"].text(), 5432, seconds(5)),
            "connected");
  // Somebody removes our interface: agents live on hosts that nothing leads to.
  ASSERT_EQ(run_program({"ip", "link", "delete", network_of(lab).name()}).exit_code, 0);
  EXPECT_EQ(error_of(lab, {"lab", "up", "shop-postgres"}, 3), "lab.hosts_gone");
  ASSERT_EQ(lab.holdfast({"lab", "down"}).exit_code, 0);
  EXPECT_TRUE(lab.processes().empty());
  EXPECT_EQ(remains_of(lab), "");
}

TEST(LabHosts, PostgresNetworkIsCutSlowedAndHealed) {
  NEED_HOSTS();
  NEED_POSTGRES();
  LabGuard lab;
  auto up = lab.holdfast({"lab", "up", "--hosts", "3", "shop-postgres"});
  ASSERT_EQ(up.exit_code, 0) << up.err;
  std::vector<std::string> names, hosts;
  for (int i = 0; i < 3; ++i) {
    const Value m = lab.member(fmt::format("shop-postgres-{}", i));
    names.push_back(m["networkNamespace"].text());
    hosts.push_back(m["host"].text());
  }
  const auto reach = [&](const std::string& from, size_t to) {
    return connect_from(from, hosts[to], 5432, seconds(2));
  };
  const auto do_it = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "lab");
    const auto done = lab.holdfast(words);
    EXPECT_EQ(done.exit_code, 0) << done.err;
  };
  const auto healed = [&](size_t i) {
    do_it({"heal", fmt::format("shop-postgres-{}", i)});
    EXPECT_EQ(reach("", i), "connected");
    EXPECT_EQ(reach(names[(i + 1) % 3], i), "connected");
    EXPECT_EQ(reach(names[i], (i + 1) % 3), "connected");
  };

  // All of a host. The lab itself still reaches it.
  do_it({"break", "host-cut", "shop-postgres-1"});
  EXPECT_EQ(reach("", 1), "silent");
  EXPECT_EQ(reach(names[0], 1), "silent");
  EXPECT_EQ(reach(names[1], 0), "silent");
  EXPECT_EQ(reach(names[0], 2), "connected");
  EXPECT_EQ(lab.member("shop-postgres-1")["state"].text(), "running");
  ASSERT_EQ(ask_tcp(Engine::postgres, lab.member("shop-postgres-0"), "CREATE TABLE t (a int)"), "");
  healed(1);
  arrives(Engine::postgres, lab.member("shop-postgres-1"), "SELECT count(*) FROM t", "0");

  // Two hosts from each other: a third and the caller see both.
  do_it({"break", "host-cut", "shop-postgres-1", "--from", "shop-postgres-0"});
  EXPECT_EQ(reach(names[0], 1), "silent");
  EXPECT_EQ(reach(names[1], 0), "silent");
  EXPECT_EQ(reach(names[2], 1), "connected");
  EXPECT_EQ(reach("", 1), "connected");
  do_it({"break", "host-cut", "shop-postgres-1", "--from", "caller"});
  EXPECT_EQ(reach("", 1), "silent");
  EXPECT_EQ(reach(names[2], 1), "connected");
  healed(1);

  // One direction only.
  do_it({"break", "host-deaf", "shop-postgres-2"});
  EXPECT_EQ(datagrams(names[0], names[2], hosts[2], 20), 0);
  EXPECT_EQ(datagrams(names[2], names[0], hosts[0], 20), 20);
  healed(2);
  EXPECT_EQ(datagrams(names[0], names[2], hosts[2], 20), 20);

  // Slow: a round trip has 100 ms more, and a hundredth is lost, in both directions.
  do_it({"break", "host-slow", "shop-postgres-2"});
  const auto slow = round_trip("", hosts[2], 5432, seconds(20));
  EXPECT_GE(slow, milliseconds(100));
  EXPECT_LT(slow, seconds(15));
  for (const bool there : {true, false}) {
    const int arrived = datagrams(names[there ? 0 : 2], names[there ? 2 : 0], hosts[there ? 2 : 0], 4000);
    EXPECT_GT(arrived, 3900) << there;
    EXPECT_LT(arrived, 4000) << there;
  }
  EXPECT_LT(round_trip("", hosts[1], 5432, seconds(20)), milliseconds(90)) << "others are not slow";
  // Checksums and segments that were left to the device survive: a large answer is whole.
  const std::string big = ask_tcp(Engine::postgres, lab.member("shop-postgres-2"), "SELECT repeat('x', 3000000)");
  EXPECT_TRUE(big == std::string(3000000, 'x')) << big.size();
  EXPECT_EQ(error_of(lab, {"lab", "break", "host-slow", "shop-postgres-2"}, 7), "lab.slow");
  const std::string lock = lab::wire_lock(lab.state_dir() + "/lab", 3);
  EXPECT_EQ(
      error_of(lab, {"lab", "wire", "host3", "wire3", lock}, 7, {"ip", "netns", "exec", network_of(lab).switch_name()}),
      "lab.wire");
  healed(2);
  EXPECT_LT(round_trip("", hosts[2], 5432, seconds(20)), milliseconds(90));
  EXPECT_EQ(datagrams(names[0], names[2], hosts[2], 1000), 1000);

  // The process that slows it down is killed: cut off until it is healed, or slowed down once more.
  do_it({"break", "host-slow", "shop-postgres-2"});
  const auto pid = sys::read_file(lock);
  ASSERT_TRUE(pid) << lock;
  ASSERT_EQ(::kill(std::stoi(std::string(as_text(pid->span()))), SIGKILL), 0);
  ASSERT_TRUE(*sys::wait_until([&] { return !lab::has_wire(lock); }, Deadline::in(seconds(10))));
  EXPECT_EQ(reach("", 2), "silent");
  do_it({"break", "host-slow", "shop-postgres-2"});
  EXPECT_EQ(connect_from("", hosts[2], 5432, seconds(10)), "connected");
  healed(2);

  // Where it cannot be slowed down it stays as it is.
  EXPECT_EQ(error_of(lab, {"lab", "break", "host-slow", "shop-postgres-2"}, 8, {"setpriv", "--bounding-set=-net_raw"}),
            "lab.no_wire");
  EXPECT_LT(round_trip("", hosts[2], 5432, seconds(20)), milliseconds(90));

  // One server, not its host.
  do_it({"break", "partition", "shop-postgres-1"});
  EXPECT_EQ(reach("", 1), "silent");
  EXPECT_EQ(reach(names[0], 1), "silent");
  EXPECT_EQ(connect_from("", hosts[1], 9, seconds(2)), "refused") << "the host itself answers";
  EXPECT_EQ(ask_tcp(Engine::postgres, lab.member("shop-postgres-0"), "INSERT INTO t VALUES (1)"), "");
  healed(1);
  arrives(Engine::postgres, lab.member("shop-postgres-1"), "SELECT count(*) FROM t", "1");

  // Also what comes by a connection that was there before does not reach it, though the client may send.
  sql::Target over_tcp = target_of(lab.member("shop-postgres-0")), by_socket = over_tcp;
  over_tcp.plain_text = true;
  by_socket.socket = lab.member("shop-postgres-0")["socket"].text();
  auto before = sql::PostgresConnection::connect(over_tcp, Deadline::in(seconds(10)));
  ASSERT_TRUE(before) << before.error().to_string();
  do_it({"break", "partition", "shop-postgres-0"});
  EXPECT_FALSE(before->query("INSERT INTO t VALUES (7)", Deadline::in(seconds(2))));
  EXPECT_EQ(ask(Engine::postgres, by_socket, "SELECT count(*) FROM t WHERE a = 7"), "0");
  healed(0);

  // Down takes away what nobody healed.
  do_it({"break", "host-slow", "shop-postgres-0"});
  do_it({"break", "host-cut", "shop-postgres-1"});
  do_it({"break", "host-deaf", "shop-postgres-2"});
  ASSERT_EQ(lab.holdfast({"lab", "down"}).exit_code, 0);
  EXPECT_TRUE(lab.processes().empty());
  EXPECT_EQ(remains_of(lab), "");
}

TEST(LabHosts, PostgresLabsSideBySide) {
  NEED_HOSTS();
  NEED_POSTGRES();
  LabGuard one, two;
  for (LabGuard* lab : {&one, &two}) {
    const auto up = lab->holdfast({"lab", "up", "--hosts", "3", "shop-postgres"});
    ASSERT_EQ(up.exit_code, 0) << up.err;
  }
  const Value of_one = one.member("shop-postgres-0"), of_two = two.member("shop-postgres-0");
  EXPECT_NE(of_one["host"].text(), of_two["host"].text());
  EXPECT_EQ(of_one["port"].integer(), 5432);
  EXPECT_EQ(of_two["port"].integer(), 5432);
  EXPECT_EQ(ask_tcp(Engine::postgres, of_one, "CREATE TABLE only_one (a int)"), "");
  EXPECT_EQ(ask_tcp(Engine::postgres, of_two, "SELECT to_regclass('only_one')"), "NULL");
  ASSERT_EQ(one.holdfast({"lab", "down"}).exit_code, 0);
  EXPECT_EQ(remains_of(one), "");
  expect_hosts_of_their_own(two, kPostgres);
  expect_replicates(two, kPostgres, 1);
}

TEST(LabHosts, PostgresKilledUpLeavesNothing) {
  NEED_HOSTS();
  NEED_POSTGRES();
  LabGuard lab;
  // Killed at different depths: when so many namespaces or processes are there.
  const std::string prefix = network_of(lab).name() + "-";
  const std::vector<std::pair<size_t, size_t>> depths = {{1, 0}, {3, 0}, {4, 2}, {4, 5}};
  for (const auto& [namespaces, processes] : depths) {
    sys::Command command;
    command.argv = {holdfast_binary(), "lab",     "up",          "--hosts",      "3",
                    "shop-postgres",   "--quiet", "--state-dir", lab.state_dir()};
    auto up = sys::spawn(command);
    ASSERT_TRUE(up);
    const auto there = [&] {
      return sys::net_namespaces(prefix).size() >= namespaces && lab.processes().size() >= processes;
    };
    ASSERT_TRUE(*sys::wait_until([&] { return there() || up->poll(); }, Deadline::in(seconds(30))));
    ASSERT_FALSE(up->poll()) << "up ended before it could be killed";
    ASSERT_TRUE(up->kill());
    EXPECT_TRUE(*sys::wait_until([&] { return lab.processes().empty(); }, Deadline::in(seconds(10))));
    if (processes == 5) break;  // the next up finds it as it is
    const auto down = lab.holdfast({"lab", "down"});
    EXPECT_EQ(down.exit_code, 0) << down.err;
    EXPECT_EQ(remains_of(lab), "") << namespaces << " namespaces, " << processes << " processes";
  }
  EXPECT_NE(remains_of(lab), "");
  auto up = lab.holdfast({"lab", "up", "--hosts", "3", "shop-postgres"});
  ASSERT_EQ(up.exit_code, 0) << up.err;
  expect_hosts_of_their_own(lab, kPostgres);
  ASSERT_EQ(lab.holdfast({"lab", "down"}).exit_code, 0);
  EXPECT_EQ(remains_of(lab), "");
}

TEST(LabHosts, RefusedWhereTheyCannotBe) {
  NEED_HOSTS();
  LabGuard lab;
  EXPECT_EQ(error_of(lab, {"lab", "up", "--hosts", "1", "shop-postgres"}, 3, {"setpriv", "--bounding-set=-sys_admin"}),
            "lab.no_namespaces");
  // A machine of its own, all of whose 10.213.0.0/16 leads elsewhere.
  const std::string taken = "ip link set lo up && ip route add 10.213.0.0/16 dev lo && exec \"$@\"";
  EXPECT_EQ(
      error_of(lab, {"lab", "up", "--hosts", "1", "shop-postgres"}, 6, {"unshare", "--net", "sh", "-c", taken, "sh"}),
      "lab.no_subnet");
  EXPECT_EQ(remains_of(lab), "");
}

TEST(LabHosts, AMemberOnLoopbackHasNoHost) {
  NEED_HOSTS();
  LabGuard lab;
  agent::MemberConfig member;
  member.cluster = "shop-postgres";
  member.member = "shop-postgres-0";
  member.engine = Engine::postgres;
  member.dir = lab.state_dir() + "/lab/shop-postgres/shop-postgres-0";
  ASSERT_TRUE(sys::make_directories(member.dir, 0755));
  ASSERT_TRUE(agent::write_config(member));
  ASSERT_TRUE(sys::publish_file(lab.state_dir() + "/lab/shop-postgres/complete", {}, 0644));
  for (const char* kind : {"host-cut", "host-deaf", "host-slow"})
    EXPECT_EQ(error_of(lab, {"lab", "break", kind, "shop-postgres-0"}, 3), "lab.no_host");
  EXPECT_EQ(error_of(lab, {"lab", "up", "--hosts", "3", "shop-postgres"}, 3), "lab.other_hosts");
  EXPECT_EQ(remains_of(lab), "");
}

}  // namespace
}  // namespace holdfast::test
