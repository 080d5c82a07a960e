// Commands about clusters that exist: how they come to be known here.
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
  };
}

}  // namespace holdfast::cli
