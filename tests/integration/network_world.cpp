#include "tests/integration/network_world.h"

#include <unistd.h>

#include <ctime>
#include <filesystem>

#include "cluster/resource.h"
#include "sys/beneath.h"
#include "sys/file.h"
#include "sys/user.h"

namespace holdfast::test {

namespace fs = std::filesystem;
using std::chrono::seconds;

namespace {

constexpr int kDays = 30;

void issue(const std::string& pki, const std::string& out, net::Role role, const std::string& name,
           const std::vector<std::string>& names = {}) {
  const auto made = net::issue_into(pki, out, {role, name, names}, std::time(nullptr), kDays);
  ASSERT_TRUE(made) << made.error().to_string();
}

}  // namespace

void NetworkWorld::up() {
  ASSERT_NO_FATAL_FAILURE(RepairWorld::up());
  auto home = sys::TempDir::create("caller");
  ASSERT_TRUE(home);
  home_.emplace(std::move(*home));
  const auto made = net::init_authority(pki(), "test", net::lifetime_from_now(std::time(nullptr), kDays));
  ASSERT_TRUE(made) << made.error().to_string();
  ASSERT_NO_FATAL_FAILURE(issue(pki(), pki(), net::Role::agent, "localhost", {"127.0.0.1"}));
  ASSERT_NO_FATAL_FAILURE(listen());
  ASSERT_NO_FATAL_FAILURE(write_callers());
}

/// Their agents are started again with an address.
void NetworkWorld::listen() {
  ASSERT_EQ(lab.holdfast({"lab", "down", "--keep-data"}).exit_code, 0);
  for (int i = 0; i < members_; ++i) {
    auto config = agent::read_config(member_dir(i));
    ASSERT_TRUE(config) << config.error().to_string();
    ports_[i] = free_port();
    config->listen = "127.0.0.1:" + std::to_string(ports_[i]);
    config->tls_ca = net::authority_certificate(pki());
    config->tls_certificate = pki() + "/localhost.crt";
    config->tls_key = pki() + "/localhost.key";
    ASSERT_TRUE(agent::write_config(*config));
  }
  const auto up = lab.holdfast({"lab", "up", cluster()});
  ASSERT_EQ(up.exit_code, 0) << up.err;
}

void NetworkWorld::write_callers() {
  const auto text = sys::read_file(lab.state_dir() + "/clusters/" + cluster() + ".yaml");
  ASSERT_TRUE(text);
  auto parsed = cluster::parse_clusters(as_text(text->span()), lab.state_dir());
  ASSERT_TRUE(parsed) << parsed.error().to_string();
  cluster::DatabaseCluster orders = (*parsed)[0];
  orders.name = ClusterName("orders");
  fs::copy_file(orders.credentials.password.file, home() + "/db.password");
  orders.credentials.password.file = home() + "/db.password";
  fs::copy_file(net::authority_certificate(pki()), home() + "/ca.crt");
  for (auto& member : orders.members) {
    member.agent_address = "127.0.0.1:" + std::to_string(ports_[member.ordinal]);
    member.socket = member.data_dir = member.agent_socket = "";
  }
  for (const auto role : {net::Role::operate, net::Role::observe}) {
    const std::string name(net::role_name(role));
    ASSERT_NO_FATAL_FAILURE(issue(pki(), home(), role, name));
    orders.agent_tls = {home() + "/ca.crt", home() + "/" + name + ".crt", home() + "/" + name + ".key"};
    ASSERT_TRUE(
        sys::publish_file(home() + "/orders-" + name + ".yaml", as_bytes(cluster::print_cluster(orders)), 0600));
  }
  if (::geteuid() != 0) return;
  const auto nobody = sys::find_user("nobody");
  ASSERT_TRUE(nobody);
  ASSERT_TRUE(sys::give_tree(home(), 0, nobody->uid, nobody->gid));
  // A caller of another host could not read these, either.
  ASSERT_EQ(::chmod((lab.state_dir() + "/lab").c_str(), 0711), 0);
  for (int i = 0; i < members_; ++i) ASSERT_EQ(::chmod(member_dir(i).c_str(), 0711), 0);
}

RunResult NetworkWorld::as_caller(std::vector<std::string> argv) {
  if (::geteuid() == 0)
    argv.insert(argv.begin(), {find_program("setpriv"), "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"});
  RunOptions options;
  options.env = {{"RESTIC_PASSWORD", "test"}, {"HOME", home()}, {"HOLDFAST_STATE_DIR", home() + "/state"}};
  options.directory = home();
  options.limit = seconds(300);
  return run_program(argv, options);
}

RunResult NetworkWorld::caller(net::Role role, const std::string& verb, std::vector<std::string> args) {
  std::vector<std::string> argv = {holdfast_binary(),
                                   verb,
                                   "-c",
                                   "orders",
                                   "-o",
                                   "json",
                                   "--config",
                                   home() + "/orders-" + std::string(net::role_name(role)) + ".yaml"};
  argv.insert(argv.end(), args.begin(), args.end());
  return as_caller(std::move(argv));
}

agent::Address NetworkWorld::address(int i, net::Role role) const {
  agent::Address address;
  address.host = "127.0.0.1";
  address.port = ports_.at(i);
  address.tls = {home() + "/ca.crt", certificate(role) + ".crt", certificate(role) + ".key"};
  return address;
}

}  // namespace holdfast::test
