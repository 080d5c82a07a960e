// Galera nodes that a distribution's packages have set up, under systemd: agents are given to them, keep them, bring
// the cluster back when all of it is down, and are taken away again. One is of the unit mariadb.service, which looks
// for its position itself; the others are of mariadb@.service, which does not.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "sys/file.h"
#include "tests/support/program.h"
#include "tests/support/require.h"
#include "tests/support/system_container.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

constexpr int kNodes = 3;
constexpr const char* kUnits[] = {"mariadb.service", "mariadb@b.service", "mariadb@c.service"};
constexpr const char* kData[] = {"/var/lib/mysql", "/var/lib/mysql-b", "/var/lib/mysql-c"};
constexpr const char* kSockets[] = {"/run/mysqld/mysqld.sock", "/run/mysqld/b.sock", "/run/mysqld/c.sock"};

/// As the package's 60-galera.cnf is filled in, and a cluster's first start. SST_METHOD is set before.
constexpr const char* kSetUp = R"(cat >/etc/mysql/mariadb.conf.d/60-galera.cnf <<END
[galera]
wsrep_on                 = ON
wsrep_provider           = /usr/lib/galera/libgalera_smm.so
wsrep_cluster_name       = orders
wsrep_cluster_address    = gcomm://127.0.0.1:4567,127.0.0.1:4577,127.0.0.1:4587
wsrep_sst_method         = $SST_METHOD
wsrep_sst_auth           = $SST_AUTH
binlog_format            = row
default_storage_engine   = InnoDB
innodb_autoinc_lock_mode = 2
END
node() {
printf '[mysqld%s]\nwsrep_node_name=db-%s\nwsrep_node_address=127.0.0.1:%s7\n' "$1" $2 $3
printf 'wsrep_node_incoming_address=127.0.0.1:%s\nport=%s\n' $4 $4
printf 'wsrep_sst_receive_address=127.0.0.1:%s8\ninnodb_buffer_pool_size=64M\n' $3
printf 'wsrep_provider_options="gmcast.listen_addr=tcp://127.0.0.1:%s7;ist.recv_addr=127.0.0.1:%s9"\n' $3 $3
[ -z "$1" ] || printf 'datadir=/var/lib/mysql-%s\nsocket=/run/mysqld/%s.sock\npid-file=/run/mysqld/%s.pid\n' $2 $2 $2
}
{ node "" a 456 3306; node .b b 457 3307; node .c c 458 3308; } >/etc/mysql/mariadb.conf.d/70-nodes.cnf
install -d -o mysql -g mysql /var/lib/mysql-b /var/lib/mysql-c
[ -d /var/lib/mysql/mysql ] || mariadb-install-db --user=mysql --datadir=/var/lib/mysql >/dev/null
systemctl stop mariadb.socket mariadb-extra.socket  # galera_recovery takes the same port
galera_new_cluster || exit 1
mariadb -e "CREATE USER keeper@'%' IDENTIFIED BY 'Keeper-1'; GRANT ALL ON *.* TO keeper@'%' WITH GRANT OPTION;
  CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, t TIMESTAMP) ENGINE=InnoDB" || exit 1
systemctl start mariadb@b.service && systemctl start mariadb@c.service)";

class ExistingGalera : public testing::Test {
 protected:
  void boot(const char* sst_method, const char* sst_auth) {
    HOLDFAST_NEED("systemd-container", SystemContainer::missing().empty(), SystemContainer::missing());
    HOLDFAST_NEED("galera", fs::exists("/usr/lib/galera/libgalera_smm.so"), "galera-4 is not installed");
    HOLDFAST_NEED("systemd-in-container", SystemContainer::refused().empty(), SystemContainer::refused());
    machine_ = SystemContainer::boot();
    ASSERT_TRUE(machine_);
    machine_->install_holdfast();
    fs::copy_file(HOLDFAST_SOURCE_DIR "/packaging/holdfast-agent@.service",
                  machine_->seen_from_here("/lib/systemd/system/holdfast-agent@.service"),
                  fs::copy_options::overwrite_existing);
    ok("systemctl daemon-reload");
    const RunResult made =
        machine_->run(fmt::format("SST_METHOD={}\nSST_AUTH={}\n{}", sst_method, sst_auth, kSetUp), seconds(200));
    ASSERT_EQ(made.exit_code, 0) << made.out << made.err << logs();
    describe();
  }

