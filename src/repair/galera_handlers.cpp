// Steps of Galera alone: joining a component, forming a new one, who may, and settings that keep a node out.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "position/galera.h"
#include "provider/agent_call.h"
#include "repair/member_step.h"
#include "sql/mariadb.h"

namespace holdfast::repair {

using position::GaleraPosition;
using position::GaleraSource;
using std::chrono::seconds;

namespace {

/// What a node says of itself.
struct Node {
  std::string name;       ///< of the member
  std::string node_name;  ///< what other nodes call it
  std::string status, state, uuid;
  int64_t last_committed = -1, cached_downto = -1;
  std::string no_state;  ///< why it cannot give a joining node its whole state; "" = it can, for all that is known
  bool in_primary() const { return status == "Primary"; }
  bool synced() const { return in_primary() && state == "Synced"; }
  /// It can give what comes after `seqno` from its write-set cache.
  bool can_continue(int64_t seqno) const {
    return seqno >= last_committed || (cached_downto > 0 && cached_downto <= seqno + 1);
  }
};

/// MariaDB 11.3 and later may have the provider's options as variables of their own, and then refuse the other way.
Status make_primary(sql::MariadbConnection& connection, const std::stop_token& stop) {
  auto done = connection.query("SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'", soon(), stop);
  constexpr const char* kNotThisWay = "[1210]";  // ER_WRONG_ARGUMENTS
  if (!done && done.error().message.find(kNotThisWay) != std::string::npos)
    done = connection.query("SET GLOBAL wsrep_provider_pc_bootstrap = ON", soon(), stop);
  if (!done) return fail(std::move(done).error());
  return {};
}

class GaleraStep : public MemberStep {
 public:
  using MemberStep::MemberStep;
  Status prove(StepScope&, const Value&, const Value&) override { return {}; }

 protected:
  /// The same as ask(), of another member than the step's.
  Result<Value> ask_of(StepScope& scope, const std::string& name, const std::string& op, Value arguments,
                       Deadline deadline) const {
    return members_->ask(scope, name, op, std::move(arguments), deadline, {});
  }

  static Result<Node> node_of(const engine::MemberControl& control, Deadline deadline, std::stop_token stop = {}) {
    auto connection = TRY(sql::MariadbConnection::connect(control.setup().socket, deadline, stop));
    auto rows = TRY(connection.query("SHOW GLOBAL STATUS LIKE 'wsrep%'", deadline, stop));
    const auto called = TRY(connection.query("SHOW GLOBAL VARIABLES LIKE 'wsrep_node_name'", deadline, stop));
    std::string no_state = why_no_state(connection, deadline, stop);
    std::map<std::string, std::string> said;
    for (const auto& row : rows.rows) said[row.at(0).value_or("")] = row.at(1).value_or("");
    auto number = [&](const char* name) {
      return said[name].empty() ? -1 : std::strtoll(said[name].c_str(), nullptr, 10);
    };
    return Node{.name = control.setup().name,
                .node_name = called.text("Value"),
                .status = said["wsrep_cluster_status"],
                .state = said["wsrep_local_state_comment"],
                .uuid = said["wsrep_cluster_state_uuid"],
                .last_committed = number("wsrep_last_committed"),
                .cached_downto = number("wsrep_local_cached_downto"),
                .no_state = std::move(no_state)};
  }

  /// A donor logs in to itself: by wsrep_sst_auth, with mariadb-backup also as the user it runs as.
  static std::string why_no_state(sql::MariadbConnection& connection, Deadline deadline, const std::stop_token& stop) {
    const auto set = connection.query("SHOW GLOBAL VARIABLES LIKE 'wsrep_sst%'", deadline, stop);
    std::map<std::string, std::string> is;
    if (set)
      for (const auto& row : set->rows) is[row.at(0).value_or("")] = row.at(1).value_or("");
    const std::string method = is["wsrep_sst_method"];
    if (!is["wsrep_sst_auth"].empty() || (method != "mysqldump" && method != "mariabackup")) return {};
    if (method == "mariabackup") {
      const auto known =
          connection.query("SELECT count(*) AS n FROM mysql.global_priv WHERE User = 'mysql'", deadline, stop);
      if (!known || known->text("n") != "0") return {};
    }
    return fmt::format("wsrep_sst_method is {} and wsrep_sst_auth is empty", method);
  }

  /// The nodes other than this one that answer now.
  std::vector<Node> others(const std::string& name, Deadline deadline) const {
    std::vector<Node> nodes;
    for (const auto& control : members_->controls)
      if (control->setup().name != name && control->learn())
        if (auto node = node_of(*control, deadline)) nodes.push_back(std::move(*node));
    return nodes;
  }

