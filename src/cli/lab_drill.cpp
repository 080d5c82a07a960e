// holdfast lab load, break, heal.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/units.h"
#include "cli/lab_dry_run.h"
#include "cli/verbs.h"
#include "lab/break.h"
#include "lab/load.h"
#include "lab/slow_wire.h"
#include "sys/environment.h"
#include "sys/process.h"

namespace holdfast::cli {

using codec::Value;

namespace {

/// "200MB", "1.5GiB", "300000": bytes.
Result<uint64_t> parse_size(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  const std::string unit(end);
  double factor = 0;
  if (unit.empty() || unit == "B") factor = 1;
  if (unit == "k" || unit == "kB" || unit == "KB") factor = 1e3;
  if (unit == "M" || unit == "MB") factor = 1e6;
  if (unit == "G" || unit == "GB") factor = 1e9;
  if (unit == "KiB") factor = 1024;
  if (unit == "MiB") factor = 1024.0 * 1024;
  if (unit == "GiB") factor = 1024.0 * 1024 * 1024;
  if (end == text.c_str() || factor == 0 || !(number > 0) || number * factor > 1e13)
    return fail(ErrorClass::usage, "cli.flag", "--size is not a size: '" + text + "'", "for example 200MB or 1GiB");
  return static_cast<uint64_t>(number * factor);
}

lab::Options lab_options(Context& context) {
  lab::Options options;
  options.state_dir = context.options.text("state-dir");
  return options;
}

}  // namespace

Exit run_lab_load(Context& context) {
  const std::string cluster = context.options.text("cluster");
  if (cluster.empty())
    return fail(ErrorClass::usage, "cli.flag", "lab load: --cluster is missing", "for example -c shop-mariadb");
  if (TRY(lab_would(context, "write to " + cluster, {cluster}))) return {};
  const auto options = lab_options(context);
  const int64_t span = context.options.integer("seconds").value_or(10);
  if (context.options.flag("background")) {
    TRY_VOID(lab::can_write(options, cluster));
    sys::Command command;
    command.argv = {
        "/proc/self/exe", "lab",     "load",      "-c",
        cluster,          "--write", "--seconds", std::to_string(context.options.given("seconds") ? span : 86400),
        "--quiet"};
    if (!options.state_dir.empty()) command.argv.insert(command.argv.end(), {"--state-dir", options.state_dir});
    command.clear_env = true;
    command.env = sys::own_environment();
    command.out = command.err = sys::Stdio::null();
    command.new_session = true;
    auto writer = TRY(sys::spawn(command));
    // A writer that cannot even begin says so within its first moments.
    if (auto ended = writer.wait(Deadline::in(std::chrono::milliseconds(700)), context.stop))
      return fail(ErrorClass::failed, "lab.writer", fmt::format("the writer ended at once with {}", ended->to_string()),
                  "run it in the foreground: holdfast lab load -c " + cluster + " --write --seconds 5");
    const pid_t pid = writer.detach();
    context.out.set_data(Value::object({{"cluster", cluster}, {"writerPid", pid}}));
    context.out.line(fmt::format("a writer works on {} (pid {}); it ends with the lab", cluster, pid));
    return {};
  }
  if (context.options.flag("write")) {
    auto result = TRY(lab::write_rows(options, {cluster, std::chrono::seconds(span)}, context.stop));
    context.out.set_data(Value::object({{"cluster", cluster},
                                        {"acknowledged", result.acknowledged},
                                        {"indeterminate", result.indeterminate},
                                        {"journal", result.journal}}));
    context.out.line(fmt::format("{} rows acknowledged, {} without an answer; journal: {}", result.acknowledged,
                                 result.indeterminate, result.journal));
    return {};
  }
  lab::LoadOptions load;
  load.cluster = cluster;
  load.bytes = TRY(parse_size(context.options.text("size")));
  load.seed = static_cast<uint64_t>(context.options.integer("seed").value_or(1));
  auto result = TRY(lab::load(options, load, Deadline::never(), context.stop));
  context.out.set_data(Value::object(
      {{"cluster", cluster}, {"rows", result.rows}, {"bytes", result.bytes}, {"seconds", result.seconds}}));
  context.out.line(fmt::format("{}: {} rows, {} in {} ({})", cluster, result.rows, human_size(result.bytes),
                               human_span(std::chrono::duration<double>(result.seconds)),
                               human_rate(result.bytes, std::chrono::duration<double>(result.seconds))));
  return {};
}

Exit run_lab_break(Context& context) {
  const auto& words = context.options.positionals();
  const auto& kinds = lab::break_kinds();
  if (std::ranges::find(kinds, words[0]) != kinds.end() &&
      TRY(lab_would(context, fmt::format("{} {}", words[0], words[1]), {}, words[1])))
    return {};
  auto said = TRY(lab::break_member(lab_options(context), {words[0], words[1], context.options.text("from")},
                                    Deadline::in(std::chrono::seconds(60)), context.stop));
  context.out.set_data(Value::object({{"what", words[0]}, {"member", words[1]}, {"done", said}}));
  context.out.line(said);
  return {};
}

Exit run_lab_wire(Context& context) {
  const auto& words = context.options.positionals();
  return lab::run_wire({.left = words[0], .right = words[1]}, words[2], context.stop);
}

Exit run_lab_heal(Context& context) {
  const auto& words = context.options.positionals();
  if (TRY(lab_would(context, "make " + words[0] + " serve again", {}, words[0]))) return {};
  auto said =
      TRY(lab::heal_member(lab_options(context), words[0], Deadline::in(std::chrono::seconds(180)), context.stop));
  context.out.set_data(Value::object({{"member", words[0]}, {"done", said}}));
  context.out.line(said);
  return {};
}

}  // namespace holdfast::cli
