// Repairs and bootstraps on three hosts whose network is cut at each record of their journal, in both directions or in
// one: they wait, fail and are undone, or stay unfinished. Once the network is healed, `operations resume` or `undo`
// ends them: all is mended, or as it was. Meanwhile there are never two writers, and triage takes no host that is cut
// off for a server that is down. HOLDFAST_POINT=part of a point's name takes only those of the points it would take.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <tuple>

#include "engine/programs.h"
#include "lab/hosts.h"
#include "tests/integration/lost_packets.h"
#include "tests/integration/sweep_kinds.h"
#include "tests/support/require.h"
#include "tests/support/sample.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;
namespace fs = std::filesystem;

enum class Host { caller, victim, donor, all };

/// Packets that are lost at a host: those that come from another, and those that go there.
struct Wire {
  const char* name;
  Host at, other;
  bool in, out;
  /// Whom the caller does not see.
  std::array<Host, 2> unseen;
};

constexpr Wire kWires[] = {
    {"caller and victim", Host::victim, Host::caller, true, true, {Host::victim}},
    {"caller and donor", Host::donor, Host::caller, true, true, {Host::donor}},
    {"victim and donor", Host::victim, Host::donor, true, true, {}},
    {"victim and all", Host::victim, Host::all, true, true, {Host::victim}},
    {"donor and all", Host::donor, Host::all, true, true, {Host::donor}},
    {"caller to victim", Host::victim, Host::caller, true, false, {Host::victim}},
    {"victim to caller", Host::victim, Host::caller, false, true, {Host::victim}},
    {"donor to caller", Host::donor, Host::caller, false, true, {Host::donor}},
    {"donor to victim", Host::victim, Host::donor, true, false, {}},
    {"victim to donor", Host::victim, Host::donor, false, true, {}},
};

struct Point {
  Cut cut;
  std::string kind;
  const Wire* wire = nullptr;
  /// Healed while the operation may still wait; else when it has ended, and its end was tried once more in vain.
  bool brief = true;

  std::string text() const {
    return fmt::format("{} {} {}, {} {}", cut.type, cut.step, cut.when, wire->name, brief ? "for a while" : "for long");
  }
};

/// Each step's moments, each with another of the wires.
std::vector<Point> points_of(const std::string& what, const std::vector<std::string>& steps) {
  std::vector<Point> points;
  const auto add = [&](const std::string& type, const std::string& step, const char* when, const char* kind) {
    Point point{{type, step, when, "stop"}, kind};
    const uint64_t hash = sample_hash(what, type + step + when);
    point.wire = &kWires[hash % std::size(kWires)];
    point.brief = hash / std::size(kWires) % 4 != 0;
    points.push_back(point);
  };
  const char* moments[] = {"30", "150", "400"};
  for (const auto& step : steps) {
    add("step_started", step, "after", "begun");
    add("step_started", step, moments[sample_hash(what, "moment" + step) % 3], "acting");
    add("step_done", step, "before", "not written down");
  }
  return points;
}

std::vector<Point> chosen(const std::string& what, const std::vector<Point>& points) {
  std::vector<std::string> kinds;
  for (const auto& point : points) kinds.push_back(point.kind);
  std::vector<Point> list;
  for (const size_t i : sample(what, kinds, 1.0 / 20)) list.push_back(points[i]);
  return list;
}

class Partition {
 public:
  Partition(KillWorld& world, const Sweep& what, Ending ending) : world_(world), what_(what), ending_(ending) {
    while (fs::exists(world.dir(members_))) ++members_;
  }

  void sweep();

 private:
  int member(Host host) const { return host == Host::victim ? what_.victim : what_.victim == 0 ? 1 : 0; }
  void cut(const Wire& wire);
  void end_at(const Point& point, std::string& how);
  void let_go_on(sys::Process& running, const Point& point);
  void try_in_vain(const Point& point);
  void expect_no_false_verdict(const Wire& wire);
  std::map<std::string, std::set<std::string>> writers();
  void expect_one_writer();
  std::vector<std::string> states();

  KillWorld& world_;
  const Sweep what_;
  const Ending ending_;
  int members_ = 0;
  LostPackets lost_;
  size_t operations_before_ = 0;
};

