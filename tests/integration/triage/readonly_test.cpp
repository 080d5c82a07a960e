// Triage reads and does nothing else: proved by the system calls of the CLI and of the agents (strace), by every file
// below the directories of members whose servers do not run, and by what the servers count themselves.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>

#include "engine/programs.h"
#include "tests/integration/patient.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

/// All system calls that change a file, a folder, a name, an owner, or end somebody.
constexpr const char* kCalls =
    "trace=open,openat,openat2,creat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,chmod,fchmod,"
    "fchmodat,chown,fchown,lchown,fchownat,truncate,ftruncate,fallocate,link,linkat,symlink,symlinkat,mknod,mknodat,"
    "utime,utimes,utimensat,futimesat,setxattr,lsetxattr,fsetxattr,removexattr,lremovexattr,fremovexattr,mount,"
    "umount2,kill,tkill,tgkill,pidfd_send_signal,ptrace,copy_file_range,sendfile";

bool strace_works() {
  const std::string strace = find_program("strace");
  return !strace.empty() && run_program({strace, "-f", "-o", "/dev/null", "true"}).exit_code == 0;
}

/// Calls in a trace that do more than read. Opening /dev/null for writing changes nothing.
std::vector<std::string> changes_in(const std::string& trace) {
  static const std::regex call(R"re(^\d+ +(\w+)\((.*)$)re");
  static const std::set<std::string> opens = {"open", "openat", "openat2"};
  std::vector<std::string> found;
  std::istringstream lines(trace);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (!std::regex_match(line, match, call)) continue;  // exits, signals, "resumed" halves
    const std::string name = match[1], rest = match[2];
    if (opens.contains(name)) {
      const bool writes = rest.find("O_WRONLY") != std::string::npos || rest.find("O_RDWR") != std::string::npos ||
                          rest.find("O_CREAT") != std::string::npos || rest.find("O_TRUNC") != std::string::npos ||
                          rest.find("O_TMPFILE") != std::string::npos;
      if (!writes || rest.find("\"/dev/null\"") != std::string::npos) continue;
    }
    found.push_back(line);
  }
  return found;
}

size_t calls_in(const std::string& trace) {
  return static_cast<size_t>(std::count(trace.begin(), trace.end(), '\n'));
}

/// A strace of a running process and its threads, from when it has hold of it until stop().
class Tracer {
 public:
  Tracer(pid_t pid, std::string file) : file_(std::move(file)) {
    sys::Command command;
    command.argv = {find_program("strace"), "-f", "-o", file_, "-e", kCalls, "-p", std::to_string(pid)};
    command.err = sys::Stdio::pipe();
    command.die_with_parent = SIGKILL;
    auto process = sys::spawn(command);
    EXPECT_TRUE(process);
    if (!process) return;
    process_ = std::move(*process);
    err_ = process_.take_stderr();
    std::string said;
    await(
        "strace has hold of the agent",
        [&] {
          if (!*sys::wait_fd(err_.get(), 1 /* POLLIN */, Deadline::in(std::chrono::milliseconds(100)))) return false;
          char buffer[512];
          const ssize_t got = ::read(err_.get(), buffer, sizeof buffer);
          said.append(buffer, got > 0 ? static_cast<size_t>(got) : 0);
          return said.find("attached") != std::string::npos;
        },
        seconds(10));
  }
  std::string stop() {
    (void)process_.signal(SIGINT);
    EXPECT_TRUE(process_.wait(Deadline::in(seconds(10))));
    return text_of(file_);
  }

 private:
  std::string file_;
  sys::Process process_;
  sys::Fd err_;
};

