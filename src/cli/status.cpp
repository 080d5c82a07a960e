// holdfast get status.
#include <fmt/format.h>

#include "base/units.h"
#include "cli/verbs.h"
#include "lab/lab.h"
#include "provider/observe.h"
#include "provider/provider.h"

namespace holdfast::cli {

using cluster::ClusterVerdict;
using cluster::MemberVerdict;
using codec::Value;

namespace {

template <class T>
Value optional(const std::optional<T>& value) {
  return value ? Value(*value) : Value();
}

Value member_value(const MemberVerdict& v) {
  const auto& f = v.facts;
  auto value = Value::object({{"member", f.member.str()},
                              {"address", f.address},
                              {"reach", cluster::reach_name(f.reach)},
                              {"role", cluster::member_role_name(f.role)},
                              {"healthy", v.healthy},
                              {"sentence", v.sentence},
                              {"position", f.position},
                              {"lineage", f.lineage},
                              {"version", f.version},
                              {"readOnly", optional(f.read_only)},
                              {"dataBytes", optional(f.data_bytes)},
                              {"lagSeconds", f.following ? optional(f.following->lag_seconds) : Value()}});
  if (f.following)
    value.set("following", Value::object({{"upstream", f.following->upstream},
                                          {"receiving", optional(f.following->receiving)},
                                          {"applying", optional(f.following->applying)},
                                          {"lastError", f.following->last_error}}));
  if (f.followers) value.set("followers", *f.followers);
  if (f.semi_sync) value.set("semiSync", *f.semi_sync);
  if (!f.galera_status.empty())
    value.set(
        "galera",
        Value::object({{"status", f.galera_status}, {"state", f.galera_state}, {"size", optional(f.galera_size)}}));
  if (!f.server_state.empty()) value.set("server", Value::object({{"state", f.server_state}, {"pid", f.server_pid}}));
  if (!f.error.empty()) value.set("error", f.error);
  return value;
}

Value cluster_value(const ClusterVerdict& v) {
  Value members{Value::List()};
  for (const auto& member : v.members) members.push(member_value(member));
  return Value::object({{"cluster", v.cluster.name.str()},
                        {"namespace", v.cluster.ns},
                        {"engine", cluster::engine_name(v.cluster.engine)},
                        {"provider", cluster::provider_name(v.cluster.provider)},
                        {"healthy", v.healthy},
                        {"sentence", v.sentence},
                        {"members", members}});
}

/// The end of a position tells members apart, its start is the same for all.
std::string shortened(const std::string& text, size_t limit) {
  return text.size() <= limit ? text : "…" + text.substr(text.size() - limit + 1);
}

void print(Output& out, const std::vector<ClusterVerdict>& verdicts) {
  for (const auto& v : verdicts) {
    auto mark = [&](bool healthy) { return healthy ? out.paint(Color::green, "✓") : out.paint(Color::red, "✗"); };
    out.line(fmt::format("{} {}  {}: {}", mark(v.healthy), out.paint(Color::bold, v.cluster.full_name()),
                         cluster::engine_name(v.cluster.engine), v.sentence));
    Table table({"  MEMBER", "ROLE", "POSITION", "LAG", "SIZE", "STATUS"}, {3, 4});
    for (const auto& m : v.members) {
      const auto& f = m.facts;
      std::string lag = "-";
      if (f.following) lag = f.following->lag_seconds ? fmt::format("{:.0f} s", *f.following->lag_seconds) : "?";
      table.row({"  " + f.member.str(), std::string(cluster::member_role_name(f.role)),
                 f.position.empty() ? "-"
                 : out.is_wide()    ? f.position
                                    : shortened(f.position, 30),
                 lag, f.data_bytes ? human_size(*f.data_bytes) : "-", (m.healthy ? "✓ " : "✗ ") + m.sentence});
    }
    table.print(out);
    out.line();
  }
}

}  // namespace

Exit run_get_status(Context& context) {
  std::string state_dir = context.options.text("state-dir");
  if (state_dir.empty()) state_dir = lab::default_state_dir();
  auto clusters = TRY(provider::load_clusters(context.options.list("config"), state_dir));
  provider::Selection selection{context.options.text("engine"), context.options.text("namespace"),
                                context.options.text("cluster")};
  if (!selection.name.empty()) (void)TRY(provider::select_one(clusters, selection));
  clusters = provider::select(clusters, selection);
  auto verdicts = provider::observe_clusters(clusters, std::chrono::seconds(5), context.stop);
  if (context.stop.stop_requested()) return fail(ErrorClass::interrupted, "cli.interrupted", "interrupted");
  Value list{Value::List()};
  size_t unhealthy = 0;
  std::string names;
  for (const auto& v : verdicts) {
    list.push(cluster_value(v));
    if (v.healthy) continue;
    ++unhealthy;
    names += (names.empty() ? "" : ", ") + v.cluster.full_name();
  }
  context.out.set_data(Value::object({{"clusters", list}}));
  if (verdicts.empty())
    context.out.note("no cluster is known here; `holdfast lab up` starts some, --config names a file with yours");
  print(context.out, verdicts);
  if (!unhealthy) return {};
  return fail(ErrorClass::unhealthy, "status.unhealthy",
              fmt::format("{} of {} clusters not healthy: {}", unhealthy, verdicts.size(), names),
              "the sentence beside each member marked ✗ says what is wrong with it");
}

}  // namespace holdfast::cli
