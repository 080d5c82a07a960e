// Clusters on three hosts, backed up, compared and restored from a fourth that reaches nothing but their agents: the
// ports of the servers are closed to it.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "agent/config.h"
#include "lab/host_faults.h"
#include "lab/hosts.h"
#include "tests/integration/repair_world.h"
#include "tests/support/member_sql.h"

namespace holdfast::test {

using cluster::Engine;
using codec::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;
namespace fs = std::filesystem;

namespace {

#define NEED_HOSTS() \
  HOLDFAST_NEED("root", lab::can_have_hosts(), "network namespaces need root, and a container that allows them")

struct Case {
  Engine engine;
  const char *cluster, *dump_program, *damage;
  int port;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.cluster;
}

constexpr const char* kDamage = "DROP DATABASE shop";
constexpr Case kMariadb{Engine::mariadb, "shop-mariadb", "mariadb-dump", kDamage, 3306};
constexpr Case kGalera{Engine::galera, "shop-galera", "mariadb-dump", kDamage, 3306};
constexpr Case kMysql{Engine::mysql, "shop-mysql", "mysqldump", kDamage, 3306};
constexpr Case kPostgres{Engine::postgres, "shop-postgres", "pg_dump", kDamage, 5432};

/// A number of /proc/PID/io; 0 where the process is gone.
uint64_t io_of(const std::string& pid, const std::string& name) {
  std::ifstream file("/proc/" + pid + "/io");
  for (std::string key, value; file >> key >> value;)
    if (key == name + ":") return std::strtoull(value.c_str(), nullptr, 10);
  return 0;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// Bytes below a directory.
uint64_t bytes_below(const std::string& path) {
  uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (const auto size = it->file_size(gone); !gone) bytes += size;
  }
  return bytes;
}

class HostsWorld : public RepairWorld {
 public:
  explicit HostsWorld(const Case& c) : RepairWorld(c.engine, c.cluster), case_(c) {}

  /// Up, loaded, and the servers' ports closed to the caller.
  void up() {
    ASSERT_NO_FATAL_FAILURE(RepairWorld::up({"--hosts", "3"}));
    for (int i = 0; i < 3; ++i) ASSERT_NO_FATAL_FAILURE(refuse(i, caller(), case_.port, "ports"));
    EXPECT_NE(ask(0, "SELECT 1"), "1") << "the port of a server is open to the caller";
  }
  void open_ports() {
    for (int i = 0; i < 3; ++i) accept(i, "ports");
  }

  /// Host i answers `from` with a reset at this port, also where a connection is open.
  void refuse(int i, const std::string& from, int port, const std::string& table) {
    const auto done =
        lab::run_nft(config(i).net_namespace,
                     fmt::format("add table inet {0}\nadd chain inet {0} in {{ type filter hook input priority 0; }}\n"
                                 "add rule inet {0} in ip saddr {1} tcp dport {2} reject with tcp reset\n",
                                 table, from, port));
    ASSERT_TRUE(done) << done.error().to_string();
  }
  void accept(int i, const std::string& table) {
    const auto done = lab::run_nft(config(i).net_namespace, fmt::format("delete table inet {}\n", table));
    EXPECT_TRUE(done) << done.error().to_string();
  }

  /// What `lab heal` does to the network of host i, and nothing to its member.
  void heal_network(int i) {
    const auto healed = lab::heal_host(lab::Layout(lab.state_dir()), config(i), Deadline::in(seconds(30)), {});
    EXPECT_TRUE(healed && *healed) << (healed ? "" : healed.error().to_string());
  }

  agent::MemberConfig config(int i) const {
    auto config = agent::read_config(member_dir(i));
    EXPECT_TRUE(config) << config.error().to_string();
    return config ? std::move(*config) : agent::MemberConfig();
  }
  std::string member_dir(int i) const { return lab.state_dir() + "/lab/" + cluster() + "/" + name(i); }
  std::string caller() const {
    return lab::HostNetwork::address(lab::subnet_of(config(0)).value_or(0), lab::kCallersHost);
  }