void Partition::cut(const Wire& wire) {
  const auto at = world_.config(member(wire.at));
  const std::string other = wire.other == Host::all      ? ""
                            : wire.other == Host::caller ? callers_address(at)
                                                         : world_.config(member(wire.other)).host;
  lost_.lose(at, other, wire.in, wire.out);
}

/// Members that take writes, each with those it knows to be its own cluster (Galera: its component; else itself).
std::map<std::string, std::set<std::string>> Partition::writers() {
  std::map<std::string, std::set<std::string>> found;
  for (int i = 0; i < members_; ++i) {
    const std::string name = world_.name(i);
    if (world_.engine() == Engine::galera) {
      const auto said = [&](const std::string& variable) {
        return world_.ask(
            i, "SELECT variable_value FROM information_schema.global_status WHERE variable_name='" + variable + "'");
      };
      if (said("wsrep_cluster_status") != "Primary") continue;
      std::istringstream list(said("wsrep_incoming_addresses"));
      for (std::string address; std::getline(list, address, ',');) found[name].insert(address);
    } else {
      const bool postgres = world_.engine() == Engine::postgres;
      if (world_.ask(i, postgres ? "SELECT pg_is_in_recovery()" : "SELECT @@read_only") == (postgres ? "f" : "0"))
        found[name].insert(name);
    }
  }
  return found;
}

/// Asked by their sockets, whatever is cut. No two that know nothing of each other.
void Partition::expect_one_writer() {
  const auto parted = [&]() -> std::string {
    const auto all = writers();
    for (const auto& [name, view] : all)
      for (const auto& [other, other_view] : all)
        if (std::ranges::none_of(view, [&](const auto& one) { return other_view.contains(one); }))
          return name + " and " + other;
    return "";
  };
  if (parted().empty()) return;
  const std::string both = parted();  // they are asked one after another: what changed meanwhile is asked again
  EXPECT_EQ(both, "") << "both take writes";
}

void Partition::expect_no_false_verdict(const Wire& wire) {
  const auto ran = world_.run("triage", {"--member-timeout", "2"});
  const Value seen = KillWorld::data(ran);
  EXPECT_FALSE(seen["healthy"].boolean() && wire.unseen[0] != Host::caller) << ran.out;
  const bool galera = world_.engine() == Engine::galera;
  if (!galera && seen["authority"].text() == "provable")
    EXPECT_EQ(seen["authorityMember"].text(), world_.name(0)) << ran.out;
  for (const Host host : wire.unseen) {
    if (host == Host::caller) continue;
    const int i = member(host);
    EXPECT_EQ(world_.report_of(i, seen)["verdict"].text(), "unknown") << world_.name(i) << ": " << ran.out;
    for (const char* false_word :
         {"server-stopped", "server-crashed", "server-isolated", "data-missing", "data-damaged", "data-vanished"})
      EXPECT_FALSE(world_.says(seen, false_word, i)) << false_word << " " << world_.name(i) << ": " << ran.out;
    for (const auto& d : seen["diagnoses"].items()) {
      if (d["id"].text() == "agent-gone") {
        EXPECT_EQ(d["summary"].text().find("no agent running"), std::string::npos) << d["summary"].text();
      }
      // The one that takes writes cannot be seen from here: that is no word on whether it does.
      if (d["id"].text() == "no-writer") {
        EXPECT_NE(d["summary"].text().find("is seen to"), std::string::npos) << d["summary"].text();
      }
    }
  }
}

/// States of the operations that were begun since.
std::vector<std::string> Partition::states() {
  const Value list = KillWorld::data(world_.lab.holdfast({"operations", "list", "-o", "json"}))["operations"];
  std::vector<std::string> states;
  for (size_t i = operations_before_; i < list.items().size(); ++i) states.push_back(list.items()[i]["state"].text());
  return states;
}

