// A data directory as a stream of frames: each begins with a letter, N for an entry (JSON: what lstat(2) says of it) or
// D for bytes of the file before. A directory comes before what is in it.
#pragma once

#include <stop_token>
#include <string>

#include "agent/config.h"
#include "agent/frames.h"
#include "base/deadline.h"

namespace holdfast::agent {

/// Answers, then sends the tree. Only the member's own data directory ("" means it) while no server uses it, and those
/// that were moved aside: "agent.directory" (refused) for any other, "agent.running", "agent.in_use". A file that
/// cannot be read, or data behind a symbolic link to a directory ("agent.data_elsewhere", refused), ends it with an
/// error; WAL and logs that are elsewhere (agent/wal_dir.h, agent/log_files.h) are sent as if they lay in it.
Status serve_tree(const MemberConfig& config, bool running, const std::string& directory, net::Stream& stream,
                  bool& answered, Deadline deadline, const std::stop_token& stop);

/// An entry of the stream.
struct TreeEntry {
  std::string path;  ///< relative; "" is the directory itself
  char type = 'f';   ///< f(ile), d(irectory), l(ink), p(ipe): others are left out
  uint32_t mode = 0;
  uint32_t uid = 0, gid = 0;
  std::string user, group;
  int64_t mtime_seconds = 0, ctime_seconds = 0;
  int64_t mtime_nanoseconds = 0, ctime_nanoseconds = 0;
  uint64_t inode = 0, device = 0, links = 0, size = 0;
  std::string target;
};
codec::Value entry_value(const TreeEntry& entry);
/// "agent.tree" (failed) for a path that leads elsewhere.
Result<TreeEntry> entry_from(const codec::Value& value);

}  // namespace holdfast::agent
