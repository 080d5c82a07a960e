// What differs between engines when a repair is planned: one object for each, without state. Pure.
#pragma once

#include <optional>
#include <string>

#include "repair/plan.h"
#include "repair/report_view.h"
#include "repair/steps.h"

namespace holdfast::repair {

/// What a plan is made from, and where its steps go.
struct Planning {
  const cluster::TriageReport& report;
  const Request& request;
  Proposal& proposal;

  operation::Plan& plan() const { return proposal.plan; }
  void add(operation::Step step) const { proposal.plan.steps.push_back(std::move(step)); }
  void add_proof(const cluster::MemberReport& member) const { add(proof_of(member)); }
  bool says(const cluster::MemberReport& member, std::string_view id) const { return repair::says(report, member, id); }
  bool is_leader(const cluster::MemberReport& member) const { return report.leader == name(member); }
  std::string target_command(const cluster::MemberReport& member) const {
    return command(report, "repair", name(member));
  }
  /// Tells that it gets another source than the one it is configured with.
  void remark_other_source(const cluster::MemberReport& member, const std::string& source) const;
};

enum class Rung {
  common,  ///< what every engine's members need is enough
  done,    ///< the steps are in the plan
  refill,  ///< it has to be made anew
};

class Rungs {
 public:
  virtual ~Rungs() = default;

  /// The report of two that take writes, the target of the request being one of them, as it is once the other one is
  /// the only one to stay, with the target's rung beside it. Members that hold what the one that stays lacks are no
  /// donors in it. nullopt when that is not so, and everything is as it was.
  ///   repair.target_is_primary  (refused) the target holds everything, the other one is to be repaired
  virtual Result<std::optional<cluster::TriageReport>> after_choice(const cluster::TriageReport&,
                                                                    const Request&) const {
    return std::nullopt;
  }
  /// The plan made from the report after the choice, for the cluster as it is.
  virtual void settle_choice(const cluster::TriageReport& /*now*/, const cluster::TriageReport& /*chosen*/,
                             const Request&, operation::Plan&) const {}

  /// Whether one primary takes writes and replicas write only by mistake: then what they wrote is no split.
  virtual bool has_one_primary() const { return false; }
  /// Whether a member that is made anew follows one that takes writes.
  virtual bool follows_a_primary() const { return true; }
  /// Whether the only member that keeps it from being known who has all data is made anew also where nobody named it.
  virtual bool refills_unknown_unasked() const { return false; }

  /// The engine's own rung. Refusals as plan_repair().
  virtual Result<Rung> add(const Planning&, const cluster::MemberReport&) const { return Rung::common; }
  /// Its replication goes on, or begins anew, without a copy. The steps of it; `refill` where that is not enough.
  virtual Result<Rung> resume(const Planning&, const cluster::MemberReport&) const { return Rung::common; }
  /// Before a start that would destroy something: keeps it.
  virtual Status before_start(const Planning&, const cluster::MemberReport&, bool /*will_write*/) const { return {}; }

  /// Whom to copy it from; nullptr when there is nobody.
  virtual const cluster::MemberReport* donor(const cluster::TriageReport& report,
                                             const cluster::MemberReport& victim) const;
  /// Nobody but this member keeps it from being known who has all data, so that it may be made anew all the same, with
  /// a copy of it that is read back.
  virtual bool only_it_is_unknown(const cluster::TriageReport&, const cluster::MemberReport&) const { return false; }
  /// Of a member that is made anew: what it loses, where its verdict does not say all of it.
  virtual std::optional<operation::Loss> loss(const cluster::TriageReport&, const cluster::MemberReport& /*victim*/,
                                              const cluster::MemberReport& /*donor*/) const {
    return std::nullopt;
  }
  /// The agent of one that is made anew would start it as something else than a replica of `source`.
  virtual bool needs_telling(const cluster::TriageReport&, const cluster::MemberReport&,
                             const std::string& /*source*/) const {
    return false;
  }
  /// Of one that is made anew, once a copy of it is kept: what may spare it the copying. It leaves the steps that
  /// follow with nothing to do where it is enough.
  virtual std::optional<operation::Step> tail_step(const cluster::TriageReport&, const cluster::MemberReport&) const {
    return std::nullopt;
  }
  /// Whether its own directory can be brought back onto the history of the one that takes writes.
  virtual bool can_rewind(const cluster::TriageReport&, const cluster::MemberReport&) const { return false; }
};

const Rungs& rungs_of(cluster::Engine engine);

/// It works again as soon as its replicas do: semi-sync, or commits that wait for them.
bool waits_for_replicas(const cluster::TriageReport& report, const cluster::MemberReport& member);
/// Whom it follows, when that one is not there and something can be done about it.
const cluster::MemberReport* dead_source(const cluster::TriageReport& report, const cluster::MemberReport& member);
/// It has nothing of its own to repair: its source does not serve, or gets nothing itself.
bool lacks_its_source(const cluster::TriageReport& report, const cluster::MemberReport& member);
/// When nobody takes writes: the command that tells how somebody comes to.
std::string who_is_to_lead(const cluster::TriageReport& report);

}  // namespace holdfast::repair
