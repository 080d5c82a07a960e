// A server that a signal has stopped goes on where it stood.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <filesystem>
#include <map>
#include <vector>

#include "agent/launch.h"
#include "agent/server.h"
#include "sys/file.h"

namespace holdfast::agent {

namespace {

struct Process {
  pid_t parent = 0;
  char state = '?';
};

/// Of all processes that can be seen: pid -> parent and state, from /proc/PID/stat.
std::map<pid_t, Process> processes() {
  std::map<pid_t, Process> all;
  std::error_code error;
  for (std::filesystem::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc() || pid <= 0) continue;
    auto text = sys::read_file(it->path().string() + "/stat");
    if (!text) continue;
    const std::string stat(as_text(text->span()));
    const size_t behind = stat.rfind(')');
    Process one;
    if (behind != std::string::npos && std::sscanf(stat.c_str() + behind + 1, " %c %d", &one.state, &one.parent) == 2)
      all[pid] = one;
  }
  return all;
}

}  // namespace

Result<int> Server::continue_stopped(Deadline deadline, std::stop_token stop) {
  auto lock = TRY(begin());
  const pid_t server = pid();
  if (server <= 0)
    return fail(ErrorClass::failed, "agent.not_running", "no server runs that could continue", "start it");
  const auto all = processes();
  const auto is_ours = [&](pid_t pid) {
    for (int depth = 0; pid > 1 && depth < 64; ++depth) {
      if (pid == server) return true;
      const auto found = all.find(pid);
      if (found == all.end()) return false;
      pid = found->second.parent;
    }
    return false;
  };
  int continued = 0;
  for (const auto& [pid, process] : all)  // PostgreSQL's sessions are processes of their own
    if ((process.state == 'T' || process.state == 't') && is_ours(pid) && ::kill(pid, SIGCONT) == 0) ++continued;
  const MemberConfig config = this->config();
  Error last{ErrorClass::unavailable, "agent.not_ready", "the server was continued and does not answer", {}, {}};
  const bool ready = TRY(sys::wait_until(
      [&] {
        auto probed = probe_ready(config, deadline.at_most(std::chrono::seconds(2)));
        if (!probed) last.message = "the server was continued and does not answer: " + probed.error().message;
        return probed.has_value() || pid() < 0;
      },
      deadline, stop));
  if (pid() < 0) return fail(ErrorClass::failed, "agent.not_running", "the server ended when it was continued");
  if (!ready) return fail(std::move(last));
  return continued;
}

}  // namespace holdfast::agent
