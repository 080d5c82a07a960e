// Dumps and replays that used to end by a limit: globals of megabytes, sessions that the server ends when they idle,
// more databases than the server has connections for, an index whose build takes longer than anybody waited.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <future>
#include <optional>
#include <thread>
#include <vector>

#include "engine/dump.h"
#include "engine/observe.h"
#include "engine/programs.h"
#include "engine/replication.h"
#include "sql/kept_postgres.h"
#include "sys/file.h"
#include "sys/process.h"
#include "sys/user.h"
#include "tests/support/lab_guard.h"
#include "tests/support/member_sql.h"
#include "tests/support/program.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using std::chrono::seconds;
namespace fs = std::filesystem;

constexpr const char* kServerUser = "postgres";  ///< where the test runs as root

class PostgresLimits : public testing::Test {
 protected:
  void SetUp() override {
    HOLDFAST_NEED("postgres", engine::find_program(Engine::postgres, "postgres").has_value(),
                  "its server is not installed");
    ::setenv("RESTIC_PASSWORD", "test", 1);
    lab_.emplace();
  }
  static std::string program(const char* name) { return engine::find_program(Engine::postgres, name).value(); }

  static std::string as() { return ::geteuid() == 0 ? kServerUser : ""; }
  static std::vector<std::string> in_shell(const std::string& command) {
    return as().empty() ? std::vector<std::string>{"/bin/sh", "-c", command}
                        : std::vector<std::string>{"/bin/su", as(), "-s", "/bin/sh", "-c", command};
  }
  /// A server of the test's own, with a superuser admin who needs no password.
  sql::Target server(const std::string& options) {
    const std::string dir = folder("own");
    const auto made =
        run_program(in_shell(program("initdb") + " -D " + dir + "/data -U admin -A trust -N >" + dir + "/log 2>&1"));
    EXPECT_EQ(made.exit_code, 0) << made.err;
    return started(dir, options);
  }
  sql::Target standby_of(const sql::Target& primary, const std::string& options) {
    const std::string dir = folder("standby"), host = fs::path(primary.socket).parent_path().string();
    const auto made = run_program(in_shell(program("pg_basebackup") + " -R -c fast -U admin -h " + host + " -D " + dir +
                                           "/data >" + dir + "/log 2>&1"));
    EXPECT_EQ(made.exit_code, 0) << log_of(dir);
    return started(dir, options);
  }
  std::string folder(const std::string& name) {
    std::string dir = lab_->state_dir() + "/" + name;
    fs::create_directories(dir);
    if (!as().empty()) {
      using fs::perms;
      fs::permissions(lab_->state_dir(),
                      perms::group_read | perms::group_exec | perms::others_read | perms::others_exec,
                      fs::perm_options::add);
      EXPECT_EQ(run_program({"/bin/chown", as(), dir}).exit_code, 0);
    }
    return dir;
  }
  sql::Target started(const std::string& dir, const std::string& options) {
    sys::Command command;
    command.argv =
        in_shell(fmt::format("exec {} -D {}/data -c listen_addresses= -c unix_socket_directories={} -c "
                             "fsync=off {} >{}/log 2>&1",
                             program("postgres"), dir, dir, options, dir));
    command.out = command.err = sys::Stdio::null();
    command.new_session = true;
    command.die_with_parent = SIGKILL;
    auto process = sys::spawn(command);
    EXPECT_TRUE(process) << process.error().to_string();
    if (process) processes_.push_back(std::move(*process));
    sql::Target target;
    target.socket = dir + "/.s.PGSQL.5432";
    target.port = 5432;
    target.user = "admin";
    const auto up =
        sys::wait_until([&] { return sql::PostgresConnection::connect(target, Deadline::in(seconds(2))).has_value(); },
                        Deadline::in(seconds(60)));
    EXPECT_TRUE(up && *up) << log_of(dir);
    return target;
  }
  static std::string log_of(const std::string& dir) {
    const auto log = sys::read_file(dir + "/log");
    return log ? std::string(as_text(log->span())) : log.error().to_string();
  }
  RunResult ok(const std::vector<std::string>& args) {
    auto done = lab_->holdfast(args);
    EXPECT_EQ(done.exit_code, 0) << args[0] << ": " << done.out << done.err;
    return done;
  }
  void TearDown() override {
    for (auto& process : processes_) (void)process.signal_group(SIGKILL);
  }