  std::string ok(const std::string& script, seconds limit = seconds(60)) const { return machine_->ok(script, limit); }
  std::string sql(int node, const std::string& statement) const {
    return ok(fmt::format("mariadb -N -S {} -e \"{}\"", kSockets[node], statement));
  }
  std::string status_of(int node, const char* name) const {
    return sql(node, fmt::format("SELECT variable_value FROM information_schema.global_status WHERE variable_name='{}'",
                                 name));
  }
  std::string main_pid(int node) const { return ok(fmt::format("systemctl show -P MainPID {}", kUnits[node])); }
  std::string main_pids() const { return main_pid(0) + main_pid(1) + main_pid(2); }
  std::string configuration() const {
    return ok(
        "find /etc/mysql /lib/systemd/system/mariadb.service /lib/systemd/system/mariadb@.service -type f "
        "! -name '*holdfast*' -print0 | sort -z | xargs -0 sha256sum");
  }
  std::string our_files() const { return ok("find /etc/mysql /run -name '*holdfast*.cnf' -o -name '*.start.cnf'"); }
  void write_rows(int node) const {
    for (int i = 0; i < 10; ++i) sql(node, "INSERT INTO shop.orders (t) VALUES (now()), (now())");
  }

  void describe() const {
    ok(R"(mkdir -p /etc/holdfast/pki && cd /etc/holdfast && umask 077
printf 'Keeper-1\n' >keeper.password
holdfast pki init --dir pki -q
for n in 0 1 2; do holdfast pki issue agent orders-$n --san 127.0.0.1 --dir pki --out agent-$n -q; done
holdfast pki issue operate anna --dir pki --out anna -q)");
    std::ofstream yaml(machine_->seen_from_here("/etc/holdfast/orders.yaml"));
    yaml << "apiVersion: holdfast.dev/v1alpha1\nkind: DatabaseCluster\nmetadata:\n  name: orders\nspec:\n"
            "  engine: galera\n  provider: host\n  credentials:\n    user: keeper\n"
            "    passwordFile: /etc/holdfast/keeper.password\n  agents:\n    ca: /etc/holdfast/pki/ca.crt\n"
            "    certificate: /etc/holdfast/anna/anna.crt\n    key: /etc/holdfast/anna/anna.key\n  members:\n";
    for (int n = 0; n < kNodes; ++n)
      yaml << fmt::format(
          "    - name: orders-{0}\n      host: 127.0.0.1\n      port: {1}\n      agent: 127.0.0.1:{2}\n", n, 3306 + n,
          7420 + n);
  }

