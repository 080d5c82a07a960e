// A named fault, and what triage must say of it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/integration/patient.h"

namespace holdfast::test {

struct Fault {
  std::string name;
  std::function<void(Patient&)> inject;
  /// "replica-thread-stopped 1": these diagnoses are there, and together name exactly these ordinals; "no-writer": it
  /// is about the cluster.
  std::vector<std::string> diagnoses;
  /// "1 stopped resume"; "1 broken *" where several actions are right, "1 * *" where anything is. A member that is not
  /// named is healthy.
  std::vector<std::string> members;
  /// "provable 0", "provable *" (whoever it is), "diverged", "undeterminable", "leader_not_primary 1"
  std::string authority;
  /// Other diagnoses of severity error or critical that are true as well, and may be seen or not yet.
  std::vector<std::string> also = {};
  /// Undoes it; nothing = every member is put back to its kept copy. Not called once a repair has healed it.
  std::function<void(Patient&)> undo = {};
  int exit_code = 4;
  /// What `holdfast repair` does about it, one attempt after another, "ARGUMENTS: OUTCOME" or "OUTCOME" alone:
  ///   "healed"               the cluster is healthy, all members hold the same, no acknowledged row is lost
  ///   "healed by 2 plans"    the same; what needs the second shows only when the first is done or has failed
  ///   "partial"              some of it is mended; the next attempt goes on
  ///   "failed"               a step failed; what was proven before it stays, the rest is as it was
  ///   "nothing"              there is nothing to repair
  ///   "operation.failed_undone"  it was begun, and all of it was undone: triage says the same as before
  ///   "repair.split_brain"   refused with this id (or one of several, "a|b"), and triage says the same as before
  /// A repository is always named; the word ACCEPT in ARGUMENTS stands for what the plan asks to be accepted;
  /// "bootstrap" as the first word runs that instead: {"repair.no_donor", "bootstrap: healed"}.
  std::vector<std::string> repair = {};
  /// After a repair that healed: takes back what the injection changed beside the fault.
  std::function<void(Patient&)> tidy = {};
  /// What else the report must say: "" when it does, else what is missing.
  std::function<std::string(Patient&, const Patient::Look&)> check = {};
  /// Not on hosts: it is about what members on one machine share, or what its caller sees of their files.
  bool one_machine = false;
};

/// Of one diagnosis in the report: its summary, evidence and remedy as one text; "" when it is not there.
std::string words_of(const Patient::Look& look, const std::string& diagnosis);
/// For Fault::check: "" when `text` has all these parts, else which it lacks.
std::string lacks(const std::string& text, const std::vector<std::string>& parts);

/// For Fault::inject: stops member `i`'s server by a signal; and for Fault::tidy: the same process serves again.
std::function<void(Patient&)> freeze(int i);
std::function<void(Patient&)> is_same_process(int i);

/// Member `i`'s server is started by hand, as an administrator does: its agent refuses whatever touches the directory
/// and names the process, and so does repair.
Fault started_by_hand(int i, const std::string& authority);

/// An injection (or what undoes it) that is nothing but these statements, in one session of member `i`.
std::function<void(Patient&)> sql_on(int i, std::vector<std::string> statements);

/// Brings the lab's cluster up and does each fault to it: waits until triage says all that is expected in one look (and
/// never, meanwhile, that another member holds everything, nor that all is healthy once it has been seen), repairs it
/// as the fault says, undoes what was not healed, and waits until triage finds all healthy again. Prints a table. A run
/// tries a third of the faults, chosen by HOLDFAST_SEED; HOLDFAST_ALL_OPERATIONS=1 all of them; HOLDFAST_FAULT=part of
/// a name only those, and where it names none of these the test is skipped. HOLDFAST_HOSTS=3: the members are on so
/// many hosts, and all is done from another one.
void run_faults_on(const std::string& cluster, std::vector<Fault> faults);

}  // namespace holdfast::test
