// One binary or relay log file, from its first event to the last transaction that is whole.
//
// What is checked: the chain of event headers to the end; the CRC of every event between transactions (format, GTID
// lists, GTIDs, rotate, stop) and of every event that ends a transaction; the CRC of all events of the last
// transaction. Bodies inside the others are skipped (a gigabyte takes well under a second from the page cache): they
// cannot change a position. Order is held to the grammar of the log: a transaction begins with a GTID and nothing
// stands outside of one.
//
// A tail that a killed server leaves is a file that just ends: inside an event, or between two events of a transaction.
// It is cut off and reported. Anything else (wrong checksum, noise, zeros, whole events behind the bad place, a log
// marked as closed that has no end) is damage: `trouble` says where and what.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "engine/binlog/event.h"
#include "engine/binlog/gtids.h"
#include "engine/stored/window.h"

namespace holdfast::engine::binlog {

using stored::FileSource;
using stored::MemorySource;
using stored::Source;
using stored::Window;

/// A whole transaction.
struct Group {
  GroupStart start;
  uint64_t offset = 0, end = 0;
  uint32_t timestamp = 0;
};

struct ScanOptions {
  bool relay = false;       ///< a relay log: events keep the offsets of another server's log
  bool start_only = false;  ///< only up to the first list of GTIDs
  Deadline deadline = Deadline::never();
  std::stop_token stop;
  /// Called for every whole transaction.
  std::function<void(const Group&, const Format&)> on_group;
};

struct Scan {
  enum class End {
    closed,         ///< by a stop event: the server was shut down
    rotated,        ///< by a rotate event: `next_file` goes on
    open,           ///< behind a whole transaction: the server runs, or was killed
    partial_event,  ///< inside an event, which is not counted
    partial_group,  ///< inside a transaction, which is not counted
    start_only,     ///< as asked
    trouble,
  };
  End end = End::trouble;
  std::string trouble;  ///< why the scan could not go to the end
  std::string tail;     ///< what was cut off and why; "" = nothing
  uint64_t file_size = 0;
  uint64_t valid_end = 0;   ///< behind the last whole transaction, or event outside of one
  uint64_t stopped_at = 0;  ///< where reading ended

  std::optional<Format> format;
  bool in_use = false;     ///< the server has not closed it
  bool relay_log = false;  ///< its own mark says so
  bool encrypted = false;
  bool has_list = false;  ///< a GTID list or Previous_gtids event was there
  Gtids at_start;         ///< what that says
  Gtids added;            ///< by the whole transactions in this file
  uint64_t groups = 0, anonymous = 0;
  std::optional<Group> last_group;
  std::optional<GroupStart> partial;  ///< the transaction that is not whole
  std::string next_file;              ///< end == rotated
};

/// Never fails: trouble is in the result. Memory: the window (1 MiB), or the largest event that must be read whole.
Scan scan_log(Source& source, const ScanOptions& options = {});

}  // namespace holdfast::engine::binlog
