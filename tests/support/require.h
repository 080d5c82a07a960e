// What a test does when a peer (a server, restic, ...) is missing: it is skipped and says why; under
// HOLDFAST_REQUIRE=all (or a comma list that names the peer) it fails instead.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace holdfast::test {

/// True if HOLDFAST_REQUIRE asks for `peer`, and HOLDFAST_LACKS does not name it: what no installation brings
/// (instructions of the processor). tools/run_tests lists what was not tested for that.
bool is_required(std::string_view peer);
/// Path of a program on PATH or at an absolute path; "" when it is not there.
std::string find_program(std::string_view name);
/// Folder of peers that tools/peers/* installed: $HOLDFAST_PEERS, /opt/holdfast/peers or ~/.local/share/holdfast/peers.
std::string peers_folder();

}  // namespace holdfast::test

/// Use in a test body: HOLDFAST_NEED("restic", !path.empty(), "no restic on PATH").
#define HOLDFAST_NEED(peer, present, why)                                  \
  do {                                                                     \
    if (!(present)) {                                                      \
      if (::holdfast::test::is_required(peer)) {                           \
        FAIL() << "HOLDFAST_REQUIRE asks for " << (peer) << ": " << (why); \
      }                                                                    \
      GTEST_SKIP() << (peer) << " is missing: " << (why);                  \
    }                                                                      \
  } while (false)
