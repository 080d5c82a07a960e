#include "cluster/triage.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "cluster/roles.h"
#include "cluster/server_log.h"

namespace holdfast::cluster {

namespace {

/// The process cannot write any more while its files are read: they tell exactly where it stands.
bool stands_still(const MemberFacts& f) {
  if (f.runtime.process_state == "T" || f.runtime.process_state == "t") return true;
  if (f.runtime.state == "stopped" || f.runtime.state == "failed") return true;
  // That its agent is gone proves nothing: its server may live on. That no process uses its data directory does, which
  // was asked where its files could be read.
  return f.agent.answers == false && f.reach == Reach::unreachable && f.runtime.pid <= 0 && f.runtime.outside.empty() &&
         f.stored;
}

bool wrote(const std::string& cluster_state) {
  return cluster_state == "in production" || cluster_state == "shutting down" || cluster_state == "shut down" ||
         cluster_state == "in crash recovery";
}

Status read_mysql(History& h, const std::string& executed, const std::string& received) {
  auto set = TRY(position::GtidSet::parse(executed));
  if (!received.empty()) set = set.unite(TRY(position::GtidSet::parse(received)));
  h.position = std::move(set);
  return {};
}

/// "0-1-5,0-2-7": of several connections a domain may come twice.
Result<std::vector<position::MariaGtid>> read_gtids(std::string_view text) {
  std::vector<position::MariaGtid> gtids;
  while (!text.empty()) {
    const size_t end = std::min(text.find(','), text.size());
    const auto gtid = TRY(position::MariaGtid::parse(text.substr(0, end)));
    if (gtid.seq > 0) gtids.push_back(gtid);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return gtids;
}

position::GtidState with(const position::GtidState& state, const position::MariaGtid& gtid) {
  position::GtidVector one;
  one.set(gtid);
  return state.merge(position::GtidState::from(one));
}

/// What was received says nothing of what it held before it was reset.
Status refuse_reset(const History& h, const position::GtidState& logged, const std::string& received) {
  if (h.pristine || received.empty() || !logged.empty()) return {};
  return fail(ErrorClass::failed, "position.invalid",
              fmt::format("it has received {}, and its log has no GTID: what it holds besides is not known", received));
}

Status read_mariadb(History& h, const std::string& state, const std::string& received) {
  auto all = TRY(position::GtidState::parse(state));
  TRY_VOID(refuse_reset(h, all, received));
  for (const auto& gtid : TRY(read_gtids(received))) all = with(all, gtid);
  h.position = std::move(all);
  return {};
}

/// What the server's own log bears out, and what it received beyond the position it began to receive from.
Status read_mariadb_live(History& h, const MemberFacts& f, const std::set<std::string>& foreign) {
  const auto logged = TRY(position::GtidState::parse(f.executed));
  const auto noted = TRY(position::GtidVector::parse(f.slave_pos));
  const bool log_tells = f.mysql.log_bin == true && f.mysql.log_replica_updates == true;
  if (log_tells) TRY_VOID(refuse_reset(h, logged, f.received));
  auto all = logged;
  for (const auto& gtid : noted.entries())
    if (!log_tells || logged.contains(gtid)) all = with(all, gtid);
  for (const auto& gtid : TRY(read_gtids(f.received))) {
    if (foreign.contains(std::to_string(gtid.domain))) continue;  // filtered, it is in no log of its own
    const auto from = noted.of_domain(gtid.domain);
    const bool borne_out = !log_tells || from.seq == 0 || logged.contains(from);
    if (!borne_out && gtid.seq > from.seq)
      return fail(ErrorClass::failed, "position.invalid",
                  fmt::format("its gtid_slave_pos {} is not in its log, and it has received {} since: what it lacks in "
                              "between is not known",
                              from.to_string(), gtid.to_string()));
    if (borne_out) all = with(all, gtid);  // else it is where it asked its source to begin
  }
  h.position = std::move(all);
  return {};
}

Status read_wal(History& h, const std::string& system, uint32_t timeline, const std::string& history,
                const std::string& end, const std::string& minimum, bool writer) {
  position::WalPosition p;
  p.system_identifier = system;
  p.timeline = timeline;
  if (timeline > 1 && history.empty())
    return fail(ErrorClass::failed, "position.invalid", fmt::format("the history of timeline {} is missing", timeline));
  p.history = TRY(position::TimelineHistory::parse(history));
  p.end = TRY(position::Lsn::parse(end));
  if (!minimum.empty() && minimum != "0/0") p.minimum_recovery = TRY(position::Lsn::parse(minimum));
  p.wrote = writer;
  h.position = std::move(p);
  h.lineage = system;
  return {};
}

Status read_galera(History& h, const std::string& text, position::GaleraSource source) {
  auto p = TRY(position::GaleraPosition::parse(text, source));
  h.lineage = p.uuid.to_string();
  h.provable_position = h.provable_position && p.proves();
  h.position = p;
  return {};
}

Status read_live(Engine engine, const MemberFacts& f, const std::set<std::string>& foreign, History& h) {
  switch (engine) {
    case Engine::mysql:
      h.pristine = f.mysql.user_tables == 0u;
      if (f.mysql.gtid_mode == false)
        return fail(ErrorClass::failed, "position.invalid", "gtid_mode is not ON: its transactions have no names");
      return read_mysql(h, f.executed, f.received);
    case Engine::mariadb:
      h.pristine = f.mysql.user_tables == 0u;
      return read_mariadb_live(h, f, foreign);
    case Engine::postgres:
      return read_wal(h, f.lineage, f.timeline, f.history, f.role == MemberRole::replica ? f.received : f.executed, "",
                      f.role == MemberRole::primary);
    case Engine::galera:
      if (f.executed.empty())
        return fail(ErrorClass::failed, "position.invalid", "its wsrep position could not be read");
      return read_galera(h, f.executed, position::GaleraSource::live);
  }
  return {};
}

Status read_stored(Engine engine, const StoredFacts& s, History& h) {
  if (s.position.empty() && engine != Engine::galera && engine != Engine::mysql && engine != Engine::mariadb)
    return fail(ErrorClass::failed, "position.invalid", s.position_unknown);
  if (!s.position_unknown.empty()) return fail(ErrorClass::failed, "position.invalid", s.position_unknown);
  if (!s.received_unknown.empty())
    return fail(ErrorClass::failed, "position.invalid",
                "what it received and has not applied is not known: " + s.received_unknown);
  switch (engine) {
    case Engine::mysql:
      return read_mysql(h, s.position, s.received);
    case Engine::mariadb:
      return read_mariadb(h, s.position, s.received);
    case Engine::postgres:
      return read_wal(h, s.lineage, s.timeline, s.history, s.position, s.minimum_recovery, wrote(s.cluster_state));
    case Engine::galera:
      if (s.position.empty()) return fail(ErrorClass::failed, "position.invalid", "grastate.dat has no position");
      // Pages of another node over its own: what InnoDB says then is no member's history.
      if (!s.aborted_transfer.empty()) h.provable_position = false;
      if (s.lineage == "00000000-0000-0000-0000-000000000000")
        return fail(ErrorClass::failed, "position.invalid", "its grastate.dat has no history");
      return read_galera(
          h, s.position,
          s.seqno.value_or(-1) >= 0 ? position::GaleraSource::grastate : position::GaleraSource::recovered);
  }
  return {};
}

/// Names of the members of a node's view; one nobody described, or that cannot be identified, stands for itself.
/// nullopt where who is in it is not known: it cannot be found there itself, or one that is in a component may be a
/// node of it under another address.
std::optional<std::vector<MemberName>> members_of_view(const Topology& topology, const std::vector<MemberFacts>& facts,
                                                       const MemberFacts& of) {
  const GaleraFacts& galera = *of.galera;
  std::vector<GaleraFacts::Node> nodes = galera.nodes;
  if (nodes.empty())
    for (const auto& address : galera.view) nodes.push_back({"", "", address});
  std::vector<MemberName> names;
  bool strangers = false;
  for (const auto& node : nodes) {
    if (const auto member = topology.node(node).member()) {
      names.push_back(topology.name(*member));
    } else if (!node.address.empty()) {  // no arbitrator
      names.emplace_back(node.address);
      strangers = true;
    }
  }
  const auto listed = [&](const MemberFacts& f) { return std::ranges::find(names, f.member) != names.end(); };
  if (!listed(of)) return std::nullopt;
  const bool by_uuid = !galera.nodes.empty();
  for (const auto& f : facts)
    if (strangers && in_primary_component(f) && !listed(f) && !(by_uuid && !f.galera->node_uuid.empty()))
      return std::nullopt;
  return names;
}

AnyPosition without(const AnyPosition& position, const std::set<std::string>& origins) {
  if (const auto* set = std::get_if<position::GtidSet>(&position)) {
    position::GtidSet rest;
    for (const auto& source : set->sources())
      for (const auto& interval : source.intervals)
        if (!origins.contains(source.uuid.to_string())) rest.add(source.uuid, source.tag, interval);
    return rest;
  }
  if (const auto* state = std::get_if<position::GtidState>(&position)) {
    position::GtidState rest;
    for (const auto& gtid : state->entries())
      if (!origins.contains(std::to_string(gtid.domain))) rest.record(gtid);
    return rest;
  }
  return position;
}

/// Where another described member is ONLINE in a group of the same name that is not this member's: both groups give
/// their transactions the same GTIDs.
Status group_is_its_own(const std::vector<MemberFacts>& facts, const MemberFacts& f) {
  if (!f.mysql.replication_group || f.mysql.replication_group->state != "ONLINE") return {};
  for (const auto& other : facts) {
    const auto& group = other.mysql.replication_group;
    if (&other == &f || !group || group->state != "ONLINE" || group->group != f.mysql.replication_group->group)
      continue;
    if (!group->online.contains(f.server_uuid) && !f.mysql.replication_group->online.contains(other.server_uuid))
      return fail(ErrorClass::failed, "position.unknown",
                  fmt::format("{} is ONLINE in another group of the same name: one GTID may be two transactions",
                              other.member.str()));
  }
  return {};
}

std::string why_unknown(const MemberFacts& f) {
  std::string why{reach_name(f.reach)};
  if (!f.error.empty()) why += ": " + f.error.substr(0, f.error.find('\n'));
  if (f.stored && !f.stored->why.empty()) why += "; data directory: " + f.stored->why;
  return why;
}

}  // namespace

std::map<std::string, int64_t> settings_wanted(const MemberFacts& facts) {
  const bool down = !facts.reachable() && facts.runtime.outside.empty() &&
                    (facts.runtime.state == "stopped" || facts.runtime.state == "failed");
  return down ? settings_too_small(facts.runtime.log_tail) : std::map<std::string, int64_t>();
}

void take_wal_end(MemberFacts& facts, const std::string& text, uint32_t timeline, const std::string& history) {
  const auto end = position::Lsn::parse(text);
  if (!end) return;
  facts.postgres.wal_end = text;
  facts.postgres.wal_end_timeline = timeline;
  const auto received = position::Lsn::parse(facts.received.empty() ? facts.executed : facts.received);
  if (received && *end < *received) return;
  facts.received = text;
  if (timeline <= facts.timeline) return;
  facts.timeline = timeline;
  facts.history = history;
}

bool in_primary_component(const MemberFacts& f) {
  return f.reachable() && f.galera && f.galera->status == "Primary" && f.galera->wsrep_on != false;
}

std::string view_key(const GaleraFacts& galera) {
  std::vector<std::string> nodes;
  for (const auto& node : galera.nodes) nodes.push_back(node.uuid);
  if (nodes.empty()) nodes = galera.view;
  std::ranges::sort(nodes);
  return fmt::format("{}", fmt::join(nodes, " "));
}

std::vector<History> histories(const DatabaseCluster& cluster, const std::vector<MemberFacts>& facts, Fed fed) {
  std::vector<History> result;
  const Feeds feeds = find_feeds(cluster, facts);
  const auto& foreign = feeds.foreign;
  const Topology topology(cluster, facts);
  bool anybody_writes = false;
  for (const auto& f : facts)
    anybody_writes = anybody_writes || (f.reachable() && f.role == MemberRole::primary && f.read_only != true);
  for (const auto& f : facts) {
    History h;
    h.member = f.member;
    const bool follows_nobody = f.reachable() && f.role == MemberRole::primary;
    h.leader = anybody_writes ? follows_nobody && f.read_only != true
                              : f.runtime.role_wanted == MemberRole::primary && (follows_nobody || !f.reachable());
    const bool by_gtid = cluster.engine == Engine::mysql || cluster.engine == Engine::mariadb;
    h.writes = by_gtid && h.leader && follows_nobody && f.read_only != true;
    if (cluster.engine == Engine::mysql) h.own = f.lineage.empty() && f.stored ? f.stored->lineage : f.lineage;
    if (cluster.engine == Engine::mariadb && f.server_id) h.own = std::to_string(*f.server_id);
    h.only_one = by_gtid && follows_nobody && facts.size() == 1;
    h.in_primary_component = in_primary_component(f);
    if (h.in_primary_component) {
      h.view = members_of_view(topology, facts, f);
      // A node that is being filled says where it will stand, not what it holds.
      if (f.galera->state.starts_with("Join")) h.provable_position = false;
    }
    Status read = fail(ErrorClass::unavailable, "position.unknown", why_unknown(f));
    if (f.reachable()) {
      read = group_is_its_own(facts, f);
      if (read) read = read_live(cluster.engine, f, foreign, h);
    } else if (f.stored && stands_still(f)) {
      switch (f.stored->data) {
        case StoredFacts::Data::missing:
        case StoredFacts::Data::empty:
        case StoredFacts::Data::incomplete:  // half made by us: nothing was ever committed there
          h.read = History::Read::empty;
          break;
        case StoredFacts::Data::present:
          read = read_stored(cluster.engine, *f.stored, h);
          break;
        case StoredFacts::Data::unknown:
          break;
      }
    }
    if (const auto unclear = feeds.unclear.find(f.member); read && unclear != feeds.unclear.end())
      read = fail(ErrorClass::failed, "position.unknown", unclear->second);
    if (h.read != History::Read::empty) {
      h.read = read ? History::Read::read : History::Read::unknown;
      if (!read) h.why = read.error().message;
    }
    result.push_back(std::move(h));
  }
  if (fed == Fed::counted || foreign.empty()) return result;
  for (auto& h : result)
    if (h.read == History::Read::read) h.position = without(h.position, foreign);
  return result;
}

}  // namespace holdfast::cluster
