// What a PostgreSQL data directory says about its member while no SQL can be had: stopped, crashed or hung.
// Strictly reading; safe while the server runs.
#pragma once

#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "engine/postgres/control.h"
#include "engine/postgres/timeline.h"
#include "engine/postgres/wal.h"
#include "engine/stored/content.h"
#include "engine/stored/files.h"
#include "engine/stored/known.h"

namespace holdfast::engine::postgres {

/// postmaster.pid: there while a server runs, and after a crash.
struct PostmasterPid {
  int pid = 0;
  int64_t started = 0;  ///< seconds since 1970
  int port = 0;
  std::string data_dir, socket_dir, listen, status;  ///< status: "ready", "starting", "stopping", "standby"
};
Result<PostmasterPid> parse_postmaster_pid(std::string_view text);

struct PostgresStored : ContentOf {
  stored::Known<std::string> version;  ///< PG_VERSION: "15"
  stored::Known<ControlData> control;
  WalReading wal;
  stored::Known<PostmasterPid> postmaster;
  bool postmaster_absent = false;  ///< proven: shut down cleanly
  bool standby_signal = false, recovery_signal = false;
  bool signals_known = false;                               ///< the two above are proven
  std::map<uint32_t, position::TimelineHistory> histories;  ///< all of pg_wal that make sense, by timeline
  std::string histories_unknown;                            ///< of those that do not; "" = none
  stored::Known<std::vector<std::string>> slots;            ///< names in pg_replslot
  stored::Known<uint64_t> archive_ready;                    ///< WAL files that wait to be archived
  stored::Known<uint64_t> segments;                         ///< WAL segment files in pg_wal
  stored::Known<stored::Volume> data_volume, wal_volume;
};

struct PostgresStoredOptions {
  bool wal = true;  ///< look for the true end of WAL
  Deadline deadline = Deadline::never();
  std::stop_token stop;
};

/// Never fails: what could not be read is unknown and says why. Cost: a few listings and small files (about 1 ms), plus
/// the end of WAL (see wal.h).
PostgresStored read_postgres_stored(const std::string& data_dir, const PostgresStoredOptions& options = {});

}  // namespace holdfast::engine::postgres
