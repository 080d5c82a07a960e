#include "cli/signals.h"

#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace holdfast::cli {
namespace {

int g_pipe[2];
std::atomic<int64_t> g_first{0};  ///< when the first signal came
std::atomic<int> g_shields{0};

/// timeout(1) sends its signal to the process and to its group: twice, and one wish.
constexpr int64_t kOneWishMs = 300;

int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

void on_stop(int) {
  const int64_t now = now_ms();
  int64_t first = 0;
  const bool again = !g_first.compare_exchange_strong(first, now);
  if (again && now - first > kOneWishMs && g_shields == 0) ::_exit(130);
  const char byte = 1;
  // A full pipe is as good as a written one.
  [[maybe_unused]] auto written = ::write(g_pipe[1], &byte, 1);
}

void on_nothing(int) {}

}  // namespace

SignalShield::SignalShield() {
  ++g_shields;
}
SignalShield::~SignalShield() {
  --g_shields;
}

std::stop_token install_signal_handlers() {
  static std::stop_source source;
  if (::pipe2(g_pipe, O_CLOEXEC) != 0) ::_exit(1);
  // request_stop() runs callbacks and takes locks, so it must not run inside a handler.
  std::thread([] {
    char byte;
    while (::read(g_pipe[0], &byte, 1) != 1) {
    }
    source.request_stop();
  }).detach();
  struct sigaction action{};
  action.sa_handler = on_stop;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  // A handler that does nothing, not SIG_IGN, which children would inherit. SIGHUP: restic probes with it whether the
  // owner of a lock on this host is alive. SIGPIPE, SIGXFSZ: the write's own error tells more.
  action.sa_handler = on_nothing;
  ::sigaction(SIGHUP, &action, nullptr);
  ::sigaction(SIGPIPE, &action, nullptr);
  ::sigaction(SIGXFSZ, &action, nullptr);
  return source.get_token();
}

}  // namespace holdfast::cli
