// Faults of the way between two members, which neither of them sees.
#pragma once

#include <memory>

#include "tests/integration/patient.h"

namespace holdfast::test {

/// Drops every packet of the loopback TCP connection that uses `port`, both ways: no end hears of it. For as long as
/// what is returned lives, and no longer than this process. Needs root and nft; a failure fails the test.
std::shared_ptr<void> lose_packets(int port);

}  // namespace holdfast::test
