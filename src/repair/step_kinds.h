// The kinds of steps of repair and bootstrap: the name of each in plans and journals, and what it takes. Who plans a
// step and who carries it out know it by its type alone (step_of(), takes()).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/value.h"
#include "operation/plan.h"

namespace holdfast::repair::kind {

using codec::Value;

// What a plan's arguments are called is part of its format. A field that says `unless_default` is left out of them
// while it has its default.

struct StartServer {
  static constexpr std::string_view kName = "start_server";
  bool restart = false;
  Value settings = {};  ///< PostgreSQL: for this start alone, name: number
  void fields(auto& f) { f("restart", restart), f.unless_default("settings", settings); }
};
struct StopServer {
  static constexpr std::string_view kName = "stop_server";
  bool keep = false;  ///< it stays stopped when the step is undone
  void fields(auto& f) { f.unless_default("keep", keep); }
};
struct ContinueServer {
  static constexpr std::string_view kName = "continue_server";
  void fields(auto&) {}
};
struct ProveMember {
  static constexpr std::string_view kName = "prove_member";
  bool tell = false;              ///< one that does not get healthy in time is told of, and is no failure
  bool serves_is_enough = false;  ///< one that serves and needs more has been brought further
  void fields(auto& f) { f.unless_default("tell", tell), f.unless_default("servesIsEnough", serves_is_enough); }
};
struct ConfigureReplica {
  static constexpr std::string_view kName = "configure_replica";
  std::string source;  ///< "" = it is the primary
  void fields(auto& f) { f("source", source); }
};

struct ResumeReplication {
  static constexpr std::string_view kName = "resume_replication";
  bool level = false;  ///< that its threads run is no proof before it has caught up
  void fields(auto& f) { f("level", level); }
};
struct ReconnectReceiver {
  static constexpr std::string_view kName = "reconnect_receiver";
  void fields(auto&) {}
};
struct FollowSource {
  static constexpr std::string_view kName = "follow_source";
  std::string source;
  bool renew = false;  ///< also where it follows it already
  void fields(auto& f) { f("source", source), f("renew", renew); }
};
struct FetchLogsAnew {
  static constexpr std::string_view kName = "fetch_logs_anew";
  std::string source;
  void fields(auto& f) { f("source", source); }
};
struct GoOnBehindLog {
  static constexpr std::string_view kName = "go_on_behind_log";
  std::string source;
  void fields(auto& f) { f("source", source); }
};
struct DropChannel {
  static constexpr std::string_view kName = "drop_channel";
  std::string channel;
  void fields(auto& f) { f("channel", channel); }
};
struct SetReadOnly {
  static constexpr std::string_view kName = "set_read_only";
  bool keep = false;  ///< it stays closed when the step is undone
  void fields(auto& f) { f.unless_default("keep", keep); }
};
struct SetSemiSync {
  static constexpr std::string_view kName = "set_semi_sync";
  bool source = false;  ///< as the source; else as a replica
  void fields(auto& f) { f("source", source); }
};
struct ApplyReceived {
  static constexpr std::string_view kName = "apply_received";
  std::string received;  ///< the position of all that it received
  void fields(auto& f) { f("received", received); }
};
struct CutTail {
  static constexpr std::string_view kName = "cut_tail";
  std::string source;
  void fields(auto& f) { f("source", source); }
};

struct CreateSlot {
  static constexpr std::string_view kName = "create_slot";
  std::string slot;
  void fields(auto& f) { f("slot", slot); }
};
struct FollowTold {
  static constexpr std::string_view kName = "follow_told";
  std::string upstream;  ///< as the agent names it
  void fields(auto& f) { f("upstream", upstream); }
};
struct MatchSettings {
  static constexpr std::string_view kName = "match_settings";
  Value settings = Value::object();  ///< name: number
  void fields(auto& f) { f("settings", settings); }
};
struct FreeWal {
  static constexpr std::string_view kName = "free_wal";
  std::string keep_from;  ///< LSN
  std::vector<std::string> slots;
  void fields(auto& f) { f("keepFrom", keep_from), f("slots", slots); }
};

struct TakeEscrow {
  static constexpr std::string_view kName = "take_escrow";
  void fields(auto&) {}
};
struct DumpMember {
  static constexpr std::string_view kName = "dump_member";
  bool needed = false;  ///< a dump that fails is a failure
  void fields(auto& f) { f("needed", needed); }
};
struct MakeSideCopy {
  static constexpr std::string_view kName = "make_side_copy";
  std::string donor;
  bool rewind = false;  ///< the member's own directory is rewound onto the donor where that is possible
  std::string unless;   ///< id of a step whose success leaves nothing to copy
  uint64_t rate = 0;    ///< bytes a second; 0 = as fast as it goes
  void fields(auto& f) {
    f("donor", donor), f.unless_default("rewind", rewind), f.unless_default("unless", unless);
    f.unless_default("rate", rate);
  }
};
struct ProveSide {
  static constexpr std::string_view kName = "prove_side";
  std::string source;
  std::string unless;  ///< as MakeSideCopy
  void fields(auto& f) { f("source", source), f.unless_default("unless", unless); }
};
struct SwapSide {
  static constexpr std::string_view kName = "swap_side";
  void fields(auto&) {}
};
struct DiscardSide {
  static constexpr std::string_view kName = "discard_side";
  void fields(auto&) {}
};
struct DropAside {
  static constexpr std::string_view kName = "drop_aside";
  std::string swap;  ///< id of the step that put it aside
  void fields(auto& f) { f("swap", swap); }
};

struct JoinComponent {
  static constexpr std::string_view kName = "join_component";
  bool restart = false;
  bool whole = false;  ///< also when its state must be transferred whole
  void fields(auto& f) { f("restart", restart), f("whole", whole); }
};
struct BootstrapServer {
  static constexpr std::string_view kName = "bootstrap_server";
  void fields(auto&) {}
};
struct BootstrapRunning {
  static constexpr std::string_view kName = "bootstrap_running";
  void fields(auto&) {}
};
struct MarkBootstrap {
  static constexpr std::string_view kName = "mark_bootstrap";
  std::vector<std::string> clear;  ///< members whose marks are taken away
  void fields(auto& f) { f("clear", clear); }
};
struct GaleraSetting {
  static constexpr std::string_view kName = "galera_setting";
  std::string variable, value;
  void fields(auto& f) { f("variable", variable), f("value", value); }
};
struct RecoverPositions {
  static constexpr std::string_view kName = "recover_positions";
  std::vector<std::string> members;
  uint64_t seconds = 300;
  void fields(auto& f) { f("members", members), f("seconds", seconds); }
};

/// What AdoptTransactions takes too.
struct RehearseAdoption {
  static constexpr std::string_view kName = "rehearse_adoption";
  std::string from, set, digest;
  bool in_place = false;
  Value transactions = {};
  void fields(auto& f) {
    f("from", from), f("set", set), f("digest", digest), f("inPlace", in_place), f("transactions", transactions);
  }
};
struct AdoptTransactions : RehearseAdoption {
  static constexpr std::string_view kName = "adopt_transactions";
};

/// How fields come into a plan's arguments, and out of them. What is missing there keeps its default.
class FieldWriter {
 public:
  void operator()(std::string_view name, const std::vector<std::string>& texts) {
    to_.set(name, Value::list_of(texts));
  }
  template <class T>
  void operator()(std::string_view name, const T& value) {
    to_.set(name, value);
  }
  template <class T>
  void unless_default(std::string_view name, const T& value) {
    if (value != T()) (*this)(name, value);
  }
  Value written() { return std::move(to_); }

