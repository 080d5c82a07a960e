// holdfast triage: what is known of a cluster, what is not, and what it means. Reads only.
#include <fmt/format.h>

#include <condition_variable>
#include <mutex>

#include "cli/cluster_options.h"
#include "cli/triage_view.h"
#include "cli/verbs.h"
#include "provider/observe.h"

namespace holdfast::cli {

namespace {

std::chrono::milliseconds patience(const Options& options) {
  return std::chrono::seconds(std::max<int64_t>(1, options.integer("member-timeout").value_or(5)));
}

Status verdict(const cluster::TriageReport& report) {
  if (report.healthy) return {};
  std::string ids;
  for (const auto& d : report.diagnoses)
    if (d.severity >= cluster::Severity::error && ids.find(d.id) == std::string::npos)
      ids += (ids.empty() ? "" : ", ") + d.id;
  std::string first = report.diagnoses.empty() ? "" : report.diagnoses[0].id;
  return fail(ErrorClass::unhealthy, "triage.unhealthy",
              fmt::format("{} is not healthy: {}", report.cluster.full_name(), ids),
              first.empty() ? "" : "holdfast explain " + first);
}

/// Until somebody ends it; a change is told at once it is seen.
Exit watch(Context& context, const cluster::DatabaseCluster& cluster) {
  const auto interval = std::chrono::seconds(std::max<int64_t>(1, context.options.integer("interval").value_or(2)));
  std::mutex mutex;
  std::condition_variable_any wake;
  std::string last;
  for (;;) {
    const auto report = provider::triage_clusters({cluster}, patience(context.options), context.stop)[0];
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
  if (context.options.flag("watch")) {
    if (context.out.format() == Format::json || context.out.format() == Format::yaml)
      return fail(ErrorClass::usage, "triage.watch", "--watch never ends, so there is no one document of it",
                  "use -o jsonl, or leave --watch out");
    return watch(context, cluster);
  }
  const auto report = provider::triage_clusters({cluster}, patience(context.options), context.stop)[0];
  if (context.stop.stop_requested())
    return fail(ErrorClass::interrupted, "cli.interrupted", "interrupted: a look cut short is no verdict");
  context.out.set_data(triage_value(report));
  print_triage(context.out, report, context.options.count("verbose") > 0);
  return verdict(report);
}

}  // namespace holdfast::cli