/// Until it has ended. The network is healed after a while, or when it has ended.
void Partition::let_go_on(sys::Process& running, const Point& point) {
  cut(*point.wire);
  EXPECT_TRUE(running.signal(SIGCONT));
  const auto begun = std::chrono::steady_clock::now();
  expect_no_false_verdict(*point.wire);
  const auto ended = sys::wait_until(
      [&] {
        expect_one_writer();
        if (point.brief && std::chrono::steady_clock::now() - begun > seconds(12)) lost_.heal();
        return running.poll().has_value();
      },
      Deadline::in(seconds(400)));
  EXPECT_TRUE(ended && *ended) << "it does not end";
  if (!running.poll()) (void)running.kill();
}

/// While its network is cut: whatever comes of it, nothing but an end is to be harmed by it.
void Partition::try_in_vain(const Point& point) {
  const auto open = world_.unfinished();
  if (point.brief || open.size() != 1) return;
  const auto tried = ending_ == Ending::resume ? world_.resume(open[0]) : world_.undo(open[0]);
  EXPECT_NE(tried.exit_code, 1) << tried.out << tried.err;
  EXPECT_LT(tried.exit_code, 128) << "it does not end";
  expect_one_writer();
}

void Partition::end_at(const Point& point, std::string& how) {
  what_.break_it();
  if (world_.engine() != Engine::galera)
    EXPECT_EQ(world_.ask(0, world_.engine() == Engine::postgres ? "INSERT INTO of_this_test DEFAULT VALUES"
                                                                : "INSERT INTO shop.of_this_test VALUES ()"),
              "");
  std::vector<std::string> args = {what_.verb, "-c", world_.cluster()}, accept;
  args.insert(args.end(), what_.args.begin(), what_.args.end());
  world_.plan_steps(what_.verb, what_.args, &accept);
  args.insert(args.end(), accept.begin(), accept.end());
  operations_before_ =
      KillWorld::data(world_.lab.holdfast({"operations", "list", "-o", "json"}))["operations"].items().size();
  const std::string log = world_.lab.state_dir() + "/cut.log";
  auto running = world_.start_cut(args, point.cut, log);
  const auto is_stopped = [&] {
    std::ifstream stat(fmt::format("/proc/{}/stat", running.pid()));
    std::string text;
    std::getline(stat, text);
    const auto end = text.rfind(") ");
    return end != std::string::npos && text.compare(end + 2, 1, "T") == 0;
  };
  const auto there = sys::wait_until([&] { return is_stopped() || running.poll(); }, Deadline::in(seconds(150)));
  ASSERT_TRUE(there && *there) << "it neither reaches the point nor ends";
  if (running.poll()) {
    how = "ended before";
    what_.mended("");
    return;
  }
  let_go_on(running, point);
  const auto ended = running.poll();
  const int code = ended ? ended->code : -1;
  const std::string said = [&] {
    auto text = sys::read_file(log);
    return text ? std::string(as_text(text->span())) : "";
  }();
  try_in_vain(point);
  lost_.heal();
  how = fmt::format("exit {}", code);
  const auto open = world_.unfinished();
  if (!open.empty()) {
    ASSERT_EQ(open.size(), 1u);
    const auto refused = world_.run(what_.verb, what_.args);
    EXPECT_EQ(KillWorld::error_id(refused), "operation.unfinished") << refused.out;
    std::string ended_by;
    const auto result = end_operation(world_, open[0], ending_, ended_by);
    how += ", " + ended_by;
    EXPECT_TRUE(world_.unfinished().empty()) << result.out << result.err << world_.where_it_stands(open[0]);
  }
  const auto came_to = states();
  for (const auto& state : came_to) how += ", " + state;
  const bool done = !came_to.empty() && std::ranges::all_of(came_to, [](const auto& s) { return s == "done"; });
  const bool undone = std::ranges::all_of(came_to, [](const auto& s) { return s == "undone" || s == "failed"; });
  EXPECT_TRUE(done || undone) << fmt::format("{}\n{}", how, said);
  EXPECT_TRUE(code == 0 || code == 3 || code == 5 || code == 6 || code == 8 || code == 9) << how << "\n" << said;
  if (done)
    what_.mended("");
  else
    what_.as_before("");
  for (int i = 1; i < members_; ++i)
    if (done || (i != what_.victim && world_.engine() != Engine::galera)) world_.expect_equal(i);
  world_.expect_nothing_left(done ? "-" : "donor-undo.");
  expect_one_writer();
  if (testing::Test::HasFailure()) fmt::print("{}\n", said);
}

