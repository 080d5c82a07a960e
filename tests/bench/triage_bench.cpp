// triage_bench: how long the whole program takes to look at a healthy cluster of three, warm. The bar with members on
// other hosts: a median of 100 ms. All hosts share this machine's processors.
//   triage_bench [--engine mariadb|galera|mysql|postgres]... [--looks N] [--hosts 3]
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "tests/integration/copy_world.h"

namespace holdfast::test {
namespace {

bool measure(const std::string& engine, int looks, int hosts) {
  CopyWorld world("shop-" + engine);
  world.up("2MB", hosts > 0 ? std::vector<std::string>{"--hosts", std::to_string(hosts)} : std::vector<std::string>());
  const auto look = [&] { return world.lab.holdfast({"triage", "-c", world.cluster(), "-o", "json"}); };
  const auto well = sys::wait_until([&] { return look().exit_code == 0; }, Deadline::in(std::chrono::seconds(90)));
  if (!well || !*well) {
    std::printf("%s: not healthy: %s\n", engine.c_str(), look().out.c_str());
    return false;
  }
  std::vector<double> took;
  for (int i = 0; i < looks; ++i) {
    const auto begun = std::chrono::steady_clock::now();
    const auto seen = look();
    took.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count());
    if (seen.exit_code != 0) std::printf("%s: exit %d\n", engine.c_str(), seen.exit_code);
  }
  std::ranges::sort(took);
  const double median = took[took.size() / 2];
  std::printf("%s: triage of three %s, median %.0f ms, fastest %.0f ms, slowest %.0f ms (bar 100 ms): %s\n",
              engine.c_str(), hosts > 0 ? "members on hosts" : "local members", median, took.front(), took.back(),
              median <= 100 ? "holds" : "MISSED");
  std::fflush(stdout);
  return median <= 100;
}

}  // namespace
}  // namespace holdfast::test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  std::vector<std::string> engines;
  int looks = 41, hosts = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--engine") engines.emplace_back(argv[i + 1]);
    if (flag == "--looks") looks = std::stoi(argv[i + 1]);
    if (flag == "--hosts") hosts = std::stoi(argv[i + 1]);
  }
  if (engines.empty()) engines = {"mariadb", "galera", "mysql", "postgres"};
  bool holds = true;
  for (const auto& engine : engines) holds = holdfast::test::measure(engine, looks, hosts) && holds;
  return holds ? 0 : 10;
}
