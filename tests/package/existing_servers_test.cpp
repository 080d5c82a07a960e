// Servers that a distribution's packages have set up, under systemd and with load: an agent is given to them, keeps
// them, and is taken away again. Nothing of theirs changes by that.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "agent/client.h"
#include "sys/file.h"
#include "tests/package/packaged_servers.h"
#include "tests/support/program.h"
#include "tests/support/require.h"
#include "tests/support/system_container.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

class ExistingServers : public testing::TestWithParam<const Packaged*> {
 protected:
  void SetUp() override {
    HOLDFAST_NEED("mysql-package", of().engine != "mysql" || SystemContainer::file("/") == "/",
                  "its server is this machine's peer, which another distribution does not have");
    HOLDFAST_NEED("systemd-container", SystemContainer::missing().empty(), SystemContainer::missing());
    HOLDFAST_NEED("systemd-in-container", SystemContainer::refused().empty(), SystemContainer::refused());
    machine_ = SystemContainer::boot();
    ASSERT_TRUE(machine_);
    machine_->install_holdfast();
    fs::copy_file(HOLDFAST_SOURCE_DIR "/packaging/holdfast-agent@.service",
                  machine_->seen_from_here("/lib/systemd/system/holdfast-agent@.service"),
                  fs::copy_options::overwrite_existing);
    // One statement, as the administrator.
    for (const char* port : {"5432", "5433"})
      std::ofstream(machine_->seen_from_here(std::string("/usr/local/bin/psql-") + port))
          << "#!/bin/sh\nprintf '%s\\n' \"$1\" | su postgres -c 'cd / && psql -qtA -d shop -p " << port << "'\n";
    ok("chmod 755 /usr/local/bin/psql-*; systemctl daemon-reload");
    // What comes from the image below the container cannot be renamed (overlayfs): its own is like a machine's.
    ok(fmt::format("d={}; [ ! -d $d ] || {{ cp -a $d $d.own && rm -rf $d && mv $d.own $d; }}", of().data[0]));
    ok(of().start, seconds(200));
    // The second one has come that far.
    ok(
        fmt::format("n=0; until {} 'SELECT count(*) FROM {}' 2>/dev/null; do n=$((n + 1)); [ $n -lt 100 ] || exit 1; "
                    "sleep 0.2; done",
                    of().sql[1], table()));
    if (HasFailure()) FAIL() << machine_->run("journalctl --no-pager -n 60").out;
    describe();
  }

  const Packaged& of() const { return *GetParam(); }
  std::string ok(const std::string& script, seconds limit = seconds(60)) const { return machine_->ok(script, limit); }
  std::string sql(int server, const std::string& statement) const {
    return ok(fmt::format("{} '{}'", of().sql[server], statement));
  }
  std::string main_pid(int server) const { return ok(fmt::format("systemctl show -P MainPID {}", of().units[server])); }
  std::string configuration() const {
    return ok(
        fmt::format("find {} -type f ! -name '*holdfast*' -print0 | sort -z | xargs -0 sha256sum", of().configuration));
  }
  std::string our_files() const {
    return ok(
        fmt::format("find {} /etc/systemd/system -name '*holdfast*' ! -name 'holdfast-agent@*'", of().configuration));
  }

  void describe() const {
    ok(R"(mkdir -p /etc/holdfast/pki && cd /etc/holdfast && umask 077
printf 'Keeper-1\n' >keeper.password; printf 'Copier-1\n' >copier.password
holdfast pki init --dir pki -q
for n in 0 1; do holdfast pki issue agent orders-$n --san 127.0.0.1 --dir pki --out agent-$n -q; done
holdfast pki issue operate anna --dir pki --out anna -q)");
    std::ofstream yaml(machine_->seen_from_here("/etc/holdfast/orders.yaml"));
    yaml << fmt::format(
        "apiVersion: holdfast.dev/v1alpha1\nkind: DatabaseCluster\nmetadata:\n  name: orders\nspec:\n  engine: {}\n"
        "  provider: host\n  credentials:\n    user: keeper\n"
        "    passwordFile: /etc/holdfast/keeper.password\n  agents:\n    ca: /etc/holdfast/pki/ca.crt\n"
        "    certificate: /etc/holdfast/anna/anna.crt\n    key: /etc/holdfast/anna/anna.key\n  members:\n",
        of().engine);
    for (int n : {0, 1})
      yaml << fmt::format("    - name: orders-{}\n      host: 127.0.0.1\n      port: {}\n      agent: 127.0.0.1:{}\n",
                          n, of().ports[n], 7420 + n);
  }

