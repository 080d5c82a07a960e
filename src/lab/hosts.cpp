#include "lab/hosts.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <set>
#include <sstream>

#include "lab/ports.h"
#include "lab/slow_wire.h"
#include "sys/net_namespace.h"
#include "sys/process.h"

namespace holdfast::lab {

namespace {

constexpr uint32_t kNetwork = 10U << 24 | 213U << 16;  // 10.213.0.0/16

ifreq request_for(const std::string& name) {
  ifreq request{};
  std::strncpy(request.ifr_name, name.c_str(), sizeof request.ifr_name - 1);
  return request;
}

sys::Fd any_socket() {
  return sys::Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

/// IPv4 address of an interface of this namespace, in host order; 0 = none.
uint32_t address_of(const std::string& name) {
  const sys::Fd socket = any_socket();
  ifreq request = request_for(name);
  if (::ioctl(socket.get(), SIOCGIFADDR, &request) != 0) return 0;
  sockaddr_in address{};
  std::memcpy(&address, &request.ifr_addr, sizeof address);
  return ntohl(address.sin_addr.s_addr);
}

/// Every x of 10.213.x.0/24 that this machine has a way to already. Wider routes than /16 (a provider's 10.0.0.0/8) are
/// not asked: ours are narrower and win.
std::set<int> subnets_in_use() {
  std::set<int> used;
  const auto text = sys::read_file("/proc/self/net/route");
  if (!text) return used;
  std::istringstream lines{std::string(as_text(text->span()))};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string interface, target, skipped, mask_text;
    words >> interface >> target;
    for (int i = 0; i < 5; ++i) words >> skipped;
    words >> mask_text;
    // As the kernel keeps them: the first part of the address in the lowest byte.
    const uint32_t to = ntohl(static_cast<uint32_t>(std::strtoul(target.c_str(), nullptr, 16)));
    const uint32_t mask = ntohl(static_cast<uint32_t>(std::strtoul(mask_text.c_str(), nullptr, 16)));
    if (mask < 0xffff0000U || (to & 0xffff0000U) != kNetwork) continue;
    for (uint32_t x = 0; x < 256; ++x)
      if (((kNetwork | x << 8) & mask & 0xffffff00U) == (to & 0xffffff00U)) used.insert(static_cast<int>(x));
  }
  return used;
}

/// FNV-1a, as it is the same on all machines and of all compilers.
uint64_t hash_of(std::string_view text) {
  uint64_t hash = 14695981039346656037U;
  for (const unsigned char c : text) hash = (hash ^ c) * 1099511628211U;
  return hash;
}

/// One lab has one name, by whatever way its directory is reached.
std::string real_path(const std::string& path) {
  std::error_code error;
  const auto real = std::filesystem::weakly_canonical(path, error);
  return error ? path : real.string();
}

}  // namespace

Status can_have_hosts() {
  if (::geteuid() != 0)
    return fail(ErrorClass::refused, "lab.needs_root", "hosts of a lab need root: they are network namespaces",
                "run the lab as root; without --hosts its members are on this machine's loopback");
  if (!sys::find_program("ip"))
    return fail(ErrorClass::refused, "lab.needs_program", "hosts of a lab need the program ip",
                "install the package iproute2");
  if (!sys::may_make_net_namespaces())
    return fail(ErrorClass::refused, "lab.no_namespaces", "network namespaces cannot be made here",
                "a container needs the right to administer its system (CAP_SYS_ADMIN, CAP_NET_ADMIN) for this");
  return {};
}

Status run_ip(const std::string& net_namespace, std::string_view commands, Deadline deadline,
              const std::stop_token& stop) {
  sys::Command command;
  command.argv = {"ip"};
  if (!net_namespace.empty()) command.argv.insert(command.argv.end(), {"-netns", net_namespace});
  command.argv.insert(command.argv.end(), {"-batch", "-"});
  TRY(sys::run_ok(std::move(command), deadline, stop, commands));
  return {};
}

Link link_state(const std::string& name) {
  const sys::Fd socket = any_socket();
  ifreq request = request_for(name);
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) return Link::none;
  return (request.ifr_flags & IFF_UP) != 0 ? Link::up : Link::down;
}

int host_of(const agent::MemberConfig& member) {
  const std::string& name = member.net_namespace;
  const auto dash = name.rfind('-');
  return dash == std::string::npos ? 0 : std::atoi(name.c_str() + dash + 1);
}

std::optional<int> subnet_of(const agent::MemberConfig& member) {
  in_addr address{};
  if (member.net_namespace.empty() || ::inet_pton(AF_INET, member.host.c_str(), &address) != 1) return std::nullopt;
  return static_cast<int>(ntohl(address.s_addr) >> 8 & 0xff);
}

HostNetwork::HostNetwork(const Layout& layout)
    : state_dir_(real_path(layout.state_dir())),
      lab_dir_(layout.lab_dir()),
      name_(fmt::format("hf{:010x}", hash_of(state_dir_) & 0xffffffffffU)) {}