  std::string adopt_command(int n) const {
    return fmt::format(
        "cd /etc/holdfast && holdfast agent adopt -c orders -i {0} --config orders.yaml --data-dir {1} --listen "
        "127.0.0.1:{2} --tls-ca pki/ca.crt --tls-certificate agent-{0}/orders-{0}.crt --tls-key "
        "agent-{0}/orders-{0}.key --admin-user keeper --admin-password-file keeper.password",
        n, kData[n], 7420 + n);
  }
  void adopt_all() const {
    for (int n = 0; n < kNodes; ++n) {
      const std::string before = main_pid(n), said = ok(adopt_command(n));
      EXPECT_NE(said.find("was not restarted"), std::string::npos) << said;
      EXPECT_EQ(main_pid(n), before);
    }
  }
  RunResult holdfast(const std::string& what, seconds limit = seconds(300)) const {
    return machine_->run("holdfast " + what + " -c orders --config /etc/holdfast/orders.yaml", limit);
  }
  void is_healthy(const char* when) const {
    RunResult seen;
    for (int tries = 0; tries < 60; ++tries) {
      seen = holdfast("triage");
      if (seen.exit_code == 0) return;
      machine_->run("sleep 0.5");
    }
    ADD_FAILURE() << when << ": " << seen.exit_code << '\n' << seen.out << seen.err << logs();
  }
  void is_told(const char* when, const char* diagnosis) const {
    const RunResult seen = holdfast("triage -o json");
    EXPECT_EQ(seen.exit_code, 4) << when;
    EXPECT_NE(seen.out.find(diagnosis), std::string::npos) << when << ": no " << diagnosis << '\n' << seen.out;
  }
  void succeeds(const char* when, const std::string& what) const {
    const RunResult done = holdfast(what);
    EXPECT_EQ(done.exit_code, 0) << when << '\n' << done.out << done.err << logs();
  }
  /// For who has to find out why.
  std::string logs() const {
    return machine_
        ->run(
            "journalctl --no-pager -q -o short-precise -n 150; tail -n 60 /var/lib/holdfast/members/*/log/*.log; cat "
            "/root/*.log")
        .out;
  }
  void same_rows() const {
    const auto rows = [&](int n) {
      return sql(n, "SELECT count(*), max(id) FROM shop.orders; CHECKSUM TABLE shop.orders");
    };
    const std::string first = rows(0);
    EXPECT_GE(std::strtol(first.c_str(), nullptr, 10), 20);
    for (int n = 1; n < kNodes; ++n) EXPECT_EQ(rows(n), first) << n;
  }
  void is_one_component() const {
    for (int n = 0; n < kNodes; ++n) {
      EXPECT_EQ(status_of(n, "wsrep_cluster_size"), "3\n") << n;
      EXPECT_EQ(status_of(n, "wsrep_cluster_state_uuid"), status_of(0, "wsrep_cluster_state_uuid")) << n;
    }
  }
  void none_is_primary(const char* when) const {
    for (int n = 0; n < kNodes; ++n) {
      const RunResult seen =
          machine_->run(fmt::format("mariadb -N -S {} -e \"SHOW STATUS LIKE 'wsrep_cluster_status'\"", kSockets[n]));
      EXPECT_EQ(seen.out.find("\tPrimary"), std::string::npos) << when << ": " << n;
    }
  }
  /// Until the container ends, a setting of its unit that is no file of its owner's.
  void set(int node, const char* name, const char* line) const {
    ok(fmt::format(
        "mkdir -p /run/systemd/system/{0}.d && printf '[Service]\\n{2}\\n' >/run/systemd/system/{0}.d/{1}.conf "
        "&& systemctl daemon-reload",
        kUnits[node], name, line));
  }
  void unset(int node, const char* name) const {
    ok(fmt::format("rm /run/systemd/system/{}.d/{}.conf && systemctl daemon-reload", kUnits[node], name));
  }
  void stays_down(int node) const { set(node, "stays-down", "Restart=no"); }
  void kill_server(int node) const {
    ok(fmt::format("systemctl kill -s KILL --kill-who=main {0}; while systemctl is-active -q {0}; do sleep 0.1; done",
                   kUnits[node]));
  }
  void stop(int node) const { ok(fmt::format("systemctl stop {}", kUnits[node]), seconds(120)); }
  /// How often its journal says so since a moment.
  int said_since(int node, const std::string& moment, const char* text) const {
    const std::string count = ok(
        fmt::format("journalctl --sync; journalctl -q --no-pager -u {} --since '{}' | grep -c '{}' || :", kUnits[node],
                    moment, text));
    return static_cast<int>(std::strtol(count.c_str(), nullptr, 10));
  }
  std::string now() const {
    std::string text = ok("sleep 1; date '+%Y-%m-%d %H:%M:%S'");
    text.pop_back();
    return text;
  }
  void refused(const char* id, const std::string& command) const {
    const RunResult done = machine_->run(command + " -o json");
    EXPECT_NE(done.out.find(fmt::format("\"id\": \"{}\"", id)), std::string::npos)
        << command << " exits with " << done.exit_code << '\n'
        << done.out << done.err;
  }

  std::unique_ptr<SystemContainer> machine_;
};

