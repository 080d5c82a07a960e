// holdfast get status: the quick view of what `triage` sees, for every cluster.
#include <fmt/format.h>

#include "base/units.h"
#include "cli/cluster_options.h"
#include "cli/triage_view.h"
#include "cli/verbs.h"
#include "provider/observe.h"
#include "provider/provider.h"
#include "steward/operations.h"

namespace holdfast::cli {

using cluster::TriageReport;
using codec::Value;

namespace {

Value cluster_value(const TriageReport& report) {
  Value members{Value::List()}, diagnoses{Value::List()};
  for (const auto& m : report.members) {
    Value member = member_value(report, m);
    const auto* follow = m.facts.upstream();
    member.set("member", m.facts.member.str());
    member.set("position", m.facts.position);
    member.set("lagSeconds", follow && follow->lag_seconds ? Value(*follow->lag_seconds) : Value());
    members.push(std::move(member));
  }
  for (const auto& d : report.diagnoses)
    diagnoses.push(
        Value::object({{"id", d.id}, {"severity", cluster::severity_name(d.severity)}, {"remedy", d.remedy}}));
  return Value::object({{"cluster", report.cluster.name.str()},
                        {"namespace", report.cluster.ns},
                        {"engine", cluster::engine_name(report.cluster.engine)},
                        {"provider", cluster::provider_name(report.cluster.provider)},
                        {"healthy", report.healthy},
                        {"sentence", report.sentence},
                        {"members", members},
                        {"diagnoses", diagnoses}});
}

/// The end of a position tells members apart, its start is the same for all.
std::string shortened(const std::string& text, size_t limit) {
  return text.size() <= limit ? text : "…" + text.substr(text.size() - limit + 1);
}

void print(Output& out, const std::vector<TriageReport>& reports) {
  for (const auto& report : reports) {
    out.line(cluster_heading(out, report));
    Table table({"  MEMBER", "ROLE", "POSITION", "LAG", "SIZE", "STATUS"}, {3, 4});
    for (const auto& m : report.members) {
      const auto& f = m.facts;
      std::string lag = "-";
      if (const auto* follow = f.upstream())
        lag = follow->lag_seconds ? fmt::format("{:.0f} s", *follow->lag_seconds) : "?";
      table.row({"  " + f.member.str(), std::string(cluster::member_role_name(f.role)),
                 f.position.empty() ? "-"
                 : out.is_wide()    ? f.position
                                    : shortened(f.position, 30),
                 lag, f.data_bytes ? human_size(*f.data_bytes) : "-", (m.healthy() ? "✓ " : "✗ ") + m.sentence});
    }
    table.print(out);
    for (const auto& d : report.diagnoses)
      if (d.severity >= cluster::Severity::warning)
        out.line(fmt::format("  {}: {}{}", d.id, d.summary, d.remedy.empty() ? "" : " → " + d.remedy));
    out.line();
  }
}

}  // namespace

Exit run_get_status(Context& context) {
  const std::string state_dir = state_dir_of(context);
  auto clusters = TRY(provider::load_clusters(context.options.list("config"), state_dir));
  provider::Selection selection{context.options.text("engine"), context.options.text("namespace"),
                                context.options.text("cluster")};
  if (!selection.name.empty()) (void)TRY(provider::select_one(clusters, selection));
  clusters = provider::select(clusters, selection);
  const steward::Operations operations(operation_store(context));
  std::vector<cluster::Surroundings> around;
  for (const auto& cluster : clusters) around.push_back(operations.surroundings(cluster));
  const auto reports = provider::triage_clusters(clusters, std::chrono::seconds(5), context.stop, around);
  if (context.stop.stop_requested()) return fail(ErrorClass::interrupted, "cli.interrupted", "interrupted");
  Value list{Value::List()};
  size_t unhealthy = 0;
  std::string names, worst;
  for (const auto& report : reports) {
    list.push(cluster_value(report));
    if (report.healthy) continue;
    if (++unhealthy == 1) worst = report.cluster.full_name();
    names += (names.empty() ? "" : ", ") + report.cluster.full_name();
  }
  context.out.set_data(Value::object({{"clusters", list}}));
  if (reports.empty())
    context.out.note(
        "no cluster is known here; `holdfast lab up` starts some, --config names a file with yours, `holdfast cluster "
        "discover` writes one");
  print(context.out, reports);
  if (!unhealthy) return {};
  return fail(ErrorClass::unhealthy, "status.unhealthy",
              fmt::format("{} of {} clusters not healthy: {}", unhealthy, reports.size(), names),
              "holdfast triage -c " + worst);
}

}  // namespace holdfast::cli