std::string HostNetwork::host_name(int host) const {
  return fmt::format("{}-{}", name_, host);
}

std::string HostNetwork::port_name(int host) {
  return fmt::format("host{}", host);
}

std::string HostNetwork::address(int subnet, int host) {
  return fmt::format("10.213.{}.{}", subnet, host);
}

std::optional<int> HostNetwork::subnet() const {
  // Up is the last that is done to it.
  const uint32_t address = link_state(name_) == Link::up ? address_of(name_) : 0;
  if ((address & 0xffff0000U) != kNetwork) return std::nullopt;
  return static_cast<int>(address >> 8 & 0xff);
}

bool HostNetwork::exists() const {
  return link_state(name_) != Link::none || !sys::net_namespaces(name_ + "-").empty();
}

Result<int> HostNetwork::join_caller(std::optional<int> wish, Deadline deadline, const std::stop_token& stop) const {
  const std::string network = switch_name();
  TRY_VOID(run_ip("", "netns add " + network, deadline, stop));
  TRY_VOID(run_ip(network, "link add switch type bridge\nlink set switch up\n", deadline, stop));
  TRY_VOID(
      run_ip("", fmt::format("link add {} type veth peer name caller netns {}\n", name_, network), deadline, stop));
  TRY_VOID(run_ip(network, "link set caller master switch\nlink set caller up\n", deadline, stop));
  // For people who list interfaces; 255 bytes is what the kernel keeps.
  TRY_VOID(run_ip("", fmt::format("link set {} alias \"holdfast lab of {}\"\n", name_, state_dir_.substr(0, 200)),
                  deadline, stop));
  std::vector<int> candidates(256);
  for (int x = 0; x < 256; ++x) candidates[static_cast<size_t>(x)] = x;
  std::ranges::shuffle(candidates, std::mt19937(std::random_device{}()));
  if (wish) candidates.insert(candidates.begin(), *wish);
  for (const int x : candidates) {
    const auto lease = lease_name(fmt::format("holdfast-subnet-{}", x));
    if (!lease || subnets_in_use().contains(x)) continue;
    TRY_VOID(run_ip("",
                    fmt::format("address add {}/24 dev {}\nlink set {} up\n", address(x, kCallersHost), name_, name_),
                    deadline, stop));
    return x;
  }
  return fail(ErrorClass::unavailable, "lab.no_subnet", "every network 10.213.x.0/24 of this machine is in use",
              "`ip route` lists them; other labs end with holdfast lab down");
}

Status HostNetwork::make_host(int host, const std::string& address, Deadline deadline,
                              const std::stop_token& stop) const {
  const std::string network = switch_name(), name = host_name(host), port = port_name(host);
  {
    auto inside = sys::open_net_namespace(name);
    bool whole = false;
    if (inside)
      (void)sys::in_net_namespace(inside->get(), [&]() -> Status {
        in_addr there{htonl(address_of("eth0"))};
        char text[INET_ADDRSTRLEN] = {};
        whole = link_state("eth0") == Link::up && ::inet_ntop(AF_INET, &there, text, sizeof text) && address == text;
        return {};
      });
    if (whole) return {};
  }
  if (!sys::net_namespaces(name).empty()) {
    (void)run_ip("", "netns delete " + name, deadline, stop);
    (void)run_ip(network, "link delete " + port, deadline, stop);
  }
  TRY_VOID(run_ip("", "netns add " + name, deadline, stop));
  TRY_VOID(run_ip(network,
                  fmt::format("link add {0} type veth peer name eth0 netns {1}\nlink set {0} master switch\n"
                              "link set {0} up\n",
                              port, name),
                  deadline, stop));
  return run_ip(name, fmt::format("link set lo up\naddress add {}/24 dev eth0\nlink set eth0 up\n", address), deadline,
                stop);
}

Result<int> HostNetwork::make(int hosts, std::optional<int> wish, Deadline deadline, std::stop_token stop) const {
  auto x = subnet();
  if (!x) {
    TRY_VOID(remove(deadline, stop));
    x = TRY(join_caller(wish, deadline, stop));
  }
  for (int host = 1; host <= hosts; ++host) TRY_VOID(make_host(host, address(*x, host), deadline, stop));
  return *x;
}

Status HostNetwork::remove(Deadline deadline, std::stop_token stop) const {
  if (!exists()) return {};
  for (int host = 1; host <= kMostHosts; ++host) end_wire(wire_lock(lab_dir_, host));
  if (link_state(name_) != Link::none) TRY_VOID(run_ip("", "link delete " + name_, deadline, stop));
  for (const auto& name : sys::net_namespaces(name_ + "-"))
    TRY_VOID(run_ip("", "netns delete " + name, deadline, stop));
  return {};
}

}  // namespace holdfast::lab
