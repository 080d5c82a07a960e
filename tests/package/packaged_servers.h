// Servers of each engine as packages, or their administrators, set them up on a machine of its own: two of them, of
// which the second follows the first.
#pragma once

#include <string>

namespace holdfast::test {

/// What differs between the engines: shell scripts, run as root on the machine.
struct Packaged {
  std::string engine;
  std::string program;
  std::string units[2];
  std::string data[2];
  std::string configuration;  ///< files that must stay as they are
  std::string start;          ///< two servers, the second one follows the first; accounts keeper and copier
  std::string sql[2];         ///< a statement is put behind it, quoted
  int ports[2];
  bool restarts;                          ///< its unit, by itself, after a crash
  std::string account;                    ///< of the agents, where the kernel's word is not enough
  std::string data_lost = "rm -rf $1/*";  ///< of the directory $1: its configuration stays, where that lies in it
};

/// Debian's packages. PostgreSQL is the one that the container's files have.
extern const Packaged kMariadb, kPostgres;
/// As RHEL's packages and servers built from source have it: the configuration lies among the data, and it differs.
extern const Packaged kPostgresAlone;
/// The process of the second one's unit is the script that minds it.
extern const Packaged kMariadbSafe;
/// As Oracle's packages set it up, with a unit for each instance.
extern const Packaged kMysql;
/// Their logs lie elsewhere, of both servers in one directory.
extern const Packaged kMariadbLogs, kMysqlLogs;
/// Its agent is root, whom the kernel names, and its data is not laid out as by default.
extern const Packaged kMariadbRoot;

/// Each `what` in it.
std::string replaced(std::string text, const std::string& what, const std::string& with);

}  // namespace holdfast::test
