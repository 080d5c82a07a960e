#include "agent/early_writeback.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "sys/act_as.h"
#include "sys/beneath.h"

namespace holdfast::agent {

namespace {

using Clock = std::chrono::steady_clock;

constexpr off_t kWorthIt = 1 << 20;  ///< bytes of a file
constexpr int kDeepest = 8;
constexpr std::chrono::milliseconds kBetween{100};
constexpr int kRestFactor = 4;  ///< rests this many times as long as it looked: directories of very many files

/// Files that were changed at `since` or later.
void begin_writing(int directory, time_t since, int depth, const std::stop_token& stop) {
  const auto names = sys::names_in(directory);
  if (!names) return;
  for (const std::string& name : *names) {
    if (stop.stop_requested()) return;
    struct stat info{};
    if (::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISDIR(info.st_mode) && depth < kDeepest) {
      if (const sys::Fd below = sys::open_at(directory, name, O_RDONLY | O_DIRECTORY))
        begin_writing(below.get(), since, depth + 1, stop);
    } else if (S_ISREG(info.st_mode) && info.st_size >= kWorthIt && info.st_mtime >= since) {
      if (const sys::Fd file = sys::open_at(directory, name, O_RDONLY | O_NONBLOCK))
        (void)::sync_file_range(file.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
    }
  }
}

}  // namespace

EarlyWriteback::EarlyWriteback(std::string directory, std::optional<sys::Identity> reader)
    : thread_([directory = std::move(directory), reader = std::move(reader)](const std::stop_token& stop) {
        const sys::ActAs as_reader(reader);
        std::mutex mutex;
        std::condition_variable_any wake;
        time_t since = 0;
        Clock::duration rest = kBetween;
        for (;;) {
          {
            std::unique_lock lock(mutex);
            wake.wait_for(lock, stop, rest, [] { return false; });
          }
          if (stop.stop_requested()) return;
          const auto begun = Clock::now();
          const time_t now = ::time(nullptr);
          if (const auto top = sys::open_last_directory(directory)) begin_writing(top->get(), since, 0, stop);
          since = now - 1;
          rest = std::max<Clock::duration>(kBetween, (Clock::now() - begun) * kRestFactor);
        }
      }) {}

}  // namespace holdfast::agent