  std::string adopt_command(int n) const {
    return fmt::format(
        "cd /etc/holdfast && holdfast agent adopt -c orders -i {0} --config orders.yaml --data-dir {1} --listen "
        "127.0.0.1:{2} --tls-ca pki/ca.crt --tls-certificate agent-{0}/orders-{0}.crt --tls-key "
        "agent-{0}/orders-{0}.key "
        "--replication-user copier --replication-password-file copier.password {3}",
        n, of().data[n], 7420 + n, of().account);
  }
  std::string adopt(int n, const std::string& more = {}) const { return ok(adopt_command(n) + " " + more); }
  /// Asks the agent itself, as an operation does.
  Result<codec::Value> asked(int n, const std::string& what, codec::Value arguments = codec::Value::object()) const {
    const auto socket = machine_->seen_from_here(fmt::format("/run/holdfast/orders-{}.agent.sock", n));
    auto client = TRY(agent::Client::connect(agent::Address::of_socket(socket), Deadline::in(seconds(10))));
    return client.call_now(what, std::move(arguments), Deadline::in(seconds(120)));
  }
  codec::Value ask(int n, const std::string& what, codec::Value arguments = codec::Value::object()) const {
    auto answer = asked(n, what, std::move(arguments));
    EXPECT_TRUE(answer) << what << ": " << answer.error().to_string();
    return answer ? *answer : codec::Value();
  }
  RunResult holdfast(const std::string& what) const {
    return machine_->run("holdfast " + what + " -c orders --config /etc/holdfast/orders.yaml", seconds(200));
  }
  void is_healthy(const char* when) const {
    // One that its unit starts again needs a moment.
    RunResult seen;
    for (int tries = 0; tries < 40; ++tries) {
      seen = holdfast("triage");
      if (seen.exit_code == 0) return;
      machine_->run("sleep 0.5");
    }
    ADD_FAILURE() << when << ": " << seen.exit_code << '\n' << seen.out << seen.err;
  }
  void repairs(const char* what) const {
    const RunResult done = holdfast("repair");
    EXPECT_EQ(done.exit_code, 0) << what << '\n' << done.out << done.err;
  }
  void same_rows(int least = 21) const {
    const auto rows = [&](int n) { return sql(n, fmt::format("SELECT count(*), max(id) FROM {}", table())); };
    const std::string first = rows(0);
    for (int tries = 0; tries < 40 && rows(1) != first; ++tries) machine_->run("sleep 0.5");
    EXPECT_EQ(rows(1), first);
    EXPECT_GE(std::strtol(first.c_str(), nullptr, 10), least) << "the load wrote too little: " << first;
  }
  std::string count(int server) const { return sql(server, fmt::format("SELECT count(*) FROM {}", table())); }
  const char* table() const { return std::string_view(of().engine) == "postgres" ? "orders" : "shop.orders"; }

  std::unique_ptr<SystemContainer> machine_;
};

