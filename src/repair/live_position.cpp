#include "repair/live_position.h"

#include <algorithm>

#include "position/gtid_set.h"
#include "position/gtid_vector.h"
#include "sql/mariadb.h"

namespace holdfast::repair {

namespace {

Result<position::GtidState> mariadb_state(const sql::Target& server, Deadline deadline, const std::stop_token& stop) {
  auto connection = TRY(sql::MariadbConnection::connect(server, deadline, stop));
  // In this order: what was noted first is in the log by the time that is read.
  auto rows =
      TRY(connection.query("SELECT @@GLOBAL.gtid_slave_pos AS applied, @@GLOBAL.gtid_binlog_state AS logged, "
                           "@@GLOBAL.log_bin AND @@GLOBAL.log_slave_updates AS logs_all",
                           deadline, stop));
  const auto logged = TRY(position::GtidState::parse(rows.text("logged")));
  position::GtidVector applied;
  for (const auto& gtid : TRY(position::GtidVector::parse(rows.text("applied"))).entries())
    if (rows.text("logs_all") != "1" || logged.contains(gtid)) applied.set(gtid);  // one that its log bears out
  return logged.merge(position::GtidState::from(applied));
}

Result<position::GtidSet> mysql_set(const sql::Target& server, Deadline deadline, const std::stop_token& stop) {
  auto connection = TRY(sql::MariadbConnection::connect(server, deadline, stop));
  auto rows = TRY(connection.query("SELECT @@GLOBAL.gtid_executed AS x", deadline, stop));
  return position::GtidSet::parse(rows.text("x"));
}

bool has_of(const position::GtidSet& set, const position::Uuid& uuid) {
  return std::ranges::any_of(set.sources(), [&](const auto& source) { return source.uuid == uuid; });
}

}  // namespace

Result<std::string> held_beyond(cluster::Engine engine, const sql::Target& member, const sql::Target& other,
                                Deadline deadline, std::stop_token stop, const std::set<std::string>& foreign) {
  if (engine == cluster::Engine::mysql) {
    const auto mine = TRY(mysql_set(member, deadline, stop));
    const auto theirs = TRY(mysql_set(other, deadline, stop));
    const auto beyond = mine.subtract(theirs);  // g++ 12 would not keep it alive for the loop
    position::GtidSet extra;
    for (const auto& source : beyond.sources())
      for (const auto& interval : source.intervals)
        if (!foreign.contains(source.uuid.to_string()) || has_of(theirs, source.uuid))
          extra.add(source.uuid, source.tag, interval);
    return extra.to_string(",");
  }
  const auto mine = TRY(mariadb_state(member, deadline, stop));
  const auto theirs = TRY(mariadb_state(other, deadline, stop));
  std::string text;
  for (const auto& range : mine.missing_from(theirs))
    if (!foreign.contains(std::to_string(range.domain)) || theirs.last().of_domain(range.domain).seq > 0)
      text += (text.empty() ? "" : ",") + range.to_string();
  return text;
}

}  // namespace holdfast::repair
