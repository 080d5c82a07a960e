#include "tests/support/sample.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <numeric>
#include <random>
#include <set>

namespace holdfast::test {

namespace {

/// FNV-1a, and the last mixing of MurmurHash3: neighbours get numbers that have nothing in common.
uint64_t hash(std::string_view text) {
  uint64_t sum = 14695981039346656037ULL;
  for (const unsigned char byte : text) sum = (sum ^ byte) * 1099511628211ULL;
  sum = (sum ^ sum >> 33) * 0xff51afd7ed558ccdULL;
  sum = (sum ^ sum >> 33) * 0xc4ceb9fe1a85ec53ULL;
  return sum ^ sum >> 33;
}

std::vector<size_t> all_of(size_t count) {
  std::vector<size_t> all(count);
  std::iota(all.begin(), all.end(), size_t{0});
  return all;
}

/// All of them, in the order of their hashes.
std::vector<size_t> shuffled(std::string_view what, std::vector<size_t> points) {
  std::map<size_t, uint64_t> rank;
  for (const size_t point : points) rank[point] = sample_hash(what, std::to_string(point));
  std::ranges::sort(points, {}, [&](size_t point) { return rank[point]; });
  return points;
}

}  // namespace

bool takes_everything() {
  const char* all = std::getenv("HOLDFAST_ALL_OPERATIONS");
  return all && *all;
}

uint64_t sample_seed() {
  static const uint64_t drawn = std::random_device()() % 1'000'000;
  static uint64_t printed = ~uint64_t{0};
  const char* text = std::getenv("HOLDFAST_SEED");
  const uint64_t seed = text && *text ? std::strtoull(text, nullptr, 10) : drawn;
  if (seed != printed) std::printf("sampled; HOLDFAST_SEED=%llu repeats it\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  return printed = seed;
}

uint64_t sample_hash(std::string_view what, std::string_view point) {
  return hash(std::to_string(sample_seed()) + "/" + std::string(what) + "/" + std::string(point));
}

std::vector<size_t> sample(std::string_view what, const std::vector<std::string>& kinds, double share) {
  if (takes_everything()) return all_of(kinds.size());
  std::map<std::string, std::vector<size_t>> points;
  for (size_t i = 0; i < kinds.size(); ++i) points[kinds[i]].push_back(i);
  std::set<size_t> taken;
  for (const auto& [kind, indexes] : points) {
    const auto order = shuffled(what, indexes);
    const auto wanted = static_cast<size_t>(std::lround(share * static_cast<double>(order.size())));
    const size_t count = std::clamp<size_t>(wanted, 1, order.size());
    taken.insert(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return {taken.begin(), taken.end()};
}

std::vector<size_t> sample(std::string_view what, size_t count, size_t most) {
  if (count == 0 || takes_everything() || most >= count) return all_of(count);
  std::set<size_t> taken = {count - 1};
  for (const size_t point : shuffled(what, all_of(count))) {
    if (taken.size() >= most) break;
    taken.insert(point);
  }
  return {taken.begin(), taken.end()};
}

}  // namespace holdfast::test