/// Every file below a member's directory: kind, size, owner, mode, inode, and when it was changed.
std::string tree_of(const std::string& dir) {
  std::set<std::string> lines;
  for (const auto& entry : fs::recursive_directory_iterator(dir)) {
    struct stat s{};
    if (::lstat(entry.path().c_str(), &s) != 0) continue;
    lines.insert(fmt::format("{} {:o} {} {} {} {} {}.{:09} {}.{:09}", entry.path().string(), s.st_mode, s.st_uid,
                             s.st_gid, s.st_ino, s.st_size, s.st_mtim.tv_sec, s.st_mtim.tv_nsec, s.st_ctim.tv_sec,
                             s.st_ctim.tv_nsec));
  }
  return fmt::format("{}", fmt::join(lines, "\n"));
}

/// What a server counts: only what changes when somebody does more than look.
std::string counters_of(Patient& p, int i) {
  if (p.is_postgres()) {
    // What the statistics views count, and the end of the log where it is written.
    return p.table(i,
                   "SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_insert_lsn() END, "
                   "(SELECT concat_ws(',', sum(tup_inserted), sum(tup_updated), sum(tup_deleted), "
                   "sum(xact_rollback), sum(deadlocks), sum(temp_files), sum(sessions_abandoned), "
                   "sum(sessions_fatal)) FROM pg_stat_database), (SELECT count(*) FROM pg_replication_slots)");
  }
  // Com_* but those that only look (SET among the others); what went wrong with connections; what was written. No
  // backslash: this connection would SET its sql_mode.
  std::string text =
      p.table(i,
              "SHOW GLOBAL STATUS WHERE (Variable_name LIKE 'Com_%' AND Variable_name NOT LIKE 'Com_show_%' AND "
              "Variable_name <> 'Com_select') OR Variable_name IN ('Aborted_connects', 'Aborted_clients', "
              "'Access_denied_errors', 'Binlog_bytes_written', 'Innodb_rows_inserted', 'Innodb_rows_updated', "
              "'Innodb_rows_deleted', 'wsrep_last_committed', 'Binlog_commits') OR Variable_name LIKE "
              "'Connection_errors_%'");
  return text + p.table(i,
                        "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('gtid_binlog_state', 'gtid_slave_pos', "
                        "'gtid_executed')");
}

std::string binary_logs(Patient& p, int i) {
  std::string text;
  for (const auto& entry : fs::directory_iterator(p.data(i))) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("binlog.") || name.starts_with("relay.") || name.starts_with("galera.cache"))
      text += fmt::format("{} {}\n", name, entry.file_size());
  }
  return text;
}

bool runs(Patient& p, int i) {
  return p.agent(i, "status")["server"]["state"].text() == "running";
}

/// Looks with everything traced and compared. What the CLI and the agents do must not change anything.
void look_traced(Patient& p, const std::string& state) {
  SCOPED_TRACE(p.cluster() + ", " + state);
  std::vector<std::string> trees;
  for (int i = 0; i < p.size(); ++i) trees.push_back(runs(p, i) ? "" : tree_of(p.dir(i)));
  const std::string file = p.lab().state_dir() + "/trace";
  std::vector<std::unique_ptr<Tracer>> agents;
  for (int i = 0; i < p.size(); ++i)
    agents.push_back(std::make_unique<Tracer>(static_cast<pid_t>(p.agent(i, "status")["agent"]["pid"].integer()),
                                              fmt::format("{}.{}", file, i)));
  RunOptions options;
  options.env = {{"HOLDFAST_CONFIG", ""}, {"HOLDFAST_STATE_DIR", ""}};
  auto result = run_program({find_program("strace"), "-f", "-o", file, "-e", kCalls, holdfast_binary(), "triage", "-c",
                             p.cluster(), "-o", "json", "--member-timeout", "10", "--state-dir", p.lab().state_dir()},
                            options);
  EXPECT_EQ(result.exit_code, state == "healthy" ? 0 : 4) << result.out << result.err;
  const std::string cli = text_of(file);
  EXPECT_GT(calls_in(cli), 20u) << "the trace saw nothing";
  for (const auto& line : changes_in(cli)) ADD_FAILURE() << "the CLI does more than read: " << line;
  for (int i = 0; i < p.size(); ++i) {
    const std::string trace = agents[static_cast<size_t>(i)]->stop();
    EXPECT_GT(calls_in(trace), 1u) << "the trace of the agent of " << p.name(i) << " saw nothing";
    for (const auto& line : changes_in(trace))
      ADD_FAILURE() << "the agent of " << p.name(i) << " does more than read: " << line;
  }
  for (int i = 0; i < p.size(); ++i) {
    if (!trees[static_cast<size_t>(i)].empty()) {
      EXPECT_EQ(tree_of(p.dir(i)), trees[static_cast<size_t>(i)]) << p.name(i) << ": something changed on its disk";
    }
  }
}

