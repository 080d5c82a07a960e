#include "cluster/authority_standing.h"

#include <fmt/format.h>

#include <utility>

namespace holdfast::cluster {

namespace {

using position::GaleraPosition;
using position::GtidSet;
using position::GtidState;
using position::WalPosition;

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return text;
}

Standing lineaged(std::string lineage, const History& member, const std::string& known_lineage) {
  if (!member.lineage.empty() && lower(member.lineage) != lineage)
    return {Standing::blocked, fmt::format("its position is of {}, the member itself says {}", lineage, member.lineage),
            ""};
  const bool foreign = !known_lineage.empty() && lineage != lower(known_lineage);
  return {foreign ? Standing::foreign : Standing::candidate, "", std::move(lineage)};
}

Standing classify_wal(const History& member, const std::string& known_lineage) {
  const auto& position = std::get<WalPosition>(member.position);
  if (position.system_identifier.empty()) return {Standing::blocked, "its system identifier was not read", ""};
  Standing standing = lineaged(position.system_identifier, member, known_lineage);
  if (standing.kind == Standing::candidate && !position.sound())
    return {Standing::blocked, fmt::format("the history of its timeline {} was not read", position.timeline), ""};
  return standing;
}

Standing classify_galera(const History& member, const std::string& known_lineage) {
  const auto& position = std::get<GaleraPosition>(member.position);
  if (!member.provable_position) return {Standing::blocked, "it is joining, or a state transfer was cut short", ""};
  if (!position.defined())
    return {Standing::blocked, fmt::format("{} is not a point of a history", position.to_string()), ""};
  if (!position.proves()) {
    return {Standing::blocked,
            fmt::format("{} is only a hint ({})", position.to_string(), galera_source_name(position.source)), ""};
  }
  return lineaged(position.uuid.to_string(), member, known_lineage);
}

Standing classify(Engine engine, const History& member, const std::string& known_lineage) {
  if (member.read == History::Read::unknown)
    return {Standing::blocked, member.why.empty() ? "it was not read" : member.why, ""};
  if (member.read == History::Read::empty) return {Standing::empty, "", ""};
  const auto& position = member.position;
  const Standing reset{Standing::blocked, "it holds data but shows no GTID: reset, or written without GTIDs", ""};
  switch (engine) {
    case Engine::mysql:
      if (const auto* set = std::get_if<GtidSet>(&position))
        return set->empty() && !member.pristine ? reset : Standing{Standing::candidate, "", ""};
      break;
    case Engine::mariadb:
      if (const auto* state = std::get_if<GtidState>(&position))
        return state->empty() && !member.pristine ? reset : Standing{Standing::candidate, "", ""};
      break;
    case Engine::postgres:
      if (std::holds_alternative<WalPosition>(position)) return classify_wal(member, known_lineage);
      break;
    case Engine::galera:
      if (std::holds_alternative<GaleraPosition>(position)) return classify_galera(member, known_lineage);
      break;
  }
  return {Standing::blocked, "its position was not read", ""};
}

/// A server gets the transactions of a source from number 1 on. One that has later numbers, but not the first ones that
/// another member has, was reset or filled without its GTIDs: what it holds besides is not told by its set.
void find_reset_gtid_sets(const std::vector<History>& members, std::vector<Standing>& standings) {
  GtidSet all;
  for (size_t i = 0; i < members.size(); ++i)
    if (standings[i].kind == Standing::candidate) all = all.unite(std::get<GtidSet>(members[i].position));
  for (size_t i = 0; i < members.size(); ++i) {
    if (standings[i].kind != Standing::candidate) continue;
    for (const auto& source : std::get<GtidSet>(members[i].position).sources()) {
      if (source.intervals.front().first <= all.find(source.uuid, source.tag)->intervals.front().first) continue;
      standings[i] = {Standing::blocked,
                      fmt::format("it lacks the first transactions of {}{}{} but has later ones: its GTIDs were reset",
                                  source.uuid.to_string(), source.tag.empty() ? "" : ":", source.tag),
                      ""};
      break;
    }
  }
}

}  // namespace

std::vector<Standing> standings(Engine engine, const std::vector<History>& members, const std::string& known_lineage) {
  std::vector<Standing> result;
  result.reserve(members.size());
  for (const History& member : members) result.push_back(classify(engine, member, known_lineage));
  if (engine == Engine::mysql) find_reset_gtid_sets(members, result);
  return result;
}

}  // namespace holdfast::cluster