TEST_F(ExistingGalera, AreAdoptedKeptAndReleased) {
  boot("rsync", "");
  if (!machine_ || HasFailure()) return;
  const std::string before = configuration();
  write_rows(0);

  refused("adopt.engine", "holdfast agent adopt -e mariadb --data-dir /var/lib/mysql-b");
  refused("adopt.several_servers", "holdfast agent adopt -e galera");
  const std::string shown = ok("holdfast agent adopt -e galera --dry-run --data-dir /var/lib/mysql-b");
  for (const char* part : {"unit mariadb@b.service", "node db-b of orders", "gcomm://127.0.0.1:4567", "port 3307"})
    EXPECT_NE(shown.find(part), std::string::npos) << part << " is not in\n" << shown;
  EXPECT_EQ(our_files(), "");
  adopt_all();
  EXPECT_EQ(configuration(), before);
  is_healthy("adopted");

  // The nodes describe the cluster.
  const std::string found =
      ok("cd /etc/holdfast && holdfast cluster discover -e galera --host 127.0.0.1 --port 3307 --user keeper "
         "--password-file keeper.password");
  for (const char* part : {"engine: galera", "name: orders", "port: 3306", "port: 3307", "port: 3308"})
    EXPECT_NE(found.find(part), std::string::npos) << part << " is not in\n" << found;

  // It is killed, and lacks what the others write meanwhile: they have it in their caches.
  for (const int node : {0, 1}) {
    if (HasFailure()) return;
    stays_down(node);
    kill_server(node);
    write_rows(2);
    is_told("killed", "server-crashed");
    const std::string moment = now();
    succeeds("killed", "repair");
    is_healthy("started by its unit");
    EXPECT_NE(main_pid(node), "0\n");
    EXPECT_GE(said_since(node, moment, "IST received"), 1) << logs();
  }
  same_rows();

  if (HasFailure()) return;
  // Its data is gone: a copy of another one, which its unit then runs.
  stop(2);
  ok(fmt::format("rm -rf {}/*", kData[2]));
  write_rows(0);
  EXPECT_EQ(holdfast("triage").exit_code, 4);
  const std::string others = main_pid(0) + main_pid(1);
  succeeds("emptied", "repair");
  is_healthy("rebuilt");
  EXPECT_NE(main_pid(2), "0\n") << "its unit does not run it";
  EXPECT_EQ(main_pid(0) + main_pid(1), others) << "the others were restarted";
  same_rows();
  is_one_component();

  if (HasFailure()) return;
  EXPECT_EQ(configuration(), before);
  const std::string last = main_pids();
  for (int n = 0; n < kNodes; ++n) ok(fmt::format("holdfast agent release orders-{}", n));
  EXPECT_EQ(main_pids(), last);
  EXPECT_EQ(configuration(), before);
  EXPECT_EQ(our_files(), "");
  // Its unit alone, as before: it joins.
  ok(fmt::format("systemctl restart {}", kUnits[0]), seconds(90));
  write_rows(0);
  is_one_component();
  same_rows();
}

/// No node is in a component any more: all were stopped, or crashed.
TEST_F(ExistingGalera, AreTheFirstOfAComponentOnlyWhenABootstrapSaysSo) {
  boot("rsync", "");
  if (!machine_ || HasFailure()) return;
  adopt_all();
  is_healthy("adopted");
  const std::string said = "/run/holdfast/orders-0.start.cnf";

  // In order; the highest one is in the middle.
  stop(0);
  write_rows(1);
  stop(2);
  write_rows(1);
  stop(1);
  // The machine boots. Its unit starts the one that stopped last, and it joins nothing.
  for (int n = 0; n < kNodes; ++n) ok(fmt::format("systemctl stop holdfast-agent@orders-{}", n));
  ok("rm -r /run/holdfast");
  ok(fmt::format("systemctl start --no-block {}", kUnits[1]));
  for (int n = 0; n < kNodes; ++n) ok(fmt::format("systemctl start holdfast-agent@orders-{}", n));
  for (int i = 0; i < 20; ++i) {
    none_is_primary("booted");
    machine_->run("sleep 0.3");
  }
  stop(1);
  is_told("all were stopped", "galera-no-primary-component");
  if (HasFailure()) return;
  succeeds("all were stopped", "bootstrap");
  is_healthy("bootstrapped");
  EXPECT_EQ(our_files().find(".start.cnf"), std::string::npos);
  is_one_component();
  same_rows();

  if (HasFailure()) return;
  // They crash: only InnoDB knows where each stands.
  for (int n = 0; n < kNodes; ++n) stays_down(n);
  kill_server(2);
  write_rows(0);
  kill_server(1);
  kill_server(0);
  is_told("all crashed", "galera-no-primary-component");

  // A start that fails leaves nothing behind that a later one would hear.
  set(0, "fails", "ExecStartPre=/bin/false");
  const RunResult failed = holdfast("bootstrap");
  EXPECT_EQ(failed.exit_code, 9) << failed.out << failed.err;
  std::string resume = failed.err.substr(std::min(failed.err.size(), failed.err.find("operations resume")));
  resume.resize(std::min(resume.size(), resume.find('\n')));
  resume = "holdfast " + resume + " --config /etc/holdfast/orders.yaml";
  EXPECT_EQ(our_files().find(".start.cnf"), std::string::npos);
  unset(0, "fails");

  if (HasFailure()) return;
  // The agent is killed between its word and the start: the word goes with it, and the node starts as one that joins.
  set(0, "slow", "ExecStartPre=/bin/sleep 4");
  ok("setsid " + resume +
         " >/root/resume.log 2>&1 </dev/null & "
         "for n in $(seq 600); do [ -e " +
         said + " ] && exit 0; sleep 0.05; done; cat /root/resume.log; exit 1",
     seconds(90));
  ok("systemctl kill -s KILL --kill-who=main holdfast-agent@orders-0; for n in $(seq 40); do [ -e " + said +
     " ] || exit 0; sleep 0.05; done; exit 1");
  unset(0, "slow");
  for (int i = 0; i < 30; ++i) {
    none_is_primary("the agent was killed");
    machine_->run("sleep 0.3");
  }
  ok("n=0; while pgrep -f '^holdfast operations' >/dev/null; do n=$((n + 1)); [ $n -lt 200 ] || exit 1; sleep 1; done",
     seconds(250));
  if (HasFailure()) return;
  const RunResult resumed = machine_->run(resume, seconds(300));
  EXPECT_EQ(resumed.exit_code, 0) << resumed.out << resumed.err << logs();
  is_healthy("bootstrapped after a crash");
  is_one_component();
  same_rows();

  if (HasFailure()) return;
  // Its unit starts the first one again, without its agent: it joins.
  ok("systemctl stop holdfast-agent@orders-0");
  ok(fmt::format("systemctl restart {}", kUnits[0]), seconds(90));
  is_one_component();
  ok("systemctl start holdfast-agent@orders-0");
  is_healthy("restarted");

  if (HasFailure()) return;
  // Somebody makes a second component beside the agent.
  stop(2);
  ok(fmt::format("sed -i 's/safe_to_bootstrap: 0/safe_to_bootstrap: 1/' {}/grastate.dat", kData[2]));
  ok("setsid setpriv --reuid=mysql --regid=mysql --init-groups mariadbd --defaults-group-suffix=.c --wsrep-new-cluster "
     ">/root/by-hand.log 2>&1 </dev/null & "
     "for n in $(seq 200); do mariadb-admin -S /run/mysqld/c.sock ping >/dev/null 2>&1 && exit 0; sleep 0.1; done; "
     "exit "
     "1");
  is_told("by hand", "server-outside-agent");
  is_told("by hand", "galera-two-components");
  EXPECT_NE(holdfast("repair").exit_code, 0);
  EXPECT_NE(holdfast("bootstrap").exit_code, 0);
  ok("kill $(cat /run/mysqld/c.pid); while [ -e /run/mysqld/c.pid ]; do sleep 0.1; done");
}

