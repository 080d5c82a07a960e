// A cluster of three for tests of the steward: its members are as a test says and as the steps of plans make them.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "operation/file_store.h"
#include "steward/caller.h"
#include "steward/cluster_access.h"
#include "sys/file.h"
#include "tests/support/recording_observer.h"

namespace holdfast::test {

/// What is wrong with a member.
struct Ailment {
  std::string id = "server-crashed";
  cluster::Verdict verdict = cluster::Verdict::stopped;
  cluster::Action action = cluster::Action::restart;
};
inline const Ailment kStopped;
inline const Ailment kThreadsStopped{"replica-thread-stopped", cluster::Verdict::stopped, cluster::Action::resume};
inline const Ailment kDetached{"replica-detached", cluster::Verdict::broken, cluster::Action::resume};
inline const Ailment kDamaged{"page-checksum-failures", cluster::Verdict::broken, cluster::Action::rebuild};

/// shop/orders: m0 is the primary of m1 and m2.
class FakeCluster : public steward::ClusterAccess {
 public:
  FakeCluster() {
    description.name = ClusterName("orders");
    description.ns = "shop";
    description.engine = cluster::Engine::mysql;
    for (int i = 0; i < 3; ++i) {
      cluster::Member described;
      described.name = MemberName("m" + std::to_string(i));
      described.ordinal = i;
      description.members.push_back(described);
    }
  }

  cluster::DatabaseCluster description;
  std::map<int, Ailment> ailing;
  /// Before an observation, with how many there were; it may change `ailing`.
  std::function<void(int count)> on_observe;
  /// Does a step. Without it, or where it says nothing else, the proof of a member heals it.
  std::function<Status(const operation::Step&)> on_step;
  std::function<Status(const operation::Step&)> on_undo;
  /// What a step makes, instead of nothing.
  std::function<codec::Value(const operation::Step&)> on_result;
  /// What is observed, instead of what `ailing` makes of a MySQL cluster.
  std::function<cluster::TriageReport()> on_report;
  std::string data_folder;  ///< of every member, for copies
  int observations = 0, fences = 0;
  std::vector<std::string> done, undone;  ///< steps, in order

  const cluster::DatabaseCluster& cluster() const override { return description; }
  cluster::TriageReport observe(std::stop_token, const cluster::Surroundings& around) override {
    if (on_observe) on_observe(observations);
    ++observations;
    around_ = around;
    return on_report ? on_report() : report();
  }
  void look_up_errant(cluster::TriageReport&, std::stop_token) override {}
  repair::AccountChecks check_accounts(const operation::Plan&, std::stop_token) override { return accounts; }
  uint64_t highest_epoch() override { return 0; }
  Status fence(uint64_t) override {
    ++fences;
    return {};
  }
  Result<operation::HandlerMap> handlers(repair::HandlerServices services, std::stop_token) override {
    services_ = std::move(services);
    const auto toy = std::make_shared<Toy>(*this);
    operation::HandlerMap all;
    for (const char* kind :
         {"start_server", "stop_server", "resume_replication", "follow_source", "set_read_only", "configure_replica",
          "make_side_copy", "prove_side", "swap_side", "drop_aside", "discard_side", "prove_member", "take_escrow",
          "dump_member", "recover_positions", "mark_bootstrap", "bootstrap_server", "join_component"})
      all[kind] = toy;
    return all;
  }

