// Says now and then what a server is busy with while one statement of a replay takes long.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "backup/replay_choices.h"
#include "sql/rows.h"

namespace holdfast::backup {

class ReplayWatch {
 public:
  ReplayWatch(const sql::Target& target, Say say);
  ~ReplayWatch();

  /// The session `pid` works on `label` from now on.
  void working(const std::string& label, int pid);
  void idle();

 private:
  void run(const std::stop_token& stop);
  std::string activity(int pid);

  const sql::Target target_;
  const Say say_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::string label_;
  int pid_ = 0;
  uint64_t turn_ = 0;
  std::jthread thread_;
};

}  // namespace holdfast::backup
