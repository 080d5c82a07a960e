#include "tests/integration/lost_packets.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lab/host_faults.h"
#include "lab/hosts.h"

namespace holdfast::test {

void LostPackets::lose(const agent::MemberConfig& at, const std::string& other, bool in, bool out) {
  ASSERT_FALSE(any());
  std::string rules = "add table inet lost\n";
  const auto drop = [&](const char* hook, const char* link, const char* end) {
    rules += fmt::format(
        "add chain inet lost {0} {{ type filter hook {0} priority 0; }}\n"
        "add rule inet lost {0} {1} \"eth0\" {2}drop\n",
        hook, link, other.empty() ? "" : fmt::format("ip {} {} ", end, other));
  };
  if (in) drop("input", "iifname", "saddr");
  if (out) drop("output", "oifname", "daddr");
  const auto done = lab::run_nft(at.net_namespace, rules);
  ASSERT_TRUE(done) << done.error().to_string();
  where_ = at.net_namespace;
}

void LostPackets::heal() {
  if (!any()) return;
  const auto done = lab::run_nft(where_, "delete table inet lost\n");
  EXPECT_TRUE(done) << done.error().to_string();
  where_.clear();
}

std::string callers_address(const agent::MemberConfig& member) {
  return lab::HostNetwork::address(lab::subnet_of(member).value_or(0), lab::kCallersHost);
}

}  // namespace holdfast::test
