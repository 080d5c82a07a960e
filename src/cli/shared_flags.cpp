// Flags that more than one command takes.
#include "cli/command_table.h"

namespace holdfast::cli {

const FlagGroup& global_flags() {
  static const FlagGroup group{
      "Global flags",
      {
          {.name = "output", .type = FlagType::choice, .help = "how results are written", .shorthand = 'o',
           .value_name = "FORMAT", .default_value = "human", .env = {"HOLDFAST_OUTPUT"},
           .choices = {"human", "wide", "json", "jsonl", "yaml"}},
          {.name = "json", .type = FlagType::boolean, .help = "same as --output json"},
          {.name = "quiet", .type = FlagType::boolean, .help = "no progress, no remarks; only results and errors",
           .shorthand = 'q', .env = {"HOLDFAST_QUIET"}},
          {.name = "verbose", .type = FlagType::count, .help = "log what is done to stderr; twice for details",
           .shorthand = 'v', .env = {"HOLDFAST_VERBOSE"}},
          {.name = "no-color", .type = FlagType::boolean,
           .help = "plain text; also with NO_COLOR set or TERM=dumb", .env = {"HOLDFAST_NO_COLOR"}},
          {.name = "dry-run", .type = FlagType::boolean, .help = "say what would be done, change nothing",
           .env = {"HOLDFAST_DRY_RUN"}},
          {.name = "config", .type = FlagType::list,
           .help = "YAML file or directory with DatabaseCluster, BackupRepository and BackupPolicy resources",
           .value_name = "FILE", .env = {"HOLDFAST_CONFIG"}},
          {.name = "state-dir", .type = FlagType::text,
           .help = "where Holdfast keeps its state; /var/lib/holdfast as root, ~/.local/state/holdfast otherwise",
           .value_name = "DIR", .env = {"HOLDFAST_STATE_DIR"}},
          {.name = "force", .type = FlagType::boolean,
           .help = "not used here: dangerous choices are accepted one by one with --accept=NAME", .shorthand = 'f',
           .env = {"HOLDFAST_FORCE"}, .hidden = true},
          {.name = "help", .type = FlagType::boolean, .help = "help for this command", .shorthand = 'h'},
      }};
  return group;
}

const FlagGroup& repository_flags() {
  static const FlagGroup group{
      "Repository flags",
      {
          {.name = "backups-path", .type = FlagType::text,
           .help = "the repository: a directory, s3:URL/BUCKET/PREFIX or rest:URL", .shorthand = 'r',
           .value_name = "LOCATION", .aliases = {"repo"},
           .env = {"HOLDFAST_BACKUPS_PATH", "RESTIC_REPOSITORY", "HOLDFAST_REPOSITORY"}},
          {.name = "repository-file", .type = FlagType::text, .help = "file that holds the repository's location",
           .value_name = "FILE", .env = {"RESTIC_REPOSITORY_FILE"}},
          {.name = "password-file", .type = FlagType::text, .help = "file that holds the repository's password",
           .shorthand = 'p', .value_name = "FILE", .env = {"RESTIC_PASSWORD_FILE"}},
          {.name = "password-command", .type = FlagType::text,
           .help = "program (with arguments, no shell) that prints the repository's password", .value_name = "COMMAND",
           .env = {"RESTIC_PASSWORD_COMMAND"}},
          {.name = "restic-password", .type = FlagType::text,
           .help = "the password itself; others on this machine can see it, so prefer --password-file",
           .value_name = "PASSWORD", .env = {"RESTIC_PASSWORD", "HOLDFAST_RESTIC_PASSWORD"}},
          {.name = "key-hint", .type = FlagType::text, .help = "id of the key to try first", .value_name = "ID",
           .env = {"RESTIC_KEY_HINT"}},
          {.name = "cache-dir", .type = FlagType::text, .help = "local cache for remote repositories",
           .value_name = "DIR", .env = {"RESTIC_CACHE_DIR"}},
          {.name = "no-cache", .type = FlagType::boolean, .help = "work without a local cache"},
          {.name = "retry-lock", .type = FlagType::text,
           .help = "how long to wait for a locked repository, e.g. 30s or 5m", .value_name = "SPAN",
           .default_value = "0s"},
          {.name = "no-lock", .type = FlagType::boolean,
           .help = "take no lock; for reading a repository on read-only storage"},
          {.name = "limit-upload", .type = FlagType::integer, .help = "at most this many KiB/s to the repository",
           .value_name = "KIB"},
          {.name = "limit-download", .type = FlagType::integer, .help = "at most this many KiB/s from the repository",
           .value_name = "KIB"},
          {.name = "cacert", .type = FlagType::text, .help = "PEM file with the authorities to trust",
           .value_name = "FILE", .env = {"RESTIC_CACERT"}},
          {.name = "tls-client-cert", .type = FlagType::text, .help = "PEM file with client certificate and key",
           .value_name = "FILE", .env = {"RESTIC_TLS_CLIENT_CERT"}},
          {.name = "insecure-tls", .type = FlagType::boolean, .help = "do not verify the server's certificate"},
          {.name = "store-option", .type = FlagType::list,
           .help = "a setting of the store: s3.bucket-lookup=path|dns|auto, s3.region=R, s3.connections=N, ...",
           .value_name = "KEY=VALUE"},
      }};
  return group;
}

const FlagGroup& source_repository_flags() {
  static const FlagGroup group{
      "Source repository flags",
      {
          {.name = "from-repo", .type = FlagType::text, .help = "the repository to read from", .value_name = "LOCATION",
           .env = {"RESTIC_FROM_REPOSITORY"}},
          {.name = "from-repository-file", .type = FlagType::text, .help = "file that holds its location",
           .value_name = "FILE", .env = {"RESTIC_FROM_REPOSITORY_FILE"}},
          {.name = "from-password-file", .type = FlagType::text, .help = "file that holds its password",
           .value_name = "FILE", .env = {"RESTIC_FROM_PASSWORD_FILE"}},
          {.name = "from-password-command", .type = FlagType::text, .help = "program that prints its password",
           .value_name = "COMMAND", .env = {"RESTIC_FROM_PASSWORD_COMMAND"}},
          {.name = "from-key-hint", .type = FlagType::text, .help = "id of the key to try first", .value_name = "ID",
           .env = {"RESTIC_FROM_KEY_HINT"}},
      }};
  return group;
}

const FlagGroup& cluster_flags() {
  static const FlagGroup group{
      "Cluster flags",
      {
          {.name = "engine", .type = FlagType::choice, .help = "only clusters of this engine", .shorthand = 'e',
           .value_name = "ENGINE", .env = {"HOLDFAST_ENGINE"}, .choices = {"mariadb", "galera", "mysql", "postgres"}},
          {.name = "cluster", .type = FlagType::text, .help = "name of the cluster", .shorthand = 'c',
           .value_name = "NAME", .env = {"HOLDFAST_CLUSTER"}},
          {.name = "namespace", .type = FlagType::text, .help = "namespace of the cluster", .shorthand = 'n',
           .value_name = "NAME", .env = {"HOLDFAST_NAMESPACE"}},
          {.name = "instance", .type = FlagType::text, .help = "one member, by name or ordinal", .shorthand = 'i',
           .value_name = "MEMBER", .env = {"HOLDFAST_INSTANCE"}},
          {.name = "method", .type = FlagType::choice, .help = "how the data is taken", .shorthand = 'm',
           .value_name = "METHOD", .default_value = "dump", .env = {"HOLDFAST_BACKUP_METHOD"}, .choices = {"dump"}},
      }};
  return group;
}

const FlagGroup& snapshot_filter_flags() {
  static const FlagGroup group{
      "Snapshot filters",
      {
          {.name = "host", .type = FlagType::list, .help = "only snapshots of this host", .shorthand = 'H',
           .value_name = "HOST"},
          {.name = "tag", .type = FlagType::list,
           .help = "only snapshots with these tags; a comma means and, a repeated flag means or",
           .value_name = "TAG[,TAG...]"},
          {.name = "path", .type = FlagType::list, .help = "only snapshots that contain this path",
           .value_name = "PATH"},
      }};
  return group;
}

const FlagGroup& retention_flags() {
  static const FlagGroup group{
      "Retention",
      {
          {.name = "keep-last", .type = FlagType::text, .help = "keep the last N snapshots; N or 'unlimited' here and below",
           .shorthand = 'l', .value_name = "N", .env = {"HOLDFAST_KEEP_LAST"}},
          {.name = "keep-hourly", .type = FlagType::text, .help = "keep the last of each of the last N hours that have one",
           .value_name = "N", .env = {"HOLDFAST_KEEP_HOURLY"}},
          {.name = "keep-daily", .type = FlagType::text, .help = "the same for days", .shorthand = 'd',
           .value_name = "N", .env = {"HOLDFAST_KEEP_DAILY"}},
          {.name = "keep-weekly", .type = FlagType::text, .help = "the same for ISO weeks", .shorthand = 'w',
           .value_name = "N", .env = {"HOLDFAST_KEEP_WEEKLY"}},
          {.name = "keep-monthly", .type = FlagType::text, .help = "the same for months", .value_name = "N",
           .env = {"HOLDFAST_KEEP_MONTHLY"}},
          {.name = "keep-yearly", .type = FlagType::text, .help = "the same for years", .shorthand = 'y',
           .value_name = "N", .env = {"HOLDFAST_KEEP_YEARLY"}},
          {.name = "keep-within", .type = FlagType::text,
           .help = "keep all that are at most this much older than the newest, e.g. 1y5m7d2h", .value_name = "SPAN"},
          {.name = "keep-within-hourly", .type = FlagType::text, .help = "one per hour within this span",
           .value_name = "SPAN"},
          {.name = "keep-within-daily", .type = FlagType::text, .help = "one per day within this span",
           .value_name = "SPAN"},
          {.name = "keep-within-weekly", .type = FlagType::text, .help = "one per week within this span",
           .value_name = "SPAN"},
          {.name = "keep-within-monthly", .type = FlagType::text, .help = "one per month within this span",
           .value_name = "SPAN"},
          {.name = "keep-within-yearly", .type = FlagType::text, .help = "one per year within this span",
           .value_name = "SPAN"},
          {.name = "keep-tag", .type = FlagType::list, .help = "keep all with these tags; a comma means and",
           .value_name = "TAG[,TAG...]"},
          {.name = "group-by", .type = FlagType::text,
           .help = "apply the rules to each group of equal host, paths and/or tags; empty for one group",
           .shorthand = 'g', .value_name = "host,paths,tags", .default_value = "host,paths"},
      }};
  return group;
}

}  // namespace holdfast::cli