  Status wait_until_synced(engine::MemberControl& control, Deadline deadline, const std::stop_token& stop) const {
    Node last;
    const bool synced = TRY(sys::wait_until(
        [&] {
          auto node = node_of(control, Deadline::in(seconds(3)), stop);
          return node && (last = std::move(*node)).synced();
        },
        deadline, stop));
    if (synced) return {};
    return fail(ErrorClass::failed, "repair.not_synced",
                fmt::format("{} did not get Synced in time: it is {}, in a component that is {}", control.setup().name,
                            last.state.empty() ? "in a state not known" : last.state,
                            last.status.empty() ? "not known" : last.status),
                fmt::format("holdfast triage -c {}", members_->cluster.full_name()));
  }
};

/// Into the component there is, from what the node holds. It is started only if that is a point of the component's own
/// history: Galera would replace any other data, and keep no copy.
class JoinComponent : public GaleraStep {
 public:
  using GaleraStep::GaleraStep;
  Result<Value> look_before(StepScope& scope) override {
    auto* control = TRY(member(scope));
    return Value::object({{"running", TRY(control->is_running(soon()))}});
  }
  Result<Value> run(StepScope& scope, const Value&) override {
    TRY_VOID(component_after_crash(*members_, scope));
    auto* control = TRY(member(scope));
    if (TRY(control->is_running(soon()))) {
      if (!takes<kind::JoinComponent>(scope.step()).restart) {
        // It runs, and the others have just become a component: it finds them by itself.
        auto found = wait_until_synced(*control, Deadline::in(seconds(12)), scope.stop());
        if (found) return Value::object({{"transfer", "by itself"}});
        if (scope.stop().stop_requested()) return fail(std::move(found).error());
      }
      // A session that holds a global lock keeps it from an orderly end; InnoDB recovers from a hard one.
      TRY_VOID(stop_member(*control, Deadline::in(seconds(30))));
    }
    const std::string text =
        TRY(ask(scope, "galera_position", Value::object(), Deadline::in(seconds(300))))["position"].text();
    const auto position = TRY(GaleraPosition::parse(text, GaleraSource::recovered));
    const auto donors = TRY(donors_for(scope, position));
    const uint64_t log_end = log_size(scope);
    TRY_VOID(start_member(*control, {.extra_args = {fmt::format("--wsrep-sst-donor={}", fmt::join(donors, ","))}},
                          Deadline::in(seconds(300))));
    return Value::object(
        {{"transfer", transfer_since(scope, log_end)}, {"from", text}, {"donors", Value::list_of(donors)}});
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    auto* control = TRY(member(scope));
    return wait_until_synced(*control, Deadline::in(seconds(120)), scope.stop());
  }
  Status undo(StepScope& scope, const Value& before, const Value*) override {
    auto* control = TRY(member(scope));
    if (!before["running"].boolean()) return stop_member(*control, Deadline::in(seconds(60)));
    if (TRY(control->is_running(soon()))) return {};
    // One that ran outside the component does not get ready; that it runs is all that there was.
    auto started = start_member(*control, {}, Deadline::in(seconds(60)));
    return started || TRY(control->is_running(soon())) ? Status() : started;
  }

 private:
  Result<std::vector<std::string>> donors_for(StepScope& scope, const GaleraPosition& position) const {
    const std::string& name = scope.step().member;
    const std::string again = fmt::format("holdfast triage -c {}", members_->cluster.full_name());
    auto nodes = others(name, soon());
    std::erase_if(nodes, [](const Node& node) { return !node.synced(); });
    if (nodes.empty())
      return fail(ErrorClass::refused, "repair.no_component",
                  "no member is Synced in a component that " + name + " could join", again);
    int64_t last = -1;
    for (const auto& node : nodes) last = std::max(last, node.last_committed);
    const std::string ours = position.uuid.to_string();
    if (!position.defined() || ours != nodes[0].uuid)
      return fail(
          ErrorClass::refused, "repair.foreign_history",
          fmt::format("{} is at {}, which is not a point of the component's history {}: joining would replace its "
                      "data, and no copy is kept",
                      name, position.to_string(), nodes[0].uuid),
          again);
    if (position.seqno > last)
      return fail(ErrorClass::refused, "repair.ahead",
                  fmt::format("{} is at {}, ahead of the component, which is at {}", name, position.seqno, last),
                  again);
    std::vector<std::string> donors, all;
    for (const auto& node : nodes) {
      if (node.no_state.empty()) all.push_back(node.node_name);
      if (node.can_continue(position.seqno)) donors.push_back(node.node_name);
    }
    if (!donors.empty()) return donors;
    // All it holds is in the component, so nothing is lost by it; but the donor's data is copied whole.
    if (takes<kind::JoinComponent>(scope.step()).whole) {
      if (!all.empty()) return all;
      return fail(ErrorClass::refused, "repair.no_state_transfer",
                  fmt::format("{} needs the whole state of another node, and {} cannot give it: {}", name,
                              nodes[0].name, nodes[0].no_state),
                  "SET GLOBAL wsrep_sst_auth = 'USER:PASSWORD' on the nodes, and in their configuration");
    }
    return fail(ErrorClass::refused, "repair.no_ist",
                fmt::format("no member's write-set cache reaches back to {}, the position of {}", position.seqno, name),
                again + ": it has to be rebuilt");
  }

