// holdfast agent.
#include "agent/agent.h"

#include <fmt/format.h>

#include "agent/config.h"
#include "base/log.h"
#include "cli/verbs.h"

namespace holdfast::cli {

Exit run_agent(Context& context) {
  if (!context.options.given("dir"))
    return fail(ErrorClass::usage, "cli.flag", "agent: --dir is missing", "holdfast lab up starts the agents of a lab");
  if (context.options.flag("dry-run")) {
    const auto config = TRY(agent::read_config(context.options.text("dir")));
    context.out.line(fmt::format("would run the agent of {} in {}", config.member, config.dir));
    return {};
  }
  set_log_level(LogLevel::info);
  return agent::run_agent(
      {.dir = context.options.text("dir"), .leashed = context.options.flag("leashed"), .stop = context.stop});
}

}  // namespace holdfast::cli
