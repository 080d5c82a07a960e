// Binary and relay logs of MariaDB and MySQL that their configuration puts outside of the data directory.
//
// They lie there for the directory that is the member's data. A copy that is made beside it has its logs among its data
// (agent/launch_existing says so to its server). When it takes the data's place they are left behind: its tables have
// the transactions that are in them, and how far it is. Only MariaDB's state of the binary log is not in a table: a
// server whose index is empty takes it from the file BASE.state. The logs that were there before go into a directory
// beside, called as the directory whose they are:
//
//   /var/log/mysql/bin.000007, bin.index          of /var/lib/mysql
//   /var/log/mysql/bin.replaced-20261125T101112Z  of /var/lib/mysql.replaced-20261125T101112Z
//
// The journal of the swap (agent/data_dir) says which of these steps are to be done again after a crash; no server runs
// meanwhile. Nothing is overwritten: a file that has the name already stops it. All is done as the server's user.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/config.h"
#include "base/result.h"

namespace holdfast::agent {

/// Are there any?
bool has_logs_elsewhere(const MemberConfig& config);

/// Arguments by which the server of a copy has its logs among its data; none where all logs are there anyway.
std::vector<std::string> logs_among_data(const MemberConfig& config);

/// Whether another directory may take the data's place: "agent.data_elsewhere" (refused) where there are relay logs of
/// named connections, which have other names.
Status check_logs_can_go(const MemberConfig& config);
/// The same of the copy in `data_dir`: "agent.log_files" (failed) where its server was killed, so that its last
/// transactions may need its log.
Status check_logs_of_copy(const MemberConfig& config, const std::string& data_dir);

/// Is there a directory of logs with this suffix (".replaced-20261125T101112Z")?
bool has_logs(const MemberConfig& config, std::string_view suffix);
/// The logs that are here become those of the directory with this suffix.
Status move_logs_out(const MemberConfig& config, std::string_view suffix);
/// The reverse.
Status move_logs_back(const MemberConfig& config, std::string_view suffix);
/// The data directory is a copy that has its logs in it: what they tell is kept, and they go. Of one that is still
/// beside the data they stay.
Status leave_logs_of_copy(const MemberConfig& config);

/// Arguments of the next start on a copy that has left its logs: MySQL's tables know relay logs that are not there.
std::vector<std::string> after_leaving_logs(const MemberConfig& config);
/// The server has started: from now on the logs are its own.
void forget_left_logs(const MemberConfig& config);

/// Those that are here, for good: of data that never became whole.
Status remove_logs_here(const MemberConfig& config);
/// Those with this suffix, for good: out of the way by a rename, then gone. Fine where there are none.
Status remove_logs(const MemberConfig& config, std::string_view suffix);
/// Directories of logs that a removal which did not end has left.
std::vector<std::string> dropping_logs(const MemberConfig& config);

/// Files of the logs of `data_dir`, which is the member's data or was moved aside: full paths, sorted.
Result<std::vector<std::string>> logs_of(const MemberConfig& config, const std::string& data_dir);

}  // namespace holdfast::agent