  uint64_t log_size(StepScope& scope) const {
    auto log = ask(scope, "read_file", Value::object({{"name", "server.log"}, {"tail", 1}}), soon());
    return log ? (*log)["size"].unsigned_integer() : 0;
  }
  /// How the state came, by the server's own log.
  std::string transfer_since(StepScope& scope, uint64_t offset) const {
    std::string text;
    for (;;) {
      auto log = ask(scope, "read_file",
                     Value::object({{"name", "server.log"}, {"offset", offset}, {"limit", 1 << 20}}), soon());
      if (!log) return "not known";
      text += (*log)["text"].text();
      const uint64_t next = (*log)["nextOffset"].unsigned_integer();
      if (next <= offset || next >= (*log)["size"].unsigned_integer()) break;
      offset = next;
    }
    // By rsync and by mariadb-backup; the program of the SST runs also where an IST is then enough.
    for (const char* whole : {"SST completed on joiner", "Moving the backup to"})
      if (text.find(whole) != std::string::npos) return "SST";
    return text.find("IST received:") != std::string::npos ? "IST" : "none needed";
  }
};

/// Cold: the first of a new component, when no server runs.
class BootstrapServer : public GaleraStep {
 public:
  using GaleraStep::GaleraStep;
  Result<Value> look_before(StepScope& scope) override {
    auto* control = TRY(member(scope));
    return Value::object({{"running", TRY(control->is_running(soon()))}});
  }
  Result<Value> run(StepScope& scope, const Value&) override {
    auto* control = TRY(member(scope));
    TRY_VOID(nobody_else_is_primary(scope));
    // One that a killed bootstrap had begun to start is waited for, and left as it is when it serves.
    TRY_VOID(start_member(*control, {.new_cluster = true}, Deadline::in(seconds(300))));
    return Value::object();
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    auto* control = TRY(member(scope));
    return wait_until_synced(*control, Deadline::in(seconds(120)), scope.stop());
  }
  Status undo(StepScope& scope, const Value& before, const Value*) override {
    auto* control = TRY(member(scope));
    if (before["running"].boolean()) return {};
    return stop_member(*control, Deadline::in(seconds(60)));
  }

 protected:
  Status nobody_else_is_primary(StepScope& scope) const {
    for (const auto& node : others(scope.step().member, soon()))
      if (node.in_primary())
        return fail(ErrorClass::refused, "bootstrap.has_primary",
                    node.name + " is in a primary component by now: a second one would split the cluster",
                    fmt::format("holdfast triage -c {}", members_->cluster.full_name()));
    return {};
  }
};

/// Warm: a node that runs outside a component declares the one it is in to be primary.
class BootstrapRunning : public BootstrapServer {
 public:
  using BootstrapServer::BootstrapServer;
  Result<Value> run(StepScope& scope, const Value&) override {
    auto* control = TRY(member(scope));
    TRY_VOID(still_ours(scope));
    if (!TRY(control->is_running(soon())))
      return fail(ErrorClass::needs_operator, "repair.no_component",
                  scope.step().member + " has stopped since it was found to be the one to begin with",
                  fmt::format("holdfast operations abandon {0} --accept=abandon:{0}, then: holdfast bootstrap -c {1}",
                              scope.operation(), members_->cluster.full_name()));
    const Node now = TRY(node_of(*control, soon(), scope.stop()));
    if (now.in_primary()) return Value::object({{"found", "primary"}});  // taken up after a crash
    TRY_VOID(nobody_else_is_primary(scope));
    TRY_VOID(still_ours(scope));
    auto connection = TRY(sql::MariadbConnection::connect(control->setup().socket, soon(), scope.stop()));
    TRY_VOID(make_primary(connection, scope.stop()));
    return Value::object({{"at", now.last_committed}});
  }
  Status undo(StepScope&, const Value&, const Value*) override { return {}; }
};

/// safe_to_bootstrap in grastate.dat: 1 on the step's member, 0 on those it names. Nobody else is touched.
class MarkBootstrap : public GaleraStep {
 public:
  using GaleraStep::GaleraStep;
  Result<Value> look_before(StepScope& scope) override {
    Value marks = Value::object();
    for (const auto& name : names(scope)) marks.set(name, TRY(mark(scope, name, {})));
    return marks;
  }
  Result<Value> run(StepScope& scope, const Value&) override {
    for (const auto& name : names(scope))  // the marks that go first: there are never two
      if (name != scope.step().member) TRY(mark(scope, name, false));
    TRY(mark(scope, scope.step().member, true));
    return Value::object();
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    for (const auto& name : names(scope))
      if (TRY(mark(scope, name, {})) != (name == scope.step().member))
        return fail(ErrorClass::failed, "bootstrap.mark", "grastate.dat of " + name + " is not as it was written");
    return {};
  }
  Status undo(StepScope& scope, const Value& before, const Value*) override {
    // What carried no mark loses it first.
    for (const bool wanted : {false, true})
      for (const auto& name : names(scope))
        if (before[name].boolean() == wanted) TRY(mark(scope, name, wanted));
    return {};
  }

