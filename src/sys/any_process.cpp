#include "sys/any_process.h"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace holdfast::sys {

namespace {

/// The fields of /proc/PID/stat from the third on: state, ppid, ... Empty when there is no such process.
std::vector<std::string> stat_fields(pid_t pid) {
  auto text = read_file(fmt::format("/proc/{}/stat", pid));
  if (!text) return {};
  std::string_view line = as_text(text->span());
  auto after_name = line.rfind(')');  // the name may hold spaces and parentheses
  if (after_name == line.npos) return {};
  std::istringstream words{std::string(line.substr(after_name + 1))};
  return {std::istream_iterator<std::string>(words), {}};
}

}  // namespace

Result<Fd> open_pidfd(pid_t pid) {
  int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return fail(ErrorClass::failed, "sys.no_process", fmt::format("there is no process {}", pid));
  return Fd(fd);
}

std::optional<uint64_t> process_start_time(pid_t pid) {
  const auto fields = stat_fields(pid);
  if (fields.size() < 20 || fields[0] == "Z" || fields[0] == "X") return std::nullopt;
  return std::stoull(fields[19]);
}

bool is_dying(pid_t pid) {
  constexpr uint64_t kExiting = 0x4, kDumpsCore = 0x200, kSignaled = 0x400;  // PF_ of the kernel's sched.h
  const auto fields = stat_fields(pid);
  if (fields.size() < 7) return false;
  if (fields[0] == "Z" || fields[0] == "X") return true;
  if ((std::stoull(fields[6]) & (kExiting | kDumpsCore | kSignaled)) != 0) return true;
  auto text = read_file(fmt::format("/proc/{}/status", pid));
  if (!text) return false;
  std::istringstream lines{std::string(as_text(text->span()))};
  for (std::string line; std::getline(lines, line);)
    if ((line.starts_with("SigPnd:") || line.starts_with("ShdPnd:")) &&
        (std::stoull(line.substr(7), nullptr, 16) >> (SIGKILL - 1) & 1) != 0)
      return true;
  return false;
}

}  // namespace holdfast::sys
