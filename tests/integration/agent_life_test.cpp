// Servers that outlive their agents: they live on, are adopted, and everything works as before; and nothing that is
// said meanwhile is false.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "agent/client.h"
#include "agent/running_server.h"
#include "sys/any_process.h"
#include "sys/file.h"
#include "tests/integration/repair_world.h"
#include "tests/support/sample.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;
using std::chrono::steady_clock;

struct Case {
  Engine engine;
  const char* cluster;
  int members;
};

/// A server, as the kernel knows it.
struct Server {
  pid_t pid = -1;
  uint64_t start_time = 0;
  bool operator==(const Server&) const = default;
};

class AgentLife : public testing::TestWithParam<Case> {
 protected:
  AgentLife() : world_(GetParam().engine, GetParam().cluster) {}

  void SetUp() override {
    const char* program = GetParam().engine == Engine::postgres ? "postgres"
                          : GetParam().engine == Engine::mysql  ? "mysqld"
                                                                : "mariadbd";
    HOLDFAST_NEED(std::string(cluster::engine_name(GetParam().engine)),
                  engine::find_program(GetParam().engine, program).has_value(), "no server");
    ASSERT_NO_FATAL_FAILURE(world_.up({"--servers-survive"}));
  }

  int last() const { return GetParam().members - 1; }
  std::string dir(int i) { return world_.lab.state_dir() + "/lab/" + world_.cluster() + "/" + world_.name(i); }
  agent::MemberConfig config(int i) {
    auto config = agent::read_config(dir(i));
    EXPECT_TRUE(config) << dir(i);
    return config ? *config : agent::MemberConfig();
  }

  /// Which one runs there, whatever anybody's records say.
  Server server(int i) {
    const auto running = agent::find_running(config(i));
    return running ? Server{running->pid, running->start_time} : Server();
  }
  std::vector<Server> servers() {
    std::vector<Server> all;
    for (int i = 0; i <= last(); ++i) all.push_back(server(i));
    return all;
  }

  Result<Value> ask(int i, const std::string& op, Value arguments = Value::object()) {
    auto client = TRY(agent::Client::connect(config(i).agent_socket(), Deadline::in(seconds(5))));
    return client.call_now(op, std::move(arguments), Deadline::in(seconds(90)));
  }
  Value status(int i) {
    auto answer = ask(i, "status");
    EXPECT_TRUE(answer) << world_.name(i) << ": " << answer.error().to_string();
    return answer ? (*answer)["server"] : Value();
  }
  void must(int i, const std::string& op, Value arguments = Value::object()) {
    const auto done = ask(i, op, std::move(arguments));
    ASSERT_TRUE(done) << op << ": " << done.error().to_string();
  }

