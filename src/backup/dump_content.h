// What a dump holds, read through once before a restore over SQL changes anything: its databases, the accounts and
// roles they name, and that its end is there.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "backup/replay.h"

namespace holdfast::backup {

struct DumpedDatabase {
  std::string name;
  std::string create;  ///< CREATE DATABASE as the dump has it, without the semicolon
  uint64_t tables = 0, rows = 0;
  uint64_t others = 0;  ///< views, sequences, routines, triggers, events
  /// MariaDB, MySQL: types of its objects ("TRIGGER", "FUNCTION").
  std::set<std::string> kinds;
  /// MariaDB, MySQL: accounts its objects run as, `user`@`host`. PostgreSQL: roles that own its objects, and itself.
  std::set<std::string> owners;
  std::set<std::string> roles;  ///< PostgreSQL: others it names, in privileges and settings
  std::string owner;            ///< PostgreSQL: its own
  /// PostgreSQL: statements about the database itself (comment, limits, privileges, settings), in their order. They
  /// name it, so they wait until it has its name.
  std::vector<std::string> properties;
};

struct DumpContent {
  engine::DumpCounts counts;              ///< of the whole dump
  std::vector<DumpedDatabase> databases;  ///< those of users, in the dump's order
  std::map<std::string, bool> roles;      ///< PostgreSQL: of the source, and whether they may log in
  std::set<std::string> of_server;        ///< with tables of users, and still the server's own: "postgres"
  const DumpedDatabase* find(std::string_view name) const;
};

/// Takes the dump as it passes by. Pure.
class ContentReader {
 public:
  virtual ~ContentReader() = default;
  virtual void feed(std::string_view bytes) = 0;
  /// All but the counts.
  virtual DumpContent content() = 0;
};
std::unique_ptr<ContentReader> mysql_content_reader();
std::unique_ptr<ContentReader> postgres_content_reader();

/// Errors: those of read_dump().
Result<DumpContent> read_content(repo::Repository& repository, const repo::Snapshot& snapshot, const std::string& path,
                                 cluster::Engine engine, std::atomic<uint64_t>* progress, std::stop_token stop);

}  // namespace holdfast::backup
