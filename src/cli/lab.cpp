// holdfast lab up, status, down.
#include "lab/lab.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/lab_dry_run.h"
#include "cli/verbs.h"

namespace holdfast::cli {

namespace {

lab::Options lab_options(Context& context) {
  lab::Options options;
  options.state_dir = context.options.text("state-dir");
  options.progress = [&out = context.out](const std::string& line) {
    out.event("progress", codec::Value::object({{"message", line}}));
    out.note(line);
  };
  return options;
}

Deadline timeout_of(Context& context) {
  return Deadline::in(std::chrono::seconds(*context.options.integer("timeout")));
}

codec::Value member_value(const lab::MemberStatus& m) {
  return codec::Value::object({{"cluster", m.cluster},
                               {"namespace", m.ns},
                               {"member", m.member},
                               {"engine", m.engine},
                               {"role", m.role},
                               {"state", m.state},
                               {"pid", m.pid > 0 ? codec::Value(m.pid) : codec::Value()},
                               {"agentPid", m.agent_pid > 0 ? codec::Value(m.agent_pid) : codec::Value()},
                               {"dataDir", m.data_dir},
                               {"socket", m.socket},
                               {"host", m.host},
                               {"port", m.port},
                               {"user", m.user},
                               {"passwordFile", m.password_file},
                               {"agentSocket", m.agent_socket},
                               {"agent", m.agent},
                               {"networkNamespace", m.net_namespace},
                               {"logFile", m.log_file}});
}

void render(Output& out, const lab::LabStatus& status) {
  codec::Value::List members;
  for (const auto& member : status.members) members.push_back(member_value(member));
  out.set_data(codec::Value::object({{"stateDir", status.state_dir}, {"members", std::move(members)}}));
  if (!out.is_human()) return;
  if (status.members.empty()) {
    out.line(fmt::format("no lab in {}", status.state_dir));
    return;
  }
  std::vector<std::string> header = {"MEMBER", "ENGINE", "ROLE", "STATE", "PID", "ADDRESS", "USER"};
  if (out.is_wide()) header.insert(header.end(), {"SOCKET", "DATA", "PASSWORD FILE", "AGENT", "NETWORK"});
  Table table(header, {4});
  for (const auto& m : status.members) {
    std::vector<std::string> row = {m.member,
                                    m.engine,
                                    m.role,
                                    m.state,
                                    m.pid > 0 ? std::to_string(m.pid) : "-",
                                    fmt::format("{}:{}", m.host, m.port),
                                    m.user};
    const auto or_dash = [](const std::string& text) { return text.empty() ? "-" : text; };
    if (out.is_wide())
      row.insert(row.end(), {m.socket, m.data_dir, m.password_file, or_dash(m.agent), or_dash(m.net_namespace)});
    table.row(row);
  }
  table.print(out);
}

}  // namespace

namespace {

/// "all clusters", "shop-mysql, shop-galera"
std::string named(const std::vector<std::string>& clusters) {
  return clusters.empty() ? "all clusters" : fmt::format("{}", fmt::join(clusters, ", "));
}

/// 0 when --hosts was not given.
Result<int> hosts_asked(Context& context) {
  if (!context.options.given("hosts")) return 0;
  const int64_t hosts = context.options.integer("hosts").value_or(0);
  if (hosts >= 1 && hosts <= lab::kMostHosts) return static_cast<int>(hosts);
  return fail(ErrorClass::usage, "cli.flag", fmt::format("lab up: --hosts is a number from 1 to {}", lab::kMostHosts),
              "holdfast lab up --hosts 3 shop-postgres");
}

}  // namespace

Exit run_lab_up(Context& context) {
  const auto& clusters = context.options.positionals();
  const int hosts = TRY(hosts_asked(context));
  const std::string where = hosts > 0 ? fmt::format(" on {} host{}", hosts, hosts == 1 ? "" : "s") : "";
  if (TRY(lab_would(context, "start what is missing of " + named(clusters) + where, clusters))) return {};
  auto options = lab_options(context);
  options.hosts = hosts;
  options.servers_survive = context.options.flag("servers-survive");
  auto status = TRY(lab::up(options, clusters, timeout_of(context), context.stop));
  render(context.out, status);
  return {};
}

Exit run_lab_status(Context& context) {
  render(context.out, TRY(lab::status(lab_options(context))));
  return {};
}

Exit run_lab_down(Context& context) {
  const bool keep = context.options.flag("keep-data");
  const auto& clusters = context.options.positionals();
  if (TRY(lab_would(context, fmt::format("stop {}{}", named(clusters), keep ? "" : " and remove their data"),
                    clusters)))
    return {};
  TRY_VOID(lab::down(lab_options(context), clusters, keep, timeout_of(context), context.stop));
  context.out.note(keep ? "the lab is stopped; its data is kept" : "the lab is stopped and removed");
  return {};
}

}  // namespace holdfast::cli