/// The first of a new component has lost its cache of write sets: the others need its whole state.
TEST_F(ExistingGalera, TakeAWholeStateByTheirOwnTransferOrSayWhatKeepsThemFromIt) {
  boot("mariabackup", "");
  if (!machine_ || HasFailure()) return;
  const auto said_at_adopt = [&] { return ok(adopt_command(0) + " --dry-run"); };
  EXPECT_EQ(said_at_adopt().find("wsrep_sst_auth"), std::string::npos) << said_at_adopt();
  adopt_all();
  is_healthy("adopted");
  const auto only_the_first_has_all = [&] {
    stop(2);
    write_rows(0);
    stop(1);
    write_rows(0);
    stop(0);
    ok(fmt::format("rm {}/galera.cache", kData[0]));
  };
  only_the_first_has_all();
  const std::string moment = now();
  succeeds("without a cache", "bootstrap");
  is_healthy("transferred");
  for (const int n : {1, 2}) EXPECT_GE(said_since(n, moment, "SST succeeded for position"), 1) << logs();
  is_one_component();
  same_rows();

  if (HasFailure()) return;
  sql(0, "DROP USER mysql@localhost");
  EXPECT_NE(said_at_adopt().find("wsrep_sst_auth"), std::string::npos) << said_at_adopt();
  only_the_first_has_all();
  const std::string files = ok(fmt::format("find {} -type f ! -name grastate.dat | xargs sha256sum", kData[1]));
  const RunResult done = holdfast("bootstrap");
  EXPECT_EQ(done.exit_code, 9) << done.out << done.err;
  EXPECT_NE(done.err.find("wsrep_sst_method is mariabackup and wsrep_sst_auth is empty"), std::string::npos)
      << done.err;
  const std::string shown = ok("holdfast operations show latest -o json");
  EXPECT_NE(shown.find("repair.no_state_transfer"), std::string::npos) << shown;
  EXPECT_EQ(ok(fmt::format("find {} -type f ! -name grastate.dat | xargs sha256sum", kData[1])), files)
      << "a transfer into it was begun";
  sql(0, "SET GLOBAL wsrep_sst_auth = 'keeper:Keeper-1'");
  const RunResult resumed =
      machine_->run("holdfast operations resume latest --config /etc/holdfast/orders.yaml", seconds(300));
  EXPECT_EQ(resumed.exit_code, 0) << resumed.out << resumed.err << logs();
  is_healthy("transferred with an account");
  is_one_component();
  same_rows();
}

}  // namespace
}  // namespace holdfast::test
