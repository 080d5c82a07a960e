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
           "Starts shop-mariadb (primary and two replicas, semi-sync), shop-galera (three nodes), shop-mysql (primary "
           "and replica) and shop-postgres (primary and standby) as local processes on loopback, and waits until all "
           "serve. Members that run already are left alone. The servers stay when the command ends; `holdfast lab "
           "down` stops them. Started by root, servers run as the users mysql and postgres. With --hosts (root) each "
           "cluster has three members, on hosts of their own: network namespaces with an address each, which this "
           "machine reaches and is reached from; the ports are the usual ones, and agents answer on port 7420.",
       .flags = {{.name = "hosts",
                  .type = FlagType::integer,
                  .help = "spread the members of new clusters over so many hosts, 1 to 9",
                  .value_name = "N"},
                 {.name = "servers-survive",
                  .type = FlagType::boolean,
                  .help = "a server outlives its agent, and the agent's successor adopts it"},
                 timeout},
       .positionals = {clusters},
       .examples = {{"holdfast lab up", "all four clusters"},
                    {"holdfast lab up shop-postgres", "one of them"},
                    {"holdfast lab up --hosts 3 shop-postgres", "each member on a host of its own"}}},
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
      {.path = "lab load",
       .summary = "write a realistic data set, or keep writing",
       .description =
           "Writes a mixed data set of about --size into a lab cluster, through its primary: many types, views, "
           "routines, "
           "triggers, events, users. The same --seed gives the same rows. With --write it inserts rows into "
           "shop.ledger one "
           "by one instead and notes each acknowledged one in lab/CLUSTER/acknowledged.journal of the state directory.",
       .flags =
           {{.name = "cluster",
             .type = FlagType::text,
             .help = "name of the lab cluster",
             .shorthand = 'c',
             .value_name = "NAME"},
            {.name = "size",
             .type = FlagType::text,
             .help = "how much data",
             .value_name = "SIZE",
             .default_value = "200MB"},
            {.name = "seed", .type = FlagType::integer, .help = "which data", .value_name = "N", .default_value = "1"},
            {.name = "write", .type = FlagType::boolean, .help = "keep writing rows and journal the acknowledged ones"},
            {.name = "seconds", .type = FlagType::integer, .help = "how long to write", .value_name = "N"},
            {.name = "background",
             .type = FlagType::boolean,
             .help = "start the writer and return; it ends with the lab"}},
       .examples = {{"holdfast lab load -c shop-mariadb --size 50MB", "a small data set"},
                    {"holdfast lab load -c shop-postgres --background", "a writer that continues"}}},
      {.path = "lab manifest",
       .summary = "what a cluster holds: per table the row count and a checksum that no order changes",
       .description =
           "Reads every table of one member and prints one line per table. Two members, or one before and after a "
           "restore, hold the same when the lines are the same.",
       .flags =
           {{.name = "cluster",
             .type = FlagType::text,
             .help = "name of the cluster",
             .shorthand = 'c',
             .value_name = "NAME"},
            {.name = "namespace",
             .type = FlagType::text,
             .help = "its namespace",
             .shorthand = 'n',
             .value_name = "NAME"},
            {.name = "engine", .type = FlagType::text, .help = "its engine", .shorthand = 'e', .value_name = "ENGINE"},
            {.name = "instance",
             .type = FlagType::text,
             .help = "member, by name or ordinal",
             .shorthand = 'i',
             .value_name = "MEMBER",
             .default_value = "0"}},
       .examples = {{"holdfast lab manifest -c shop-mysql -i 1", "of the replica"}}},
      {.path = "lab break",
       .summary = "damage a member on purpose",
       .description =
           "Damages one member: kill, stop (SIGSTOP), continue, delete-data, corrupt-pages, truncate-file, "
           "drop-schema, truncate-tables; as root also fill-disk (its data moves to a small file system, which is "
           "then filled) and partition (no packet reaches or leaves the server). In a lab with hosts, for the whole "
           "host of the member: host-cut (no packet reaches or leaves it), host-deaf (none reaches it, what it sends "
           "arrives) and host-slow (50 ms more in each direction, 1 % is lost). Only members of the lab can be named.",
       .flags = {{.name = "from",
                  .type = FlagType::text,
                  .help =
                      "host-cut, host-deaf: only between its host and that of this member, or `caller`, this machine",
                  .value_name = "MEMBER"}},
       .positionals = {{"what", "the kind of damage"}, {"member", "which member, e.g. shop-mariadb-1"}},
       .examples = {{"holdfast lab break corrupt-pages shop-galera-2", "then look at: holdfast get status"},
                    {"holdfast lab break host-cut shop-postgres-1 --from shop-postgres-0",
                     "the two do not reach each other, both are reached from here"}}},
      {.path = "lab wire",
       .summary = "carry frames between two interfaces, slowly",
       .description = "The process behind `lab break host-slow`; holds a lock file while it works.",
       .positionals = {{"left", "an interface"}, {"right", "the other one"}, {"lock", "the lock file"}},
       .hidden = true},
      {.path = "lab heal",
       .summary = "make a damaged member serve again",
       .description =
           "Restores the disk and network of the server and of its host, continues a stopped one, starts one "
           "that is down, and rebuilds a replica or Galera node from the other members; the old data directory is "
           "moved aside. A broken primary is refused: restore it.",
       .positionals = {{"member", "which member"}}},
      {.path = "agent",
       .summary = "supervise one database server",
       .description =
           "Runs in the foreground, starts and stops the server of one member on request and answers on a unix "
           "socket. `holdfast lab up` starts one for each member.",
       .flags = {{.name = "dir",
                  .type = FlagType::text,
                  .help = "the member's directory, with agent.json",
                  .value_name = "DIR"},
                 {.name = "leashed",
                  .type = FlagType::boolean,
                  .help = "end with the process that started it, until it is released"}}},
  };
}

}  // namespace holdfast::cli
