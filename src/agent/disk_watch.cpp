#include "agent/disk_watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/observe.h"

namespace holdfast::agent {

using std::chrono::duration;
using std::chrono::seconds;

void DiskTrend::add(const cluster::Volume& volume, Time now) {
  auto& samples = samples_[volume.path];
  if (!samples.empty()) {
    const auto [less, more] = std::minmax(samples.back().total, volume.total);
    if (more - less > more / 10) samples.clear();
  }
  if (!samples.empty() && now - samples.back().at < kBetween) return;
  samples.push_back({now, volume.total, volume.free});
  while (now - samples.front().at > kAtMost) samples.pop_front();
}

std::string DiskTrend::tell(cluster::Volume& volume, Time now) const {
  volume.growth.reset();
  const auto found = samples_.find(volume.path);
  if (found == samples_.end() || found->second.empty()) return "its agent has not looked before";
  const auto& samples = found->second;
  const double window = duration<double>(now - samples.front().at).count();
  if (window < duration<double>(kAtLeast).count() || samples.size() < 3)
    return fmt::format("its agent has looked for {:.0f} s only", window);
  const auto since = [&](const Sample& sample) {
    const double time = duration<double>(now - sample.at).count();
    return time > 0 ? (static_cast<double>(sample.free) - static_cast<double>(volume.free)) / time : 0;
  };
  volume.growth = std::min(since(samples.front()), since(samples[samples.size() / 2]));
  volume.growth_seconds = window;
  return {};
}

void DiskWatch::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void DiskWatch::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    cluster::MemberFacts facts;
    look_(facts);
    std::unique_lock lock(mutex_);
    for (const auto& volume : facts.runtime.volumes) trend_.add(volume, std::chrono::steady_clock::now());
    wake_.wait_for(lock, stop, DiskTrend::kBetween, [] { return false; });
  }
}

void DiskWatch::tell(cluster::MemberFacts& facts) {
  const std::lock_guard lock(mutex_);
  for (auto& volume : facts.runtime.volumes) {
    const std::string name = "growth of the disk of its " + volume.purpose;
    if (const std::string why = trend_.tell(volume, std::chrono::steady_clock::now()); !why.empty())
      engine::note_unknown(facts, name, "agent", why);
    else
      engine::note(facts, name,
                   fmt::format("{:.1f} MiB a minute over the last {:.0f} s", *volume.growth * 60 / (1 << 20),
                               volume.growth_seconds),
                   "agent");
  }
}

}  // namespace holdfast::agent
