// What mariadb-dump and mysqldump have in common: one program's output, read to its end mark, with the position of its
// snapshot found in it or asked of the server.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/dump.h"
#include "engine/mysql_family/completeness.h"
#include "engine/mysql_family/exact_dump.h"
#include "engine/mysql_family/framed_output.h"
#include "engine/private_files.h"
#include "engine/producer.h"
#include "engine/table_checksums.h"
#include "sql/mariadb.h"

namespace holdfast::engine {

class MysqlFamilyDump : public DumpStream {
 public:
  /// `options` is the file the program reads its password from; it goes with the dump. `own`: statements of our own
  /// around what the program writes.
  MysqlFamilyDump(DumpRequest request, sql::MariadbConnection connection, PrivateFile options, Producer producer,
                  DumpInfo info, OwnStatements own);

  /// Waits until the program has its snapshot, and lets commits go on. The rows of `exact` follow those of the program.
  /// Called once, before read().
  Status start(ExactDump exact, std::stop_token stop);

  Result<size_t> read(MutableByteSpan into) final;
  const DumpInfo& info() const final { return info_; }

 protected:
  /// Called once behind the end mark: fills position, log_file and log_offset.
  virtual Status settle() = 0;

  /// The text between `before` and `after` in the comment lines that name the position; the last one, or "".
  std::string noted(std::string_view before, std::string_view after) const;
  const std::string& noted() const { return scanner_.position_lines(); }
  /// The position is known only as bounds: where the server stood before, and where it stands now (`to`).
  void settle_between(std::string to);

  const DumpRequest request_;
  sql::MariadbConnection connection_;
  DumpInfo info_;

 private:
  /// Bytes of the stream, with our statements in it; 0 at its end.
  Result<size_t> next(MutableByteSpan into);
  /// Bytes of the program; 0 at its end.
  Result<size_t> program(MutableByteSpan into);
  /// In the session that holds the dump's snapshot, beside the program.
  void start_checksums(sql::MariadbConnection session, HistoryPlan history);
  std::unexpected<Error> incomplete() const;
  /// At its end: every table that was there from the snapshot on is in the dump.
  Status check_tables();

  PrivateFile options_;
  Producer producer_;
  FramedOutput frame_;
  std::vector<uint8_t> scratch_;
  enum class Stage { program, rows, after, ended } stage_ = Stage::program;
  std::string head_;  ///< of the program's output, as it goes out
  size_t head_at_ = 0;
  std::unique_ptr<ExactRows> exact_;
  std::unique_ptr<BackgroundChecksums> checksums_;
  std::stop_token stop_;
  DumpScanner scanner_{DumpFlavour::mysql};
  ListedTables listed_;  ///< shortly before the snapshot
  bool done_ = false;
};

/// First line of `program --version`.
Result<std::string> dump_tool_version(const std::string& program, std::stop_token stop);

/// What both programs cannot dump or a proof cannot count: fills notes and uncounted, adds to the command.
Status look_at_tables(sql::MariadbConnection& connection, DumpInfo& info, OwnStatements& own, sys::Command& command,
                      std::stop_token stop);

/// The command both programs understand: all databases at one point, with routines and triggers; events are our own.
sys::Command dump_everything(const std::string& program, const PrivateFile& options);

}  // namespace holdfast::engine