  /// SIGKILL, or another signal; returns when its process is gone.
  void kill_agent(int i, int signal_number = SIGKILL) {
    auto text = sys::read_file(dir(i) + "/agent.lock");
    ASSERT_TRUE(text);
    const auto pid = static_cast<pid_t>(std::strtol(std::string(as_text(text->span())).c_str(), nullptr, 10));
    auto pidfd = sys::open_pidfd(pid);
    ASSERT_TRUE(pidfd) << pid;
    ASSERT_EQ(::kill(pid, signal_number), 0);
    auto gone = sys::wait_fd(pidfd->get(), POLLIN, Deadline::in(seconds(20)));
    EXPECT_TRUE(gone && *gone);
  }
  /// As an init system does; returns when it answers.
  void start_agent(int i) {
    sys::Command command;
    command.argv = {holdfast_binary(), "agent", "--dir", dir(i)};
    auto log = sys::open_file(dir(i) + "/agent.log", O_WRONLY | O_CREAT | O_APPEND, 0640);
    ASSERT_TRUE(log);
    command.out = command.err = sys::Stdio::to(log->get());
    command.die_with_parent = SIGKILL;
    command.new_session = true;
    auto started = sys::spawn(command);
    ASSERT_TRUE(started) << started.error().to_string();
    agents_.insert_or_assign(i, std::move(*started));
    auto answers = sys::wait_until([&] { return ask(i, "ping").has_value(); }, Deadline::in(seconds(20)));
    ASSERT_TRUE(answers && *answers) << bytes_of(dir(i) + "/agent.log");
  }
  void renew_agent(int i) {
    ASSERT_NO_FATAL_FAILURE(kill_agent(i));
    ASSERT_NO_FATAL_FAILURE(start_agent(i));
  }
  void await_state(int i, const std::string& state) {
    std::string seen;
    auto came = sys::wait_until([&] { return (seen = status(i)["state"].text()) == state; }, Deadline::in(seconds(60)));
    EXPECT_TRUE(came && *came) << world_.name(i) << " is " << seen << "\n" << bytes_of(dir(i) + "/agent.log");
  }
  void expect_adopted(int i, const Server& before) {
    await_state(i, "running");
    const Value now = status(i);
    EXPECT_TRUE(now["adopted"].boolean()) << codec::to_json(now);
    EXPECT_EQ(now["pid"].integer(), before.pid);
    EXPECT_FALSE(now["argv"].items().empty());
    EXPECT_EQ(server(i), before) << "another server";
  }
  /// Ids of what triage says, once it says nothing that passes by itself.
  std::set<std::string> diagnoses() {
    std::set<std::string> ids;
    const Value seen = RepairWorld::data(world_.run("triage"));
    for (const auto& one : seen["diagnoses"].items())
      if (one["severity"].text() != "info") ids.insert(one["id"].text());
    return ids;
  }
  void await_healthy() {
    RunResult seen;
    auto healthy =
        sys::wait_until([&] { return (seen = world_.run("triage")).exit_code == 0; }, Deadline::in(seconds(30)));
    EXPECT_TRUE(healthy && *healthy) << codec::to_json(RepairWorld::data(seen)["diagnoses"]);
  }

  RepairWorld world_;
  std::map<int, sys::Process> agents_;
};

TEST_P(AgentLife, AServerLivesOnAndIsAdopted) {
  const auto before = servers();
  for (int i = 0; i <= last(); ++i) ASSERT_GT(before[static_cast<size_t>(i)].pid, 1);
  for (int i = 0; i <= last(); ++i) ASSERT_NO_FATAL_FAILURE(kill_agent(i));
  EXPECT_EQ(servers(), before);
  EXPECT_EQ(world_.member(0)["pid"].integer(), before[0].pid) << "lab status knows it without an agent";
  EXPECT_EQ(diagnoses(), std::set<std::string>{"agent-gone"});
  EXPECT_EQ(world_.ask(0, "SELECT 1"), "1");
  for (int i = 0; i <= last(); ++i) {
    ASSERT_NO_FATAL_FAILURE(start_agent(i));
    expect_adopted(i, before[static_cast<size_t>(i)]);
  }
  await_healthy();
  const auto inspection = ask(0, "inspect");
  ASSERT_TRUE(inspection);
  EXPECT_TRUE((*inspection)["pageCheck"].is_object()) << "its pages are read again";

  // SIGTERM ends the agent alone.
  ASSERT_NO_FATAL_FAILURE(kill_agent(last(), SIGTERM));
  EXPECT_EQ(server(last()), before.back());
  ASSERT_NO_FATAL_FAILURE(start_agent(last()));
  expect_adopted(last(), before.back());

  // It is restarted, stopped, and started, as a child is.
  ASSERT_NO_FATAL_FAILURE(must(last(), "restart"));
  EXPECT_FALSE(status(last())["adopted"].boolean());
  EXPECT_NE(server(last()), before.back());
  ASSERT_NO_FATAL_FAILURE(renew_agent(last()));
  ASSERT_NO_FATAL_FAILURE(must(last(), "stop"));
  EXPECT_EQ(status(last())["state"].text(), "stopped");
  EXPECT_EQ(server(last()), Server());
  EXPECT_TRUE(diagnoses().contains("server-stopped"));

  // How it runs is known to the next agent, too.
  ASSERT_NO_FATAL_FAILURE(must(last(), "start", Value::object({{"mode", "isolated"}})));
  const Server alone = server(last());
  ASSERT_NO_FATAL_FAILURE(renew_agent(last()));
  expect_adopted(last(), alone);
  EXPECT_EQ(status(last())["mode"].text(), "isolated");
  const auto other_mode = ask(last(), "start");
  ASSERT_FALSE(other_mode);
  EXPECT_EQ(other_mode.error().id, "agent.running");
  ASSERT_NO_FATAL_FAILURE(must(last(), "stop"));
  ASSERT_NO_FATAL_FAILURE(must(last(), "start"));
  ASSERT_NO_FATAL_FAILURE(must(last(), "start"));  // fine: it runs
  await_healthy();

  // Its death is seen; how it ended is not made up.
  ASSERT_NO_FATAL_FAILURE(renew_agent(last()));
  world_.break_member("kill", last());
  EXPECT_EQ(status(last())["state"].text(), "failed");
  EXPECT_EQ(status(last())["lastExit"].text(), "an unknown status");
  EXPECT_TRUE(diagnoses().contains("server-crashed"));
  ASSERT_NO_FATAL_FAILURE(world_.expect_repaired(last()));

  // A member is made new from adopted ones.
  for (int i = 0; i <= last(); ++i) ASSERT_NO_FATAL_FAILURE(renew_agent(i));
  world_.break_member("delete-data", last());
  ASSERT_NO_FATAL_FAILURE(world_.expect_repaired(last()));
  EXPECT_EQ(server(0), before[0]) << "a healthy server was restarted";

  // `lab up` finds it all, and `lab down` leaves nothing, whether there is an agent or not.
  ASSERT_NO_FATAL_FAILURE(kill_agent(0));
  ASSERT_NO_FATAL_FAILURE(kill_agent(last()));
  agents_.clear();
  const auto up = world_.lab.holdfast({"lab", "up", world_.cluster()});
  EXPECT_EQ(up.exit_code, 0) << up.err;
  EXPECT_EQ(server(0), before[0]);
  ASSERT_NO_FATAL_FAILURE(kill_agent(0));
  const auto down = world_.lab.holdfast({"lab", "down"});
  EXPECT_EQ(down.exit_code, 0) << down.err;
  EXPECT_TRUE(world_.lab.processes().empty());
}