 private:
  static std::vector<std::string> names(StepScope& scope) {
    auto names = takes<kind::MarkBootstrap>(scope.step()).clear;
    names.push_back(scope.step().member);
    return names;
  }
  Result<bool> mark(StepScope& scope, const std::string& name, std::optional<bool> wanted) const {
    Value arguments = Value::object();
    if (wanted) arguments.set("set", *wanted);
    return TRY(ask_of(scope, name, "safe_to_bootstrap", std::move(arguments), soon()))["safe"].boolean();
  }
};

/// A global variable that keeps a node out of its work, put back to what it should be.
class GaleraSetting : public GaleraStep {
 public:
  using GaleraStep::GaleraStep;
  Result<Value> look_before(StepScope& scope) override { return Value::object({{"value", TRY(value(scope))}}); }
  Result<Value> run(StepScope& scope, const Value&) override {
    TRY_VOID(ready_for_sql(scope));
    TRY_VOID(set(scope, takes<kind::GaleraSetting>(scope.step()).value));
    return Value::object();
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    auto* control = TRY(member(scope));
    if (TRY(value(scope)) != takes<kind::GaleraSetting>(scope.step()).value)
      return fail(ErrorClass::failed, "repair.setting", scope.step().member + " does not say that it was changed");
    return wait_until_synced(*control, Deadline::in(seconds(120)), scope.stop());
  }
  Status undo(StepScope& scope, const Value& before, const Value*) override {
    TRY_VOID(ready_for_sql(scope));
    return TRY(value(scope)) == before["value"].text() ? Status() : set(scope, before["value"].text());
  }

 private:
  static Result<std::string> variable(StepScope& scope) {
    static const std::set<std::string> known = {"wsrep_desync", "wsrep_reject_queries"};
    const std::string name = takes<kind::GaleraSetting>(scope.step()).variable;
    if (known.contains(name)) return name;
    return fail(ErrorClass::refused, "repair.setting", "this program does not change " + name);
  }
  Result<std::string> value(StepScope& scope) const {
    auto* control = TRY(member(scope));
    const std::string name = TRY(variable(scope));
    auto connection = TRY(sql::MariadbConnection::connect(control->setup().socket, soon()));
    // SHOW is answered also by a node that rejects queries.
    return TRY(connection.query(fmt::format("SHOW GLOBAL VARIABLES LIKE '{}'", name), soon())).text("Value");
  }
  Status set(StepScope& scope, const std::string& value) const {
    auto* control = TRY(member(scope));
    const std::string name = TRY(variable(scope));
    TRY_VOID(ready_for_sql(scope));
    auto connection = TRY(sql::MariadbConnection::connect(control->setup().socket, soon()));
    TRY(connection.query(fmt::format("SET GLOBAL {} = {}", name, sql::quote_mysql(value)), soon()));
    return {};
  }
};

}  // namespace

void add_galera_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members) {
  handle_with<kind::JoinComponent, JoinComponent>(handlers, members);
  handle_with<kind::BootstrapServer, BootstrapServer>(handlers, members);
  handle_with<kind::BootstrapRunning, BootstrapRunning>(handlers, members);
  handle_with<kind::MarkBootstrap, MarkBootstrap>(handlers, members);
  handle_with<kind::GaleraSetting, GaleraSetting>(handlers, members);
}

}  // namespace holdfast::repair
