// Certificates between agents and callers: when their end is said, and of whom.
#include <gtest/gtest.h>

#include <string>

#include "cluster/triage.h"
#include "tests/support/triage_world.h"

namespace holdfast::cluster {
namespace {

using test::expect_next_commands;
using test::healthy;
using test::World;
using Of = AgentCertificate::Of;

constexpr double kDay = 86400;
constexpr const char* kId = "agent-certificate-ending";

AgentCertificate certificate(Of of, double days_left, double days_valid = 365) {
  AgentCertificate one{.of = of, .name = "db1.example", .names = {}, .role = {}, .until = "2026-12-24T10:00:00Z"};
  if (of == Of::agent) one.names = {"db1.example", "10.0.0.5"};
  if (of == Of::authority) one.name = "CN=Holdfast authority";
  if (of == Of::caller) one.name = "anna", one.role = "observe";
  one.seconds_left = days_left * kDay;
  one.seconds_valid = days_valid * kDay;
  return one;
}

/// Agents on three hosts, asked over the network.
World over_network() {
  World w = healthy(Engine::mariadb);
  for (int i = 0; i < 3; ++i) {
    auto& member = w.cluster.members[static_cast<size_t>(i)];
    member.agent_address = "db" + std::to_string(i) + ".example:7420";
    member.agent_tls = {"/etc/holdfast/ca.crt", "/etc/holdfast/anna.crt", "/etc/holdfast/anna.key"};
    w[static_cast<size_t>(i)].agent.certificates = {certificate(Of::agent, 300), certificate(Of::authority, 3000, 3650),
                                                    certificate(Of::caller, 300)};
  }
  return w;
}

std::vector<Diagnosis> said(const TriageReport& report) {
  std::vector<Diagnosis> found;
  for (const auto& d : report.diagnoses)
    if (d.id == kId) found.push_back(d);
  return found;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(AgentCertificates, AreWarnedOfThirtyDaysAhead) {
  for (const auto of : {Of::agent, Of::authority, Of::caller}) {
    World w = over_network();
    auto& one = w[1].agent.certificates[static_cast<size_t>(of)];
    one = certificate(of, 30.001);
    EXPECT_TRUE(said(w.report()).empty());
    one = certificate(of, 30);
    const auto report = w.report();
    ASSERT_EQ(said(report).size(), 1u);
    EXPECT_EQ(said(report)[0].severity, Severity::warning);
    EXPECT_EQ(said(report)[0].members, std::vector<MemberName>{MemberName("m1")});
    EXPECT_TRUE(contains(said(report)[0].summary, "30 days, 2026-12-24T10:00:00Z")) << said(report)[0].summary;
    EXPECT_TRUE(report.healthy);
    EXPECT_EQ(report.members[1].verdict, Verdict::healthy);
    expect_next_commands(report);
  }
}

TEST(AgentCertificates, ThatAreRenewedOftenAreWarnedOfInTheirLastThird) {
  World w = over_network();
  w[1].agent.certificates[0] = certificate(Of::agent, 0.34, 1);
  EXPECT_TRUE(said(w.report()).empty());
  w[1].agent.certificates[0] = certificate(Of::agent, 0.33, 1);
  ASSERT_EQ(said(w.report()).size(), 1u);
  EXPECT_TRUE(contains(said(w.report())[0].summary, "expires in 8 h")) << said(w.report())[0].summary;
}

TEST(AgentCertificates, AreRenewedByTheCommandThatIsSaid) {
  World w = over_network();
  w[1].agent.certificates[0] = certificate(Of::agent, 5);
  EXPECT_TRUE(contains(said(w.report())[0].remedy,
                       "holdfast pki issue agent db1.example --san 10.0.0.5 --out DIR, copy both files over"))
      << said(w.report())[0].remedy;
  w = over_network();
  w[0].agent.certificates[2] = w[1].agent.certificates[2] = w[2].agent.certificates[2] = certificate(Of::caller, 5);
  auto all = said(w.report());
  ASSERT_EQ(all.size(), 1u) << "once, however many agents it is shown to";
  EXPECT_EQ(all[0].members.size(), 3u);
  EXPECT_TRUE(contains(all[0].remedy, "holdfast pki issue observe anna --out DIR")) << all[0].remedy;
  EXPECT_TRUE(contains(all[0].remedy, "/etc/holdfast/anna.crt and /etc/holdfast/anna.key")) << all[0].remedy;
  w = over_network();
  w[2].agent.certificates[1] = certificate(Of::authority, 5);
  EXPECT_TRUE(contains(said(w.report())[0].summary, "CN=Holdfast authority")) << said(w.report())[0].summary;
  EXPECT_TRUE(contains(said(w.report())[0].remedy, "holdfast pki init --dir DIR")) << said(w.report())[0].remedy;
}

/// The agent is not asked, and that is why: not that it is gone.
TEST(AgentCertificates, ThatHaveExpiredAreWhyAnAgentIsNotAsked) {
  World w = over_network();
  auto& m = w[1];
  m.agent.answers = false;
  m.runtime.state.clear();
  m.runtime.volumes.clear();
  m.agent.certificates.clear();
  m.agent.refused = "the certificate of db1.example (CN=db1.example) expired 2026-11-20T10:00:00Z";
  m.agent.certificate_over = Of::agent;
  const auto report = w.report();
  ASSERT_EQ(said(report).size(), 1u);
  const auto& d = report.diagnoses[0];
  EXPECT_EQ(d.id, kId);
  EXPECT_EQ(d.severity, Severity::error);
  EXPECT_TRUE(contains(d.summary, "the agent of m1 cannot be asked: the certificate of db1.example")) << d.summary;
  EXPECT_TRUE(contains(d.summary, "expired 2026-11-20T10:00:00Z")) << d.summary;
  EXPECT_TRUE(contains(d.remedy, "holdfast pki issue agent db1.example --out DIR")) << d.remedy;
  EXPECT_EQ(d.blocks, std::vector<std::string>{"repair"});
  EXPECT_EQ(report.members[1].verdict, Verdict::broken);
  EXPECT_EQ(report.members[2].verdict, Verdict::healthy);
  EXPECT_FALSE(report.has("agent-gone"));
  EXPECT_FALSE(report.has("agent-hung"));

  m.agent.refused = "the certificate of db1.example (CN=db1.example) is not valid before 2027-01-01T00:00:00Z";
  EXPECT_TRUE(contains(said(w.report())[0].remedy, "clocks of both hosts")) << said(w.report())[0].remedy;
}

TEST(AgentCertificates, OfTheCallerThatHaveExpiredAreOneDiagnosis) {
  World w = over_network();
  for (auto& m : w.facts) {
    m.agent.answers = false;
    m.runtime.state.clear();
    m.runtime.volumes.clear();
    m.agent.certificates[2] = certificate(Of::caller, -2);
    m.agent.refused = "the other side refuses our certificate: it has expired, or is not yet valid";
    m.agent.certificate_over = Of::caller;
  }
  const auto report = w.report();
  ASSERT_EQ(said(report).size(), 1u);
  EXPECT_EQ(said(report)[0].members.size(), 3u);
  EXPECT_TRUE(contains(said(report)[0].summary, "our certificate (anna) for agents expired 2026-12-24T10:00:00Z"))
      << said(report)[0].summary;
  EXPECT_FALSE(report.has("agent-gone"));
}

TEST(AgentCertificates, OfAnotherKindAreNoEnd) {
  World w = over_network();
  w[1].agent.answers = false;
  w[1].runtime.state.clear();
  w[1].agent.refused = "the certificate of db1.example (CN=db1.example) is not for db2.example";
  const auto report = w.report();
  EXPECT_TRUE(said(report).empty());
  ASSERT_TRUE(report.has("agent-gone"));
  EXPECT_TRUE(contains(report.diagnoses[0].summary, "is not for db2.example")) << report.diagnoses[0].summary;
}

TEST(AgentCertificates, OfALocalAgentAreNone) {
  EXPECT_TRUE(said(healthy(Engine::postgres).report()).empty());
}

std::vector<MemberName> in_plain_text(const World& w) {
  std::vector<MemberName> members;
  for (const auto& d : w.report().diagnoses)
    if (d.id == "replication-plain-text") {
      EXPECT_EQ(d.severity, Severity::info);
      members.insert(members.end(), d.members.begin(), d.members.end());
    }
  return members;
}

/// Three hosts, with a network of their own each.
World on_hosts(Engine engine) {
  World w = healthy(engine);
  for (size_t i = 0; i < 3; ++i) {
    w.cluster.members[i].host = "10.0.0." + std::to_string(i + 1);
    w[i].own.network = "net" + std::to_string(i);
    w[i].own.interfaces = {"127.0.0.1", w.cluster.members[i].host};
    for (auto& stream : w[i].following) stream.upstream = "10.0.0.1:1000";
    if (!w[i].runtime.upstream_wanted.empty()) w[i].runtime.upstream_wanted = "10.0.0.1:1000";
  }
  return w;
}

TEST(PlainTextReplication, IsSaidOfWhatCrossesTheNetwork) {
  for (const auto engine : {Engine::mariadb, Engine::mysql}) {
    World w = on_hosts(engine);
    EXPECT_TRUE(in_plain_text(w).empty()) << "what is not known is not said";
    w[1].following[0].encrypted = true;
    w[2].following[0].encrypted = false;
    EXPECT_EQ(in_plain_text(w), std::vector{w[2].member});
    w[2].own.network = w[0].own.network;
    EXPECT_TRUE(in_plain_text(w).empty()) << "one machine";
    World here = healthy(engine);
    here[2].following[0].encrypted = false;
    EXPECT_TRUE(in_plain_text(here).empty()) << "loopback";
  }
}

TEST(PlainTextReplication, IsNotSaidOfOneHostNorOfAGroupsOwnChannels) {
  World w = on_hosts(Engine::mysql);
  w[2].following[0].encrypted = false;
  for (size_t i = 0; i < 3; ++i) {  // without agents, described by one host
    w.cluster.members[i].host = "10.0.0.1";
    w[i].agent.answers.reset();
    w[i].own = {};
  }
  EXPECT_TRUE(in_plain_text(w).empty());
  World group = on_hosts(Engine::mysql);
  Following recovery = group[1].following[0];
  recovery.channel = "group_replication_recovery";
  recovery.upstream = "<NULL>:0";
  recovery.encrypted = false;
  group[1].following.push_back(recovery);
  EXPECT_TRUE(in_plain_text(group).empty());
}

TEST(PlainTextReplication, IsWhatTheSourceOfAStandbySees) {
  World w = on_hosts(Engine::postgres);
  for (size_t i = 1; i < 3; ++i) {
    w[i].application_name = "m" + std::to_string(i);
    w[0].follower_list.push_back(
        {.name = w[i].application_name, .state = "streaming", .sync = "async", .address = w.cluster.members[i].host});
    w[0].follower_list.back().encrypted = i == 1;
  }
  w[0].followers_listed = true;
  EXPECT_EQ(in_plain_text(w), std::vector{w[2].member});
  // A stranger of the same name: which of both is the member is not known.
  auto stranger = w[0].follower_list[1];
  stranger.encrypted = true;
  w[0].follower_list.push_back(stranger);
  EXPECT_TRUE(in_plain_text(w).empty());
  w[0].follower_list.pop_back();
  w[0].follower_list[1].encrypted.reset();
  EXPECT_TRUE(in_plain_text(w).empty()) << "an account that sees no TLS knows nothing of it";
}

TEST(PlainTextReplication, IsAlsoThatOfGalera) {
  World w = on_hosts(Engine::galera);
  for (size_t i = 0; i < 3; ++i) {
    w[i].galera->node_address = w.cluster.members[i].host + ":1000";
    w[i].galera->provider_options["socket.ssl"] = "NO";
  }
  EXPECT_EQ(in_plain_text(w).size(), 3u);
  EXPECT_TRUE(in_plain_text([] {
                World here = healthy(Engine::galera);
                for (size_t i = 0; i < 3; ++i) here[i].galera->provider_options["socket.ssl"] = "NO";
                return here;
              }())
                  .empty())
      << "one machine";
  for (size_t i = 0; i < 3; ++i) w[i].galera->provider_options["socket.ssl"] = "YES";
  EXPECT_TRUE(in_plain_text(w).empty());
}

}  // namespace
}  // namespace holdfast::cluster
