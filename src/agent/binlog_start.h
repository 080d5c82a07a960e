// MySQL: the first binary log of a copy. A server that has its transactions from a copy begins its log as if there had
// been none: what came with the copy is in a table (mysql.gtid_executed) alone, and when it has crashed no file says
// any more how far it is. With a log that begins behind them they are as transactions whose logs were purged: for the
// server (gtid_purged) and for whoever reads its files.
#pragma once

#include <string>

#include "base/result.h"
#include "position/gtid_set.h"

namespace holdfast::agent {

/// Server stopped. The log `path` ("/data/binlog.000001"), in which nothing is logged yet, says from now on that
/// `executed` comes before it. False, and the file is as it was: it is not such a file, or the set has tags, which
/// older servers' formats lack.
Result<bool> begin_binlog_behind(const std::string& path, const position::GtidSet& executed);

}  // namespace holdfast::agent
