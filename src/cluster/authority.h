// Who holds everything: from what each member's data tells, the member that is ahead of or equal to all others, or why
// there is none. Pure. The rules and what they cannot see: docs/decisions/0006-authority.md.
//
// The caller gives one History for each declared member, also for those it could not read. Positions are read one after
// the other while the cluster works, so the LEADER MUST BE READ LAST: a replica read after it may show transactions the
// leader committed in between, and seems to be ahead. A verdict other than provable on a running cluster is therefore
// judged on a second look, never acted on after one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/strong_id.h"
#include "cluster/types.h"
#include "position/galera.h"
#include "position/gtid_set.h"
#include "position/gtid_vector.h"
#include "position/order.h"
#include "position/wal.h"

namespace holdfast::cluster {

/// By engine: mysql GtidSet, mariadb GtidState, postgres WalPosition, galera GaleraPosition; monostate = not read.
using AnyPosition = std::variant<std::monostate, position::GtidSet, position::GtidState, position::WalPosition,
                                 position::GaleraPosition>;

/// compare() of the two positions; incomparable when they are of different kinds or not there.
position::Order compare(const AnyPosition& a, const AnyPosition& b);
/// What `a` holds and `b` lacks, for people; "" when that is nothing or cannot be told.
std::string difference(const AnyPosition& a, const AnyPosition& b);

/// One member, as far as its data tells.
struct History {
  enum class Read {
    read,
    empty,  ///< positively proven to hold no data
    unknown,
  };
  MemberName member;
  Read read = Read::unknown;
  std::string why;  ///< unknown: why
  AnyPosition position;
  /// System identifier or Galera UUID, when it comes from elsewhere than the position; a contradiction makes the member
  /// unknown. Nothing for MySQL and MariaDB, whose GTIDs carry it.
  std::string lineage;
  bool leader = false;  ///< takes writes now, or is the declared primary when nobody does
  /// MySQL, MariaDB: it accepts writes. What another member has beside it then is not ahead of it for long.
  bool writes = false;
  /// MySQL server UUID, MariaDB server_id: under which it writes; "" = not known.
  std::string own;

  /// MySQL, MariaDB: there is no transaction in its logs and no table of a user in it, so an empty position is the
  /// truth and not the trace of a reset.
  bool pristine = false;
  /// MySQL, MariaDB: it answers, follows no other and is all there is: nothing else has what it lacks, whether its
  /// transactions have names or not.
  bool only_one = false;

  // Galera
  bool in_primary_component = false;
  /// The members its view lists, itself among them (wsrep_incoming_addresses, mysql.wsrep_cluster_members); needed
  /// where more than one member says it is in a Primary component.
  std::optional<std::vector<MemberName>> view;
  bool provable_position = true;  ///< false: joining, or an aborted state transfer; what it holds is not what it says
};

enum class AuthorityKind {
  provable,            ///< `member` holds everything any member holds
  leader_not_primary,  ///< `member` does, and it is not the one that leads
  diverged,            ///< no member holds everything
  undeterminable,      ///< it cannot be told; nothing may be destroyed on this ground
};
std::string_view authority_kind_name(AuthorityKind kind);

struct MemberRelation {
  MemberName member;
  position::Order to_authority = position::Order::incomparable;  ///< "the member is ... the reference"
  std::string missing;                                           ///< what the member holds and the reference lacks
  bool foreign = false;                                          ///< of another lineage than the recorded one
};

struct Authority {
  AuthorityKind kind = AuthorityKind::undeterminable;
  std::string rule;                  ///< id of the rule that decided: "authority.unknown_member"
  std::optional<MemberName> member;  ///< provable and leader_not_primary: ahead of or equal to all that are not foreign
  std::optional<MemberName> reference;    ///< what `relations` compare with: `member`, else the leader, else somebody
  std::vector<MemberRelation> relations;  ///< every member, in the order given
  std::vector<MemberName> blockers;       ///< those that keep it from being told
  std::vector<std::string> reasons;       ///< sentences
};

/// `known_lineage`: the cluster's recorded system identifier or Galera UUID; "" when none was recorded. MySQL and
/// MariaDB ignore it.
Authority find_authority(Engine engine, const std::vector<History>& members, const std::string& known_lineage);

}  // namespace holdfast::cluster