TEST_P(ExistingServers, AreAdoptedKeptAndReleased) {
  if (!machine_ || HasFailure()) return;
  const std::string before = configuration();
  const std::string pids[] = {main_pid(0), main_pid(1)};
  ok(fmt::format(
      "cat >/root/load <<'END'\nwhile :; do {} 'INSERT INTO {} (t) VALUES (now())' || :; sleep 0.1; done\nEND\n"
      "setsid sh /root/load >/dev/null 2>&1 </dev/null & echo $! >/root/load.pid",
      of().sql[0], table()));

  // What would be done, and nothing is.
  for (int n : {0, 1}) {
    const std::string shown = adopt(n, "--dry-run");
    EXPECT_NE(shown.find(std::string("unit ") + of().units[n]), std::string::npos) << shown;
  }
  EXPECT_EQ(our_files(), "");
  EXPECT_EQ(machine_->run("ls /var/lib/holdfast/members").exit_code != 0, true);

  for (int n : {0, 1}) {
    const std::string said = adopt(n);
    EXPECT_NE(said.find("was not restarted"), std::string::npos) << said;
    EXPECT_EQ(main_pid(n), pids[n]);
  }
  is_healthy("adopted");

  if (HasFailure()) return;
  // Its unit brings it back by itself, and its agent sees that; where units do not, a repair does.
  ok("kill -9 " + main_pid(1));
  if (!of().restarts) repairs("killed");
  is_healthy("killed");
  const std::string again = main_pid(1);
  EXPECT_NE(again, pids[1]);
  if (GetParam() != &kMariadbSafe) {
    EXPECT_EQ(ask(1, "status")["server"]["lastExit"].text(), "signal 9 (Killed)") << "systemd knows";
  }

  if (HasFailure()) return;
  // Stopped by somebody: the repair has its unit start it.
  ok(fmt::format("systemctl stop {}", of().units[1]));
  EXPECT_EQ(holdfast("triage").exit_code, 4);
  repairs("stopped");
  is_healthy("started by repair");
  EXPECT_NE(main_pid(1), "0\n");

  if (HasFailure()) return;
  // Its data is gone: a copy of the other one, which its unit then runs.
  const auto look = [&] { return ok(fmt::format("stat -c '%a %U %G' {}", of().data[1])); };
  const std::string look_before = look();
  ok(fmt::format("systemctl stop {}; set -- {}; {}", of().units[1], of().data[1], of().data_lost));
  EXPECT_EQ(holdfast("triage").exit_code, 4);
  if (GetParam() == &kPostgresAlone) {
    // What is left may be all that somebody has: it is given up by name, and a copy of it kept.
    EXPECT_EQ(holdfast("repair").exit_code, 3);
    ok("printf 'Backups-1\n' >/root/repo.password; holdfast repo init -r /root/repo -p /root/repo.password -q");
    const std::string with = "repair -i 1 -r /root/repo -p /root/repo.password";
    const RunResult asks = holdfast(with);
    EXPECT_EQ(asks.exit_code, 3) << asks.out << asks.err;
    EXPECT_NE(asks.err.find("--accept=discard-diverged:orders-1"), std::string::npos) << asks.err;
    const RunResult done = holdfast(with + " --accept=discard-diverged:orders-1");
    EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  } else {
    repairs("emptied");
  }
  is_healthy("rebuilt");
  EXPECT_NE(main_pid(1), "0\n") << "its unit does not run it";
  EXPECT_EQ(main_pid(0), pids[0]) << "the primary was restarted";
  EXPECT_EQ(look(), look_before) << "who may look into its data directory";
  if (GetParam() == &kPostgresAlone) {
    ok("readlink /var/lib/pgsql/1/pg_wal | grep -q '^/var/lib/pgwal/1.holdfast-'");
    EXPECT_EQ(ok("ls -d /var/lib/pgwal/* | wc -l"), ok("ls -d /var/lib/pgsql/1* | wc -l")) << "one for each";
  }

  if (GetParam() == &kMariadbLogs || GetParam() == &kMysqlLogs) {
    const bool mysql = GetParam() == &kMysqlLogs;
    const std::string log = mysql ? "bin-1" : "bin-second", relay = mysql ? "relay-1" : "relay-second";
    // What it had stays with the directory it was of, which was empty, and is kept.
    EXPECT_EQ(ok(fmt::format("cd /var/log/mysql; ls -d {}.replaced-*", log)),
              replaced(ok(fmt::format("ls -d {}.replaced-*", of().data[1])), of().data[1], log));
    EXPECT_NE(ok(fmt::format("ls /var/log/mysql/{0}.replaced-*/ | grep -c '^{0}[.][0-9]' || :", log)), "0\n");
    EXPECT_EQ(ok(fmt::format("ls {} | grep -c '^{}[.][0-9]' || :", of().data[1], log)), "0\n");
    for (const auto& base : {log, relay})
      EXPECT_NE(ok(fmt::format("ls /var/log/mysql | grep -c '^{}[.][0-9]' || :", base)), "0\n") << base;
    // The copy's own log is gone, and what it had logged is not: nothing of the primary is unknown to it.
    if (!mysql) {
      const auto of_primary = [](const std::string& state) { return state.substr(0, state.rfind('-')); };
      EXPECT_EQ(of_primary(sql(1, "SELECT @@gtid_binlog_state")), of_primary(sql(0, "SELECT @@gtid_binlog_state")));
    }
  }

  if (HasFailure()) return;
  ok("kill $(cat /root/load.pid)");
  same_rows();
  if (of().engine == std::string_view("postgres")) {
    // Somebody has led it elsewhere: a repair leads it back, in the file that ALTER SYSTEM writes.
    sql(1, "ALTER SYSTEM SET primary_conninfo = $$host=127.0.0.1 port=5999 user=copier password=Copier-1$$");
    sql(1, "SELECT pg_reload_conf()");
    EXPECT_EQ(holdfast("triage").exit_code, 4);
    repairs("led elsewhere");
    is_healthy("led back");
    same_rows();
  }
  if (GetParam() == &kPostgresAlone) {
    // It has no log but the journal of its unit.
    EXPECT_EQ(ask(1, "inspect")["damageLogged"].text(), "");
    sql(1, "DO $$ BEGIN RAISE WARNING USING MESSAGE = $m$invalid page in block 7 of relation x$m$; END $$");
    EXPECT_NE(ask(1, "inspect")["damageLogged"].text().find("invalid page in block 7"), std::string::npos);
    EXPECT_NE(ask(1, "inspect")["logTail"].text().find("starting PostgreSQL"), std::string::npos);
  }
  EXPECT_EQ(configuration(), before);

  if (HasFailure()) return;
  const std::string last = main_pid(1);
  for (int n : {0, 1}) ok(fmt::format("holdfast agent release orders-{}", n));
  EXPECT_EQ(main_pid(0), pids[0]);
  EXPECT_EQ(main_pid(1), last);
  EXPECT_EQ(configuration(), before);
  EXPECT_EQ(our_files(), "");
  // Its unit alone, as before: it follows.
  ok(fmt::format("systemctl restart {}", of().units[1]), seconds(90));
  sql(0, fmt::format("INSERT INTO {} (t) VALUES (now())", table()));
  same_rows();
}

