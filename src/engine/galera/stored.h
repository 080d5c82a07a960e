// What a Galera node left on disk: its saved state, its last view, an unfinished state transfer, its write-set cache.
// Strictly reading, a few small files: under 1 ms.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/stored/known.h"

namespace holdfast::engine::galera {

/// grastate.dat. While a node runs, and after a crash, seqno is -1: the position is then in InnoDB (wsrep_recover).
struct Grastate {
  std::string uuid;  ///< lower case; all zeros = no history
  int64_t seqno = -1;
  std::optional<bool> safe_to_bootstrap;  ///< absent before Galera 3.19
  bool zero_uuid() const { return uuid == "00000000-0000-0000-0000-000000000000"; }
  /// A clean shutdown wrote it: it is this node's position.
  bool is_position() const { return !zero_uuid() && seqno >= 0; }
};
/// "galera.grastate" when any line is not as Galera writes it: half a file is not believed.
Result<Grastate> parse_grastate(std::string_view text);

/// gvwstate.dat: there while the node is in a primary component, and after a crash.
struct View {
  std::string my_uuid, view_uuid;
  uint64_t view_number = 0;
  std::vector<std::string> members;
};
Result<View> parse_view(std::string_view text);

/// What the beginning of galera.cache says. A hint only: `synced` false means that the node did not close it.
struct CachePreamble {
  std::string uuid;
  bool synced = false;
  std::optional<int64_t> first, last;  ///< write sets it holds; only when synced
};
Result<CachePreamble> parse_cache_preamble(std::string_view text);

struct GaleraStored {
  stored::Known<Grastate> grastate;
  bool grastate_absent = false;  ///< proven
  stored::Known<View> view;
  bool view_absent = false;  ///< proven: not in a primary component, or shut down cleanly
  /// Files of a state transfer that runs or was cut off, by name. With a running server it may just be going on.
  std::vector<std::string> transfer_files;
  /// One of them means that this node was being overwritten: its data is no whole copy of anything.
  bool joiner_unfinished = false;
  std::string transfer_unknown;  ///< why the two above are not known; "" = they are
  stored::Known<CachePreamble> cache;
  bool cache_absent = false;  ///< proven
  uint64_t cache_bytes = 0;
};

/// For how long nothing in the directory has changed but what a joiner writes itself while it waits: its write-set
/// cache, its state files, its log. Nothing when it cannot be read, or is too large to be looked through.
std::optional<double> transfer_still_seconds(const std::string& data_dir);

GaleraStored read_galera_stored(const std::string& data_dir);

}  // namespace holdfast::engine::galera
