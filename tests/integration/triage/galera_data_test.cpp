// Triage of a Galera cluster: one node whose data is gone, foreign, inconsistent or half copied.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "engine/programs.h"
#include "tests/integration/triage/galera.h"
#include "tests/support/require.h"

namespace holdfast::test::galera {
namespace {

using std::chrono::seconds;

void vote_out(Patient& p, int i) {
  p.sql(0, {"CREATE OR REPLACE TABLE shop.t (a INT PRIMARY KEY)", "INSERT INTO shop.t VALUES (1)"});
  await("it has the row", [&] { return p.try_sql(i, {"SELECT a FROM shop.t"}, seconds(10)) == "1"; }, seconds(60));
  p.sql(i, {"SET SESSION wsrep_on = OFF", "INSERT INTO shop.t VALUES (2)"});
  p.sql(0, {"INSERT INTO shop.t VALUES (2)"});
}

/// Member `i` asks for a state transfer, and the program that should receive it stops at once.
void hang_in_transfer(Patient& p, int i) {
  p.stop(i);
  forget_history(p, i);
  p.start_unheard(i, {"--wsrep-sst-donor=" + p.name(1)});
  const std::string mark = p.data(i) + "/rsync_sst.conf";
  await(
      "the receiver runs, and hangs",
      [&] {
        std::error_code error;
        for (const auto& process : std::filesystem::directory_iterator("/proc", error)) {
          const auto line = sys::read_file(process.path().string() + "/cmdline");
          if (!line || as_text(line->span()).find(mark) == std::string_view::npos ||
              as_text(line->span()).find("--daemon") == std::string_view::npos)
            continue;
          return ::kill(std::atoi(process.path().filename().c_str()), SIGSTOP) == 0;
        }
        return false;
      },
      seconds(60));
}

std::vector<Fault> faults() {
  std::vector<Fault> list = {
      {.name = "one with the zero uuid",
       .inject =
           [](Patient& p) {
             p.stop(2);
             forget_history(p, 2);
           },
       .diagnoses = {"galera-state-lost 2", "authority-undeterminable"},
       .members = {"2 broken rebuild"},
       .authority = "undeterminable",
       .also = {"server-stopped"},
       .repair = {"operation.not_accepted", "ACCEPT: healed"}},
      {.name = "one whose grastate.dat is gone",
       .inject =
           [](Patient& p) {
             p.stop(2);
             std::filesystem::remove(grastate(p, 2));
           },
       .diagnoses = {"galera-state-lost 2", "authority-undeterminable"},
       .members = {"2 broken rebuild"},
       .authority = "undeterminable",
       .also = {"server-stopped"},
       .repair = {"operation.not_accepted", "ACCEPT: healed"}},
      {.name = "one whose state transfer was cut off",
       .inject =
           [](Patient& p) {
             p.stop(2);
             replace_line(grastate(p, 2), "seqno:", "seqno:   -1");
             ASSERT_TRUE(sys::publish_file(p.data(2) + "/sst_in_progress", {}, 0644));
           },
       .diagnoses = {"galera-aborted-transfer 2"},
       .members = {"2 broken rebuild"},
       .authority = "undeterminable",
       .also = {"server-stopped", "authority-undeterminable"},
       .repair = {"operation.not_accepted", "ACCEPT: healed"}},
      {.name = "a joiner to which nothing comes",
       .inject =
           [](Patient& p) {
             hang_in_transfer(p, 2);
             await(
                 "it is told",
                 [&] {
                   const auto text = p.triage().text;
                   EXPECT_EQ(text.find("galera-aborted-transfer"), std::string::npos) << "its transfer goes on";
                   return text.find("galera-transfer-stuck") != std::string::npos;
                 },
                 seconds(120));
           },
       .diagnoses = {"galera-transfer-stuck 2", "authority-undeterminable"},
       .members = {"1 * *", "2 broken rebuild"},  // the donor may have sent its last byte just before
       .authority = "undeterminable",
       .also = {"galera-not-synced"},
       .repair = {"repair.needs_operator", "-i 2 ACCEPT: healed"}},
      {.name = "one with no data",
       .inject = [](Patient& p) { p.lab_break("delete-data", 2); },
       .diagnoses = {"data-missing 2"},
       .members = {"2 empty rebuild"},
       .authority = "provable *",
       .repair = {"healed"}},
      {.name = "a table's file of one removed while it runs",
       .inject =
           [](Patient& p) {
             p.sql(0, {"CREATE OR REPLACE TABLE shop.t (a INT PRIMARY KEY)", "INSERT INTO shop.t VALUES (1)"});
             await(
                 "it has the row", [&] { return p.try_sql(2, {"SELECT a FROM shop.t"}, seconds(10)) == "1"; },
                 seconds(60));
             ASSERT_EQ(::unlink((p.data(2) + "/shop/t.ibd").c_str()), 0);
           },
       .diagnoses = {"page-checksum-failures 2"},
       .members = {"2 broken rebuild"},
       .authority = "provable *",
       .repair = {"healed"}},
      {.name = "pages of a table of one overwritten, its server down",
       .inject = [](Patient& p) { p.lab_break("corrupt-pages", 2); },
       .diagnoses = {"server-stopped 2", "authority-undeterminable"},
       .members = {"2 stopped restart"},
       .authority = "undeterminable",
       .repair = {"healed by 2 plans"}},
      {.name = "one of another history, none recorded",
       .inject =
           [](Patient& p) {
             p.stop(2);
             make_foreign(p, 2);
           },
       .diagnoses = {"foreign-history 2", "authority-undeterminable"},
       .members = {"2 foreign nothing"},
       .authority = "undeterminable",
       .also = {"server-stopped"},
       .repair = {"repair.needs_operator", "-i 2: operation.not_accepted", "-i 2 ACCEPT: healed"}},
      {.name = "one so far behind that no cache helps",
       .inject =
           [](Patient& p) {
             p.stop(2);
             p.sql(0, {"CREATE TABLE shop.big (a INT PRIMARY KEY, b LONGBLOB)"});
             for (int i = 0; i < 12; ++i)
               p.sql(0, {fmt::format("INSERT INTO shop.big SELECT {}, REPEAT('x', 4000000)", i)});
           },
       .diagnoses = {"galera-behind-caches 2"},
       .members = {"2 stale rebuild"},
       .authority = "provable *",
       .also = {"server-stopped"},
       .repair = {"healed"},
       .tidy = sql_on(0, {"DROP TABLE shop.big"})},
      {.name = "inconsistent node, voted out",
       .inject = [](Patient& p) { vote_out(p, 2); },
       .diagnoses = {"galera-inconsistent 2"},
       .members = {"2 broken rebuild"},
       .authority = "undeterminable",
       .also = {"authority-undeterminable", "server-crashed"},
       .repair = {"operation.not_accepted", "ACCEPT: healed"}},
      {.name = "inconsistent node, voted out, then killed",
       .inject =
           [](Patient& p) {
             vote_out(p, 2);
             await(
                 "it is out", [&] { return status(p, 2, "wsrep_local_state_comment").starts_with("Inconsistent"); },
                 seconds(60));
             await(
                 "it has noted that",
                 [&] { return text_of(grastate(p, 2)).find(" 00000000-0000-0000-0000-0000") != std::string::npos; },
                 seconds(60));
             p.kill(2);
           },
       .diagnoses = {"galera-state-lost 2"},
       .members = {"2 broken rebuild"},
       .authority = "undeterminable",
       .also = {"authority-undeterminable", "server-crashed"},
       .repair = {"operation.not_accepted", "ACCEPT: healed"}},
  };
  return list;
}

TEST(TriageGalera, TellsFaultsOfData) {
  HOLDFAST_NEED("galera", engine::find_program(cluster::Engine::galera, "mariadbd").has_value(), "no mariadbd");
  run_faults_on("shop-galera", faults());
}

}  // namespace
}  // namespace holdfast::test::galera