void Partition::sweep() {
  const auto since = [begun = std::chrono::steady_clock::now()] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  };
  if (world_.engine() == Engine::postgres)
    EXPECT_EQ(world_.ask(0, "CREATE TABLE of_this_test (i serial primary key)"), "");
  else if (world_.engine() != Engine::galera)
    EXPECT_EQ(world_.ask(0, "CREATE TABLE shop.of_this_test (i int auto_increment primary key)"), "");
  what_.break_it();
  const auto steps = world_.plan_steps(what_.verb, what_.args);
  const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
  const auto points = points_of(name, steps);
  ASSERT_GE(points.size(), 6u);
  const char* wanted = std::getenv("HOLDFAST_POINT");
  ASSERT_FALSE(wanted && is_required("sweep")) << "HOLDFAST_REQUIRE asks for all points, HOLDFAST_POINT for some";
  int ended = 0;
  for (const Point& point : chosen(name, points)) {
    if (testing::Test::HasFailure()) break;
    if (wanted && !point.text().contains(wanted)) continue;
    SCOPED_TRACE("cut at " + point.text());
    const double started = since();
    std::string how;
    end_at(point, how);
    lost_.heal();
    ++ended;
    fmt::print("  {:4} {:64} {:40} {:5.1f} s\n", testing::Test::HasFailure() ? "FAIL" : "ok", point.text(), how,
               since() - started);
    std::fflush(stdout);
  }
  fmt::print("{} of {}: {} points, {:.0f} s\n", what_.verb, world_.cluster(), ended, since());
  EXPECT_GE(ended, 1);
}

#define NEED_HOSTS_AND(kind)                                                                                          \
  HOLDFAST_NEED("root", lab::can_have_hosts(), "network namespaces need root, and a container that allows them");     \
  HOLDFAST_NEED(std::string(cluster::engine_name((kind).engine)), engine::find_program((kind).engine, (kind).server), \
                std::string("no ") + (kind).server)

class HostsKinds : public testing::TestWithParam<SweepKind> {};

/// Each kind of operation, from the caller's host, with nothing in its way.
TEST_P(HostsKinds, AreMended) {
  NEED_HOSTS_AND(GetParam());
  KillWorld world(GetParam().engine, GetParam().cluster);
  ASSERT_NO_FATAL_FAILURE(world.up({"--hosts", "3"}));
  const Sweep what = GetParam().make(world);
  what.break_it();
  std::vector<std::string> args = what.args, accept;
  world.plan_steps(what.verb, what.args, &accept);
  args.insert(args.end(), accept.begin(), accept.end());
  const auto done = world.run(what.verb, args);
  EXPECT_EQ(done.exit_code, 0) << codec::to_json(KillWorld::envelope(done)["errors"]) << done.err;
  what.mended(KillWorld::data(done)["operation"].text());
  for (int i = 1; fs::exists(world.dir(i)); ++i) world.expect_equal(i);
  world.expect_nothing_left();
}

class HostsPartition : public testing::TestWithParam<std::tuple<SweepKind, Ending>> {};

TEST_P(HostsPartition, EndsInAnAllowedState) {
  const auto& [kind, ending] = GetParam();
  NEED_HOSTS_AND(kind);
  KillWorld world(kind.engine, kind.cluster);
  ASSERT_NO_FATAL_FAILURE(world.up({"--hosts", "3"}));
  Partition(world, kind.make(world), ending).sweep();
}

INSTANTIATE_TEST_SUITE_P(All, HostsKinds, testing::ValuesIn(sweep_kinds()),
                         [](const auto& info) { return std::string(info.param.name); });
INSTANTIATE_TEST_SUITE_P(Then, HostsPartition,
                         testing::Combine(testing::ValuesIn(sweep_kinds()),
                                          testing::Values(Ending::resume, Ending::undo)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) +
                                  (std::get<1>(info.param) == Ending::resume ? "Resume" : "Undo");
                         });

}  // namespace
}  // namespace holdfast::test
