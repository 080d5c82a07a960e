// The plain verbs of the lab, for work on it without the whole program: holdfast_lab_tool up|status|down|agent.
#include <cstdio>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "base/log.h"
#include "lab/lab.h"

using namespace holdfast;

namespace {

int report(const Error& error) {
  std::fprintf(stderr, "error: %s\n", error.to_string().c_str());
  if (!error.hint.empty()) std::fprintf(stderr, "hint: %s\n", error.hint.c_str());
  return exit_code(error.error_class);
}

void print(const lab::LabStatus& status) {
  for (const auto& m : status.members)
    std::printf("%-16s %-8s %-8s pid=%d agent=%d %s:%d %s\n", m.member.c_str(), m.role.c_str(), m.state.c_str(), m.pid, m.agent_pid,
                m.host.c_str(), m.port, m.socket.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> args(argv + 1, argv + argc), clusters;
  std::string verb = args.empty() ? "" : args[0];
  lab::Options options;
  agent::AgentOptions agent_options;
  bool keep = false;
  for (size_t i = 1; i < args.size(); ++i) {
    if (args[i] == "--state-dir" && i + 1 < args.size()) options.state_dir = args[++i];
    else if (args[i] == "--dir" && i + 1 < args.size()) agent_options.dir = args[++i];
    else if (args[i] == "--leashed") agent_options.leashed = true;
    else if (args[i] == "--keep-data") keep = true;
    else clusters.push_back(args[i]);
  }
  if (verb == "agent") {
    set_log_level(LogLevel::info);
    auto ran = agent::run_agent(agent_options);
    return ran ? 0 : report(ran.error());
  }
  options.progress = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
  if (verb == "up") {
    auto status = lab::up(options, clusters, Deadline::in(std::chrono::seconds(180)));
    if (!status) return report(status.error());
    print(*status);
    return 0;
  }
  if (verb == "status") {
    auto status = lab::status(options);
    if (!status) return report(status.error());
    print(*status);
    return 0;
  }
  if (verb == "down") {
    auto done = lab::down(options, clusters, keep, Deadline::in(std::chrono::seconds(180)));
    return done ? 0 : report(done.error());
  }
  std::fprintf(stderr, "usage: up|status|down|agent\n");
  return 2;
}