  /// Of a server, by its own socket: what the test sees does not go by the ways that are tested.
  sql::Target by_socket(int i) {
    sql::Target target = target_of(member(i));
    target.socket = config(i).server_socket();
    return target;
  }
  lab::Content held(int i) {
    auto content = lab::content_of(case_.engine, by_socket(i));
    return content ? std::move(*content) : lab::Content{{"error", content.error().to_string()}};
  }
  void expect_held(int i, const lab::Content& wanted) {
    lab::Content is;
    const auto equal = sys::wait_until([&] { return (is = held(i)) == wanted; }, Deadline::in(seconds(60)));
    EXPECT_TRUE(equal && *equal) << name(i) << " holds something else" << (is.contains("error") ? is["error"] : "");
  }
  std::string tell(int i, const std::string& statement) { return test::ask(case_.engine, by_socket(i), statement); }

  RunResult with_repository(const std::string& verb, std::vector<std::string> args = {}) {
    std::vector<std::string> words = {verb, "-c", cluster(), "-r", repository, "-o", "json"};
    words.insert(words.end(), args.begin(), args.end());
    return lab.holdfast(words, seconds(380));
  }
  RunResult restore() { return with_repository("restore", {"--accept=replace-data"}); }
  void back_up() {
    const auto made = with_repository("backup");
    ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
  }
  size_t backups() {
    const auto listed = lab.holdfast({"get", "backups", "-r", repository, "-o", "json"});
    EXPECT_EQ(listed.exit_code, 0) << listed.err;
    return data(listed)["backups"].items().size();
  }
  /// Its errors, with what they were part of.
  static std::string errors_of(const RunResult& result) { return codec::to_json(envelope(result)["errors"]); }
  /// Until the data of member i is moved aside, and some of what is copied to it has arrived.
  void wait_for_copy(int i) {
    const auto is_aside = [&] {
      std::error_code error;
      for (const auto& entry : fs::directory_iterator(member_dir(i), error))
        if (entry.path().filename().string().starts_with("data.replaced-")) return true;
      return false;
    };
    const auto some = sys::wait_until([&] { return is_aside() && bytes_below(member_dir(i) + "/data") > (1 << 20); },
                                      Deadline::in(seconds(120)));
    EXPECT_TRUE(some && *some) << "nothing was copied to " << name(i);
  }
  /// A dump program of a holdfast of this lab that has written `bytes` already; "" when none came.
  std::string dump_under_way(uint64_t bytes) {
    std::string found;
    (void)sys::wait_until(
        [&] {
          std::error_code error;
          for (const auto& entry : fs::directory_iterator("/proc", error)) {
            const std::string pid = entry.path().filename().string();
            if (first_line(entry.path().string() + "/cmdline").find(case_.dump_program) == std::string::npos) continue;
            std::ifstream stat(entry.path() / "stat");
            std::string number, comm, state, parent;
            stat >> number >> comm >> state >> parent;
            if (first_line("/proc/" + parent + "/cmdline").find(lab.state_dir()) == std::string::npos) continue;
            if (io_of(pid, "wchar") >= bytes) return !(found = pid).empty();
          }
          return false;
        },
        Deadline::in(seconds(150)));  // a replica that was loaded just now is waited for
    return found;
  }
  /// The holdfast of this lab that runs this verb.
  int running(const std::string& verb) {
    int found = 0;
    (void)sys::wait_until(
        [&] {
          std::error_code error;
          for (const auto& entry : fs::directory_iterator("/proc", error)) {
            const std::string words = first_line(entry.path().string() + "/cmdline");
            if (!words.starts_with(holdfast_binary() + '\0' + verb + '\0')) continue;
            if (words.find(lab.state_dir()) != std::string::npos) found = std::atoi(entry.path().filename().c_str());
          }
          return found > 0;
        },
        Deadline::in(seconds(20)));
    return found;
  }

