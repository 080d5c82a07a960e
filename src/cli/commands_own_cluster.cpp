// Commands about clusters that exist: how they come to be known here, and the accounts they are worked on with.
#include "cli/command_table.h"

namespace holdfast::cli {

std::vector<Command> own_cluster_commands() {
  return {
      {.path = "cluster discover",
       .summary = "write the DatabaseCluster of servers that exist, from one of them",
       .description =
           "Asks one server for its source, its replicas or standbys, or the nodes of its component, and those in "
           "turn, and prints a DatabaseCluster: write it into a file and name that with --config. What the servers do "
           "not say is a comment in it; members that did not answer are listed all the same. Changes nothing. Without "
           "a password the first server is asked over its unix socket as the unix user that runs this; run by root, "
           "PostgreSQL's as postgres.",
       .flags = {{.name = "engine",
                  .type = FlagType::choice,
                  .help = "what kind of server it is",
                  .shorthand = 'e',
                  .value_name = "ENGINE",
                  .env = {"HOLDFAST_ENGINE"},
                  .choices = {"mariadb", "galera", "mysql", "postgres"}},
                 {.name = "socket",
                  .type = FlagType::text,
                  .help = "unix socket of a server on this machine",
                  .value_name = "FILE"},
                 {.name = "host", .type = FlagType::text, .help = "a server's name or address", .value_name = "HOST"},
                 {.name = "port",
                  .type = FlagType::integer,
                  .help = "its port; 3306, PostgreSQL 5432",
                  .value_name = "PORT"},
                 {.name = "user",
                  .type = FlagType::text,
                  .help = "the account; without a password: you, PostgreSQL postgres",
                  .value_name = "USER"},
                 {.name = "password-file",
                  .type = FlagType::text,
                  .help = "file that holds the account's password",
                  .value_name = "FILE"},
                 {.name = "password-env",
                  .type = FlagType::text,
                  .help = "environment variable that holds it",
                  .value_name = "VARIABLE"},
                 {.name = "option-file",
                  .type = FlagType::text,
                  .help = "MariaDB, MySQL: file with user and password in [client], as ~/.my.cnf",
                  .value_name = "FILE"},
                 {.name = "pgpass-file",
                  .type = FlagType::text,
                  .help = "PostgreSQL: file of passwords, as ~/.pgpass",
                  .value_name = "FILE"},
                 {.name = "ca",
                  .type = FlagType::text,
                  .help = "TLS for members on other hosts: PEM file of the authority of their certificates",
                  .value_name = "FILE"},
                 {.name = "allow-plain-text",
                  .type = FlagType::boolean,
                  .help = "members on other hosts may be asked without TLS: the network is trusted"},
                 {.name = "name",
                  .type = FlagType::text,
                  .help = "name of the cluster; the engine's, or Galera's wsrep_cluster_name",
                  .value_name = "NAME"},
                 {.name = "namespace",
                  .type = FlagType::text,
                  .help = "namespace of the cluster",
                  .shorthand = 'n',
                  .value_name = "NAME",
                  .env = {"HOLDFAST_NAMESPACE"}},
                 {.name = "member-timeout",
                  .type = FlagType::integer,
                  .help = "how long one server may take to answer",
                  .value_name = "SECONDS",
                  .default_value = "5"}},
       .examples = {{"holdfast cluster discover -e mariadb --socket /run/mysqld/mysqld.sock > orders.yaml",
                     "a server of this machine, as root"},
                    {"holdfast cluster discover -e postgres --host db1 --user keeper --password-file pw --ca ca.pem",
                     "from anywhere"}}},
      {.path = "cluster accounts",
       .summary = "show or create accounts with no more rights than their work takes",
       .description =
           "An account for each role: observe (triage, get status, cluster discover), operate (what repairs do by "
           "SQL), "
           "replicate (a replica or standby logs in to its source) and backup (dumps). --show prints the statements "
           "with "
           "what each right is for, as a script for the server's own client; it needs no server, no password, and "
           "changes nothing. --create runs them on the primary as the cluster's credentials. It refuses where there is "
           "no primary or more than one, and where an account of that name has other rights, which it names; an "
           "account "
           "that has these rights is kept, with its password. Passwords are read from NAME.password in --password-dir, "
           "or made and written there (mode 0600); they are never printed.",
       .flags = {{.name = "show", .type = FlagType::boolean, .help = "print the statements"},
                 {.name = "create", .type = FlagType::boolean, .help = "run them on the primary"},
                 {.name = "role",
                  .type = FlagType::choice,
                  .help = "this role only",
                  .value_name = "ROLE",
                  .choices = {"observe", "operate", "replicate", "backup"}},
                 {.name = "name-prefix",
                  .type = FlagType::text,
                  .help = "how the accounts' names begin, before the role",
                  .value_name = "PREFIX",
                  .default_value = "holdfast_"},
                 {.name = "from",
                  .type = FlagType::text,
                  .help = "MariaDB, MySQL: the host they may log in from, as in 'user'@'host'",
                  .value_name = "HOST",
                  .default_value = "%"},
                 {.name = "server-version",
                  .type = FlagType::text,
                  .help = "--show: the server's version, refused where its rights are not known",
                  .value_name = "VERSION"},
                 {.name = "password-dir",
                  .type = FlagType::text,
                  .help = "--create: directory of the passwords",
                  .value_name = "DIR"}},
       .groups = {&cluster_flags()},
       .examples = {{"holdfast cluster accounts -e postgres --show --role backup", "the statements, for psql"},
                    {"holdfast cluster accounts -c orders --create --role observe --password-dir ./passwords",
                     "created on the primary"}}},
      {.path = "agent adopt",
       .summary = "give a server that runs on this host an agent; nothing restarts",
       .description =
           "Finds the running server, its data directory, configuration and systemd unit, writes the agent's "
           "configuration, and starts the agent. The server runs on as it is, and its unit starts and stops it as "
           "before. MariaDB and MySQL get one file among their configuration (zz-holdfast-MEMBER.cnf), which says "
           "whether the member starts read-only, or what holds for one start of a Galera node; a unit gets one beside "
           "it "
           "(holdfast-MEMBER.conf), which keeps it from "
           "starting on data that is not whole. With -c and -i the member is one of a cluster of --config, whose other "
           "members it then knows; without, it is "
           "the only one. Without --admin-password-file the agent logs in over the unix socket as root, or as "
           "postgres. Run "
           "it as root. --dry-run says what was found and what would be written.",
       .flags =
           {{.name = "data-dir",
             .type = FlagType::text,
             .help = "which server, where several run here",
             .value_name = "DIR"},
            {.name = "socket",
             .type = FlagType::text,
             .help = "unix socket of the server, where it is in no usual place",
             .value_name = "FILE"},
            {.name = "admin-user",
             .type = FlagType::text,
             .help = "account of the agent: root, PostgreSQL postgres",
             .value_name = "USER"},
            {.name = "admin-password-file",
             .type = FlagType::text,
             .help = "file that holds its password",
             .value_name = "FILE"},
            {.name = "replication-user",
             .type = FlagType::text,
             .help = "account with which members replicate from one another",
             .value_name = "USER"},
            {.name = "replication-password-file",
             .type = FlagType::text,
             .help = "file that holds its password",
             .value_name = "FILE"},
            {.name = "listen",
             .type = FlagType::text,
             .help = "where the agent answers callers of other hosts, with TLS",
             .value_name = "HOST:PORT"},
            {.name = "tls-ca", .type = FlagType::text, .help = "PEM file of their authority", .value_name = "FILE"},
            {.name = "tls-certificate",
             .type = FlagType::text,
             .help = "PEM file of the agent's certificate",
             .value_name = "FILE"},
            {.name = "tls-key", .type = FlagType::text, .help = "PEM file of its key", .value_name = "FILE"},
            {.name = "allow-plain-text",
             .type = FlagType::boolean,
             .help = "members on other hosts may be spoken to without TLS: the network is trusted"},
            {.name = "dir",
             .type = FlagType::text,
             .help = "the member's directory (default /var/lib/holdfast/members/MEMBER)",
             .value_name = "DIR"}},
       .groups = {&cluster_flags()},
       .examples = {{"holdfast agent adopt -e mariadb --dry-run", "what would be written for the server of this host"},
                    {"holdfast agent adopt -c orders -i 0 --config orders.yaml --listen 10.0.0.5:7420 --tls-ca ca.crt "
                     "--tls-certificate db1.crt --tls-key db1.key",
                     "a member of a cluster, reached from other hosts"}}},
      {.path = "agent release",
       .summary = "take the agent of a server away again; nothing restarts",
       .description =
           "Stops the agent, and removes its file among the server's configuration and what it made for itself. The "
           "server runs on, and its unit starts it as before there was an agent. Refused while the agent runs the "
           "server itself, or an operation is unfinished. Directories that were moved aside stay. Run it as root.",
       .flags = {{.name = "dir",
                  .type = FlagType::text,
                  .help = "the member's directory (default /var/lib/holdfast/members/MEMBER)",
                  .value_name = "DIR"}},
       .positionals = {{"member", "which member; the only one of this host where it is left out", false}},
       .examples = {{"holdfast agent release orders-0", "its server runs on"}}},
  };
}

}  // namespace holdfast::cli
