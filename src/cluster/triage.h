// Triage: from what was seen of all members to what it means and what may be done. Pure: no I/O, no clock.
//
// The rules are tables (rules/*.cpp): each has a stable id, a severity, what it makes of a member (verdict) and what
// may be done to that member (action). docs/runbook/<id>.md is the page `holdfast explain <id>` prints.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/authority.h"
#include "cluster/errant.h"
#include "cluster/facts.h"
#include "cluster/topology.h"

namespace holdfast::cluster {

/// What a member is. From harmless to grave; the gravest that a rule found counts.
enum class Verdict {
  healthy,
  catching_up,  ///< follows and is getting there by itself
  stopped,      ///< its server does not run, or its replication was stopped; its data is fine as far as known
  broken,       ///< cannot do its work
  stale,        ///< has nothing of its own, and cannot catch up by itself any more
  diverged,     ///< has transactions the authority lacks
  foreign,      ///< belongs to another history
  empty,        ///< proven to hold no data
  unknown,      ///< could not be read: nothing destructive may happen to it
};
std::string_view verdict_name(Verdict verdict);

/// What may be done to a member, from cheap to dear.
enum class Action { nothing, restart, resume, rewind, reseed, rebuild };
std::string_view action_name(Action action);

enum class Severity {
  info,
  warning,   ///< works, but will not for ever
  error,     ///< something does not work: the cluster is unhealthy
  critical,  ///< nobody can write, or data is in danger
};
std::string_view severity_name(Severity severity);

struct Diagnosis {
  std::string id;
  Severity severity = Severity::error;
  std::vector<MemberName> members;    ///< empty = the cluster as a whole
  std::string summary;                ///< one sentence
  std::vector<std::string> evidence;  ///< what was read, with where from
  std::string remedy;                 ///< the next command, or what a person must do
  std::vector<std::string> blocks;    ///< what is refused while this holds: "repair", "bootstrap", "failover"
};

struct MemberReport {
  MemberFacts facts;
  Verdict verdict = Verdict::healthy;
  Action action = Action::nothing;
  std::vector<std::string> reasons;  ///< "<diagnosis id>: sentence", gravest first
  std::string sentence;              ///< one, for people
  Errant errant;                     ///< of a member that diverged; from the positions, until somebody looks them up
  bool healthy() const { return verdict == Verdict::healthy; }
};

struct TriageReport {
  DatabaseCluster cluster;
  Authority authority;
  std::string leader;  ///< name of the member that takes writes; "" = none or several
  std::vector<MemberReport> members;
  std::vector<Diagnosis> diagnoses;  ///< gravest first
  bool healthy = false;              ///< every member is, and no diagnosis is an error
  std::string sentence;

  /// Which member is which, as far as these facts show it; refers to this report, which must not move.
  Topology topology() const;
  const MemberReport* find(std::string_view member) const;
  bool has(std::string_view diagnosis) const;
};

/// What is known of a cluster beside its members.
struct Surroundings {
  struct Operation {
    std::string id, verb;
    std::string state;  ///< "running", "unfinished", "damaged"
    std::string started;
  };
  std::vector<Operation> operations;  ///< that are not over
};

/// Judges what was seen. A member of the cluster without facts counts as unknown.
TriageReport triage(const DatabaseCluster& cluster, const std::vector<MemberFacts>& facts,
                    const Surroundings& around = {});

/// What came to a replica over a connection from outside the cluster: no part of what its members must agree on.
enum class Fed { left_out, counted };

/// What the members' data tells of their histories, for find_authority(): live positions where SQL answered, the data
/// directory's otherwise.
std::vector<History> histories(const DatabaseCluster& cluster, const std::vector<MemberFacts>& facts,
                               Fed fed = Fed::left_out);

/// PostgreSQL, a standby that is stopped: settings that keep it from starting, and the values they must have at least.
std::map<std::string, int64_t> settings_wanted(const MemberFacts& facts);

/// PostgreSQL: what a standby that receives nothing has in its pg_wal, as far as that is more than it tells by SQL.
void take_wal_end(MemberFacts& facts, const std::string& end, uint32_t timeline, const std::string& history);

/// Galera: it says it is in a Primary component, and replicates.
bool in_primary_component(const MemberFacts& facts);
/// The nodes of a view as one text: of two nodes in one component they are the same.
std::string view_key(const GaleraFacts& galera);

/// Every rule there is, for docs and `explain`.
struct RuleInfo {
  std::string_view id;
  Severity severity;
  Verdict verdict;
  Action action;
  std::string_view title;
};
std::vector<RuleInfo> all_rules();

}  // namespace holdfast::cluster
