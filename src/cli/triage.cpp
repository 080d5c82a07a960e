// holdfast triage: what is known of a cluster, what is not, and what it means. Reads only.
#include <fmt/format.h>

#include <condition_variable>
#include <mutex>

#include "cli/cluster_options.h"
#include "cli/operation_handlers.h"
#include "cli/triage_view.h"
#include "cli/verbs.h"
#include "provider/divergence.h"
#include "provider/errant.h"
#include "provider/observe.h"

namespace holdfast::cli {

namespace {

std::chrono::milliseconds patience(const Options& options) {
  return std::chrono::seconds(std::max<int64_t>(1, options.integer("member-timeout").value_or(5)));
}

cluster::TriageReport look(Context& context, const cluster::DatabaseCluster& cluster) {
  const auto limit = patience(context.options);
  auto report = provider::triage_clusters({cluster}, limit, context.stop, {surroundings(context, cluster)})[0];
  provider::look_up_errant(report, limit, context.stop);
  return report;
}

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

/// Until somebody ends it; a change is told at once it is seen.
Exit watch(Context& context, const cluster::DatabaseCluster& cluster) {
  const auto interval = std::chrono::seconds(std::max<int64_t>(1, context.options.integer("interval").value_or(2)));
  std::mutex mutex;
  std::condition_variable_any wake;
  std::string last;
  for (;;) {
    const auto report = look(context, cluster);
    if (context.stop.stop_requested()) return {};
    std::string now = report.sentence;
    for (const auto& m : report.members) now += "\n" + m.sentence;
    for (const auto& d : report.diagnoses) now += "\n" + d.id + d.summary;
    if (context.out.is_human()) {
      if (context.out.streams().out_is_terminal) {
        context.out.line("\x1b[H\x1b[2J");
        print_triage(context.out, report, context.options.count("verbose") > 0);
      } else if (now != last) {
        print_triage(context.out, report, context.options.count("verbose") > 0);
        context.out.line();
      }
    } else if (now != last) {
      context.out.event("triage", triage_value(report));
    }
    last = std::move(now);
    std::unique_lock lock(mutex);
    wake.wait_for(lock, context.stop, interval, [] { return false; });
    if (context.stop.stop_requested()) return {};
  }
}

}  // namespace

Exit run_triage(Context& context) {
  auto cluster = TRY(selected_cluster(context));
  const std::string dir = context.options.text("export-divergence");
  if (context.options.given("export-divergence") && dir.empty())
    return fail(ErrorClass::usage, "triage.export", "--export-divergence needs the name of a folder",
                "--export-divergence DIR, a folder that is empty or not there");
  if (!dir.empty()) TRY_VOID(provider::check_export_folder(dir));
  if (context.options.flag("watch")) {
    if (!dir.empty())
      return fail(ErrorClass::usage, "triage.export", "--watch looks again and again; an export is made once",
                  "leave one of them out");
    if (context.out.format() == Format::json || context.out.format() == Format::yaml)
      return fail(ErrorClass::usage, "triage.watch", "--watch never ends, so there is no one document of it",
                  "use -o jsonl, or leave --watch out");
    return watch(context, cluster);
  }
  const auto report = look(context, cluster);
  if (context.stop.stop_requested())
    return fail(ErrorClass::interrupted, "cli.interrupted", "interrupted: a look cut short is no verdict");
  auto data = triage_value(report);
  print_triage(context.out, report, context.options.count("verbose") > 0);
  Status exported;
  if (!dir.empty()) exported = export_to(context, report, dir, data);
  context.out.set_data(std::move(data));
  TRY_VOID(std::move(exported));
  return triage_verdict(report);
}

}  // namespace holdfast::cli
