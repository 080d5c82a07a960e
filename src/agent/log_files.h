// Binary and relay logs of MariaDB and MySQL that their configuration puts outside of the data directory.
//
// They lie there for the directory that is the member's data. A copy that is made beside it has its logs among its data
// (agent/launch_existing says so to its server). When it takes the data's place they are left behind: the transactions
// in them are in its tables, and so is how far it has come. Only MariaDB's state of the binary log is not, which a
// server takes from the file BASE.state. The logs that were there before go, by renames, into a directory beside,
// called after the directory whose they are:
//
//   /var/log/mysql/bin.000007, bin.index         of /var/lib/mysql
//   /var/log/mysql/bin.replaced-20261125T101112Z  of /var/lib/mysql.replaced-20261125T101112Z
//
// All is done as the server's user, by names in open directories.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/config.h"
#include "base/result.h"

namespace holdfast::agent {

/// Bases ("/var/log/mysql/bin") of those that lie outside of `data_dir`; `unfit`: why they cannot be left to this
/// module, as settings.
struct LogPlaces {
  std::string binlog, relay;
  std::vector<std::string> unfit;
};
/// By what a server says of itself, SHOW GLOBAL VARIABLES.
LogPlaces log_places(const std::string& data_dir, const std::map<std::string, std::string>& settings);

/// Are there any?
bool has_logs_elsewhere(const MemberConfig& config);

/// Arguments by which the server of a copy has its logs among its data; none where all logs are there anyway.
std::vector<std::string> logs_among_data(const MemberConfig& config);

/// The data directory has been moved to `aside` ("" = there was none), and another was put in its place: the logs
/// follow. May be repeated until it has come to its end.
Status swap_logs(const MemberConfig& config, const std::string& aside);

/// The data directory is to be what `aside` is now: the logs that are here become those of `other` ("" = it is not
/// known any more which one that was), and its own come back. May be repeated.
Status put_logs_back(const MemberConfig& config, const std::string& aside, const std::string& other);

/// Of a directory that was moved aside, for good. Fine where there are none.
Status remove_logs(const MemberConfig& config, const std::string& aside);

/// Files of the logs of `data_dir`, which is the member's data or was moved aside: full paths, sorted.
Result<std::vector<std::string>> logs_of(const MemberConfig& config, const std::string& data_dir);

}  // namespace holdfast::agent
