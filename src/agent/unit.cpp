#include "agent/unit.h"

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <sstream>

#include "agent/proc.h"
#include "sys/process.h"

namespace holdfast::agent {

namespace {

using std::chrono::seconds;

constexpr size_t kMostOfJournal = 4 << 20;

Result<sys::RunResult> run_tool(std::vector<std::string> argv, Deadline deadline, std::stop_token stop,
                                size_t limit = 1 << 20) {
  sys::Command command;
  command.argv = std::move(argv);
  command.clear_env = true;
  command.env = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                 {"LC_ALL", "C.UTF-8"},
                 {"SYSTEMD_PAGER", ""},
                 {"SYSTEMD_COLORS", "0"}};
  command.cwd = "/";
  command.new_session = true;
  return sys::run(std::move(command), deadline, std::move(stop), {}, limit);
}

Status ask(std::vector<std::string> arguments, const std::string& unit, Deadline deadline, std::stop_token stop,
           const std::vector<std::string>& more = {}) {
  arguments.insert(arguments.begin(), {"systemctl", "--no-ask-password"});
  const std::string what = arguments[2] + (unit.empty() ? "" : " " + unit);
  if (!unit.empty()) arguments.push_back(unit);
  arguments.insert(arguments.end(), more.begin(), more.end());
  auto done = run_tool(std::move(arguments), deadline, std::move(stop));
  if (!done) return fail(std::move(done).error().with_context("systemctl " + what));
  if (done->status.ok()) return {};
  while (done->err.ends_with('\n')) done->err.pop_back();
  return fail(ErrorClass::failed, "agent.unit", fmt::format("systemctl {}: {}", what, done->err),
              "systemctl status" + (unit.empty() ? "" : " " + unit));
}

}  // namespace

Result<UnitState> unit_state(const std::string& unit, Deadline deadline, std::stop_token stop) {
  auto shown =
      TRY(run_tool({"systemctl", "show", "-p",
                    "LoadState,ActiveState,Result,MainPID,ExecMainPID,ExecMainCode,ExecMainStatus,TriggeredBy", unit},
                   deadline, std::move(stop)));
  UnitState state;
  pid_t last = 0;
  int how = 0, status = 0;
  std::istringstream lines(shown.out);
  for (std::string line; std::getline(lines, line);) {
    const auto value = [&](std::string_view key) -> const char* {
      return line.starts_with(key) ? line.c_str() + key.size() : nullptr;
    };
    if (const char* text = value("LoadState=")) state.load = text;
    if (const char* text = value("ActiveState=")) state.active = text;
    if (const char* text = value("Result=")) state.result = text;
    if (const char* text = value("TriggeredBy=")) {
      std::istringstream names(text);
      for (std::string name; names >> name;) state.triggers.push_back(name);
    }
    if (const char* text = value("MainPID=")) state.main_pid = static_cast<pid_t>(std::strtol(text, nullptr, 10));
    if (const char* text = value("ExecMainPID=")) last = static_cast<pid_t>(std::strtol(text, nullptr, 10));
    if (const char* text = value("ExecMainCode=")) how = static_cast<int>(std::strtol(text, nullptr, 10));
    if (const char* text = value("ExecMainStatus=")) status = static_cast<int>(std::strtol(text, nullptr, 10));
  }
  // As siginfo_t has it; 0 while it runs.
  if (how == CLD_EXITED) state.ended = {.code = status, .signal = 0};
  if (how == CLD_KILLED || how == CLD_DUMPED) state.ended = {.code = 0, .signal = status};
  if (how != 0) state.ended_pid = last;
  if (shown.status.ok() && !state.active.empty()) return state;
  return fail(ErrorClass::unavailable, "agent.unit", fmt::format("systemctl show {}: {}", unit, shown.err),
              "systemctl status " + unit);
}

