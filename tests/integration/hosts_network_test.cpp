// What a bad network between hosts does to operations: a donor that is cut off in the middle of a copy, a member that
// cannot be reached when something is undone, and hosts that are all slow.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <chrono>
#include <filesystem>
#include <set>

#include "engine/programs.h"
#include "lab/hosts.h"
#include "tests/integration/kill_world.h"
#include "tests/integration/lost_packets.h"
#include "tests/support/require.h"

namespace holdfast::test {

using cluster::Engine;
using codec::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;
namespace fs = std::filesystem;

namespace {

struct Case {
  Engine engine;
  const char *server, *cluster;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.cluster;
}

#define NEED_HOSTS_AND(c)                                                                                         \
  HOLDFAST_NEED("root", lab::can_have_hosts(), "network namespaces need root, and a container that allows them"); \
  HOLDFAST_NEED(std::string(cluster::engine_name((c).engine)), engine::find_program((c).engine, (c).server),      \
                std::string("no ") + (c).server)

uint64_t bytes_below(const std::string& path) {
  uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (const auto size = it->file_size(gone); !gone) bytes += size;
  }
  return bytes;
}

std::string text_of(const std::string& path) {
  const auto text = sys::read_file(path);
  return text ? std::string(as_text(text->span())) : "";
}

/// All that does not change from look to look: what is wrong, with whom, and what is to be done.
std::string told(const Value& triage) {
  std::set<std::string> lines = {"authority " + triage["authority"].text() + " " + triage["authorityMember"].text()};
  for (const auto& m : triage["members"].items())
    lines.insert(m["name"].text() + " " + m["verdict"].text() + " " + m["action"].text());
  for (const auto& d : triage["diagnoses"].items()) {
    if (d["severity"].text() == "info") continue;
    std::string line = d["severity"].text() + " " + d["id"].text();
    for (const auto& m : d["members"].items()) line += " " + m.text();
    lines.insert(line);
  }
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

class HostsNetwork : public testing::TestWithParam<Case> {};

/// A copy that its donor no longer sends ends, is undone, and can be made anew.
TEST_P(HostsNetwork, ACopyEndsWhenItsDonorIsCutOff) {
  NEED_HOSTS_AND(GetParam());
  KillWorld world(GetParam().engine, GetParam().cluster);
  ASSERT_NO_FATAL_FAILURE(world.up({"--hosts", "3"}));
  world.break_member("delete-data", 1);
  const std::string log = world.lab.state_dir() + "/repair.log";
  auto running = world.start_cut({"repair", "-c", world.cluster(), "-i", "1", "--copy-rate", "1M", "-o", "json"},
                                 {"none", "-", "after"}, log);
  std::string donor;
  const auto copying = [&] {
    return world.agent(1, "status")["server"]["progress"]["step"].text() == "copy" &&
           bytes_below(world.dir(1) + "/data.new") > uint64_t{2} << 20;
  };
  ASSERT_TRUE(*sys::wait_until([&] { return copying() || running.poll(); }, Deadline::in(seconds(90))));
  ASSERT_FALSE(running.poll()) << "it ended before it could be cut off";
  const Value list = KillWorld::data(world.lab.holdfast({"operations", "list", "-o", "json"}))["operations"];
  ASSERT_EQ(list.items().size(), 1u);
  const Value shown =
      KillWorld::data(world.lab.holdfast({"operations", "show", list.items()[0]["id"].text(), "-o", "json"}));
  for (const auto& step : shown["plan"]["steps"].items())
    if (step["kind"].text() == "make_side_copy") donor = step["arguments"]["donor"].text();
  ASSERT_TRUE(donor.starts_with(world.cluster() + "-")) << codec::to_json(shown);
  LostPackets lost;
  lost.lose(world.config(1), world.config(std::stoi(donor.substr(world.cluster().size() + 1))).host);
  const auto begun = std::chrono::steady_clock::now();
  const auto ended = running.wait(Deadline::in(seconds(180)));
  ASSERT_TRUE(ended) << "the copy waits for ever: " << codec::to_json(world.agent(1, "status")["server"]["progress"]);
  fmt::print("{}: the copy ended {:.0f} s after its donor was cut off\n", world.cluster(),
             std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
  EXPECT_EQ(ended->code, 8) << text_of(log);
  world.expect_nothing_left("donor-undo.");
  lost.heal();
  // What the copy had changed on its donor is undone without anybody's asking.
  const auto settled = sys::wait_until([&] { return world.leftovers(1).empty(); }, Deadline::in(seconds(90)));
  EXPECT_TRUE(settled && *settled) << *world.leftovers(1).begin();
  const auto done = world.run("repair", {"-i", "1"});
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  world.expect_healthy();
  world.expect_nothing_left();
  for (const int i : {1, 2}) world.expect_equal(i);
}

/// 100 ms and a hundredth of the packets lost, on all hosts: all takes longer, and nothing else.
TEST_P(HostsNetwork, SlowHostsAreNotTakenForBrokenOnes) {
  NEED_HOSTS_AND(GetParam());
  KillWorld world(GetParam().engine, GetParam().cluster);
  const bool galera = world.engine() == Engine::galera;
  ASSERT_NO_FATAL_FAILURE(world.up({"--hosts", "3"}));
  auto took = [begun = std::chrono::steady_clock::now()]() mutable {
    const auto now = std::chrono::steady_clock::now();
    const double passed = std::chrono::duration<double>(now - begun).count();
    begun = now;
    return passed;
  };
  const auto slow = [&] {
    for (int i = 0; i < 3; ++i) world.break_member("host-slow", i);
  };
  const auto fast = [&] {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(world.lab.holdfast({"lab", "heal", world.name(i)}).exit_code, 0);
  };
  const std::string healthy = told(world.triage());
  world.kill_server(1);
  world.expect_verdict(1, "stopped");
  const std::string killed = told(world.triage());
  (void)took();
  slow();
  EXPECT_EQ(told(world.triage()), killed);
  fmt::print("{}: slow: triage {:.1f} s", world.cluster(), took());
  const auto restarted = world.run("repair", {"-i", "1"});
  EXPECT_EQ(restarted.exit_code, 0) << restarted.out << restarted.err;
  fmt::print(", a restart {:.1f} s", took());
  world.expect_healthy();
  EXPECT_EQ(told(world.triage()), healthy);

  world.break_member("delete-data", 1);
  (void)took();
  const auto rebuilt = world.lab.holdfast({"repair", "-c", world.cluster(), "-i", "1", "-o", "json"}, seconds(600));
  EXPECT_EQ(rebuilt.exit_code, 0) << rebuilt.out << rebuilt.err;
  fmt::print(", a rebuild {:.1f} s", took());
  world.expect_healthy();
  for (const int i : {1, 2}) world.expect_equal(i);

  (void)took();
  const auto stored =
      world.lab.holdfast({"backup", "-c", world.cluster(), "-r", world.repository, "-o", "json"}, seconds(600));
  EXPECT_EQ(stored.exit_code, 0) << stored.out << stored.err;
  fmt::print(", a backup {:.1f} s", took());

  // The cluster's own start: of Galera all members, of the others the one that takes writes.
  for (int i = galera ? 2 : 0; i >= 0; --i) world.kill_server(i);
  if (galera) {
    EXPECT_EQ(world.run("inspect", {"--fence"}).exit_code, 4);
  }
  (void)took();
  const auto begun = world.run(galera ? "bootstrap" : "repair");
  EXPECT_EQ(begun.exit_code, 0) << begun.out << begun.err;
  fmt::print(", a {} {:.1f} s\n", galera ? "bootstrap" : "start of the primary", took());
  world.expect_healthy();
  for (const int i : {1, 2}) world.expect_equal(i);
  fast();
  world.expect_healthy();
  world.expect_nothing_left();
}

constexpr Case kCases[] = {{Engine::mariadb, "mariadbd", "shop-mariadb"},
                           {Engine::galera, "mariadbd", "shop-galera"},
                           {Engine::mysql, "mysqld", "shop-mysql"},
                           {Engine::postgres, "postgres", "shop-postgres"}};

INSTANTIATE_TEST_SUITE_P(Engines, HostsNetwork, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(cluster::engine_name(info.param.engine)); });

/// Where a client library connects to when it is told no address: the port of a server on this machine.
class Decoy {
 public:
  explicit Decoy(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int yes = 1;
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<uint16_t>(port));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(fd_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || ::listen(fd_.get(), 8) != 0) fd_.reset();
  }
  bool listens() const { return static_cast<bool>(fd_); }
  bool was_called() const {
    pollfd ready{fd_.get(), POLLIN, 0};
    return ::poll(&ready, 1, 0) > 0;
  }

 private:
  sys::Fd fd_;
};

/// Nothing is known of a member whose host is cut off, not even where its server is: it is not looked for here.
TEST(HostsUnreached, MariadbAnUndoAsksNoOtherServer) {
  const Case c = kCases[0];
  NEED_HOSTS_AND(c);
  KillWorld world(c.engine, c.cluster);
  ASSERT_NO_FATAL_FAILURE(world.up({"--hosts", "3"}));
  EXPECT_EQ(world.ask(1, "STOP SLAVE"), "");
  const auto killed =
      world.cut_off({"repair", "-c", world.cluster(), "-i", "1"}, {"step_done", "resume-" + world.name(1), "after"});
  EXPECT_EQ(killed.exit_code, 128 + SIGKILL) << killed.out;
  const auto open = world.unfinished();
  ASSERT_EQ(open.size(), 1u) << killed.out;
  Decoy here(3306);
  ASSERT_TRUE(here.listens()) << "port 3306 is taken on this machine";
  LostPackets lost;
  lost.lose(world.config(1), "");
  const auto undone = world.undo(open[0]);
  EXPECT_EQ(undone.exit_code, 9) << undone.out;
  EXPECT_FALSE(here.was_called()) << "a statement for a member went to a server of this machine";
  EXPECT_NE(undone.out.find("agent.unreachable"), std::string::npos) << undone.out;
  lost.heal();
  const auto again = world.undo(open[0]);
  EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
  EXPECT_NE(
      world.ask(1, "SELECT variable_value FROM information_schema.global_status WHERE variable_name='slave_running'"),
      "ON");
  EXPECT_EQ(world.run("repair", {"-i", "1"}).exit_code, 0);
  world.expect_healthy();
}

}  // namespace
}  // namespace holdfast::test
