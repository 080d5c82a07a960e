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
  /// The index names another directory than its own: a copied or moved data directory. The files beside it are taken.
  bool relocated = false;
  /// A file with a higher number than the last of the index lies beside it: the index is not whole.
  std::string unlisted;
};

/// Where the logs of a data directory are. `base` is what the server's configuration says (log_bin_basename or
/// relay_log, without the number; relative to the data directory; its last extension is dropped as the server does);
/// when it is empty the index files in the data directory are looked at, and the log's own mark tells a relay log.
/// Errors: "binlog.no_index" (there is none, proven), "binlog.index" (unreadable, or it makes no sense).
Result<LogFiles> find_log_files(const std::string& data_dir, LogKind kind, const std::string& base = {});

/// "binlog.000012" -> 12; nothing when it does not end in a number behind a dot.
std::optional<uint64_t> log_number(const std::string& path);

}  // namespace holdfast::engine::binlog
