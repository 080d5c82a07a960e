#include "cli/run.h"

#include <exception>

#include "base/log.h"
#include "cli/context.h"
#include "cli/parser.h"
#include "cli/verbs.h"

namespace holdfast::cli {
namespace {

OutputOptions output_options(const Options& options, const Environment& env, const Streams& streams) {
  OutputOptions out;
  out.format = options.flag("json") ? Format::json : format_of(options.text("output"));
  out.quiet = options.flag("quiet");
  out.color = streams.out_is_terminal && !options.flag("no-color") && !env.get("NO_COLOR") && env.get("TERM") != "dumb";
  out.raw_stdout = options.command().raw_stdout;
  return out;
}

Status call(Verb verb, Context& context) {
  try {
    return verb(context);
  } catch (const std::exception& error) {
    return fail(ErrorClass::bug, "bug.exception", std::string("unexpected: ") + error.what(),
                "this is a fault of Holdfast; please report it with the command line");
  }
}

}  // namespace

int run(const std::vector<std::string>& args, const Environment& env, const Streams& streams, std::stop_token stop) {
  auto invocation = parse(args, env);
  if (!invocation) {
    Output out(streams, {.format = format_of(output_format_hint(args, env))}, command_words(args));
    return out.finish(fail(invocation.error()));
  }
  if (invocation->kind != Invocation::Kind::run) {
    Output out(streams, {.format = format_of(output_format_hint(args, env))}, "help");
    return out.finish(show_help(out, invocation->topic));
  }
  const Options& options = invocation->options;
  if (options.count("verbose") > 0) set_log_level(options.count("verbose") > 1 ? LogLevel::debug : LogLevel::info);
  Output out(streams, output_options(options, env, streams), std::string(options.command().path));
  Context context{options, env, out, stop};
  Status status = call(find_verb(options.command().path), context);
  // An operation says itself in which state a signal left it.
  const bool told = !status && status.error().id.starts_with("operation.");
  if (!status && stop.stop_requested() && status.error().error_class != ErrorClass::bug && !told) {
    // Whatever a stopped verb reports about its half-done calls, the cause is the user's signal.
    status =
        Status(std::unexpected(Error{ErrorClass::interrupted,
                                     "cli.interrupted",
                                     "interrupted",
                                     status.error().error_class == ErrorClass::interrupted ? status.error().hint : "",
                                     {}}));
  }
  return out.finish(status);
}

}  // namespace holdfast::cli
