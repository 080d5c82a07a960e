// A plan: everything an operation is going to do, before it does any of it. Pure: no I/O, no clock.
//
// The plan is shown (--dry-run), hashed, stored beside its journal, and executed step by step in exactly this form.
// Rules a plan must keep, checked by check_plan():
// - Steps are undone in reverse order as long as the point of no return has not been reached. So each step before it
//   says what its undo is; only the step that is the point of no return, and those after it, may have none.
// - A step without anything to take back (a snapshot that is kept, a wait) says so in words, it does not leave `undo`
//   empty.
// - `world` holds the facts the plan was made from and that must still hold when it runs: roles, verdicts, positions of
//   members whose data is at stake. Nothing that moves by itself: no times, no ages, and no position of a member that
//   goes on taking writes. It is an object; parts of it are named by paths such as "members/shop-mysql-1/role".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "codec/value.h"
#include "operation/cluster_key.h"

namespace holdfast::operation {

struct Step {
  std::string id;      ///< unique in its plan: "stop-shop-mysql-1"
  std::string kind;    ///< which handler runs it: "stop_server"
  std::string member;  ///< empty = the cluster as a whole
  std::string title;   ///< a sentence for people: "Stop the server of shop-mysql-1"
  codec::Value arguments;
  std::vector<std::string> preconditions;  ///< sentences
  std::string undo;                        ///< a sentence; empty = cannot be undone
  bool point_of_no_return = false;         ///< from the moment this step begins, nothing is undone any more
  uint64_t expected_seconds = 0;
  std::string proof;  ///< a sentence: what shows that it worked
  /// Parts of the world this step may change, as paths. A resumed operation does not hold these against the world.
  std::vector<std::string> touches;
};

/// Something that will be gone, or written where it was not ("adopt:shop-mysql-1"), and the name under which it must be
/// accepted: "discard-diverged:shop-mysql-1".
struct Loss {
  std::string what;
  std::string acceptance;
  bool adds() const { return acceptance.starts_with("adopt:"); }  ///< nothing is gone
};

struct Plan {
  std::string verb;     ///< "repair"
  std::string cluster;  ///< full name, "shop/shop-mysql"
  std::string created;  ///< UTC, "2026-11-21T21:30:18Z"; the only part the hash leaves out
  std::vector<Step> steps;
  std::vector<Loss> losses;
  codec::Value world;
  std::string cluster_uid = {};  ///< empty = its cluster has none; then the plan's document does not speak of it

  ClusterKey key() const { return ClusterKey(cluster, cluster_uid); }
  const Step* find(std::string_view id) const;
};

/// "bug"-class error "operation.bad_plan" that names the first rule broken.
Status check_plan(const Plan& plan);

/// SHA-256, 64 hexadecimal digits, over canonical JSON of everything but `created`.
std::string plan_hash(const Plan& plan);
/// The 12 digits shown to people and expected after the @ of an acceptance.
std::string short_hash(const Plan& plan);
/// One line, members of objects sorted by name: equal documents give equal bytes.
std::string canonical_json(const codec::Value& value);
/// Equal as documents. What came back from a journal may hold a number as another type, which == minds.
bool same_document(const codec::Value& a, const codec::Value& b);

/// {schema, verb, cluster, clusterUid if it has one, created, hash, steps, losses, world}
codec::Value plan_value(const Plan& plan);
/// Strict: unknown, missing or wrongly typed members, broken rules, and a hash that is not the plan's own are all
/// "operation.plan_damaged" (needs_operator).
Result<Plan> parse_plan(const codec::Value& document);

struct PlanTextOptions {
  bool details = false;  ///< preconditions and proofs too
};
/// For people: numbered steps, member, undo, point of no return, duration, losses and the flags that accept them, hash.
std::string plan_text(const Plan& plan, const PlanTextOptions& options = {});

}  // namespace holdfast::operation