class RestoredServers : public ExistingServers {};

TEST_P(RestoredServers, AreBackedUpAndRestored) {
  if (!machine_ || HasFailure()) return;
  const std::string before = configuration();
  for (int n : {0, 1}) adopt(n);
  is_healthy("adopted");
  for (int n = 0; n < 3; ++n) sql(0, fmt::format("INSERT INTO {} (t) VALUES (now())", table()));
  same_rows(3);
  ok("printf 'Backups-1\n' >/root/repo.password; holdfast repo init -r /root/repo -p /root/repo.password -q");
  const std::string with = " -r /root/repo -p /root/repo.password";
  const RunResult backup = holdfast("backup" + with);
  ASSERT_EQ(backup.exit_code, 0) << backup.out << backup.err;
  sql(0, fmt::format("DELETE FROM {}", table()));
  sql(0, fmt::format("INSERT INTO {} (t) VALUES (now())", table()));

  const RunResult restored = holdfast("restore --accept=replace-data" + with);
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  is_healthy("restored");
  EXPECT_EQ(count(0), "3\n");
  same_rows(3);
  EXPECT_EQ(configuration(), before);
  for (int n : {0, 1}) EXPECT_NE(main_pid(n), "0\n") << "its unit does not run it";
  sql(0, fmt::format("INSERT INTO {} (t) VALUES (now())", table()));
  same_rows(4);
}

/// What is found at adopt, what is kept from happening, and what a host's reboot is to an agent.
class ExistingMariadb : public ExistingServers {};