Result<std::string> unit_start(const std::string& unit, Deadline deadline, std::stop_token stop) {
  auto shown = TRY(run_tool({"systemctl", "show", "-p", "ExecStart,Environment", unit}, deadline, std::move(stop)));
  if (shown.status.ok()) return std::move(shown.out);
  return fail(ErrorClass::unavailable, "agent.unit", fmt::format("systemctl show {}: {}", unit, shown.err),
              "systemctl status " + unit);
}

Status start_unit(const std::string& unit, const std::vector<std::string>& triggers, Deadline deadline,
                  std::stop_token stop) {
  // One that failed some times is not started again before its failures are forgotten.
  (void)ask({"reset-failed"}, unit, deadline, stop);
  return ask({"start", "--no-block"}, unit, deadline, std::move(stop), triggers);
}

Status stop_unit(const std::string& unit, const std::vector<std::string>& triggers, Deadline deadline,
                 std::stop_token stop) {
  return ask({"stop", "--no-block"}, unit, deadline, std::move(stop), triggers);
}

Status enable_unit(const std::string& unit, Deadline deadline, std::stop_token stop) {
  TRY_VOID(ask({"enable", "--quiet"}, unit, deadline, stop));
  return ask({"restart"}, unit, deadline, std::move(stop));
}

Status disable_unit(const std::string& unit, Deadline deadline, std::stop_token stop) {
  return ask({"disable", "--quiet", "--now"}, unit, deadline, std::move(stop));
}

Status reload_units(Deadline deadline, std::stop_token stop) {
  return ask({"daemon-reload"}, "", deadline, std::move(stop));
}

Status kill_unit(const std::string& unit, Deadline deadline) {
  return ask({"kill", "--signal=SIGKILL"}, unit, deadline, {});
}

std::string unit_log(const std::string& unit, int lines) {
  auto shown = run_tool({"journalctl", "--no-pager", "-q", "-o", "cat", "-n", std::to_string(lines), "-u", unit},
                        Deadline::in(seconds(5)), {});
  return shown ? shown->out : std::string();
}

JournalPart unit_journal(const std::string& unit, const std::string& cursor, Deadline deadline) {
  // The cursor stands behind the last message that is shown.
  std::vector<std::string> argv = {"journalctl",    "--no-pager", "-q",    "-o", "cat",
                                   "--show-cursor", "-n",         "10000", "-u", unit};
  if (!cursor.empty()) argv.push_back("--after-cursor=" + cursor);
  auto shown = run_tool(std::move(argv), deadline, {}, kMostOfJournal);
  JournalPart part{{}, cursor};
  if (!shown || !shown->status.ok()) return part;
  constexpr std::string_view kCursor = "-- cursor: ";
  part.text = std::move(shown->out);
  const size_t at = part.text.rfind(kCursor);
  if (at == std::string::npos || (at > 0 && part.text[at - 1] != '\n')) return part;
  part.cursor = part.text.substr(at + kCursor.size());
  while (part.cursor.ends_with('\n')) part.cursor.pop_back();
  part.text.resize(at);
  return part;
}

std::string unit_in(std::string_view cgroups) {
  std::istringstream lines{std::string(cgroups)};
  for (std::string line; std::getline(lines, line);) {
    // "0::PATH" of version 2, "N:name=systemd:PATH" of version 1.
    constexpr std::string_view kFirst = ":name=systemd:", kSecond = "0::";
    const size_t first = line.find(kFirst);
    if (first == std::string::npos && !line.starts_with(kSecond)) continue;
    std::istringstream parts(line.substr(first == std::string::npos ? kSecond.size() : first + kFirst.size()));
    std::string unit;
    for (std::string part; std::getline(parts, part, '/');)
      if (part.ends_with(".service")) unit = part;
    if (!unit.empty()) return unit;
  }
  return {};
}

std::string unit_of(pid_t pid) {
  return unit_in(proc_text(fmt::format("/proc/{}/cgroup", pid)));
}

}  // namespace holdfast::agent
