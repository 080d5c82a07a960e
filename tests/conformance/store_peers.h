// The five stores under test, each started once per test program.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "store/open_store.h"
#include "tests/support/require.h"
#include "tests/support/servers/store_servers.h"

namespace holdfast::test {

struct StoreTraits {
  bool any_key = true;        ///< keys outside restic's layout are possible
  bool overwrites = true;     ///< a put may replace an object
  bool verifies_hash = true;  ///< a wrong hash is refused
  int race_rounds = 8;
};

struct StorePeer {
  std::string name;
  std::string missing;  ///< "" when it can be used
  StoreTraits traits;
  std::unique_ptr<StoreServer> server;  ///< nullptr for directory and memory
  /// A new empty place, not yet created; nullptr after a test failure.
  std::function<std::unique_ptr<store::ObjectStore>(const std::string& place)> open;
};

/// directory, memory, rest_server, seaweedfs, versitygw.
StorePeer& store_peer(const std::string& name);

}  // namespace holdfast::test
