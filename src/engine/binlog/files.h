// Which files a server's binary (or relay) log consists of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace holdfast::engine::binlog {

enum class LogKind { binary, relay };

struct LogFiles {
  std::string index;               ///< path of the index file
  std::vector<std::string> paths;  ///< oldest first, all of them listed in the index; maybe not on disk any more
  /// The index names files that are not where it says, but beside it: a copied or moved data directory.
  bool relocated = false;
  /// A file with a higher number than the last of the index lies beside it: the index is not whole.
  std::string unlisted;
};

/// Where the logs of a data directory are. `base` is what the server's configuration says (log_bin_basename or
/// relay_log, without the number; relative to the data directory; its last extension is dropped as the server does);
/// when it is empty the index files in the data directory are looked at, and the log's own mark tells a relay log.
/// `moved`: the directory is a copy, or was moved from where its server had it: of two files, the one beside the index
/// counts. Without it two different files, one where the index says and one beside it, are an error.
/// Errors: "binlog.no_index" (there is none, proven), "binlog.index" (unreadable, or it makes no sense).
Result<LogFiles> find_log_files(const std::string& data_dir, LogKind kind, const std::string& base = {},
                                bool moved = false);

/// The same for every connection that has relay logs of its own. Empty: there are none, proven. A directory of `base`
/// without any file proves nothing: it may be where a volume is mounted.
Result<std::vector<LogFiles>> find_relay_logs(const std::string& data_dir, const std::string& base = {},
                                              bool moved = false);

/// "binlog.000012" -> 12; nothing when it does not end in a number behind a dot.
std::optional<uint64_t> log_number(const std::string& path);

}  // namespace holdfast::engine::binlog
