// What a MariaDB or MySQL data directory says about its member while no SQL can be had: stopped, crashed or hung.
//
// Strictly reading; safe while the server runs. Cost: a listing and a few small files (under 1 ms), plus the last
// binary log file (see binlog/position.h), plus the relay logs if they are asked for.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "engine/binlog/position.h"
#include "engine/stored/content.h"
#include "engine/stored/files.h"
#include "engine/stored/known.h"

namespace holdfast::engine {

struct MysqlFamilyStored : ContentOf {
  bool has_innodb = false, has_aria = false, has_system_schema = false, has_redo = false;

  stored::Known<std::string> server_uuid;  ///< auto.cnf; MySQL only
  stored::Known<std::string> version;      ///< of the server that last upgraded it: a hint
  binlog::BinlogReading binlog;
  stored::Known<binlog::Received> received;
  stored::Known<stored::Volume> data_volume, log_volume;  ///< log: where the binary log is
};

struct StoredOptions {
  std::string log_base;    ///< log_bin_basename, if the server's configuration is known
  std::string relay_base;  ///< relay_log_basename, if known
  bool moved = false;      ///< the directory is a copy, or was moved from where its server had it
  bool relay = true;       ///< read the relay logs too
  Deadline deadline = Deadline::never();
  std::stop_token stop;
};

/// Never fails: what could not be read is unknown and says why.
MysqlFamilyStored read_mysql_family_stored(const std::string& data_dir, const StoredOptions& options = {});

}  // namespace holdfast::engine