 private:
  const Case case_;
};

class HostsBackup : public testing::TestWithParam<Case> {
 protected:
  HostsBackup() : world_(GetParam()) {}
  HostsWorld world_;
};

TEST_P(HostsBackup, ARestoreByTheAgentsAloneIsEqualOnEveryMember) {
  NEED_HOSTS();
  ASSERT_NO_FATAL_FAILURE(world_.up());
  const auto before = world_.held(0);
  ASSERT_GT(before.size(), 3u);
  // One that has not applied yet what was loaded would be passed over.
  for (int i = 1; i < 3; ++i) world_.expect_held(i, before);
  const auto made = world_.with_repository("backup", {"--verify=checksums"});
  ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
  const Value report = RepairWorld::data(made);
  EXPECT_TRUE(report["positionExact"].boolean());
  EXPECT_GT(report["rows"].integer(), 100);
  EXPECT_NE(report["member"].text(), world_.name(0)) << "a healthy replica is the source";
  const auto compared = world_.run("compare");
  EXPECT_EQ(compared.exit_code, 0) << compared.out << compared.err;

  EXPECT_EQ(world_.tell(0, GetParam().damage), "");
  EXPECT_NE(world_.held(0), before);
  const auto restored = world_.restore();
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  const Value proof = RepairWorld::data(restored)["proof"];
  EXPECT_EQ(proof["verified"].text(), "checksums");
  EXPECT_GT(proof["tablesByChecksum"].integer(), 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(world_.held(i), before) << "member " << i;
  world_.open_ports();
  const auto well = sys::wait_until([&] { return world_.triage() == 0; }, Deadline::in(seconds(60)));
  EXPECT_TRUE(well && *well) << world_.run("triage").out;
}

TEST_P(HostsBackup, AConnectionLostInTheMiddleOfADumpLeavesNoSnapshot) {
  NEED_HOSTS();
  ASSERT_NO_FATAL_FAILURE(world_.up());
  // More than what the buffers on the way hold.
  const auto load = world_.lab.holdfast({"lab", "load", "-c", world_.cluster(), "--size", "40MB"});
  ASSERT_EQ(load.exit_code, 0) << load.err;
  RunResult made;
  {
    std::jthread run([&] { made = world_.with_repository("backup", {"-i", "1"}); });
    const std::string dump = world_.dump_under_way(2 << 20);
    EXPECT_NE(dump, "") << "no dump was under way";
    // Held meanwhile, so that it has not ended by then.
    const int pid = dump.empty() ? ::getpid() : std::atoi(dump.c_str());
    EXPECT_EQ(::kill(pid, dump.empty() ? 0 : SIGSTOP), 0);
    world_.refuse(1, world_.caller(), lab::kAgentPort, "lost");
    EXPECT_EQ(::kill(pid, SIGCONT), 0);
  }
  EXPECT_TRUE(made.exit_code == 6 || made.exit_code == 8) << made.exit_code << made.out << made.err;
  EXPECT_NE(RepairWorld::hint_of(made), "") << made.out;
  EXPECT_NE(HostsWorld::errors_of(made).find(world_.name(1)), std::string::npos) << HostsWorld::errors_of(made);
  EXPECT_EQ(world_.backups(), 0u);
  world_.accept(1, "lost");
  ASSERT_NO_FATAL_FAILURE(world_.back_up());
  EXPECT_EQ(world_.backups(), 1u);
}

TEST_P(HostsBackup, ACopyThatIsCutOffEndsWithTheOldDataOrSaysWhereItIs) {
  NEED_HOSTS();
  ASSERT_NO_FATAL_FAILURE(world_.up());
  const auto saved = world_.held(0);
  ASSERT_NO_FATAL_FAILURE(world_.back_up());
  EXPECT_EQ(world_.tell(0, GetParam().damage), "");
  const auto damaged = world_.held(0);
  for (int i = 1; i < 3; ++i) ASSERT_NO_FATAL_FAILURE(world_.expect_held(i, damaged));
  RunResult restored;
  {
    world_.break_member("host-slow", 2);
    std::jthread run([&] { restored = world_.restore(); });
    world_.wait_for_copy(2);
    for (const int port : {lab::kAgentPort, GetParam().port}) world_.refuse(0, world_.config(2).host, port, "cut");
  }
  world_.accept(0, "cut");
  world_.heal_network(2);
  const std::string said = HostsWorld::errors_of(restored);
  if (GetParam().engine != Engine::postgres) {
    EXPECT_EQ(restored.exit_code, 8) << restored.out << restored.err;
    EXPECT_NE(said.find("old data is back"), std::string::npos) << said;
    for (int i = 0; i < 3; ++i) world_.expect_held(i, damaged);
  } else {  // standbys are copied from a primary that serves
    EXPECT_EQ(restored.exit_code, 9) << restored.out << restored.err;
    EXPECT_NE(said.find("the restored data is in place on " + world_.name(0)), std::string::npos) << said;
    for (int i = 0; i < 3; ++i)
      EXPECT_NE(said.find(fmt::format("the old data of {} is in {}", world_.name(i), world_.member_dir(i))),
                std::string::npos)
          << said;
    world_.open_ports();
    const auto repaired = world_.lab.holdfast({"repair", "-c", world_.cluster(), "-o", "json"}, seconds(300));
    EXPECT_EQ(repaired.exit_code, 0) << repaired.out << repaired.err;
    for (int i = 0; i < 3; ++i) world_.expect_held(i, saved);
    return;
  }
  world_.open_ports();
  const auto well = sys::wait_until([&] { return world_.triage() == 0; }, Deadline::in(seconds(60)));
  EXPECT_TRUE(well && *well) << world_.run("triage").out;
}

INSTANTIATE_TEST_SUITE_P(Engines, HostsBackup, testing::Values(kMariadb, kGalera, kMysql, kPostgres),
                         [](const auto& info) { return std::string(cluster::engine_name(info.param.engine)); });

TEST(HostsBackupMariadb, AHostThatDoesNotAnswerCostsItsOwnTime) {
  NEED_HOSTS();
  HostsWorld world(kMariadb);
  ASSERT_NO_FATAL_FAILURE(world.up());
  world.break_member("host-cut", 1);
  const auto begun = std::chrono::steady_clock::now();
  const auto made = world.with_repository("backup");
  const auto took = std::chrono::steady_clock::now() - begun;
  EXPECT_EQ(made.exit_code, 0) << made.out << made.err;
  EXPECT_EQ(RepairWorld::data(made)["member"].text(), world.name(2));
  EXPECT_LT(took, seconds(20)) << std::chrono::duration_cast<milliseconds>(took).count() << " ms";
  // Nothing is replaced while one of them cannot be reached.
  const auto before = world.held(0);
  const auto restored = world.restore();
  EXPECT_EQ(restored.exit_code, 6) << restored.out << restored.err;
  EXPECT_EQ(world.held(0), before);
}

/// `damaged`: what all members hold then.
void back_up_and_damage(HostsWorld& world, lab::Content& damaged) {
  ASSERT_NO_FATAL_FAILURE(world.up());
  ASSERT_NO_FATAL_FAILURE(world.back_up());
  EXPECT_EQ(world.tell(0, kMariadb.damage), "");
  damaged = world.held(0);
  for (int i = 1; i < 3; ++i) ASSERT_NO_FATAL_FAILURE(world.expect_held(i, damaged));
}

TEST(HostsBackupMariadb, AnInterruptedRestorePutsTheOldDataBackOnEveryHost) {
  NEED_HOSTS();
  HostsWorld world(kMariadb);
  lab::Content damaged;
  ASSERT_NO_FATAL_FAILURE(back_up_and_damage(world, damaged));
  RunResult restored;
  {
    world.break_member("host-slow", 2);
    std::jthread run([&] { restored = world.restore(); });
    world.wait_for_copy(2);
    const int pid = world.running("restore");
    ASSERT_GT(pid, 1);
    EXPECT_EQ(::kill(pid, SIGINT), 0);
  }
  EXPECT_EQ(restored.exit_code, 130) << restored.out << restored.err;
  for (int i = 0; i < 3; ++i) world.expect_held(i, damaged);
}

TEST(HostsBackupMariadb, AHostCutOffDuringItsCopyIsToldWithItsData) {
  NEED_HOSTS();
  HostsWorld world(kMariadb);
  lab::Content damaged;
  ASSERT_NO_FATAL_FAILURE(back_up_and_damage(world, damaged));
  RunResult restored;
  {
    world.break_member("host-slow", 2);
    std::jthread run([&] { restored = world.restore(); });
    world.wait_for_copy(2);
    world.break_member("host-cut", 2);
  }
  const std::string said = HostsWorld::errors_of(restored);
  EXPECT_EQ(restored.exit_code, 9) << restored.out << restored.err;
  for (int i = 0; i < 2; ++i) {
    EXPECT_NE(said.find(world.name(i) + " serves its old data"), std::string::npos) << said;
    world.expect_held(i, damaged);
  }
  EXPECT_NE(said.find(fmt::format("the old data of {} is in {}", world.name(2), world.member_dir(2))),
            std::string::npos)
      << said;
  world.heal_network(2);
  world.open_ports();
  const auto repaired = world.lab.holdfast({"repair", "-c", world.cluster(), "-o", "json"}, seconds(300));
  EXPECT_EQ(repaired.exit_code, 0) << repaired.out << repaired.err;
  world.expect_held(2, damaged);
}

}  // namespace

}  // namespace holdfast::test
