#include "lab/host_faults.h"

#include <fmt/format.h>
#include <unistd.h>

#include "lab/hosts.h"
#include "lab/slow_wire.h"
#include "sys/environment.h"
#include "sys/net_namespace.h"
#include "sys/process.h"

namespace holdfast::lab {

using agent::MemberConfig;
using std::chrono::seconds;

namespace {

constexpr const char* kTable = "inet holdfast_host";

/// The host's place on the switch.
struct Port {
  HostNetwork network;
  sys::Fd switch_fd;
  std::string name, slow, wire, lock;

  Link state(const std::string& link) const {
    Link found = Link::none;
    (void)sys::in_net_namespace(switch_fd.get(), [&]() -> Status {
      found = link_state(link);
      return {};
    });
    return found;
  }
};

Result<Port> port_of(const Layout& layout, const MemberConfig& c) {
  HostNetwork network(layout);
  auto fd = sys::open_net_namespace(network.switch_name());
  if (!fd)
    return fail(ErrorClass::failed, "lab.hosts_gone", "the hosts of the lab are gone",
                "holdfast lab down, then holdfast lab up --hosts N");
  const int host = host_of(c);
  return Port{network,
              std::move(*fd),
              HostNetwork::port_name(host),
              fmt::format("slow{}", host),
              fmt::format("wire{}", host),
              wire_lock(layout.lab_dir(), host)};
}

/// Rules that add to those that are there. Frames of other protocols (ARP) pass: a neighbour stays a neighbour.
Status drop(const MemberConfig& c, const Beyond& beyond, bool both) {
  const std::string from = beyond.address.empty() ? "" : fmt::format("ip saddr {} ", beyond.address);
  const std::string to = beyond.address.empty() ? "" : fmt::format("ip daddr {} ", beyond.address);
  std::string rules = fmt::format(
      "add table {0}\nadd chain {0} input {{ type filter hook input priority 0; }}\n"
      "add chain {0} output {{ type filter hook output priority 0; }}\n"
      "add rule {0} input iifname \"eth0\" {1}drop\n",
      kTable, from);
  if (both) rules += fmt::format("add rule {} output oifname \"eth0\" {}drop\n", kTable, to);
  auto dropped = run_nft(c.net_namespace, rules);
  if (dropped) return {};
  return fail(ErrorClass::refused, "lab.partition", "nft cannot drop packets here: " + dropped.error().to_string(),
              "a container needs the right to administer its network for this");
}

Status start_wire(const Layout& layout, const Port& port, const std::string& program, Deadline deadline,
                  const std::stop_token& stop) {
  sys::Command command;
  command.argv = {program, "lab", "wire", port.name, port.wire, port.lock, "--state-dir", layout.state_dir()};
  command.cwd = "/";
  command.clear_env = true;
  command.env = sys::own_environment();
  command.out = command.err = sys::Stdio::null();
  command.new_session = true;
  command.net_namespace = port.switch_fd.get();
  auto wire = TRY(sys::spawn(command));
  bool ended = false;
  const bool works = TRY(sys::wait_until([&] { return (ended = wire.poll().has_value()) || has_wire(port.lock); },
                                         deadline.at_most(seconds(10)), stop));
  if (!works || ended)
    return fail(ErrorClass::failed, "lab.no_wire", "the process that slows the network down did not start",
                "a container needs the right to open packet sockets (CAP_NET_RAW) for this");
  wire.detach();
  return {};
}

}  // namespace

Status run_nft(const std::string& net_namespace, std::string_view rules) {
  sys::Fd inside;
  if (!net_namespace.empty()) inside = TRY(sys::open_net_namespace(net_namespace));
  sys::Command command;
  command.argv = {"nft", "-f", "-"};
  command.net_namespace = inside.get();
  TRY(sys::run_ok(std::move(command), Deadline::in(seconds(20)), {}, rules));
  return {};
}

Status can_break_host(const MemberConfig& c) {
  if (c.net_namespace.empty())
    return fail(ErrorClass::refused, "lab.no_host", c.member + " is on loopback, not on a host of its own",
                fmt::format("holdfast lab down {0}, then holdfast lab up --hosts 3 {0}", c.cluster));
  if (!sys::find_program("nft"))
    return fail(ErrorClass::refused, "lab.needs_program", "cutting a host off needs the program nft",
                "install the package nftables");
  return {};
}

Status cut_host(const Layout& layout, const MemberConfig& c, const Beyond& beyond, Deadline deadline,
                std::stop_token stop) {
  if (!beyond.address.empty()) return drop(c, beyond, true);
  const Port port = TRY(port_of(layout, c));
  return run_ip(port.network.switch_name(), fmt::format("link set {} down\n", port.name), deadline, stop);
}

Status deafen_host(const MemberConfig& c, const Beyond& beyond) {
  return drop(c, beyond, false);
}

Status slow_host(const Layout& layout, const MemberConfig& c, const std::string& program, Deadline deadline,
                 std::stop_token stop) {
  const Port port = TRY(port_of(layout, c));
  if (has_wire(port.lock))
    return fail(ErrorClass::conflict, "lab.slow", "the host of " + c.member + " is slow already",
                "holdfast lab heal " + c.member);
  const std::string network = port.network.switch_name();
  // host1 <- wire -> wire1 = slow1 on the switch. What an earlier one left, whose process was killed, goes first.
  if (port.state(port.slow) != Link::none)
    TRY_VOID(run_ip(network, fmt::format("link delete {}\n", port.slow), deadline, stop));
  TRY_VOID(run_ip(network,
                  fmt::format("link add {0} type veth peer name {1}\nlink set {2} nomaster\nlink set {1} up\n"
                              "link set {0} master switch\nlink set {0} up\n",
                              port.slow, port.wire, port.name),
                  deadline, stop));
  auto started = start_wire(layout, port, program, deadline, stop);
  if (!started) (void)heal_host(layout, c, Deadline::in(seconds(20)), {});
  return started;
}

Result<bool> heal_host(const Layout& layout, const MemberConfig& c, Deadline deadline, std::stop_token stop) {
  if (c.net_namespace.empty()) return false;
  const Port port = TRY(port_of(layout, c));
  const std::string network = port.network.switch_name();
  bool healed = false;
  end_wire(port.lock);
  if (port.state(port.slow) != Link::none) {
    TRY_VOID(run_ip(network, fmt::format("link delete {}\nlink set {} master switch\n", port.slow, port.name), deadline,
                    stop));
    healed = true;
  }
  if (port.state(port.name) == Link::down) {
    TRY_VOID(run_ip(network, fmt::format("link set {} up\n", port.name), deadline, stop));
    healed = true;
  }
  // Deleting one that is not there fails, and says so.
  if (sys::find_program("nft") && run_nft(c.net_namespace, fmt::format("delete table {}\n", kTable))) healed = true;
  return healed;
}

}  // namespace holdfast::lab
