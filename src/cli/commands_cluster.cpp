// Commands that work on database clusters and their backups.
#include "cli/command_table.h"

namespace holdfast::cli {

std::vector<Command> cluster_commands() {
  const Flag type{.name = "type",
                  .type = FlagType::choice,
                  .help = "which kind of snapshots",
                  .shorthand = 't',
                  .value_name = "TYPE",
                  .default_value = "all",
                  .choices = {"backup", "diverged", "escrow", "all"}};
  const Flag all{.name = "all-namespaces", .type = FlagType::boolean, .help = "of all namespaces", .shorthand = 'A'};
  return {
      {.path = "get status",
       .summary = "every member: role, position, lag, size, one sentence",
       .description = "Asks every member of the known clusters. Exit 4 when something is unhealthy.",
       .flags = {all},
       .groups = {&cluster_flags()}},
      {.path = "triage",
       .summary = "what is known of a cluster, what is not, and what it means",
       .description =
           "Asks every member by SQL, over the network and through its agent, and reads the data directories of "
           "members that do not run. Changes nothing. Says who has all data (authority), what each member is and what "
           "may be done to it, and what is wrong, with the next command. Transactions that only one member has are "
           "looked up in its logs, counted and classified: user data, schema, accounts, heartbeats. Exit 4 when "
           "something is unhealthy.",
       .flags = {{.name = "watch", .type = FlagType::boolean, .help = "refresh until interrupted"},
                 {.name = "interval",
                  .type = FlagType::integer,
                  .help = "seconds between two checks of --watch",
                  .value_name = "SECONDS",
                  .default_value = "2"},
                 {.name = "member-timeout",
                  .type = FlagType::integer,
                  .help = "how long one member may take to answer; a hung one costs this once",
                  .value_name = "SECONDS",
                  .default_value = "5"},
                 {.name = "export-divergence",
                  .type = FlagType::text,
                  .help = "write what only one member has into this new folder: lists, SQL to replay, write-ahead log",
                  .value_name = "DIR"}},
       .groups = {&cluster_flags()},
       .examples = {{"holdfast triage -c shop-mariadb", "what is wrong, and what to do"},
                    {"holdfast triage -c shop-mariadb --export-divergence ./diverged",
                     "keep what a diverged member alone has, before it is rebuilt"},
                    {"holdfast triage -c shop-mariadb -v", "with the evidence, and every value that was read"}}},
      {.path = "compare",
       .summary = "whether the members hold the same rows",
       .description =
           "Reads all members at one and the same position and compares the contents of every table, in ranges of "
           "keys. "
           "Positions that agree say which transactions a member has; this says that the rows are the same. Nothing is "
           "locked, paused or written on any server. A range counts as different only when it differs at several "
           "positions. The result is kept and shown by triage with its age; a member that differs is not a donor. "
           "Exit 10 when members differ.",
       .flags = {{.name = "instance",
                  .type = FlagType::list,
                  .help = "only these members, by name or ordinal; at least two",
                  .shorthand = 'i',
                  .value_name = "MEMBER"},
                 {.name = "range-rows",
                  .type = FlagType::integer,
                  .help = "rows compared by one statement",
                  .value_name = "ROWS",
                  .default_value = "20000"},
                 {.name = "rows-per-second",
                  .type = FlagType::integer,
                  .help = "read no more than this of each member; 0 = no limit",
                  .value_name = "ROWS",
                  .default_value = "0"},
                 {.name = "meet-timeout",
                  .type = FlagType::integer,
                  .help = "how long a position that all members have at a time is looked for",
                  .value_name = "SECONDS",
                  .default_value = "30"},
                 {.name = "resume",
                  .type = FlagType::boolean,
                  .help = "leave out the tables that an interrupted run has found equal"}},
       .groups = {&cluster_flags()},
       .examples = {{"holdfast compare -c shop-mariadb", "all members, all tables"},
                    {"holdfast compare -c shop-mariadb -i 0 -i 2 --rows-per-second 50000",
                     "two members, without getting in the way of others"}}},
      {.path = "repair",
       .summary = "bring broken members back, without ever destroying what is unique",
       .description =
           "Looks at the cluster as triage does, plans the cheapest steps that are proven to be enough, shows the "
           "plan, "
           "and carries it out under a journal: each step is undone when a later one fails. Without -i every member "
           "that "
           "can be healed is, in order; members that need a person are named and left alone. What only shows then (a "
           "member "
           "that is started is found to be damaged) has a plan of its own, shown and carried out as long as nothing is "
           "lost by it. --dry-run stops after the first plan. Exit 3 when a guard refuses: nothing was changed then.",
       .flags = {{.name = "instance",
                  .type = FlagType::text,
                  .help = "only this member, by name or ordinal",
                  .shorthand = 'i',
                  .value_name = "MEMBER"},
                 {.name = "adopt",
                  .type = FlagType::boolean,
                  .help = "MySQL: write the transactions that only this member has into the primary; needs "
                          "`--accept`"},
                 {.name = "copy-rate",
                  .type = FlagType::text,
                  .help = "how much a copy of a member may read from it in a second, such as 50M",
                  .value_name = "SIZE"},
                 {.name = "no-escrow",
                  .type = FlagType::boolean,
                  .help = "keep no copy of a member that is rebuilt; needs `--accept`"},
                 {.name = "accept",
                  .type = FlagType::list,
                  .help = "accept one named danger of the plan; the refusal says which name is asked for",
                  .value_name = "NAME[:ARG][@HASH]"}},
       .groups = {&cluster_flags(), &repository_flags()},
       .examples = {{"holdfast repair -c shop-mariadb --dry-run", "what would be done"},
                    {"holdfast repair -c shop-mysql -i 1 --adopt --dry-run",
                     "which transactions of member 1 the primary would be given"},
                    {"holdfast repair -c shop-mariadb -i 1", "one member"}}},
      {.path = "bootstrap",
       .summary = "bring back a Galera cluster that has no primary component",
       .description =
           "Reads the position of every member, recovering it from InnoDB where a member crashed (as any start would), "
           "and "
           "makes the one that is proven to hold everything the first of a new primary component: a running one is "
           "bootstrapped, a stopped one is started, marked safe_to_bootstrap as the only one. The others are brought "
           "in one "
           "by one. Refused (exit 3) while a primary component exists, and where a member is unread, of another "
           "history, or not to be trusted; the refusal names the --accept that continues without what it may hold. "
           "--dry-run stops after the plan, and recovers nothing.",
       .flags = {{.name = "no-escrow",
                  .type = FlagType::boolean,
                  .help = "keep no copy of a member that is rebuilt; needs `--accept`"},
                 {.name = "accept",
                  .type = FlagType::list,
                  .help = "accept one named danger of the plan; the refusal says which name is asked for",
                  .value_name = "NAME[:ARG][@HASH]"}},
       .groups = {&cluster_flags(), &repository_flags()},
       .examples = {{"holdfast bootstrap -c shop-galera --dry-run", "which member it would start from, and why"}}},
      {.path = "inspect",
       .summary = "recover the positions of crashed Galera members (may change files)",
       .description =
           "After a crash grastate.dat of a Galera member says -1: its position is in InnoDB alone. inspect --fence "
           "has "
           "the agent of each stopped member run `mariadbd --wsrep-recover`, shows each uuid:seqno, and judges the "
           "cluster with them as triage does. This is InnoDB's crash recovery, as at any start: redo log and data "
           "files change, grastate.dat and galera.cache do not, and the server accepts no clients. Members whose "
           "server "
           "runs are left alone; naming one with -i is refused. What was found stays known to the agent, and so to "
           "triage, until a server starts there or the files change. Exit 4 when something is unhealthy.",
       .flags = {{.name = "fence", .type = FlagType::boolean, .help = "yes, run crash recovery on stopped members"},
                 {.name = "timeout",
                  .type = FlagType::integer,
                  .help = "how long the recovery of one member may take; they run at the same time",
                  .value_name = "SECONDS",
                  .default_value = "300"},
                 {.name = "member-timeout",
                  .type = FlagType::integer,
                  .help = "how long one member may take to answer",
                  .value_name = "SECONDS",
                  .default_value = "5"}},
       .groups = {&cluster_flags()},
       .examples = {{"holdfast inspect --fence -c shop-galera", "who is ahead after all nodes crashed"},
                    {"holdfast inspect --fence -c shop-galera --dry-run", "which members would be recovered"}}},
      {.path = "explain",
       .summary = "the runbook page of a diagnosis",
       .description = "Prints what a diagnosis means, how it is found, what to do and what not to do. Without an id it "
                      "lists all diagnoses.",
       .positionals = {{"DIAGNOSIS", "id that triage printed, such as replica-thread-stopped", false}},
       .examples = {{"holdfast explain replica-thread-stopped", "why replication is stopped without an error"}}},
      {.path = "get backups",
       .summary = "list backups of clusters",
       .description = "Lists the backups in the repository, newest last, with cluster, member, position and size.",
       .flags = {type, all},
       .groups = {&cluster_flags(), &repository_flags()},
       .examples = {{"holdfast get backups -o wide -r ./repo", "with positions"}}},
      {.path = "get policies",
       .summary = "list backup policies",
       .description = "Lists the BackupPolicy resources of --config.",
       .flags = {all}},
      {.path = "get repositories",
       .summary = "list repositories",
       .description = "Lists the BackupRepository resources of --config and the lab.",
       .flags = {all}},
      {.path = "export",
       .summary = "write a backup's dump to a file",
       .description = "Writes the dump of a snapshot to a file, compressed when its name ends in .gz. The file appears "
                      "complete or not at all.",
       .flags = {{.name = "file",
                  .type = FlagType::text,
                  .help = "the file to write",
                  .shorthand = 'o',
                  .value_name = "FILE"},
                 {.name = "snapshot",
                  .type = FlagType::text,
                  .help = "id (or its first digits) of a snapshot, or latest",
                  .value_name = "ID|latest",
                  .default_value = "latest",
                  .env = {"HOLDFAST_SNAPSHOT"}},
                 {.name = "type",
                  .type = FlagType::choice,
                  .help = "which kind of snapshots",
                  .shorthand = 't',
                  .value_name = "TYPE",
                  .default_value = "backup",
                  .choices = {"backup", "diverged", "escrow"}}},
       .groups = {&cluster_flags(), &repository_flags()},
       .examples = {{"holdfast export -c shop-postgres --snapshot latest -o dump.sql.gz -r ./repo",
                     "a compressed dump"}}},
  };
}

}  // namespace holdfast::cli
