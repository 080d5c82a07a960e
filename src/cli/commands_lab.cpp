// Commands of the lab: real clusters as local processes.
#include "cli/command_table.h"

namespace holdfast::cli {

std::vector<Command> lab_commands() {
  const Positional clusters{"clusters...", "names of lab clusters; all four when left out", false};
  const Flag timeout{.name = "timeout",
                     .type = FlagType::integer,
                     .help = "give up after so many seconds",
                     .value_name = "SECONDS",
                     .default_value = "180"};
  return {
      {.path = "lab up",
       .summary = "start real clusters on this machine",
       .description =
           "Starts shop-mariadb (primary and two replicas, semi-sync), shop-galera (three nodes), shop-mysql (primary and "
           "replica) and shop-postgres (primary and standby) as local processes on loopback, and waits until all serve. "
           "Members that run already are left alone. The servers stay when the command ends; `holdfast lab down` stops "
           "them. Started by root, servers run as the users mysql and postgres.",
       .flags = {timeout},
       .positionals = {clusters},
       .examples = {{"holdfast lab up", "all four clusters"}, {"holdfast lab up shop-postgres", "one of them"}}},
      {.path = "lab status",
       .summary = "list the lab's members and how to reach them",
       .description = "Lists every member: process, data directory, addresses and the file with its password.",
       .examples = {{"holdfast lab status -o json", "for programs: data.members[]"}}},
      {.path = "lab down",
       .summary = "stop the lab and remove its data",
       .description = "Stops every server and agent of the lab, then removes their data directories.",
       .flags = {{.name = "keep-data",
                  .type = FlagType::boolean,
                  .help = "stop in order and keep the data; `holdfast lab up` starts from it"},
                 timeout},
       .positionals = {clusters}},
      {.path = "agent",
       .summary = "supervise one database server",
       .description = "Runs in the foreground, starts and stops the server of one member on request and answers on a unix "
                      "socket. `holdfast lab up` starts one for each member.",
       .flags = {{.name = "dir", .type = FlagType::text, .help = "the member's directory, with agent.json", .value_name = "DIR"},
                 {.name = "leashed",
                  .type = FlagType::boolean,
                  .help = "end with the process that started it, until told otherwise"}}},
  };
}

}  // namespace holdfast::cli
