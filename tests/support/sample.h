// What a run of the tests takes of many points: another part each time, so that all of them are met in time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::test {

/// HOLDFAST_ALL_OPERATIONS is set (`make test-all`): nothing is sampled.
bool takes_everything();

/// HOLDFAST_SEED, which tools/run_tests draws and prints; without it another one for each process. Printed when used.
/// Not for several threads.
uint64_t sample_seed();

/// Indexes of `share` of the points, in ascending order; at least one of each kind. `kinds[i]` is the kind of point i.
/// Chosen by a hash of seed, `what` and the point's index: no period of the points meets one of the choice.
std::vector<size_t> sample(std::string_view what, const std::vector<std::string>& kinds, double share);

/// `most` of `count` points that are all alike, and always the last of them.
std::vector<size_t> sample(std::string_view what, size_t count, size_t most);

/// A number that depends on the seed, `what` and `point` alone: for choices that belong to a point.
uint64_t sample_hash(std::string_view what, std::string_view point);

}  // namespace holdfast::test