/// What the servers count and log stays as it was through many looks.
void look_counted(Patient& p) {
  SCOPED_TRACE(p.cluster() + ", counted");
  if (p.is_postgres()) {
    // The first look after something was written sets hint bits, as any reader does.
    EXPECT_EQ(p.triage().exit_code, 0);
    for (int i = 0; i < p.size(); ++i) p.sql(i, {"CHECKPOINT"});
    await(
        "the standby is level",
        [&] {
          return p.sql(0,
                       {"SELECT count(*) FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_insert_lsn()"}) ==
                 "1";
        },
        seconds(20));
  }
  // The writer's last rows may still be on their way: quiet is what did not change for half a second.
  std::vector<std::string> counters, files, logs;
  auto since = std::chrono::steady_clock::now();
  await(
      "the cluster is quiet",
      [&] {
        std::vector<std::string> now;
        for (int i = 0; i < p.size(); ++i) now.push_back(counters_of(p, i));
        if (now != counters) since = std::chrono::steady_clock::now();
        counters = std::move(now);
        return std::chrono::steady_clock::now() - since > std::chrono::milliseconds(500);
      },
      seconds(20));
  for (int i = 0; i < p.size(); ++i) files.push_back(binary_logs(p, i));
  for (int i = 0; i < p.size(); ++i) logs.push_back(text_of(p.dir(i) + "/log/server.log"));
  for (int look = 0; look < 10; ++look) EXPECT_EQ(p.triage().exit_code, 0);
  for (int i = 0; i < p.size(); ++i) {
    const auto at = static_cast<size_t>(i);
    EXPECT_EQ(counters_of(p, i), counters[at]) << p.name(i);
    EXPECT_EQ(binary_logs(p, i), files[at]) << p.name(i);
    EXPECT_EQ(text_of(p.dir(i) + "/log/server.log").substr(logs[at].size()), "") << p.name(i) << " logged something";
  }
  // The measure itself: a setting, and a write, show.
  if (!p.is_postgres()) {
    p.sql(0, {"SET @seen = 1"});
    EXPECT_NE(counters_of(p, 0), counters[0]) << "a SET went unseen";
    counters[0] = counters_of(p, 0);
  }
  p.sql(0, {"CREATE TABLE " + std::string(p.is_postgres() ? "" : "shop.") + "seen (a INT PRIMARY KEY)"});
  EXPECT_NE(counters_of(p, 0), counters[0]) << "a write went unseen";
}

void audit(const std::string& cluster) {
  LabGuard lab;
  Patient p(lab, cluster);
  ASSERT_TRUE(p.prepare());
  p.stop_writer();
  look_counted(p);
  look_traced(p, "healthy");
  p.kill(p.size() - 1);
  look_traced(p, "one crashed");
  for (int i = p.size() - 2; i >= 0; --i) p.stop(i);
  look_traced(p, "one crashed, the others stopped");
}

#define NEED_STRACE() HOLDFAST_NEED("strace", strace_works(), "no strace, or it may not trace")

