#include "tests/conformance/store_peers.h"

#include <gtest/gtest.h>

#include <map>

namespace holdfast::test {
namespace {

std::unique_ptr<store::ObjectStore> open_or_fail(const std::string& location, const store::StoreOptions& options) {
  auto opened = store::open_store(location, options);
  if (opened) return std::move(*opened);
  ADD_FAILURE() << opened.error().to_string();
  return nullptr;
}

StorePeer make_peer(const std::string& name) {
  StorePeer peer{.name = name};
  if (name == "directory") {
    peer.traits.verifies_hash = false;
    peer.open = [](const std::string& place) { return open_or_fail("local:" + test_root() + "/" + place, {}); };
    return peer;
  }
  if (name == "memory") {
    peer.open = [](const std::string& place) { return open_or_fail("memory:" + place, {}); };
    return peer;
  }
  if (name == "rest_server") {
    peer.server = make_rest_server();
    peer.traits.any_key = peer.traits.overwrites = false;
  } else {
    peer.server = name == "seaweedfs" ? make_seaweedfs() : make_versitygw();
  }
  if (name == "seaweedfs") peer.traits.race_rounds = 2;  // it stalls for seconds on a contended key
  peer.missing = peer.server->missing();
  if (peer.missing.empty()) peer.server->start();
  peer.open = [server = peer.server.get()](const std::string& place) {
    return open_or_fail(server->location(place), server->options());
  };
  return peer;
}

}  // namespace

StorePeer& store_peer(const std::string& name) {
  static std::map<std::string, StorePeer> peers;
  auto found = peers.find(name);
  if (found == peers.end()) found = peers.emplace(name, make_peer(name)).first;
  return found->second;
}

}  // namespace holdfast::test
