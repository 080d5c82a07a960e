#include "agent/skip_watch.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "agent/server_files.h"
#include "engine/binlog/files.h"
#include "engine/binlog/skipped.h"
#include "sys/act_as.h"

namespace holdfast::agent {

using std::chrono::steady_clock;

namespace {

constexpr uint64_t kMostBytes = 256 << 20;
constexpr std::chrono::seconds kLimit{20};

std::string files_now(const MemberConfig& config) {
  const sys::ActAs as_server(server_identity(config));
  auto files = engine::binlog::find_log_files(config.data_dir(), engine::binlog::LogKind::binary, config.binlog_base());
  std::string text;
  if (files)
    for (const auto& path : files->paths) {
      struct stat info{};
      if (::stat(path.c_str(), &info) == 0) text += fmt::format("{} {}\n", path, info.st_size);
    }
  return text;
}

}  // namespace

codec::Value SkipWatch::tell(const MemberConfig& config) {
  const std::string now = files_now(config);
  std::lock_guard lock(mutex_);
  if (!running_ && now != seen_ && steady_clock::now() >= not_before_) {
    running_ = true;
    thread_ = std::jthread([this, config, now](std::stop_token stop) {
      const auto begun = steady_clock::now();
      engine::binlog::SkippedList list;
      {
        const sys::ActAs as_server(server_identity(config));
        engine::binlog::ReadOptions options;
        options.base = config.binlog_base();
        options.deadline = Deadline::in(kLimit);
        options.stop = stop;
        list = engine::binlog::find_skipped(config.data_dir(), kMostBytes, options);
      }
      std::lock_guard done(mutex_);
      transactions_ = list.transactions;
      unknown_ = list.unknown;
      seen_ = now;
      known_ = true;
      running_ = false;
      // A hundredth of one processor at most, and never twice a second.
      not_before_ = steady_clock::now() + std::max<steady_clock::duration>(std::chrono::milliseconds(500),
                                                                           100 * (steady_clock::now() - begun));
    });
  }
  return codec::Value::object({{"known", known_}, {"transactions", transactions_}, {"unknown", unknown_}});
}

}  // namespace holdfast::agent
