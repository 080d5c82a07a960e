// From what engine/*/stored reads of a data directory to the facts triage judges.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "agent/inspect.h"
#include "engine/galera/stored.h"
#include "engine/mysql_family_stored.h"
#include "engine/observe.h"
#include "engine/postgres/stored.h"
#include "engine/postgres/wal_room.h"

namespace holdfast::agent::detail {

using cluster::MemberFacts;
using cluster::StoredFacts;
using engine::StoredContent;

namespace {

StoredFacts::Data data_of(StoredContent content) {
  switch (content) {
    case StoredContent::data:
      return StoredFacts::Data::present;
    case StoredContent::half_made:
      return StoredFacts::Data::incomplete;
    case StoredContent::empty:
      return StoredFacts::Data::empty;
    case StoredContent::missing:
      return StoredFacts::Data::missing;
    case StoredContent::foreign:
    case StoredContent::unreadable:
      break;
  }
  return StoredFacts::Data::unknown;
}

void take_content(StoredFacts& facts, StoredContent content, const std::string& why,
                  const std::vector<engine::StoredMarker>& markers) {
  facts.data = data_of(content);
  facts.why = why;
  // Our own marker stands only beside a directory that was empty when its making began: nothing was ever committed
  // there. Any other half of a directory (ibdata1 gone, a clone or restore cut off) may hold what nobody else has.
  const bool ours = std::ranges::any_of(
      markers, [](const engine::StoredMarker& marker) { return marker.path.ends_with("/initialising"); });
  if (content == StoredContent::half_made && !ours) facts.data = StoredFacts::Data::unknown;
  facts.torn = facts.data == StoredFacts::Data::unknown &&
               (content == StoredContent::half_made || content == StoredContent::foreign);
  if (content == StoredContent::foreign && why.empty())
    facts.why = "it does not contain a data directory of this engine";
  std::set<std::string> said;
  for (const auto& marker : markers)
    if (const std::string one = fmt::format("{}: {}", marker.path, marker.meaning); said.insert(one).second)
      facts.why += (facts.why.empty() ? "" : "; ") + one;
}

void note_position(MemberFacts& facts, const char* name, const std::string& source) {
  if (facts.stored->position_unknown.empty())
    engine::note(facts, name, facts.stored->position, source);
  else
    engine::note_unknown(facts, name, source, facts.stored->position_unknown);
}

void read_mysql_family(MemberFacts& facts, const MemberConfig& config, const engine::StoredOptions& options) {
  const auto stored = engine::read_mysql_family_stored(config.data_dir(), options);
  StoredFacts& s = facts.stored.emplace();
  take_content(s, stored.content, stored.why, stored.markers);
  if (stored.server_uuid) s.lineage = *stored.server_uuid;
  if (stored.binlog.position && !stored.binlog.position->anonymous)
    s.position = stored.binlog.position->text;
  else if (stored.binlog.position)
    s.position_unknown = "its binary log has transactions without a GTID";
  else
    s.position_unknown = stored.binlog.unknown.empty() ? "no binary log was found" : stored.binlog.unknown;
  // What it had received and not yet applied counts too: it may be the only copy of what a dead source had sent.
  if (stored.received)
    s.received = stored.received->text;
  else if (s.data == StoredFacts::Data::present)
    s.received_unknown = stored.received.why();
  if (!s.received_unknown.empty()) engine::note_unknown(facts, "received", "relay logs on disk", s.received_unknown);
  if (s.data == StoredFacts::Data::present) note_position(facts, "durable position", "binary log on disk");
}

void read_galera(MemberFacts& facts, const MemberConfig& config, const engine::StoredOptions& options) {
  engine::StoredOptions without_relay = options;
  without_relay.relay = false;
  const auto directory = engine::read_mysql_family_stored(config.data_dir(), without_relay);
  take_content(facts.stored.emplace(), directory.content, directory.why, directory.markers);
  read_galera_state(facts, config);
  if (facts.stored->data == StoredFacts::Data::present) note_position(facts, "durable position", "grastate.dat");
}

void read_postgres(MemberFacts& facts, const MemberConfig& config, const engine::StoredOptions& options) {
  engine::postgres::PostgresStoredOptions wanted;
  wanted.deadline = options.deadline;
  wanted.stop = options.stop;
  const auto stored = engine::postgres::read_postgres_stored(config.data_dir(), wanted);
  StoredFacts& s = facts.stored.emplace();
  take_content(s, stored.content, stored.why, stored.markers);
  if (stored.signals_known) s.standby_signal = stored.standby_signal;
  if (stored.archive_ready) s.archive_ready = static_cast<int>(*stored.archive_ready);
  if (!stored.control) {
    s.position_unknown = stored.control.why();
    return;
  }
  const auto& control = *stored.control;
  s.lineage = std::to_string(control.system_identifier);
  s.cluster_state = engine::postgres::control_state_name(control.state);
  s.checksum_version = static_cast<int>(control.data_checksum_version);
  s.timeline = control.timeline;
  if (control.minimum_recovery_point) s.minimum_recovery = engine::postgres::lsn_text(control.minimum_recovery_point);
  if (stored.wal.end) {
    s.position = engine::postgres::lsn_text(stored.wal.end->end);
    s.timeline = stored.wal.end->timeline;
  } else {
    s.position_unknown = stored.wal.unknown;
  }
  if (const auto history = stored.histories.find(s.timeline); history != stored.histories.end())
    s.history = history->second.to_string();
  const auto room = engine::postgres::read_wal_room(config.data_dir());
  StoredFacts::WalRoom told;
  told.segment_size = room.segment_size;
  told.oldest = engine::postgres::lsn_text(room.oldest);
  told.recovery = engine::postgres::lsn_text(room.recovery);
  if (room.archiver) told.archiver = engine::postgres::lsn_text(*room.archiver);
  told.unknown = room.unknown;
  for (const auto& on_disk : room.slots) {
    cluster::Slot slot;
    slot.name = on_disk.name;
    slot.physical = on_disk.physical;
    if (on_disk.restart) slot.restart_lsn = engine::postgres::lsn_text(on_disk.restart);
    told.slots.push_back(std::move(slot));
  }
  s.wal_room = std::move(told);
  engine::note(facts, "cluster state", s.cluster_state, "pg_control");
  note_position(facts, "end of WAL", "pg_wal");
}

}  // namespace

void read_galera_state(MemberFacts& facts, const MemberConfig& config) {
  const auto galera = engine::galera::read_galera_stored(config.data_dir());
  if (!facts.stored) facts.stored.emplace();
  StoredFacts& s = *facts.stored;
  if (galera.grastate) {
    s.lineage = galera.grastate->uuid;
    s.seqno = galera.grastate->seqno;
    s.safe_to_bootstrap = galera.grastate->safe_to_bootstrap;
    if (galera.grastate->is_position())
      s.position = fmt::format("{}:{}", galera.grastate->uuid, galera.grastate->seqno), s.position_source = "grastate";
    else
      s.position_unknown = galera.grastate->zero_uuid() ? "grastate.dat has no history"
                           : !facts.runtime.process_state.empty()
                               ? "its server runs: grastate.dat says -1 as long as it does"
                               : "it crashed: grastate.dat says -1; holdfast inspect --fence recovers it";
  } else {
    s.position_unknown = galera.grastate_absent ? std::string(cluster::kNoStateFile) : galera.grastate.why();
  }
  if (galera.joiner_unfinished) {
    s.aborted_transfer = fmt::format("{}", fmt::join(galera.transfer_files, ", "));
    s.transfer_still_seconds = engine::galera::transfer_still_seconds(config.data_dir());
  }
  if (galera.cache) {
    s.gcache_first = galera.cache->first;
    s.gcache_last = galera.cache->last;
  }
}

void read_stored(MemberFacts& facts, const MemberConfig& config, Deadline deadline, std::stop_token stop) {
  engine::StoredOptions options;
  options.log_base = config.binlog_base();
  options.relay_base = config.relay_base();
  options.deadline = deadline;
  options.stop = std::move(stop);
  switch (config.engine) {
    case cluster::Engine::postgres:
      return read_postgres(facts, config, options);
    case cluster::Engine::galera:
      return read_galera(facts, config, options);
    default:
      return read_mysql_family(facts, config, options);
  }
}

}  // namespace holdfast::agent::detail