/// What an agent was in the middle of when it was killed, and what happens while there is none.
TEST_P(AgentLife, WhatAnAgentLeavesHalfDoneIsKnownToTheNext) {
  const int i = last();
  // In the middle of a stop.
  {
    std::jthread stopping([&] { (void)ask(i, "stop"); });
    const auto noted = [&] { return std::filesystem::exists(dir(i) + "/stopping"); };
    ASSERT_TRUE(*sys::wait_until(noted, Deadline::in(seconds(20))));
    ASSERT_NO_FATAL_FAILURE(kill_agent(i));
  }
  ASSERT_NO_FATAL_FAILURE(start_agent(i));
  EXPECT_NE(status(i)["state"].text(), "failed");
  EXPECT_NE(status(i)["state"].text(), "starting");
  ASSERT_NO_FATAL_FAILURE(must(i, "stop"));
  EXPECT_EQ(status(i)["state"].text(), "stopped");
  EXPECT_EQ(server(i), Server());

  // In the middle of a start: there is one server in the end, and the agent has it.
  {
    std::jthread starting([&] { (void)ask(i, "start"); });
    ASSERT_TRUE(*sys::wait_until([&] { return server(i).pid > 0; }, Deadline::in(seconds(20))));
    ASSERT_NO_FATAL_FAILURE(kill_agent(i));
  }
  const Server half = server(i);
  ASSERT_GT(half.pid, 1);
  ASSERT_NO_FATAL_FAILURE(start_agent(i));
  ASSERT_NO_FATAL_FAILURE(must(i, "start"));
  expect_adopted(i, half);
  await_healthy();

  // A stop that was noted, by an agent that was killed before it asked the server. The server hangs, so that nothing is
  // known of it yet, and then serves on.
  ASSERT_NO_FATAL_FAILURE(kill_agent(i));
  ASSERT_TRUE(agent::note_stopping(config(i), half.pid));
  ASSERT_EQ(::kill(half.pid, SIGSTOP), 0);
  ASSERT_NO_FATAL_FAILURE(start_agent(i));
  EXPECT_EQ(status(i)["state"].text(), "stopping");
  const auto too_early = ask(i, "start", Value::object({{"timeoutSeconds", 2}}));
  ASSERT_FALSE(too_early);
  EXPECT_EQ(too_early.error().id, "agent.stopping");
  ASSERT_EQ(::kill(half.pid, SIGCONT), 0);
  expect_adopted(i, half);
  await_healthy();

  // It dies while there is no agent.
  ASSERT_NO_FATAL_FAILURE(kill_agent(i));
  {
    auto pidfd = sys::open_pidfd(half.pid);
    ASSERT_TRUE(pidfd);
    ASSERT_EQ(::kill(half.pid, SIGKILL), 0);
    ASSERT_TRUE(*sys::wait_fd(pidfd->get(), POLLIN, Deadline::in(seconds(20))));
  }
  EXPECT_TRUE(diagnoses().contains("agent-gone"));
  // And its number is another's by now, which runs as the same user.
  sys::Command stranger;
  stranger.argv = {"/bin/sleep", "600"};
  stranger.die_with_parent = SIGKILL;
  const auto member = config(i);
  if (member.uid != ::geteuid()) stranger.identity = sys::Identity{member.uid, member.gid, {}};
  auto foreign = sys::spawn(stranger);
  ASSERT_TRUE(foreign);
  std::vector<std::string> notes = {member.pid_file()};
  if (GetParam().engine == Engine::postgres) notes.push_back(member.data_dir() + "/postmaster.pid");
  for (const auto& note : notes) {
    std::string text = bytes_of(note);
    text.replace(0, std::min(text.find('\n'), text.size()), std::to_string(foreign->pid()));
    auto file = sys::open_file(note, O_WRONLY | O_TRUNC);
    ASSERT_TRUE(file);
    ASSERT_EQ(::write(file->get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  ASSERT_NO_FATAL_FAILURE(start_agent(i));
  EXPECT_EQ(status(i)["state"].text(), "failed");
  EXPECT_EQ(status(i)["pid"].integer(), -1);
  EXPECT_EQ(status(i)["lastExit"].text(), "an unknown status while no agent was running");
  EXPECT_EQ(diagnoses().count("server-outside-agent"), 0u);
  ASSERT_NO_FATAL_FAILURE(world_.expect_repaired(i));
  EXPECT_FALSE(foreign->poll()) << "the stranger was ended";

  // In order, by hand.
  const Server third = server(i);
  ASSERT_NO_FATAL_FAILURE(kill_agent(i));
  {
    auto pidfd = sys::open_pidfd(third.pid);
    ASSERT_TRUE(pidfd);
    ASSERT_EQ(::kill(third.pid, agent::stop_signal(GetParam().engine)), 0);
    ASSERT_TRUE(*sys::wait_fd(pidfd->get(), POLLIN, Deadline::in(seconds(60))));
  }
  ASSERT_NO_FATAL_FAILURE(start_agent(i));
  EXPECT_EQ(status(i)["state"].text(), "stopped");
  ASSERT_NO_FATAL_FAILURE(must(i, "start"));
  await_healthy();

  // And under an agent that has adopted it.
  const Server fourth = server(i);
  ASSERT_NO_FATAL_FAILURE(renew_agent(i));
  expect_adopted(i, fourth);
  ASSERT_EQ(::kill(fourth.pid, agent::stop_signal(GetParam().engine)), 0);
  await_state(i, "stopped");
  EXPECT_EQ(status(i)["lastExit"].text(), "an unknown status, in order: it removed its pid file");
}

TEST_P(AgentLife, AgentsAreKilledAgainAndAgain) {
  const auto load = world_.lab.holdfast({"lab", "load", "-c", world_.cluster(), "--background"});
  ASSERT_EQ(load.exit_code, 0) << load.err;
  await_healthy();
  const auto before = servers();
  // What may be said of a member whose agent is away for a moment, or has just come back.
  const std::set<std::string> allowed = {"agent-gone", "agent-hung", "members-unread"};
  std::mt19937 random(static_cast<unsigned>(sample_seed()));
  const auto until = steady_clock::now() + (takes_everything() ? seconds(600) : seconds(12));
  int rounds = 0, looks = 0;
  while (steady_clock::now() < until && !HasFailure()) {
    ++rounds;
    std::set<int> dead;
    for (int i = 0; i <= last(); ++i)
      if (random() % 2 == 0) dead.insert(i);
    for (const int i : dead) ASSERT_NO_FATAL_FAILURE(kill_agent(i));
    const bool before_they_are_back = random() % 2 == 0;
    for (int look = 0; look < 2; ++look) {
      if ((look == 0) == before_they_are_back) {
        ++looks;
        for (const auto& id : diagnoses()) EXPECT_TRUE(allowed.contains(id)) << id << " in round " << rounds;
      }
      if (look > 0) continue;
      for (const int i : dead) ASSERT_NO_FATAL_FAILURE(start_agent(i));
    }
    ASSERT_EQ(servers(), before) << "in round " << rounds;
    for (const int i : dead) expect_adopted(i, before[static_cast<size_t>(i)]);
  }
  EXPECT_GT(rounds, 2);
  EXPECT_GT(looks, 2);
  await_healthy();
  EXPECT_EQ(servers(), before);
  ASSERT_NO_FATAL_FAILURE(must(last(), "restart"));
  await_healthy();
  world_.break_member("kill", last());
  EXPECT_NE(world_.triage(), 0);
  const auto done = world_.repair();
  EXPECT_EQ(done.exit_code, 0) << codec::to_json(RepairWorld::envelope(done)["errors"]) << done.err;
  await_healthy();
  for (int i = 0; i < last(); ++i) EXPECT_EQ(server(i), before[static_cast<size_t>(i)]);
}

/// Its agents are on a leash, and the servers are not any more: the next `up` or `down` ends them.
TEST(AgentLifeLab, WhatAKilledUpOfMariadbLeavesIsEnded) {
  HOLDFAST_NEED("mariadb", engine::find_program(Engine::mariadb, "mariadbd").has_value(), "no mariadbd");
  LabGuard lab;
  const std::string first = lab.state_dir() + "/lab/shop-mariadb/shop-mariadb-0";
  const auto server = [&] {
    const auto config = agent::read_config(first);
    const auto running = config ? agent::find_running(*config) : std::nullopt;
    return running && !running->env.empty() ? running->pid
                                            : -1;  // one with our mark, none that makes the data directory
  };
  for (const char* then : {"up", "down"}) {
    sys::Command command;
    command.argv = {holdfast_binary(),   "lab",     "up",          "shop-mariadb",
                    "--servers-survive", "--quiet", "--state-dir", lab.state_dir()};
    command.die_with_parent = SIGKILL;
    auto up = sys::spawn(command);
    ASSERT_TRUE(up);
    ASSERT_TRUE(*sys::wait_until([&] { return server() > 0; }, Deadline::in(seconds(60))));
    const pid_t left = server();
    ASSERT_TRUE(up->kill());
    ASSERT_TRUE(sys::process_start_time(left)) << "it has not outlived its agent";
    const auto done = lab.holdfast({"lab", then, "shop-mariadb"});
    EXPECT_EQ(done.exit_code, 0) << done.err;
    EXPECT_FALSE(sys::process_start_time(left)) << "lab " << then << " left it running";
    if (then == std::string("up")) {
      EXPECT_EQ(lab.holdfast({"lab", "down"}).exit_code, 0);
    }
    EXPECT_TRUE(lab.processes().empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, AgentLife,
                         testing::Values(Case{Engine::mariadb, "shop-mariadb", 3},
                                         Case{Engine::galera, "shop-galera", 3}, Case{Engine::mysql, "shop-mysql", 2},
                                         Case{Engine::postgres, "shop-postgres", 2}),
                         [](const auto& info) { return std::string(cluster::engine_name(info.param.engine)); });

}  // namespace
}  // namespace holdfast::test
