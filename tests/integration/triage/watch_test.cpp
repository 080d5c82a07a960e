// Whoever follows a cluster learns of a silent breakage within one interval, from `triage --watch` and from
// `get status` alike.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "engine/programs.h"
#include "tests/integration/patient.h"
#include "tests/integration/remedy.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using std::chrono::duration;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr seconds kInterval(1);
/// For the look itself and for a machine that does other things.
constexpr milliseconds kLook(1500);

/// `holdfast triage --watch -o jsonl`, and what it said last.
class Watch {
 public:
  Watch(Patient& p) {
    sys::Command command;
    command.argv = {holdfast_binary(),  "triage", "-c", p.cluster(), "--watch",
                    "--interval",       "1",      "-o", "jsonl",     "--state-dir",
                    p.lab().state_dir()};
    command.env = {{"HOLDFAST_CONFIG", ""}, {"HOLDFAST_STATE_DIR", ""}};
    command.out = sys::Stdio::pipe();
    command.err = sys::Stdio::null();
    command.die_with_parent = SIGKILL;
    auto process = sys::spawn(command);
    EXPECT_TRUE(process);
    if (!process) return;
    process_ = std::move(*process);
    out_ = process_.take_stdout();
  }
  ~Watch() { (void)process_.kill(); }

  /// Waits until the last report is so; returns when it came, or nothing at the deadline.
  std::optional<Clock::time_point> until(const std::function<bool(const codec::Value&)>& so, Clock::time_point limit) {
    for (;;) {
      if (!last_.is_null() && so(last_)) return came_;
      const auto left = std::chrono::duration_cast<milliseconds>(limit - Clock::now());
      if (left.count() <= 0) return std::nullopt;
      read_some(left);
    }
  }
  const codec::Value& last() const { return last_; }

 private:
  void read_some(milliseconds limit) {
    pollfd fd{out_.get(), POLLIN, 0};
    if (::poll(&fd, 1, static_cast<int>(limit.count())) <= 0) return;
    char buffer[65536];
    const ssize_t got = ::read(out_.get(), buffer, sizeof buffer);
    if (got <= 0) return;
    text_.append(buffer, static_cast<size_t>(got));
    for (size_t end = text_.find('\n'); end != std::string::npos; end = text_.find('\n')) {
      auto event = codec::parse_value(text_.substr(0, end));
      text_.erase(0, end + 1);
      if (!event || (*event)["type"].text() != "triage") continue;
      last_ = std::move(*event);
      came_ = Clock::now();
    }
  }

  sys::Process process_;
  sys::Fd out_;
  std::string text_;
  codec::Value last_;
  Clock::time_point came_;
};

bool says(const codec::Value& report, const std::string& id) {
  for (const auto& d : report["diagnoses"].items())
    if (d["id"].text() == id) return true;
  return false;
}

struct Breakage {
  int member;
  std::vector<std::string> make;
  std::string diagnosis;
  bool healthy;  ///< a warning only
  std::vector<std::string> mend;
};

void follow(Patient& p, const std::vector<Breakage>& breakages) {
  Watch watch(p);
  const auto well = [](const codec::Value& report) {
    if (!report["healthy"].boolean()) return false;
    for (const auto& d : report["diagnoses"].items())
      if (d["severity"].text() != "info") return false;
    return true;
  };
  ASSERT_TRUE(watch.until(well, Clock::now() + seconds(30)));
  for (const auto& b : breakages) {
    SCOPED_TRACE(b.diagnosis + " on " + p.name(b.member));
    p.sql(b.member, b.make);
    const auto made = Clock::now();
    // Whoever asks now is told now.
    const auto status = p.lab().holdfast({"get", "status", "-c", p.cluster(), "-o", "json"});
    const auto came =
        watch.until([&](const codec::Value& report) { return says(report, b.diagnosis); }, made + kInterval + kLook);
    EXPECT_TRUE(came) << "--watch did not say it within an interval";
    if (came)
      fmt::print("  {:28} told by --watch after {:.2f} s\n", b.diagnosis, duration<double>(*came - made).count());
    const auto document = codec::parse_value(status.out);
    ASSERT_TRUE(document) << status.out << status.err;
    EXPECT_EQ(status.exit_code, b.healthy ? 0 : 4);
    const auto& cluster = (*document)["data"]["clusters"].items().at(0);
    EXPECT_EQ(cluster["healthy"].boolean(), b.healthy);
    EXPECT_TRUE(says(cluster, b.diagnosis)) << "get status: " << status.out;
    EXPECT_EQ(wrong_remedies(cluster), "");
    EXPECT_EQ(wrong_remedies(watch.last()), "");
    p.sql(b.member, b.mend);
    ASSERT_TRUE(watch.until(well, Clock::now() + seconds(30))) << codec::to_json(watch.last());
  }
}

TEST(TriageWatch, MariadbBreakagesAreToldWithinOneInterval) {
  HOLDFAST_NEED("mariadb", engine::find_program(cluster::Engine::mariadb, "mariadbd").has_value(), "no mariadbd");
  LabGuard lab;
  Patient p(lab, "shop-mariadb");
  ASSERT_TRUE(p.prepare());
  follow(p, {{1, {"STOP SLAVE SQL_THREAD"}, "replica-thread-stopped", false, {"START SLAVE"}},
             {2, {"SET GLOBAL read_only = OFF"}, "replica-writable", false, {"SET GLOBAL read_only = ON"}},
             {0,
              {"SET GLOBAL rpl_semi_sync_master_enabled = OFF"},
              "semi-sync-off",
              false,
              {"SET GLOBAL rpl_semi_sync_master_enabled = ON"}},
             {1, {"SET GLOBAL server_id = 3"}, "server-id-duplicate", false, {"SET GLOBAL server_id = 2"}},
             {1, {"SET GLOBAL event_scheduler = ON"}, "events-on-replica", true, {"SET GLOBAL event_scheduler = OFF"}},
             {0, {"SET GLOBAL sync_binlog = 0"}, "durability-weak", true, {"SET GLOBAL sync_binlog = 1"}}});
}

TEST(TriageWatch, PostgresBreakagesAreToldWithinOneInterval) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  LabGuard lab;
  Patient p(lab, "shop-postgres");
  ASSERT_TRUE(p.prepare());
  follow(p,
         {{1, {"SELECT pg_wal_replay_pause()"}, "replica-thread-stopped", false, {"SELECT pg_wal_replay_resume()"}},
          {0,
           {"ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()", "SELECT pg_sleep(0.2)"},
           "sessions-read-only",
           false,
           {"SET transaction_read_only = off", "SET default_transaction_read_only = off",
            "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()"}},
          {0,
           {"ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()", "SELECT pg_sleep(0.2)"},
           "synchronous-standby-missing",
           false,
           {"ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"}}});
}

}  // namespace
}  // namespace holdfast::test