TEST_P(ExistingMariadb, RefusesAndComesBack) {
  if (!machine_ || HasFailure()) return;
  const auto refused = [&](const char* id, const std::string& command) {
    const RunResult done = machine_->run(command + " -o json");
    EXPECT_NE(done.out.find(fmt::format("\"id\": \"{}\"", id)), std::string::npos)
        << command << " exits with " << done.exit_code << '\n'
        << done.out << done.err;
  };
  const std::string before = configuration();
  refused("agent.needs_root", "setpriv --reuid=nobody --clear-groups holdfast agent adopt -e mariadb");
  refused("adopt.several_servers", "holdfast agent adopt -e mariadb");
  refused("adopt.no_server", "holdfast agent adopt -e postgres");
  refused("adopt.engine", "holdfast agent adopt -e galera --data-dir /var/lib/mysql");
  refused("release.own_layout",
          "mkdir -p /root/lab && echo '{\"member\":\"x\",\"engine\":\"mariadb\",\"replication\":\"async\"}' "
          ">/root/lab/agent.json && holdfast agent release --dir /root/lab");
  // A third one, by hand, with a configuration that includes nothing; then as an agent starts it.
  ok("install -d -o mysql /root /var/lib/mysql-third && mariadb-install-db --user=mysql --datadir=/var/lib/mysql-third "
     ">/dev/null"
     " && printf '[mysqld]\\nport=3308\\nsocket=/run/mysqld/mysql-third.sock\\npid-file=/run/mysqld/third.pid\\n' "
     ">/etc/third.cnf");
  const auto third = [&](const char* variables) {
    ok(fmt::format(
        "{} setsid setpriv --reuid=mysql --regid=mysql --init-groups mariadbd --defaults-file=/etc/third.cnf "
        "--datadir=/var/lib/mysql-third --pid-file=/run/mysqld/third.pid >/root/third.log 2>&1 </dev/null & "
        "for n in $(seq 100); do mariadb-admin -S /run/mysqld/mysql-third.sock ping >/dev/null 2>&1 && exit 0; sleep "
        "0.1; done; exit 1",
        variables));
  };
  const char* stop_third = "kill $(cat /run/mysqld/third.pid); while [ -e /run/mysqld/third.pid ]; do sleep 0.1; done";
  third("");
  refused("adopt.configuration", "holdfast agent adopt -e mariadb --data-dir /var/lib/mysql-third");
  ok(stop_third);
  third("HOLDFAST_SERVER=x");
  refused("adopt.has_agent", "holdfast agent adopt -e mariadb --data-dir /var/lib/mysql-third");
  ok(stop_third);
  // One that reads what all servers of the host read, and has no unit to give it groups of its own.
  ok("sed -i 's/^\\[mysqld\\]/[mysqld]\\nserver-id=3/' /etc/third.cnf && echo '!includedir /etc/mysql/mariadb.conf.d/' "
     ">>/etc/third.cnf");
  third("");
  refused("adopt.shared_configuration", "holdfast agent adopt -e mariadb --data-dir /var/lib/mysql-third");
  ok(stop_third);
  EXPECT_EQ(our_files(), "");
  EXPECT_EQ(configuration(), before);

  // It was restarted between the look and the agent's.
  ok(fmt::format(
      "mkdir -p /run/systemd/system/holdfast-agent@.service.d && printf '[Service]\\nExecStartPre=systemctl restart "
      "{}\\n' >/run/systemd/system/holdfast-agent@.service.d/x.conf && systemctl daemon-reload",
      of().units[1]));
  const RunResult late = machine_->run(adopt_command(1) + " -o json", seconds(90));
  EXPECT_NE(late.out.find("\"adopt.not_adopted\""), std::string::npos) << late.out << late.err;
  ok("rm -r /run/systemd/system/holdfast-agent@.service.d && systemctl daemon-reload");
  adopt(0);
  // What the first one's agent says is not the second one's, which has none yet, and wins over its own configuration.
  ok(fmt::format(
      "printf '[mysqld]\\nread_only=ON\\n' >/etc/mysql/mariadb.conf.d/71-closed.cnf; systemctl restart {} {}",
      of().units[0], of().units[1]));
  EXPECT_EQ(sql(0, "SELECT @@read_only"), "0\n");
  EXPECT_EQ(sql(1, "SELECT @@read_only"), "1\n");
  is_healthy("started anew");
  adopt(1);
  // Where its data lies is what the server that runs says, not what it said when it was adopted.
  const auto is_elsewhere = [&](const char* change) {
    ok(fmt::format("{}; systemctl restart {} {}", change, of().units[0], of().units[1]));
    is_healthy(change);
    return machine_
               ->run(
                   "grep -q '\"relayBase\": \"/var/log/mysql-first/relay\"' "
                   "/var/lib/holdfast/members/orders-0/agent.json")
               .exit_code == 0;
  };
  EXPECT_TRUE(
      is_elsewhere("install -d -o mysql /var/log/mysql-first; printf "
                   "'[mysqld.holdfast-orders-0]\\nrelay-log=/var/log/mysql-first/relay\\n' "
                   ">/etc/mysql/mariadb.conf.d/72-relay.cnf"));
  EXPECT_FALSE(is_elsewhere("rm /etc/mysql/mariadb.conf.d/72-relay.cnf"));
  // Once more is the same, and the agent knows what is new.
  const std::string agent_before = ok("systemctl show -P MainPID holdfast-agent@orders-1");
  const std::string server_before = main_pid(1);
  ok("sed -i 's/port: 3306/port: 3399/' /etc/holdfast/orders.yaml");
  adopt(1);
  ok("grep -q 3399 /var/lib/holdfast/members/orders-1/agent.json");
  EXPECT_NE(ok("systemctl show -P MainPID holdfast-agent@orders-1"), agent_before);
  EXPECT_EQ(main_pid(1), server_before);
  ok("sed -i 's/port: 3399/port: 3306/' /etc/holdfast/orders.yaml");
  adopt(1);
  is_healthy("adopted");

  // A boot: what is below /run is gone, and who comes first is anybody's guess.
  ok(
      fmt::format("systemctl stop holdfast-agent@orders-0 holdfast-agent@orders-1 {0} {1}; rm -r /run/holdfast; "
                  "systemctl start holdfast-agent@orders-1; sleep 1; systemctl start {0} {1}; systemctl start "
                  "holdfast-agent@orders-0",
                  of().units[0], of().units[1]));
  is_healthy("booted");
  EXPECT_EQ(sql(1, "SELECT @@read_only"), "1\n");

  // A stop that systemd does not take is none.
  ok("mv /usr/bin/systemctl /usr/bin/systemctl.real; printf '#!/bin/sh\\nexit 1\\n' >/usr/bin/systemctl; chmod 755 "
     "/usr/bin/systemctl");
  EXPECT_FALSE(asked(1, "stop"));
  ok("mv /usr/bin/systemctl.real /usr/bin/systemctl");
  EXPECT_EQ(ask(1, "status")["server"]["state"].text(), "running");

  // A restore that ends with the power: nothing is where the data was, and some units make an empty server there first.
  ok(
      fmt::format("mkdir -p /etc/systemd/system/{0}.d && printf '[Service]\\nExecStartPre=+/bin/sh -c \"test -d {1} || "
                  "mariadb-install-db --user=mysql --datadir={1}\"\\n' >/etc/systemd/system/{0}.d/first.conf && "
                  "systemctl daemon-reload",
                  of().units[1], of().data[1]));
  ask(1, "stop");
  const std::string aside = ask(1, "set_aside")["path"].text();
  ok("systemctl kill -s KILL holdfast-agent@orders-1");
  EXPECT_NE(machine_->run(fmt::format("systemctl start {}", of().units[1]), seconds(90)).exit_code, 0);
  EXPECT_EQ(ok(fmt::format("systemctl show -P AssertResult {}", of().units[1])), "no\n");
  ok(fmt::format("test ! -e {}", of().data[1]));
  ok("n=0; until [ -S /run/holdfast/orders-1.agent.sock ] && systemctl is-active holdfast-agent@orders-1; do "
     "n=$((n + 1)); [ $n -lt 100 ] || exit 1; sleep 0.2; done; sleep 1");
  EXPECT_NE(machine_->run(fmt::format("systemctl start {}", of().units[1]), seconds(90)).exit_code, 0);
  refused("release.unfinished", "holdfast agent release orders-1");
  ask(1, "put_back", codec::Value::object({{"path", aside}}));
  ok(fmt::format("systemctl start {}", of().units[1]));
  is_healthy("its data is back");

  // A unit that may not start is the error, and the release is refused while somebody else runs the server.
  ok(
      fmt::format("systemctl stop {0}; mkdir -p /run/systemd/system; ln -sf /dev/null /run/systemd/system/{0}; "
                  "systemctl daemon-reload",
                  of().units[1]));
  const RunResult masked =
      machine_->run("holdfast repair -c orders --config /etc/holdfast/orders.yaml -o json", seconds(200));
  EXPECT_EQ(masked.exit_code, 8);
  EXPECT_NE(masked.out.find("is masked"), std::string::npos) << "agent.unit is not the reason:\n" << masked.out;
  ok(fmt::format("rm /run/systemd/system/{}; systemctl daemon-reload", of().units[1]));
  ok("setsid setpriv --reuid=mysql --regid=mysql --init-groups mariadbd --defaults-group-suffix=.second "
     ">/root/by-hand.log 2>&1 </dev/null & "
     "for n in $(seq 100); do mariadb-admin -S /run/mysqld/second.sock ping >/dev/null 2>&1 && exit 0; sleep 0.1; "
     "done; exit 1");
  refused("release.not_by_unit", "holdfast agent release orders-1");
  ok("kill $(cat /run/mysqld/second.pid); while [ -e /run/mysqld/second.pid ]; do sleep 0.1; done");
  ok("systemctl is-active holdfast-agent@orders-1");
  repairs("stopped by hand");
  ok("touch /var/lib/holdfast/members/orders-1/rewinding");
  refused("release.unfinished", "holdfast agent release orders-1");
  ok("rm /var/lib/holdfast/members/orders-1/rewinding");
  is_healthy("in the end");

  // Its pages are read again when its unit has started it, whoever asked for that.
  sql(0, "CREATE TABLE shop.spare (id INT PRIMARY KEY) ENGINE=InnoDB; INSERT INTO shop.spare VALUES (1)");
  ok(fmt::format(
      "n=0; until {} 'SELECT count(*) FROM shop.spare' 2>/dev/null; do n=$((n + 1)); [ $n -lt 100 ] || exit "
      "1; sleep 0.2; done",
      of().sql[1]));
  ok(
      fmt::format("systemctl stop {0} && printf damaged | dd of={1}/shop/spare.ibd bs=1 seek=$((3 * 16384 + 200)) "
                  "conv=notrunc status=none && systemctl start {0}",
                  of().units[1], of().data[1]));
  std::string bad;
  for (int tries = 0; tries < 60 && bad.empty(); ++tries) {
    machine_->run("sleep 0.5");
    const codec::Value check = ask(1, "inspect")["pageCheck"];
    if (!check["bad"].items().empty()) bad = check["bad"].items().front().text();
  }
  EXPECT_NE(bad.find("spare.ibd"), std::string::npos) << bad;
}

INSTANTIATE_TEST_SUITE_P(OfPackages, ExistingMariadb, testing::Values(&kMariadb),
                         [](const auto& info) { return std::string(info.param->engine); });
const auto kName = [](const testing::TestParamInfo<const Packaged*>& info) {
  const auto* one = info.param;
  return one->engine + (one == &kPostgresAlone                       ? "_alone"
                        : one == &kMariadbSafe                       ? "_safe"
                        : one == &kMariadbLogs || one == &kMysqlLogs ? "_logs"
                        : one == &kMariadbRoot                       ? "_root"
                                                                     : "");
};
INSTANTIATE_TEST_SUITE_P(Engines, ExistingServers,
                         testing::Values(&kMariadb, &kMysql, &kPostgres, &kPostgresAlone, &kMariadbSafe, &kMariadbLogs,
                                         &kMysqlLogs),
                         kName);
INSTANTIATE_TEST_SUITE_P(Engines, RestoredServers,
                         testing::Values(&kMariadb, &kMysql, &kPostgres, &kPostgresAlone, &kMariadbSafe, &kMariadbLogs,
                                         &kMysqlLogs, &kMariadbRoot),
                         kName);

}  // namespace
}  // namespace holdfast::test
