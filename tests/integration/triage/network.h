// Faults of the way between two members, which neither of them sees.
#pragma once

#include <memory>

#include "tests/integration/patient.h"

namespace holdfast::test {

/// Drops every packet of the TCP connection that uses `port` on member i's host, both ways: no end hears of it. For as
/// long as what is returned lives, and no longer than this process. Needs root and nft; a failure fails the test.
std::shared_ptr<void> lose_packets(Patient& p, int i, int port);

}  // namespace holdfast::test
