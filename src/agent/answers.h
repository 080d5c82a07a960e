// What an agent answers to each request of its protocol (agent/protocol.h).
//
// Data directories (agent/data_dir.h). Refused ("agent.running") while the server runs on the one concerned:
//   initialise {from: empty|copy|basebackup|donor|rewind, path, donor, side, reserve, timeoutSeconds}
//       makes the data directory; with side: true its successor, <dataDir>.new, while the server may continue on the
//       old one. A crash never passes for a finished one: what is half made is removed at the next initialise.
//       from donor: a physical copy of a running member of the cluster (its name in `donor`), which continues to serve:
//         mariadb   mariadb-backup; the copy gets the donor's binary log state at its position, and gtid_slave_pos
//         galera    the same, with grastate.dat: the member joins by IST as long as a donor's gcache reaches back
//         mysql     CLONE, which the donor writes into our directory (way: files), or, when it runs as another user or
//                   cannot reach it, sends to a helper server (way: network); the copy has a server uuid of its own,
//                   knows no source, and its binary log begins behind the donor's position (gtid_purged)
//         postgres  pg_basebackup, verified; a slot of this member holds WAL on its upstream (made when missing)
//       from rewind (PostgreSQL, side, server stopped): a copy of the member's own directory, rewound onto the donor.
//         What is not possible, or fails, or has not all the WAL it needs, becomes a copy from the donor instead: then
//         method is pg_basebackup and notRewound says why.
//         position: GTID vector, uuid:seqno, GTID set, or the LSN where the copy is consistent (with timeline)
//       Checked first: space for the copy and `reserve` bytes more (default 128 MiB): "agent.no_space", nothing
//       touched. "agent.donor" says what is wrong with the donor. MySQL without its clone plug-in: "agent.no_clone".
//   swap_side   journaled: a crash in between is completed when the agent starts, or before the next change.
//   rewind      what cannot be rewound is refused ("agent.rewind") and untouched; once the rewind writes, a crash or
//               failure leaves a directory that no start accepts ("agent.half_rewound"): reseed it.
//   free_wal    removes WAL segments before keepFrom (an LSN) that neither recovery, nor the archiver, nor another
//               slot needs.
// What a copy must change on its donor (a plug-in that was not loaded, a slot) is journaled in
// donor-undo.<donor>.json and undone at the end, or when the agent starts again.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include "agent/channels.h"
#include "agent/disk_watch.h"
#include "agent/epoch.h"
#include "agent/log_watch.h"
#include "agent/page_watch.h"
#include "agent/protocol.h"
#include "agent/server.h"
#include "agent/skip_watch.h"
#include "base/deadline.h"
#include "codec/value.h"
#include "net/tls_stream.h"

namespace holdfast::agent {

/// Who asks.
struct Caller {
  bool local = false;  ///< on the unix socket: the agent's own user, or root
  net::Role role = net::Role::none;
  std::string name;  ///< of its certificate
};

/// "agent.not_permitted" (refused) where the caller may not ask that.
Status check_right(const RequestKind& kind, const Caller& caller);

/// One member's. Thread-safe: each connection asks from its own thread.
class Answers {
 public:
  Answers(const std::string& dir, MemberConfig config, std::function<void()> wake);

  /// Adopts a server that runs, starts what watches in the background, and completes what a crash of the agent cut off.
  Status begin();
  /// The answer to a request that does not stream; for one that does, "agent.streams".
  Result<codec::Value> answer(const codec::Value& request, const Caller& caller);
  /// A streaming request: answers on `stream` and stays until its bytes are through. An error before the answer was
  /// written is returned with `answered` false.
  Status serve(const codec::Value& request, const Caller& caller, net::Stream& stream, bool& answered);

  /// Whether there is an answer to that request.
  static bool knows(std::string_view name) { return handlers().contains(name); }

  Server& server() { return server_; }
  std::stop_token token() const { return stop_.get_token(); }
  void request_stop() { stop_.request_stop(); }
  bool committed() const { return commit_; }
  bool ending() const { return ending_; }
  void end() { ending_ = true; }
  void set_leashed(bool leashed) { leashed_ = leashed; }

 private:
  struct Asked {
    const codec::Value& request;
    MemberConfig config;
    Deadline deadline;
  };
  using Handler = Result<codec::Value> (Answers::*)(const Asked&);
  static const std::map<std::string_view, Handler>& handlers();
  /// The request's kind, if this caller may ask it.
  static Result<const RequestKind*> permitted(const codec::Value& request, const Caller& caller);
  Result<EpochGate::Pass> admit(const RequestKind& kind, const codec::Value& request, Deadline deadline);
  codec::Value agent_value(const MemberConfig& config) const;

  Result<codec::Value> ping(const Asked& asked);
  Result<codec::Value> status(const Asked& asked);
  Result<codec::Value> inspect(const Asked& asked);
  Result<codec::Value> directories(const Asked& asked);
  Result<codec::Value> errant(const Asked& asked);
  Result<codec::Value> skipped(const Asked& asked);
  Result<codec::Value> wal_end(const Asked& asked);
  Result<codec::Value> check_account(const Asked& asked);
  Result<codec::Value> check_pages(const Asked& asked);
  Result<codec::Value> files(const Asked& asked);
  Result<codec::Value> read_file(const Asked& asked);
  Result<codec::Value> member(const Asked& asked);
  Result<codec::Value> channels(const Asked& asked);
  Result<codec::Value> donor(const Asked& asked);
  Result<codec::Value> start(const Asked& asked);
  Result<codec::Value> restart(const Asked& asked);
  Result<codec::Value> start_or_restart(const Asked& asked, bool restart);
  Result<codec::Value> stop(const Asked& asked);
  Result<codec::Value> continue_server(const Asked& asked);
  Result<codec::Value> apply_received(const Asked& asked);
  Result<codec::Value> initialise(const Asked& asked);
  Result<codec::Value> discard_side(const Asked& asked);
  Result<codec::Value> swap_side(const Asked& asked);
  Result<codec::Value> set_aside(const Asked& asked);
  Result<codec::Value> put_back(const Asked& asked);
  Result<codec::Value> drop_aside(const Asked& asked);
  Result<codec::Value> rewind(const Asked& asked);
  Result<codec::Value> free_wal(const Asked& asked);
  Result<codec::Value> cancel(const Asked& asked);
  Result<codec::Value> galera_position(const Asked& asked);
  Result<codec::Value> recover_position(const Asked& asked);
  Result<codec::Value> safe_to_bootstrap(const Asked& asked);
  Result<codec::Value> configure(const Asked& asked);
  Result<codec::Value> fence(const Asked& asked);
  Result<codec::Value> shutdown(const Asked& asked);
  Result<codec::Value> commit(const Asked& asked);

  Server server_;
  EpochGate epochs_;
  const std::function<void()> wake_;
  const std::string started_at_ = utc_now();
  std::atomic<bool> commit_ = false, ending_ = false, leashed_ = false;
  std::stop_source stop_;
  DiskWatch disks_;
  PageWatch pages_;
  SkipWatch skips_;
  LogWatch log_;
  ChannelWatch channels_;
  std::jthread adopting_, settling_;  ///< the last: they use the others
};

}  // namespace holdfast::agent
