// holdfast triage: what is known of a cluster, what is not, and what it means. Reads only.
#include "steward/triage.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/cluster_options.h"
#include "cli/steward_caller.h"
#include "cli/steward_observer.h"
#include "cli/triage_view.h"
#include "cli/verbs.h"
#include "provider/divergence.h"

namespace holdfast::cli {

namespace {

Status export_to(Context& context, const cluster::TriageReport& report, const std::string& dir, codec::Value& data) {
  const auto exported = TRY(provider::export_divergence(report, dir, context.stop));
  codec::Value members{codec::Value::List()};
  context.out.line();
  if (exported.empty()) context.out.line("  nothing to export: no member has anything of its own; no folder was made");
  for (const auto& m : exported) {
    members.push(codec::Value::object({{"name", m.member.str()},
                                       {"files", codec::Value::list_of(m.files)},
                                       {"errant", cluster::errant_value(m.errant)},
                                       {"notWritten", m.not_written.empty() ? codec::Value() : m.not_written}}));
    context.out.line(fmt::format("  exported what only {} has to {}: {}", m.member.str(), dir,
                                 fmt::join(m.files.begin(), m.files.end(), ", ")));
    if (!m.not_written.empty()) context.out.line("      not all of it: " + m.not_written);
  }
  data.set("export", codec::Value::object(
                         {{"folder", exported.empty() ? codec::Value() : codec::Value(dir)}, {"members", members}}));
  return {};
}

}  // namespace

Exit run_triage(Context& context) {
  const Options& options = context.options;
  const auto seconds_of = [&](const char* flag, int64_t otherwise) {
    return std::chrono::seconds(std::max<int64_t>(1, options.integer(flag).value_or(otherwise)));
  };
  const auto cluster = steward::access_cluster(TRY(selected_cluster(context)), seconds_of("member-timeout", 5));
  StewardObserver observer(context);
  const auto caller = steward_caller(context, observer);
  const std::string dir = options.text("export-divergence");
  if (options.given("export-divergence") && dir.empty())
    return fail(ErrorClass::usage, "triage.export", "--export-divergence needs the name of a folder",
                "--export-divergence DIR, a folder that is empty or not there");
  if (!dir.empty()) TRY_VOID(provider::check_export_folder(dir));
  if (options.flag("watch")) {
    if (!dir.empty())
      return fail(ErrorClass::usage, "triage.export", "--watch refreshes until interrupted; an export is made once",
                  "leave one of them out");
    if (context.out.format() == Format::json || context.out.format() == Format::yaml)
      return fail(ErrorClass::usage, "triage.watch", "--watch never ends, so there is no one document of it",
                  "use -o jsonl, or leave --watch out");
    steward::watch_cluster(*cluster, seconds_of("interval", 2), caller);
    return {};
  }
  const auto report = steward::triage_cluster(*cluster, caller);
  if (context.stop.stop_requested())
    return fail(ErrorClass::interrupted, "cli.interrupted", "triage was interrupted; no verdict");
  auto data = triage_value(report);
  print_triage(context.out, report, options.count("verbose") > 0);
  Status exported;
  if (!dir.empty()) exported = export_to(context, report, dir, data);
  context.out.set_data(std::move(data));
  TRY_VOID(std::move(exported));
  return triage_verdict(report);
}

}  // namespace holdfast::cli