TEST(TriageReadsOnly, TheTraceWouldShowAChange) {
  NEED_STRACE();
  auto dir = sys::TempDir::create("holdfast-trace");
  ASSERT_TRUE(dir);
  const std::string file = dir->path() + "/trace", target = dir->path() + "/file";
  const auto ran = run_program({find_program("strace"), "-f", "-o", file, "-e", kCalls, "/bin/sh", "-c",
                                "echo x > " + target + "; chmod 600 " + target + "; mv " + target + " " + target +
                                    ".moved; rm " + target + ".moved; cat /dev/null"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(changes_in(text_of(file)).size(), 4u) << text_of(file);
}

TEST(TriageReadsOnly, Mariadb) {
  HOLDFAST_NEED("mariadb", engine::find_program(cluster::Engine::mariadb, "mariadbd").has_value(), "no mariadbd");
  NEED_STRACE();
  audit("shop-mariadb");
}
TEST(TriageReadsOnly, Galera) {
  HOLDFAST_NEED("mariadb", engine::find_program(cluster::Engine::mariadb, "mariadbd").has_value(), "no mariadbd");
  NEED_STRACE();
  audit("shop-galera");
}
TEST(TriageReadsOnly, Mysql) {
  HOLDFAST_NEED("mysql", engine::find_program(cluster::Engine::mysql, "mysqld").has_value(),
                "no mysqld of tools/peers");
  NEED_STRACE();
  audit("shop-mysql");
}
TEST(TriageReadsOnly, Postgres) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  NEED_STRACE();
  audit("shop-postgres");
}

/// The whole program, on each engine's own cluster. Printed, since a shared machine is no judge of milliseconds.
TEST(TriageSpeed, WarmOnEachEngine) {
  for (const auto& [engine, program, name] : {std::tuple(cluster::Engine::mariadb, "mariadbd", "shop-mariadb"),
                                              {cluster::Engine::galera, "mariadbd", "shop-galera"},
                                              {cluster::Engine::mysql, "mysqld", "shop-mysql"},
                                              {cluster::Engine::postgres, "postgres", "shop-postgres"}}) {
    HOLDFAST_NEED(name, engine::find_program(engine, program).has_value(), std::string("no ") + program);
    LabGuard lab;
    Patient p(lab, name);
    ASSERT_TRUE(p.prepare());
    p.stop_writer();
    std::vector<double> warm;
    for (int i = 0; i < 41; ++i) warm.push_back(p.triage().seconds);
    std::ranges::sort(warm);
    fmt::print("{:14} median {:.0f} ms, fastest {:.0f} ms, slowest {:.0f} ms\n", name, warm[warm.size() / 2] * 1000,
               warm.front() * 1000, warm.back() * 1000);
    EXPECT_LT(warm[warm.size() / 2], 0.2);
  }
}

/// The figures are printed; the bars are generous, for a machine that does other things too.
TEST(TriageSpeed, OneSecondWarmAndAHungMemberCostsItsOwnTimeoutOnce) {
  HOLDFAST_NEED("mariadb", engine::find_program(cluster::Engine::mariadb, "mariadbd").has_value(), "no mariadbd");
  LabGuard lab;
  Patient p(lab, "shop-mariadb");
  ASSERT_TRUE(p.prepare());
  std::vector<double> warm;
  for (int i = 0; i < 15; ++i) warm.push_back(p.triage().seconds);
  std::ranges::sort(warm);
  p.freeze(1);
  const double one = p.triage().seconds;
  p.freeze(2);
  const double two = p.triage().seconds;
  for (int i : {1, 2}) p.thaw(i);
  fmt::print(
      "triage of 3 members: median {:.3f} s, slowest of {} {:.3f} s; one hung {:.3f} s, two hung {:.3f} s "
      "(--member-timeout 2)\n",
      warm[warm.size() / 2], warm.size(), warm.back(), one, two);
  EXPECT_LT(warm[warm.size() / 2], 1.0);
  for (double hung : {one, two}) {
    EXPECT_GE(hung, 1.9);
    EXPECT_LT(hung, 3.0);
  }
}

}  // namespace
}  // namespace holdfast::test
