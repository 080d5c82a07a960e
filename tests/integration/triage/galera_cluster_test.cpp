// Triage of a Galera cluster: the whole cluster down, without a component, or with two.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "engine/programs.h"
#include "tests/integration/triage/galera.h"
#include "tests/support/require.h"

namespace holdfast::test::galera {
namespace {

using std::chrono::seconds;

/// Stops all, so that the last one has more than the others.
void stop_all_the_last_ahead(Patient& p) {
  for (int i : {0, 1}) p.stop(i);
  await(
      "it serves alone",
      [&] { return p.try_sql(2, {"CREATE TABLE IF NOT EXISTS shop.last (a INT PRIMARY KEY)"}, seconds(20)).empty(); },
      seconds(60));
  p.stop(2);
}

void drop_last(Patient& p) {
  p.sql(0, {"DROP TABLE shop.last"});
}

/// Its directory as a disk that is gone leaves it: a name that leads nowhere.
void hide_data(Patient& p, int i) {
  std::filesystem::rename(p.data(i), p.data(i) + ".hidden");
  std::filesystem::create_symlink("data", p.data(i));
}

void show_data(Patient& p, int i) {
  std::filesystem::remove(p.data(i));
  std::filesystem::rename(p.data(i) + ".hidden", p.data(i));
}

std::vector<Fault> faults() {
  const auto pid = std::make_shared<int64_t>();
  std::vector<Fault> list = {
      {.name = "two primary components, the network is fine",
       .inject =
           [](Patient& p) {
             be_quick(p);
             isolate(p, 2);
             await_status(p, 2, "wsrep_cluster_status", "non-Primary");
             p.sql(2, {"SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'"});
             await_status(p, 2, "wsrep_ready", "ON");
             p.sql(2, {"CREATE TABLE shop.on_the_other_side (a INT PRIMARY KEY)"});
           },
       .diagnoses = {"galera-two-components 0 1 2"},
       .members = {"0 broken nothing", "1 broken nothing", "2 broken nothing"},
       .authority = "diverged",
       .also = {"histories-diverged", "galera-size-mismatch"},
       .repair = {"repair.split_brain", "bootstrap: bootstrap.split_brain", "-i 0: repair.split_brain",
                  "-i 2: operation.not_accepted", "-i 2 ACCEPT: healed"}},
      {.name = "two killed, the third in the minority",
       .inject =
           [](Patient& p) {
             be_quick(p);
             for (int i : {1, 2}) p.kill(i);
           },
       .diagnoses = {"server-crashed 1 2", "galera-non-primary 0", "galera-no-primary-component 0 1 2"},
       .members = {"0 broken restart", "1 stopped restart", "2 stopped restart"},
       .authority = "undeterminable",
       .also = {"authority-undeterminable"},
       .repair = {"repair.no_donor", "-i 0: repair.no_donor", "bootstrap --dry-run: bootstrap.not_recovered",
                  "bootstrap: healed"}},
      {.name = "all run, none in a component",
       .inject =
           [pid](Patient& p) {
             be_quick(p);
             isolate(p, 2);
             await_status(p, 2, "wsrep_cluster_status", "non-Primary");
             await_status(p, 0, "wsrep_cluster_size", "2");
             isolate(p, 1);
             await_status(p, 0, "wsrep_cluster_status", "non-Primary");
             // What was left of the last component is one of two: it does not get a majority from the third.
             isolate(p, 2, false);
             await_status(p, 0, "wsrep_cluster_size", "2");
             *pid = p.agent(0, "status")["server"]["pid"].integer();
           },
       .diagnoses = {"galera-non-primary 0 1 2", "galera-no-primary-component 0 1 2"},
       .members = {"0 broken restart", "1 broken restart", "2 broken restart"},
       .authority = "provable *",
       .repair = {"repair.no_donor", "bootstrap: healed"},
       .tidy =
           [pid](Patient& p) {
             // Told to, not started: it ran all the time.
             EXPECT_EQ(p.agent(0, "status")["server"]["pid"].integer(), *pid);
           }},
      {.name = "all killed",
       .inject =
           [](Patient& p) {
             for (int i : {0, 1, 2}) p.kill(i);
           },
       .diagnoses = {"server-crashed 0 1 2", "galera-no-primary-component 0 1 2", "authority-undeterminable"},
       .members = {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       .authority = "undeterminable",
       .repair = {"repair.no_donor", "bootstrap --dry-run: bootstrap.not_recovered", "bootstrap: healed"}},
      {.name = "all stopped, the last one is ahead",
       .inject = stop_all_the_last_ahead,
       .diagnoses = {"server-stopped 0 1 2", "galera-no-primary-component 0 1 2"},
       .members = {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       .authority = "provable 2",
       .repair = {"repair.no_donor", "bootstrap: healed"},
       .tidy = drop_last},
      {.name = "all stopped, the wrong one marked to bootstrap",
       .inject =
           [](Patient& p) {
             stop_all_the_last_ahead(p);
             replace_line(grastate(p, 0), "safe_to_bootstrap:", "safe_to_bootstrap: 1");
             replace_line(grastate(p, 2), "safe_to_bootstrap:", "safe_to_bootstrap: 0");
           },
       .diagnoses = {"server-stopped 0 1 2", "galera-no-primary-component 0 1 2", "galera-bootstrap-flag 0"},
       .members = {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       .authority = "provable 2",
       .repair = {"bootstrap: healed"},
       .tidy = drop_last},
      {.name = "all stopped, two marked to bootstrap",
       .inject =
           [](Patient& p) {
             for (int i : {0, 1, 2}) p.stop(i);
             for (int i : {0, 2}) replace_line(grastate(p, i), "safe_to_bootstrap:", "safe_to_bootstrap: 1");
           },
       .diagnoses = {"server-stopped 0 1 2", "galera-no-primary-component 0 1 2", "galera-bootstrap-flag 0 2"},
       .members = {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       .authority = "provable *",
       .repair = {"bootstrap: healed"}},
      {.name = "all killed, one with the zero uuid, marked to bootstrap",
       .inject =
           [](Patient& p) {
             for (int i : {0, 1, 2}) p.kill(i);
             forget_history(p, 1);
             replace_line(grastate(p, 1), "safe_to_bootstrap:", "safe_to_bootstrap: 1");
           },
       .diagnoses = {"server-crashed 0 1 2", "galera-no-primary-component 0 1 2", "authority-undeterminable",
                     "galera-state-lost 1", "galera-bootstrap-flag 1"},
       .members = {"0 stopped restart", "1 broken rebuild", "2 stopped restart"},
       .authority = "undeterminable",
       .also = {"errant-transactions"},  // once the positions are recovered: one may be a transaction ahead
       .repair = {"bootstrap: bootstrap.zero_uuid", "bootstrap ACCEPT: healed"}},
      {.name = "all stopped, one in the middle of a state transfer",
       .inject =
           [](Patient& p) {
             for (int i : {0, 1, 2}) p.stop(i);
             ASSERT_TRUE(sys::publish_file(p.data(0) + "/sst_in_progress", {}, 0644));
           },
       .diagnoses = {"server-stopped 0 1 2", "galera-no-primary-component 0 1 2", "galera-aborted-transfer 0"},
       .members = {"0 broken rebuild", "1 stopped restart", "2 stopped restart"},
       .authority = "undeterminable",
       .also = {"authority-undeterminable", "errant-transactions"},
       .repair = {"bootstrap: bootstrap.aborted_transfer", "bootstrap ACCEPT: healed"}},
      {.name = "all stopped, one of another history and ahead",
       .inject =
           [](Patient& p) {
             for (int i : {0, 1, 2}) p.stop(i);
             make_foreign(p, 2);
             replace_line(grastate(p, 2), "seqno:", "seqno:   99999999");
           },
       .diagnoses = {"server-stopped 0 1 2", "galera-no-primary-component 0 1 2"},
       .members = {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       .authority = "undeterminable",
       .also = {"authority-undeterminable", "errant-transactions"},
       .repair = {"bootstrap: bootstrap.foreign", "bootstrap ACCEPT: healed"}},
      {.name = "all killed, the directory of one unreadable",
       .inject =
           [](Patient& p) {
             for (int i : {2, 1, 0}) p.kill(i);
             hide_data(p, 2);
           },
       .diagnoses = {"server-crashed 0 1 2", "galera-no-primary-component 0 1 2", "authority-undeterminable"},
       .members = {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       .authority = "undeterminable",
       .undo =
           [](Patient& p) {
             // Two serve; the third was left as it was, and is a part of their history once it can be read.
             EXPECT_TRUE(p.acknowledged_rows_missing(0).empty());
             show_data(p, 2);
             const auto repaired = p.lab().holdfast({"repair", "-c", p.cluster(), "-i", "2", "-r", p.repository()});
             EXPECT_EQ(repaired.exit_code, 0) << repaired.out << repaired.err;
             p.stop_writer();  // what the first has acknowledged the third may have still to apply
             await("it has every row", [&] { return p.acknowledged_rows_missing(2).empty(); }, seconds(60));
             p.start_writer();
           },
       .repair = {"bootstrap: bootstrap.unread", "bootstrap ACCEPT: partial"}},
  };
  if (::geteuid() == 0) {
    list.push_back(
        {.name = "two primary components",
         .inject =
             [](Patient& p) {
               p.lab_break("partition", 2);
               await_status(p, 2, "wsrep_cluster_status", "non-Primary");
               p.sql(2, {"SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'"});
             },
         .diagnoses = {"galera-two-components 0 1 2", "tcp-unreachable 2"},
         .members = {"0 broken nothing", "1 broken nothing", "2 broken nothing"},
         .authority = "diverged",
         .also = {"histories-diverged", "galera-size-mismatch"},
         .undo =
             [](Patient& p) {
               p.kill(2);
               p.lab_heal(2);
               p.restore();
             },
         .repair = {"repair.split_brain", "bootstrap: bootstrap.split_brain", "-i 2: repair.needs_operator"}});
  }
  return list;
}

TEST(TriageGalera, TellsFaultsOfTheCluster) {
  HOLDFAST_NEED("galera", engine::find_program(cluster::Engine::galera, "mariadbd").has_value(), "no mariadbd");
  run_faults_on("shop-galera", faults());
}

}  // namespace
}  // namespace holdfast::test::galera