 private:
  Value to_ = Value::object();
};

class FieldReader {
 public:
  explicit FieldReader(const Value& arguments) : from_(arguments) {}
  void operator()(std::string_view name, bool& value) { value = from_[name].boolean(); }
  void operator()(std::string_view name, std::string& value) { value = from_[name].text(); }
  void operator()(std::string_view name, uint64_t& value) {
    value = static_cast<uint64_t>(from_[name].integer(static_cast<int64_t>(value)));
  }
  void operator()(std::string_view name, Value& value) { value = from_[name]; }
  void operator()(std::string_view name, std::vector<std::string>& texts) {
    for (const auto& item : from_[name].items()) texts.push_back(item.text());
  }
  void unless_default(std::string_view name, auto& value) { (*this)(name, value); }

 private:
  const Value& from_;
};

}  // namespace holdfast::repair::kind

namespace holdfast::repair {

template <class Kind>
bool is(const operation::Step& step) {
  return step.kind == Kind::kName;
}

/// What a step of this kind takes, as its plan says.
template <class Kind>
Kind takes(const operation::Step& step) {
  Kind kind;
  kind::FieldReader reader(step.arguments);
  kind.fields(reader);
  return kind;
}

/// Changes what it takes.
template <class Kind>
void give(operation::Step& step, Kind kind) {
  kind::FieldWriter writer;
  kind.fields(writer);
  step.kind = Kind::kName;
  step.arguments = writer.written();
}

/// `words` with the kind and what it takes filled in; it touches its member where nothing else is said.
template <class Kind>
operation::Step step_of(Kind kind, operation::Step words) {
  give(words, std::move(kind));
  if (words.touches.empty()) words.touches = {"members/" + words.member};
  return words;
}

}  // namespace holdfast::repair
