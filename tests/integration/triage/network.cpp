#include "tests/integration/triage/network.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "sys/process.h"
#include "tests/support/program.h"

namespace holdfast::test {

std::shared_ptr<void> lose_packets(Patient& p, int i, int port) {
  // The kernel removes the table with the nft that owns it, however that ends.
  sys::Command command;
  command.argv = {"nft", "-i"};
  command.in = sys::Stdio::pipe();
  command.out = command.err = sys::Stdio::null();
  command.die_with_parent = SIGKILL;
  const sys::Fd host = p.host_namespace(i);
  command.net_namespace = host.get();
  auto nft = sys::spawn(command);
  EXPECT_TRUE(nft) << "nft";
  if (!nft) return nullptr;
  auto in = nft->take_stdin();
  const std::string table = fmt::format("holdfast_test_{}_{}", ::getpid(), port);
  const std::string rules = fmt::format(
      "add table inet {0} {{ flags owner; }}\n"
      "add chain inet {0} output {{ type filter hook output priority 0; policy accept; }}\n"
      "add rule inet {0} output tcp sport {1} drop\nadd rule inet {0} output tcp dport {1} drop\n",
      table, port);
  EXPECT_EQ(::write(in.get(), rules.data(), rules.size()), static_cast<ssize_t>(rules.size()));
  await(
      "packets are dropped",
      [&] {
        sys::Command list;
        list.argv = {"nft", "list", "table", "inet", table};
        list.net_namespace = host.get();
        const auto listed = sys::run(list, Deadline::in(std::chrono::seconds(10)));
        return listed && listed->out.find("dport") != std::string::npos;
      },
      std::chrono::seconds(20));
  struct Held {
    sys::Fd in;
    sys::Process nft;  // killed with this
  };
  return std::make_shared<Held>(Held{std::move(in), std::move(*nft)});
}

}  // namespace holdfast::test
