// The rows of exact tables as text, read ahead by a thread in the snapshot that is also the dump program's.
#pragma once

#include <condition_variable>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "engine/mysql_family/exact_tables.h"

namespace holdfast::engine {

class ExactRows {
 public:
  /// `snapshot`: a session in the snapshot (snapshot_twin.h).
  ExactRows(sql::MariadbConnection snapshot, std::vector<ExactTable> tables);
  ~ExactRows();
  ExactRows(ExactRows&&) = delete;

  /// Reads from here on. Called once, when the rows are wanted.
  void start();
  /// The next piece of text; "" at the end.
  Result<std::string> next(std::stop_token stop);
  /// Values that could not be written with their types ("JSON values of a.b"), once next() gave "".
  const std::vector<DumpNote>& notes() const { return notes_; }

 private:
  Status read(std::stop_token stop);
  Status note_lost_history(const ExactTable& table, std::stop_token stop);
  Status read_table(const ExactTable& table, std::stop_token stop);
  bool put(std::string text, const std::stop_token& stop);

  // Of the thread, until it has ended.
  sql::MariadbConnection snapshot_;
  const std::vector<ExactTable> tables_;
  std::vector<DumpNote> notes_;

  Mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> ready_ GUARDED_BY(mutex_);
  bool ended_ GUARDED_BY(mutex_) = false;
  Status outcome_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace holdfast::engine