  std::optional<LabGuard> lab_;
  std::vector<sys::Process> processes_;
};

TEST_F(PostgresLimits, GlobalsIdleSessionsAndFewConnections) {
  constexpr int kDatabases = 12, kRoles = 700;
  const auto target = server(
      "-c max_connections=11 -c superuser_reserved_connections=3 -c max_wal_senders=0 -c "
      "idle_in_transaction_session_timeout=300ms -c idle_session_timeout=300ms -c autovacuum=off");
  auto connection = sql::PostgresConnection::connect(target, Deadline::in(seconds(10)));
  ASSERT_TRUE(connection);
  const auto run = [&](const std::string& statement) {
    auto done = connection->query(statement, Deadline::in(seconds(120)));
    ASSERT_TRUE(done) << statement << ": " << done.error().to_string();
  };
  run("SET idle_session_timeout = 0");
  run(fmt::format(
      "DO $$ BEGIN FOR i IN 1..{} LOOP EXECUTE format('CREATE ROLE r%s', i); EXECUTE format('COMMENT ON ROLE "
      "r%s IS %L', i, repeat('c', 2000) || i); END LOOP; END $$",
      kRoles));
  for (int i = 0; i < kDatabases; ++i) run(fmt::format("CREATE DATABASE d{:02}", i));

  engine::DumpRequest request;
  request.engine = Engine::postgres;
  request.member = "own";
  request.target = target;
  auto dump = engine::open_dump(request, {});
  ASSERT_TRUE(dump) << dump.error().to_string();
  // Longer than a session may idle, while snapshots are held.
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  std::string text;
  std::vector<uint8_t> bytes(1 << 16);
  for (auto got = (*dump)->read(bytes);; got = (*dump)->read(bytes)) {
    ASSERT_TRUE(got) << got.error().to_string();
    if (*got == 0) break;
    text += as_text({bytes.data(), *got});
  }
  const auto& info = (*dump)->info();
  EXPECT_GT(text.find("\\connect "), size_t{1} << 20) << "the roles take more than 1 MiB";
  for (const int i : {1, kRoles})
    EXPECT_NE(text.find(std::string(2000, 'c') + std::to_string(i) + "'"), text.npos) << i;
  EXPECT_GE(info.counts.roles, static_cast<uint64_t>(kRoles));
  for (int i = 0; i < kDatabases; ++i)
    EXPECT_NE(text.find(fmt::format("\nCREATE DATABASE d{:02} ", i)), text.npos) << i;
  std::string notes;
  for (const auto& note : info.notes) notes += note.id + " " + note.text + "\n";
  EXPECT_NE(notes.find("database.later"), notes.npos) << "one point for all takes more connections than there are\n"
                                                      << notes;
}

// A server may end sessions that idle, also one that was kept for a further look.
TEST_F(PostgresLimits, AKeptSessionThatTheServerEndedIsNotUsedAgain) {
  const auto target = server("-c idle_session_timeout=200ms");
  sql::KeptPostgres kept;
  const auto ask_for_pid = [&]() -> int {
    auto session = sql::KeptPostgres::lease(&kept, target, Deadline::in(seconds(10)));
    EXPECT_TRUE(session) << session.error().to_string();
    const auto one = (**session).query("SELECT 1", Deadline::in(seconds(10)));
    EXPECT_TRUE(one) << one.error().to_string();
    return (**session).backend_pid();
  };
  const int first = ask_for_pid();
  EXPECT_EQ(ask_for_pid(), first) << "it is kept";
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  EXPECT_NE(ask_for_pid(), first);
}

