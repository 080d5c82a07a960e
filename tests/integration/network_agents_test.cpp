// Members whose agents are reached over the network: by callers with a certificate and nothing else, and by others.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <thread>

#include "net/tls_stream.h"
#include "tests/integration/network_world.h"

namespace holdfast::test {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;

namespace {

struct Case {
  Engine engine;
  const char* cluster;
  int members;
};

class NetworkAgents : public testing::TestWithParam<Case> {
 protected:
  NetworkAgents() : world_(GetParam().engine, GetParam().cluster, GetParam().members) {}
  NetworkWorld world_;
};

TEST_P(NetworkAgents, ACallerWithoutTheMembersFilesRebuildsAReplica) {
  ASSERT_NO_FATAL_FAILURE(world_.up());
  const auto seen = world_.caller(net::Role::operate, "triage");
  EXPECT_EQ(seen.exit_code, 0) << seen.out << seen.err;
  const std::string repository = world_.home() + "/repository";
  ASSERT_EQ(world_.as_caller({holdfast_binary(), "repo", "init", "-r", repository}).exit_code, 0);
  const int broken = GetParam().members - 1;
  world_.break_member("corrupt-pages", broken);
  EXPECT_EQ(world_.caller(net::Role::operate, "triage").exit_code, 4);
  const auto done = world_.caller(net::Role::operate, "repair", {"-r", repository, "-i", std::to_string(broken)});
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  // What was replaced came over the network, too, and is whole.
  EXPECT_FALSE(RepairWorld::data(done)["kept"].items().empty()) << done.out;
  const auto check = world_.as_caller({holdfast_binary(), "check", "--read-data", "-r", repository});
  EXPECT_EQ(check.exit_code, 0) << check.out << check.err;
  ASSERT_NO_FATAL_FAILURE(world_.expect_mended(broken));
  const auto after = world_.caller(net::Role::operate, "triage");
  EXPECT_EQ(after.exit_code, 0) << after.out;
}

INSTANTIATE_TEST_SUITE_P(Engines, NetworkAgents,
                         testing::Values(Case{Engine::mariadb, "shop-mariadb", 3},
                                         Case{Engine::galera, "shop-galera", 3}, Case{Engine::mysql, "shop-mysql", 2},
                                         Case{Engine::postgres, "shop-postgres", 2}),
                         [](const auto& info) { return std::string(cluster::engine_name(info.param.engine)); });

/// A connection to an agent's port that is not TLS.
sys::Fd plain_connection(const agent::Address& address) {
  sys::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(address.port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  return fd;
}

Result<Value> ping(const agent::Address& address) {
  auto client = TRY(agent::Client::connect(address, Deadline::in(seconds(10))));
  return client.call("ping", Deadline::in(seconds(10)));
}

std::string id_of(const Result<Value>& answer) {
  return answer ? "" : answer.error().id;
}

class NetworkCallers : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(world_.up()); }
  /// The agent serves its host and callers as before.
  void expect_serving() {
    const auto answer = ping(world_.address(1, net::Role::operate));
    EXPECT_TRUE(answer) << answer.error().to_string();
    EXPECT_EQ(world_.triage(), 0);
  }
  NetworkWorld world_{Engine::postgres, "shop-postgres", 2};
};

TEST_F(NetworkCallers, OnlyLookWhereTheirCertificateSaysSo) {
  EXPECT_EQ(world_.caller(net::Role::observe, "triage").exit_code, 0);
  world_.break_member("kill", 1);
  EXPECT_EQ(world_.caller(net::Role::observe, "triage").exit_code, 4);
  RepairWorld::expect_refused(world_.caller(net::Role::observe, "repair"), "agent.not_permitted");
  EXPECT_EQ(world_.member(1)["state"].text(), "failed") << "a caller who may only look has started it";
  const auto told = agent::Client::connect(world_.address(1, net::Role::observe), Deadline::in(seconds(10)));
  ASSERT_TRUE(told) << told.error().to_string();
  for (const char* op :
       {"start", "member", "sql", "donor", "tree", "set_aside", "shutdown", "configure", "errant_log"}) {
    auto client = agent::Client::connect(world_.address(1, net::Role::observe), Deadline::in(seconds(10)));
    ASSERT_TRUE(client);
    EXPECT_EQ(id_of(client->call(op, Value::object({{"epoch", 1}}), Deadline::in(seconds(10)))), "agent.not_permitted")
        << op;
  }
  EXPECT_EQ(world_.caller(net::Role::operate, "repair").exit_code, 0);
}

TEST_F(NetworkCallers, CarryAnEpochOrChangeNothing) {
  auto client = agent::Client::connect(world_.address(1, net::Role::operate), Deadline::in(seconds(10)));
  ASSERT_TRUE(client);
  EXPECT_EQ(id_of(client->call("stop", Value::object(), Deadline::in(seconds(10)))), "agent.no_epoch");
  auto local = agent::Client::connect(world_.member(1)["agentSocket"].text(), Deadline::in(seconds(10)));
  ASSERT_TRUE(local) << local.error().to_string();
  EXPECT_EQ(id_of(local->call("stop", Value::object(), Deadline::in(seconds(10)))), "agent.no_epoch");
  ASSERT_TRUE(client->call("fence", Value::object({{"epoch", 7}}), Deadline::in(seconds(10))));
  EXPECT_EQ(id_of(client->call("stop", Value::object({{"epoch", 6}}), Deadline::in(seconds(10)))), "agent.stale_epoch");
  expect_serving();
}

TEST_F(NetworkCallers, WithoutAGoodCertificateGetNothing) {
  const auto other = world_.home() + "/other";
  ASSERT_TRUE(net::init_authority(other, "other", net::lifetime_from_now(std::time(nullptr), 3)));
  ASSERT_TRUE(net::issue_into(other, other, {net::Role::operate, "mallory", {}}, std::time(nullptr), 3));
  // Trusts the agent, and is not trusted.
  auto address = world_.address(1, net::Role::operate);
  address.tls = {world_.home() + "/ca.crt", other + "/mallory.crt", other + "/mallory.key"};
  EXPECT_EQ(id_of(ping(address)), "net.tls_refused");
  // Does not trust the agent.
  address.tls.ca = other + "/ca.crt";
  EXPECT_EQ(id_of(ping(address)), "net.tls_untrusted");
  // Its time is over.
  const auto late = world_.home() + "/late";
  ASSERT_TRUE(
      net::issue_into(world_.pki(), late, {net::Role::operate, "late", {}}, std::time(nullptr) - 10 * 86400, 2));
  address.tls = {world_.home() + "/ca.crt", late + "/late.crt", late + "/late.key"};
  EXPECT_EQ(id_of(ping(address)), "net.tls_refused");
  // An agent's certificate makes copies; it operates nothing.
  ASSERT_TRUE(net::issue_into(world_.pki(), late, {net::Role::agent, "db9", {}}, std::time(nullptr), 2));
  address.tls = {world_.home() + "/ca.crt", late + "/db9.crt", late + "/db9.key"};
  auto client = agent::Client::connect(address, Deadline::in(seconds(10)));
  ASSERT_TRUE(client) << client.error().to_string();
  EXPECT_EQ(id_of(client->call("stop", Value::object({{"epoch", 9}}), Deadline::in(seconds(10)))),
            "agent.not_permitted");
  EXPECT_EQ(id_of(client->call("member", Value::object(), Deadline::in(seconds(10)))), "agent.not_permitted");
  expect_serving();
}

TEST_F(NetworkCallers, AreToldOfCertificatesThatEnd) {
  using List = std::vector<std::string>;
  const int64_t day = 86400, now = std::time(nullptr);
  /// Puts another certificate in the place of one, as a person does; with `begun` days behind it and `left` before it.
  const auto replace = [&](const std::string& place, const net::PkiRequest& request, int begun, int left) {
    const std::string fresh = fmt::format("{}/fresh-{}-{}-{}", world_.pki(), request.name, begun, left);
    ASSERT_TRUE(net::issue_into(world_.pki(), fresh, request, now - begun * day, begun + left));
    for (const char* kind : {".key", ".crt"})
      std::filesystem::copy_file(fresh + "/" + request.name + kind, place + kind,
                                 std::filesystem::copy_options::overwrite_existing);
  };
  /// "ID SEVERITY" of all but information, and what is said of the certificates.
  std::string text;
  const auto told = [&](int exit_code) {
    const auto ran = world_.caller(net::Role::observe, "triage");
    EXPECT_EQ(ran.exit_code, exit_code) << ran.out << ran.err;
    List found;
    text.clear();
    for (const auto& d : RepairWorld::data(ran)["diagnoses"].items()) {
      if (d["severity"].text() != "info") found.push_back(d["id"].text() + " " + d["severity"].text());
      if (d["id"].text() == "agent-certificate-ending") text += d["summary"].text() + "\n" + d["remedy"].text() + "\n";
    }
    return found;
  };
  const net::PkiRequest agent{net::Role::agent, "localhost", {"127.0.0.1"}}, caller{net::Role::observe, "observe", {}};
  const std::string agents = world_.pki() + "/localhost", callers = world_.certificate(net::Role::observe);
  EXPECT_EQ(told(0), List()) << text;

  // Both members' agents have this one, and use it without a restart.
  ASSERT_NO_FATAL_FAILURE(replace(agents, agent, 8, 2));
  EXPECT_EQ(told(0), List{"agent-certificate-ending warning"});
  EXPECT_NE(text.find("the certificate (localhost) of the agents of shop-postgres-0, shop-postgres-1 expires in"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find(net::time_text(now + 2 * day)), std::string::npos) << text;
  EXPECT_NE(text.find("holdfast pki issue agent 127.0.0.1 --san localhost --out DIR"), std::string::npos) << text;

  // Over: the agents are there, and are not said to be gone. The servers are asked as any client does.
  ASSERT_NO_FATAL_FAILURE(replace(agents, agent, 10, -2));
  EXPECT_EQ(told(4), List{"agent-certificate-ending error"});
  EXPECT_NE(text.find("expired " + net::time_text(now - 2 * day)), std::string::npos) << text;
  EXPECT_NE(text.find("the agents of shop-postgres-0, shop-postgres-1 cannot be asked"), std::string::npos) << text;
  const auto refused = world_.caller(net::Role::operate, "repair", {"-i", "1"});
  EXPECT_NE((refused.out + refused.err).find("agent-certificate-ending"), std::string::npos) << refused.out;

  // Renewed by what was said.
  ASSERT_NO_FATAL_FAILURE(replace(agents, agent, 0, 20));
  EXPECT_EQ(told(0), List()) << text;

  // The caller's own.
  ASSERT_NO_FATAL_FAILURE(replace(callers, caller, 8, 2));
  EXPECT_EQ(told(0), List{"agent-certificate-ending warning"});
  EXPECT_NE(text.find("holdfast pki issue observe observe --out DIR, copy both files over " + callers + ".crt"),
            std::string::npos)
      << text;
  ASSERT_NO_FATAL_FAILURE(replace(callers, caller, 10, -2));
  EXPECT_EQ(told(4), List{"agent-certificate-ending error"});
  EXPECT_NE(text.find("our certificate (observe) for agents expired " + net::time_text(now - 2 * day)),
            std::string::npos)
      << text;
  ASSERT_NO_FATAL_FAILURE(replace(callers, caller, 0, 20));
  EXPECT_EQ(told(0), List()) << text;
}

TEST_F(NetworkCallers, CannotKeepAnAgentFromItsWork) {
  // Says nothing, or what is no TLS.
  {
    // More than it serves: its host goes on, and others do once these have had their time for a handshake.
    std::vector<sys::Fd> many;
    for (int i = 0; i < 400; ++i) many.push_back(plain_connection(world_.address(1, net::Role::operate)));
    EXPECT_EQ(world_.triage(), 0) << "the host's own commands are kept away";
  }
  std::vector<sys::Fd> silent;
  for (int i = 0; i < 100; ++i) silent.push_back(plain_connection(world_.address(1, net::Role::operate)));
  const std::string garbage(1 << 16, 'x');
  for (int i = 0; i < 20; ++i)
    (void)!::send(silent[static_cast<size_t>(i)].get(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
  expect_serving();
  // A request without an end.
  auto context = net::TlsContext::load({world_.home() + "/ca.crt", world_.certificate(net::Role::observe) + ".crt",
                                        world_.certificate(net::Role::observe) + ".key"});
  ASSERT_TRUE(context) << context.error().to_string();
  const auto port = world_.address(1, net::Role::operate).port;
  auto endless = net::tls_connect("127.0.0.1", port, "127.0.0.1", *context, Deadline::in(seconds(10)));
  ASSERT_TRUE(endless) << endless.error().to_string();
  Status sent;
  uint64_t bytes = 0;
  while (sent && bytes < (uint64_t{1} << 30)) {
    sent = endless->write_all(as_bytes(garbage), Deadline::in(seconds(20)));
    bytes += garbage.size();
  }
  EXPECT_FALSE(sent) << "a request of a gigabyte was read";
  EXPECT_LT(bytes, uint64_t{64} << 20);
  // A request that is cut off, and one that is no JSON.
  auto torn = net::tls_connect("127.0.0.1", port, "127.0.0.1", *context, Deadline::in(seconds(10)));
  ASSERT_TRUE(torn);
  ASSERT_TRUE(torn->write_all(as_bytes(std::string_view("{\"op\":\"pi")), Deadline::in(seconds(10))));
  torn = fail(ErrorClass::failed, "test", "closed");
  auto odd = net::tls_connect("127.0.0.1", port, "127.0.0.1", *context, Deadline::in(seconds(10)));
  ASSERT_TRUE(odd);
  ASSERT_TRUE(odd->write_all(as_bytes(std::string_view("pi\xff\n")), Deadline::in(seconds(10))));
  uint8_t answer[256];
  const auto got = odd->read_some(answer, Deadline::in(seconds(10)));
  ASSERT_TRUE(got) << got.error().to_string();
  EXPECT_NE(std::string(reinterpret_cast<char*>(answer), *got).find("\"ok\":false"), std::string::npos);
  expect_serving();
}

TEST_F(NetworkCallers, OpenNoFileOfAMember) {
  HOLDFAST_NEED("strace", !find_program("strace").empty(), "no strace on PATH");
  const std::string trace = world_.home() + "/trace";
  world_.break_member("kill", 1);
  const auto done =
      world_.as_caller({find_program("strace"), "-f", "-e", "trace=%file", "-s", "500", "-o", trace, holdfast_binary(),
                        "repair", "-c", "orders", "-o", "json", "--config", world_.home() + "/orders-operate.yaml"});
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  const std::string calls = bytes_of(trace);
  EXPECT_NE(calls.find("orders-operate.yaml"), std::string::npos) << "the trace shows nothing";
  EXPECT_EQ(calls.find(world_.member_dir(0)), std::string::npos) << calls.substr(calls.find(world_.member_dir(0)), 300);
  EXPECT_EQ(calls.find(world_.member_dir(1)), std::string::npos);
}

}  // namespace

}  // namespace holdfast::test
