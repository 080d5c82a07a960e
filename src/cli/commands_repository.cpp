// Commands that work on a repository by itself, and those of them that also know clusters (backup, restore, prune).
#include "cli/command_table.h"

namespace holdfast::cli {
namespace {

const Flag kSnapshot{.name = "snapshot", .type = FlagType::text,
                     .help = "id (or its first digits) of a snapshot, or latest: the newest that fits the filters",
                     .value_name = "ID|latest", .default_value = "latest", .env = {"HOLDFAST_SNAPSHOT"}};
const Flag kAccept{.name = "accept", .type = FlagType::list,
                   .help = "accept one named danger, such as replace-data; the refusal says which name is asked for",
                   .value_name = "NAME[:ARG]"};
const Flag kCompression{.name = "compression", .type = FlagType::choice, .help = "how hard to compress new data",
                        .value_name = "MODE", .default_value = "auto", .env = {"RESTIC_COMPRESSION"},
                        .choices = {"auto", "off", "fastest", "better", "max"}};
const Flag kPackSize{.name = "pack-size", .type = FlagType::integer, .help = "target size of pack files",
                     .value_name = "MIB", .env = {"RESTIC_PACK_SIZE"}};
const Flag kMaxUnused{.name = "max-unused", .type = FlagType::text,
                      .help = "how much unused data may stay: a percentage, a size, or unlimited",
                      .value_name = "LIMIT", .default_value = "5%"};
const Flag kMaxRepack{.name = "max-repack-size", .type = FlagType::text,
                      .help = "rewrite at most this much, e.g. 2G", .value_name = "SIZE"};
const Flag kRepackSmall{.name = "repack-small", .type = FlagType::boolean, .help = "also rewrite packs far below the target size"};
const Flag kRepackCacheable{.name = "repack-cacheable-only", .type = FlagType::boolean, .help = "rewrite only packs that hold trees"};
const Flag kRepackUncompressed{.name = "repack-uncompressed", .type = FlagType::boolean, .help = "also rewrite uncompressed data"};
const Flag kType{.name = "type", .type = FlagType::choice, .help = "which kind of snapshots", .shorthand = 't',
                 .value_name = "TYPE", .default_value = "backup", .choices = {"backup", "diverged", "escrow", "all"}};

}  // namespace

std::vector<Command> repository_commands() {
  return {
      {.path = "repo init", .summary = "create a repository",
       .description = "Creates an empty repository of format version 2 and its first key. Refuses (exit 7) where one exists.",
       .flags = {{.name = "copy-chunker-params", .type = FlagType::boolean,
                  .help = "take the cut-point polynomial of --from-repo, so that copies share data"}},
       .groups = {&repository_flags(), &source_repository_flags()},
       .examples = {{"holdfast repo init -r ./repo", "a local repository; asks for the password"}}},
      {.path = "repo stats", .summary = "sizes and counts",
       .description = "How much the repository holds: stored and restored sizes, snapshots, blobs, packs, compression.",
       .groups = {&repository_flags(), &snapshot_filter_flags()}},
      {.path = "repo unlock", .summary = "remove stale locks",
       .description = "Removes locks whose owner is proven dead or that are older than 30 minutes.",
       .flags = {{.name = "remove-all", .type = FlagType::boolean, .help = "remove every lock, also of live processes"}},
       .groups = {&repository_flags()}},
      {.path = "repo copy", .summary = "copy snapshots from another repository",
       .description = "Copies snapshots of --from-repo into the repository; data that is already there is not sent again.",
       .groups = {&repository_flags(), &source_repository_flags(), &snapshot_filter_flags()},
       .positionals = {{"SNAPSHOT...", "ids to copy; without any, all that fit the filters", false}},
       .examples = {{"holdfast repo copy --from-repo ./repo -r s3:https://s3.example.org/backups", "a second, remote home"}}},
      {.path = "repo repair-index", .summary = "rebuild the index from the packs",
       .description = "Writes a new index from the headers of the packs that are really there.",
       .flags = {{.name = "read-all-packs", .type = FlagType::boolean, .help = "trust no existing index"}},
       .groups = {&repository_flags()}},
      {.path = "repo key list", .summary = "list keys", .description = "Lists the keys that open the repository.",
       .groups = {&repository_flags()}},
      {.path = "repo key add", .summary = "add a key", .description = "Adds a key with a new password.",
       .flags = {{.name = "new-password-file", .type = FlagType::text, .help = "file that holds the new password",
                  .value_name = "FILE"},
                 {.name = "new-password-command", .type = FlagType::text, .help = "program that prints the new password",
                  .value_name = "COMMAND"},
                 {.name = "user", .type = FlagType::text, .help = "user name noted in the key", .value_name = "NAME"},
                 {.name = "host", .type = FlagType::text, .help = "host name noted in the key", .value_name = "HOST"}},
       .groups = {&repository_flags()}},
      {.path = "repo key remove", .summary = "remove a key",
       .description = "Removes a key. The one in use cannot be removed.",
       .groups = {&repository_flags()},
       .positionals = {{"ID", "the key's id or its first digits", true}}},
      {.path = "backup", .summary = "back up a cluster, a stream, a program's output or a directory",
       .description =
           "With -c it backs up a cluster. Without, it stores what --stdin delivers, what the program after -- prints, or the\n"
           "directories of --tree. If the program fails, the backup fails and no snapshot becomes visible.",
       .flags = {{.name = "stdin", .type = FlagType::boolean, .help = "store what comes from standard input"},
                 {.name = "path", .type = FlagType::text,
                  .help = "path the stream has in the snapshot, e.g. shop/orders/dump.sql", .value_name = "VPATH",
                  .aliases = {"stdin-filename"}},
                 {.name = "tree", .type = FlagType::list, .help = "directory (or file) to store; repeatable",
                  .value_name = "DIR"},
                 {.name = "exclude", .type = FlagType::list, .help = "leave out what matches, as restic does",
                  .value_name = "PATTERN"},
                 {.name = "one-file-system", .type = FlagType::boolean, .help = "do not cross into other file systems",
                  .shorthand = 'x'},
                 {.name = "host", .type = FlagType::text, .help = "host name of the snapshot; the machine's by default",
                  .shorthand = 'H', .value_name = "HOST", .env = {"RESTIC_HOST"}},
                 {.name = "time", .type = FlagType::text,
                  .help = "time of the snapshot, '2006-01-02 15:04:05' or RFC 3339; now by default", .value_name = "TIME"},
                 {.name = "tag", .type = FlagType::list, .help = "tags of the snapshot; comma or repeated flag",
                  .value_name = "TAG[,TAG...]"},
                 {.name = "parent", .type = FlagType::text,
                  .help = "snapshot to take hints from; the newest of the same host and path by default",
                  .value_name = "ID"},
                 kCompression, kPackSize},
       .groups = {&cluster_flags(), &repository_flags()},
       .examples = {{"holdfast backup -c shop-mariadb --backups-path ./repo", "a whole cluster, from a healthy replica"},
                    {"mysqldump ... | holdfast backup --stdin --path shop/app/dump.sql -r ./repo", "a stream"},
                    {"holdfast backup --path shop/app/dump.sql -r ./repo -- mysqldump ...",
                     "the better form of it: a failing producer fails the backup"},
                    {"holdfast backup --tree /srv/files -r ./repo", "a directory"}},
       .takes_command = true},
      {.path = "dump", .summary = "write one file of a snapshot to standard output",
       .description = "Writes the content of PATH in the snapshot to standard output, and nothing else.",
       .groups = {&snapshot_filter_flags(), &repository_flags()},
       .positionals = {{"SNAPSHOT", "id, its first digits, or latest", true}, {"PATH", "the file in it", true}},
       .examples = {{"holdfast dump latest /shop/app/dump.sql -r ./repo | mysql", "replay a dump"}},
       .raw_stdout = true},
      {.path = "restore", .summary = "restore a cluster, or a snapshot into a directory",
       .description =
           "With -c it restores a cluster's backup: into the live cluster with --accept=replace-data (the old data directories\n"
           "are moved aside, replicas rebuilt), or with --into DIR as a fresh stand-alone server's data directory.\n"
           "Without -c it restores a snapshot's files with their full paths below DIR.",
       .flags = {kSnapshot,
                 {.name = "into", .type = FlagType::text, .help = "directory to restore into", .value_name = "DIR",
                  .aliases = {"target"}},
                 {.name = "include", .type = FlagType::list, .help = "restore only what matches", .value_name = "PATTERN"},
                 {.name = "exclude", .type = FlagType::list, .help = "leave out what matches", .value_name = "PATTERN"},
                 {.name = "sparse", .type = FlagType::boolean, .help = "write runs of zeroes as holes"},
                 {.name = "overwrite", .type = FlagType::choice, .help = "what to do with files that exist",
                  .value_name = "WHEN", .default_value = "always", .choices = {"always", "if-changed", "if-newer", "never"}},
                 {.name = "verify", .type = FlagType::boolean, .help = "read back and compare what was written"},
                 kType, kAccept},
       .groups = {&cluster_flags(), &snapshot_filter_flags(), &repository_flags()},
       .examples = {{"holdfast restore -c shop-mariadb --snapshot latest --accept=replace-data -r ./repo",
                     "bring a cluster back"},
                    {"holdfast restore --snapshot latest --into /tmp/out -r ./repo", "files"}}},
      {.path = "prune", .summary = "forget old snapshots and free their space",
       .description =
           "Forgets snapshots by the retention rules, then removes data that no snapshot needs. With -c only snapshots of that\n"
           "cluster are looked at. Without any --keep rule nothing is forgotten and only unneeded data is removed.",
       .flags = {kType, kMaxUnused, kMaxRepack, kRepackSmall, kRepackCacheable, kRepackUncompressed},
       .groups = {&retention_flags(), &cluster_flags(), &snapshot_filter_flags(), &repository_flags()},
       .examples = {{"holdfast prune -c shop-mariadb --keep-last 7 --keep-daily 30 --keep-weekly 12 --keep-monthly 24 -r ./repo",
                     "a cluster's backups"},
                    {"holdfast prune --keep-last 3 --dry-run -r ./repo", "see what would go"}}},
      {.path = "check", .summary = "check a repository for damage",
       .description = "Reads indexes, snapshots and trees; --read-data reads and decrypts every pack too. Names each damage.",
       .flags = {{.name = "read-data", .type = FlagType::boolean, .help = "read everything"},
                 {.name = "read-data-subset", .type = FlagType::text, .help = "read a part: n/t, a percentage, or a size",
                  .value_name = "PART"}},
       .groups = {&repository_flags()}},
      {.path = "get snapshots", .summary = "list snapshots, whoever wrote them",
       .description = "Lists the snapshots of a repository, oldest first.",
       .flags = {{.name = "latest", .type = FlagType::integer, .help = "only the last N of each host and path",
                  .value_name = "N"}},
       .groups = {&snapshot_filter_flags(), &repository_flags()},
       .positionals = {{"SNAPSHOT...", "only these", false}}},
  };
}

}  // namespace holdfast::cli
