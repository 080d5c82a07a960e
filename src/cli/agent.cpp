// holdfast agent.
#include "agent/agent.h"

#include "base/log.h"
#include "cli/verbs.h"

namespace holdfast::cli {

Exit run_agent(Context& context) {
  if (!context.options.given("dir"))
    return fail(ErrorClass::usage, "cli.flag", "agent: --dir is missing", "holdfast lab up starts the agents of a lab");
  set_log_level(LogLevel::info);
  return agent::run_agent({.dir = context.options.text("dir"), .leashed = context.options.flag("leashed")});
}

}  // namespace holdfast::cli