  /// As it is now; no observation.
  cluster::TriageReport report() const {
    cluster::TriageReport report;
    report.cluster = description;
    report.leader = "m0";
    report.authority.kind = cluster::AuthorityKind::provable;
    report.authority.member = MemberName("m0");
    report.healthy = ailing.empty();
    report.sentence = ailing.empty() ? "healthy" : "not healthy:";
    for (int i = 0; i < 3; ++i) {
      cluster::MemberReport m;
      m.facts.member = description.members[i].name;
      m.facts.reach = cluster::Reach::reachable;
      m.facts.role = m.facts.runtime.role_wanted = i == 0 ? cluster::MemberRole::primary : cluster::MemberRole::replica;
      if (const auto found = ailing.find(i); found != ailing.end()) {
        m.verdict = found->second.verdict;
        m.action = found->second.action;
        m.sentence = found->second.id;
        m.reasons = {found->second.id + ": on purpose"};
        if (m.action == cluster::Action::restart) m.facts.reach = cluster::Reach::unreachable;
        cluster::Diagnosis d;
        d.id = found->second.id;
        d.members = {m.facts.member};
        report.diagnoses.push_back(d);
        report.sentence += " " + m.facts.member.str() + " " + found->second.id;
      }
      report.members.push_back(m);
    }
    return report;
  }
  const cluster::Surroundings& around() const { return around_; }

  repair::AccountChecks accounts;

 private:
  class Toy : public operation::StepHandler {
   public:
    explicit Toy(FakeCluster& cluster) : cluster_(cluster) {}
    Result<codec::Value> look_before(operation::StepScope&) override { return codec::Value::object(); }
    Result<codec::Value> run(operation::StepScope& scope, const codec::Value&) override {
      const auto& step = scope.step();
      if (cluster_.on_step) TRY_VOID(cluster_.on_step(step));
      cluster_.done.push_back(step.id);
      if (step.kind == "take_escrow")
        return cluster_.services_.escrow(step.member, cluster_.data_folder, scope.operation(), scope.stop());
      if (cluster_.on_result) return cluster_.on_result(step);
      if (step.kind != "prove_member") return codec::Value::object();
      cluster_.ailing.erase(step.member.back() - '0');
      return codec::Value::object({{"healthy", true}});
    }
    Status prove(operation::StepScope&, const codec::Value&, const codec::Value&) override { return {}; }
    Status undo(operation::StepScope& scope, const codec::Value&, const codec::Value*) override {
      if (cluster_.on_undo) TRY_VOID(cluster_.on_undo(scope.step()));
      cluster_.undone.push_back(scope.step().id);
      return {};
    }
    Result<operation::HowFar> how_far(operation::StepScope& scope, const codec::Value&) override {
      using enum operation::Reached;
      return operation::HowFar{scope.step().point_of_no_return ? part : nothing, {}};
    }

   private:
    FakeCluster& cluster_;
  };

  cluster::Surroundings around_;
  repair::HandlerServices services_;
};

/// A caller with a state directory of its own, that waits for nothing.
class FakeCaller {
 public:
  FakeCaller() {
    auto dir = sys::TempDir::create("steward");
    if (!dir) throw std::runtime_error(dir.error().to_string());
    dir_.emplace(std::move(*dir));
    copies.open = [] {
      return Result<std::unique_ptr<steward::CopyRepository>>(
          fail(ErrorClass::unavailable, "test.no_repository", "there is no repository", "make one"));
    };
  }

  RecordingObserver observer;
  std::stop_source stop;
  steward::CopySettings copies;

  steward::Caller caller() {
    return {.observer = observer,
            .operations = steward::Operations(store()),
            .copies = copies,
            .stop = stop.get_token(),
            .pace = {.between_observations = std::chrono::milliseconds(1), .settle = std::chrono::milliseconds(1)}};
  }
  const std::string& state_dir() const { return dir_->path(); }
  std::shared_ptr<operation::OperationStore> store() const {
    return std::make_shared<operation::FileOperationStore>(state_dir());
  }
  /// "repair done", "repair unfinished", ... oldest first.
  std::vector<std::string> operations() const {
    std::vector<std::string> states;
    const auto all = store()->list();
    if (!all) return {all.error().to_string()};
    for (const auto& one : *all) states.push_back(one.verb + " " + one.state);
    return states;
  }

 private:
  std::optional<sys::TempDir> dir_;
};

}  // namespace holdfast::test
