// Loaded into holdfast with LD_PRELOAD: cuts an operation off at one exact record of its journal.
//
//   HOLDFAST_TEST_CUT="TYPE STEP WHEN ACTION", e.g. "step_done swap-shop-mariadb-1 before kill"
//     TYPE     step_started, step_done, step_undo_started, ...; STEP "-" = a record about the operation
//     WHEN     before   nothing of the record is in the file: what it tells is done, but not written down
//              torn     half of it is
//              after    it is on the disk (fdatasync returned), and nothing was done since
//              <number> so many milliseconds after it was on the disk: somewhere in the step
//     ACTION   kill (SIGKILL) or stop (SIGSTOP)
#include <dlfcn.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

struct Cut {
  std::string type, step, when, action;
};

const Cut& cut() {
  static const Cut found = [] {
    Cut cut;
    const char* text = std::getenv("HOLDFAST_TEST_CUT");
    std::string_view rest = text ? text : "";
    for (std::string* part : {&cut.type, &cut.step, &cut.when, &cut.action}) {
      const size_t end = rest.find(' ');
      *part = rest.substr(0, end);
      rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
    }
    if (cut.step == "-") cut.step.clear();
    return cut;
  }();
  return found;
}

int g_fd = -1;  ///< where the record was written that must be on the disk before it ends

bool is_it(int fd, const void* bytes, size_t length) {
  if (cut().type.empty()) return false;
  char path[4096];
  const ssize_t got = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path);
  if (got <= 0 || !std::string_view(path, static_cast<size_t>(got)).ends_with("/journal.jsonl")) return false;
  const std::string_view text(static_cast<const char*>(bytes), length);
  return text.find("\"type\":\"" + cut().type + "\"") != std::string_view::npos &&
         text.find("\"step\":\"" + cut().step + "\"") != std::string_view::npos;
}

void end_here(int) {
  (void)::kill(::getpid(), cut().action == "stop" ? SIGSTOP : SIGKILL);
}

void end_later(long milliseconds) {
  struct sigaction action{};
  action.sa_handler = end_here;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGALRM, &action, nullptr);
  const itimerval timer{{0, 0}, {milliseconds / 1000, milliseconds % 1000 * 1000}};
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

using Write = ssize_t (*)(int, const void*, size_t, off_t);

ssize_t write_or_end(Write real, int fd, const void* bytes, size_t length, off_t offset) {
  if (!is_it(fd, bytes, length)) return real(fd, bytes, length, offset);
  if (cut().when == "before") {
    end_here(0);
    return real(fd, bytes, length, offset);  // once it goes on; what comes after is another point
  }
  if (cut().when == "torn") {
    real(fd, bytes, length / 2, offset);
    end_here(0);
  }
  g_fd = fd;
  return real(fd, bytes, length, offset);
}

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t pwrite(int fd, const void* bytes, size_t length, off_t offset) {
  static const auto real = next<Write>("pwrite");
  return write_or_end(real, fd, bytes, length, offset);
}

ssize_t pwrite64(int fd, const void* bytes, size_t length, off_t offset) {
  static const auto real = next<Write>("pwrite64");
  return write_or_end(real, fd, bytes, length, offset);
}

int fdatasync(int fd) {
  static const auto real = next<int (*)(int)>("fdatasync");
  const int done = real(fd);
  if (fd != g_fd) return done;
  g_fd = -1;
  const long later = std::strtol(cut().when.c_str(), nullptr, 10);
  if (later > 0)
    end_later(later);
  else
    end_here(0);
  return done;
}

}  // extern "C"