// A commit that waits for a standby is in the log, and in no snapshot: the log's end is not the dump's exact position.
TEST_F(PostgresLimits, ACommitThatWaitsMakesThePositionABound) {
  const auto target = server("-c synchronous_standby_names=nobody");
  const auto exact = [&] {
    engine::DumpRequest request;
    request.engine = Engine::postgres;
    request.member = "own";
    request.target = target;
    const auto dump = engine::open_dump(request, {});
    EXPECT_TRUE(dump) << dump.error().to_string();
    return dump && (*dump)->info().position_exact;
  };
  EXPECT_TRUE(exact());
  auto commit = std::async(std::launch::async, [&] { return ask(Engine::postgres, target, "CREATE TABLE t (a int)"); });
  EXPECT_TRUE(*sys::wait_until(
      [&] {
        return ask(Engine::postgres, target, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") ==
               "1";
      },
      Deadline::in(seconds(20))));
  EXPECT_FALSE(exact());
  EXPECT_EQ(
      ask(Engine::postgres, target, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"),
      "t");
  commit.wait();
  EXPECT_TRUE(exact());
}

// A standby does not show them.
TEST_F(PostgresLimits, PreparedTransactionsAreReportedFromAStandbyToo) {
  const auto primary = server("-c max_prepared_transactions=5");
  EXPECT_EQ(ask(Engine::postgres, primary, "CREATE TABLE t (a int)"), "");
  EXPECT_EQ(ask(Engine::postgres, primary, "BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'waits'"), "");
  const auto standby = standby_of(primary, "-c max_prepared_transactions=5");
  const auto notes = [&](const std::optional<sql::Target>& asked) {
    engine::DumpRequest request;
    request.engine = Engine::postgres;
    request.member = "standby";
    request.target = standby;
    request.primary = asked;
    const auto dump = engine::open_dump(request, {});
    EXPECT_TRUE(dump) << dump.error().to_string();
    std::string text;
    if (dump)
      for (const auto& note : (*dump)->info().notes) text += note.id + " " + note.text + "\n";
    return text;
  };
  EXPECT_NE(notes(primary).find("transaction.prepared prepared transactions are not in the dump: waits\n"),
            std::string::npos);
  auto gone = primary;
  gone.socket = lab_->state_dir() + "/gone/.s.PGSQL.5432";
  for (const auto& unknown : {std::optional<sql::Target>(gone), std::optional<sql::Target>()})
    EXPECT_NE(notes(unknown).find("whether there are any is not known"), std::string::npos);
}

// Whoever waits for a standby goes on when its session is ended: the server may have been started anew.
TEST_F(PostgresLimits, AWaitForAStandbyOutlivesItsSession) {
  const auto primary = server("");
  const auto standby = standby_of(primary, "");
  EXPECT_EQ(ask(Engine::postgres, standby, "SELECT pg_wal_replay_pause()"), "");
  auto waits = std::async(std::launch::async, [&] {
    return engine::wait_for_replication(Engine::postgres, standby, std::nullopt, true, Deadline::in(seconds(60)));
  });
  const auto ended = [&] {
    return ask(Engine::postgres, standby,
               "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE state = 'idle' AND query LIKE "
               "'SELECT pg_is_wal_replay_paused%'") != "0";
  };
  EXPECT_TRUE(*sys::wait_until(ended, Deadline::in(seconds(20))));
  EXPECT_EQ(waits.wait_for(seconds(1)), std::future_status::timeout) << "it waits, for replay is paused";
  EXPECT_EQ(ask(Engine::postgres, standby, "SELECT pg_wal_replay_resume()"), "");
  const auto done = waits.get();
  EXPECT_TRUE(done) << done.error().to_string();
}

// The server counts what such a standby received from the start of the segment on, until something new comes.
TEST_F(PostgresLimits, AStandbyThatWasStartedAnewBesideAnIdlePrimaryIsLevel) {
  const auto primary = server("-c autovacuum=off");
  auto standby = standby_of(primary, "");
  EXPECT_EQ(ask(Engine::postgres, primary, "CREATE TABLE t (a int)"), "");
  const auto level = [&] {  // within less than the 15 s after which a primary notes its running transactions
    const auto done =
        engine::wait_for_replication(Engine::postgres, standby, std::nullopt, true, Deadline::in(seconds(9)));
    EXPECT_TRUE(done) << done.error().to_string();
  };
  level();
  // It begins behind its last transaction.
  ask(Engine::postgres, primary, "CHECKPOINT");
  level();
  ask(Engine::postgres, standby, "CHECKPOINT");
  (void)processes_.back().signal(SIGINT);
  EXPECT_TRUE(processes_.back().wait(Deadline::in(seconds(20))));
  processes_.pop_back();
  standby = started(fs::path(standby.socket).parent_path().string(), "");
  level();
  // What an idle primary writes about itself holds no transaction: while it is on its way, the lag is not unknown.
  const int replay = std::atoi(
      ask(Engine::postgres, standby, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'").c_str());
  ASSERT_GT(replay, 1);
  ASSERT_EQ(::kill(replay, SIGSTOP), 0);
  ask(Engine::postgres, primary, "CHECKPOINT");
  const auto behind = [&] {
    return ask(Engine::postgres, standby, "SELECT pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()") == "t";
  };
  EXPECT_TRUE(*sys::wait_until(behind, Deadline::in(seconds(20))));
  const std::jthread goes_on([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    ::kill(replay, SIGCONT);
  });
  const auto seen = engine::observe(Engine::postgres, cluster::Member(), standby, Deadline::in(seconds(10)), {});
  ASSERT_EQ(seen.following.size(), 1u) << seen.error;
  EXPECT_TRUE(seen.following[0].lag_seconds) << "not known";
}

TEST_F(PostgresLimits, AnIndexThatTakesLongIsWatchedAndEndsOnlyByTheFlag) {
  const std::string repository = lab_->state_dir() + "/repository";
  ASSERT_EQ(lab_->holdfast({"repo", "init", "-r", repository}).exit_code, 0);
  const std::string dump =
      "SET client_encoding = 'UTF8';\n\\connect postgres\nCREATE FUNCTION public.slow(a int) RETURNS int IMMUTABLE "
      "LANGUAGE plpgsql AS 'BEGIN PERFORM pg_catalog.pg_sleep(a); RETURN a; END';\nCREATE TABLE public.t (a "
      "int);\nCOPY public.t (a) FROM stdin;\n36\n\\.\n--\n-- Name: slow_idx; Type: INDEX; Schema: public; Owner: "
      "postgres\n--\n\nCREATE INDEX slow_idx ON public.t (public.slow(a));\n\n--\n-- PostgreSQL database cluster dump "
      "complete\n--\n\n";
  RunOptions input;
  input.input = dump;
  std::vector<std::string> store = {"backup", "--stdin", "--path", "shop/slow/pgdumpall.sql", "-r", repository};
  for (const std::string tag : {"type=backup", "method=dump", "namespace=shop", "cluster=slow", "engine=postgres"})
    store.insert(store.end(), {"--tag", tag});
  ASSERT_EQ(run_holdfast(store, input).exit_code, 0);
  const auto restore = [&](const std::string& into, const std::vector<std::string>& flags) {
    std::vector<std::string> command = {"restore", "-c", "slow", "-r", repository, "--into", lab_->state_dir() + into};
    command.insert(command.end(), flags.begin(), flags.end());
    return lab_->holdfast(command);
  };
  const auto ended = restore("/ended", {"--statement-limit", "2s"});
  EXPECT_NE(ended.exit_code, 0) << ended.out;
  EXPECT_NE(ended.err.find("--statement-limit ended it"), ended.err.npos) << ended.err;
  EXPECT_NE(ended.err.find("INDEX public.slow_idx"), ended.err.npos) << ended.err;
  const auto whole = restore("/whole", {});
  EXPECT_EQ(whole.exit_code, 0) << whole.err;
  const std::string said = whole.out + whole.err;
  const size_t line = said.find("postgres: INDEX public.slow_idx: for 3");
  ASSERT_NE(line, said.npos) << said;
  EXPECT_NE(said.find("the server is active, building index", line), said.npos) << said;
}

// The database that everybody connects to first is one that can be dropped, or closed.
TEST_F(PostgresLimits, AServerWithoutTheDatabasePostgres) {
  const std::string repository = lab_->state_dir() + "/repository";
  ok({"repo", "init", "-r", repository});
  ok({"lab", "up", "shop-postgres"});
  auto shop = target_of(lab_->member("shop-postgres-0"));
  shop.database = "template1";
  EXPECT_EQ(ask(Engine::postgres, shop, "CREATE DATABASE shop"), "");
  EXPECT_EQ(ask(Engine::postgres, shop, "DROP DATABASE postgres WITH (FORCE)"), "");
  shop.database = "shop";
  EXPECT_EQ(ask(Engine::postgres, shop, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS a"), "");
  const auto there = ask(Engine::postgres, shop, "SELECT count(*) FROM pg_database");
  ok({"triage", "-c", "shop-postgres"});
  ok({"compare", "-c", "shop-postgres"});
  const auto backup = ok({"backup", "-c", "shop-postgres", "-i", "1", "-r", repository});
  EXPECT_NE((backup.out + backup.err).find("has no database postgres"), std::string::npos) << backup.out << backup.err;
  ok({"restore", "-c", "shop-postgres", "-r", repository, "--into", lab_->state_dir() + "/into"});
  ok({"restore", "-c", "shop-postgres", "-r", repository, "--accept=replace-data"});
  for (const char* name : {"shop-postgres-0", "shop-postgres-1"}) {
    auto target = target_of(lab_->member(name));
    target.database = "shop";
    EXPECT_EQ(ask(Engine::postgres, target, "SELECT sum(a) FROM t"), "500500") << name;
  }
  EXPECT_EQ(ask(Engine::postgres, shop, "SELECT count(*) FROM pg_database"), std::to_string(std::stoi(there) + 1));
  // What is stored goes into a server that has none of this name either.
  shop.database = "template1";
  EXPECT_EQ(ask(Engine::postgres, shop, "ALTER DATABASE postgres ALLOW_CONNECTIONS false"), "");
  ok({"triage", "-c", "shop-postgres"});
  ok({"backup", "-c", "shop-postgres", "-i", "0", "-r", repository});
  // One in another encoding is restored into the one that every new server has.
  EXPECT_EQ(ask(Engine::postgres, shop, "DROP DATABASE postgres WITH (FORCE)"), "");
  EXPECT_EQ(ask(Engine::postgres, shop, "CREATE DATABASE postgres TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'"),
            "");
  const auto other = ok({"backup", "-c", "shop-postgres", "-i", "0", "-r", repository});
  EXPECT_NE((other.out + other.err).find("database postgres has encoding and locale SQL_ASCII, C, C;"),
            std::string::npos)
      << other.out << other.err;
}

// Members of one host cannot share a tablespace's folder: each has its own, after a restore and after the next one.
TEST_F(PostgresLimits, EachMemberHasTablespacesOfItsOwn) {
  const std::string repository = lab_->state_dir() + "/repository";
  ok({"repo", "init", "-r", repository});
  ok({"lab", "up", "shop-postgres"});
  RunOptions input;
  input.input =
      "SET client_encoding = 'UTF8';\nCREATE TABLESPACE far OWNER postgres LOCATION '/nowhere/far';\nCREATE TABLESPACE "
      "\"it's\" OWNER postgres LOCATION '/nowhere/its';\n\\connect postgres\nCREATE TABLE public.t (a int) TABLESPACE "
      "far;\nCOPY public.t (a) FROM stdin;\n1\n2\n\\.\n--\n-- PostgreSQL database cluster dump complete\n--\n\n";
  std::vector<std::string> store = {"backup", "--stdin", "--path", "shop/shop-postgres/pgdumpall.sql",
                                    "-r",     repository};
  for (const std::string tag :
       {"type=backup", "method=dump", "namespace=shop", "cluster=shop-postgres", "engine=postgres"})
    store.insert(store.end(), {"--tag", tag});
  ASSERT_EQ(run_holdfast(store, input).exit_code, 0);
  const auto expect_own = [&] {
    ok({"restore", "-c", "shop-postgres", "-r", repository, "--accept=replace-data"});
    for (const char* name : {"shop-postgres-0", "shop-postgres-1"}) {
      const auto target = target_of(lab_->member(name));
      EXPECT_EQ(ask(Engine::postgres, target, "SELECT count(*) FROM public.t"), "2") << name;
      EXPECT_EQ(ask(Engine::postgres, target,
                    "SELECT count(*) FROM pg_tablespace WHERE pg_tablespace_location(oid) LIKE '%/" +
                        std::string(name) + "/tablespaces/%'"),
                "2")
          << name;
    }
    ok({"get", "status", "-c", "shop-postgres"});
  };
  expect_own();
  ok({"backup", "-c", "shop-postgres", "-i", "1", "-r", repository});
  expect_own();
}

}  // namespace
}  // namespace holdfast::test
