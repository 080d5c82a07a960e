#include "engine/logged_position.h"

#include <fmt/format.h>

#include "cluster/server_words.h"
#include "engine/channels.h"
#include "position/gtid_vector.h"
#include "sql/mariadb.h"
#include "sys/process.h"

namespace holdfast::engine {

using position::GtidState;
using position::GtidVector;
using sql::MariadbConnection;

namespace {

/// In every domain the higher number of the two.
GtidVector later(const GtidVector& a, const GtidVector& b) {
  return GtidState::from(a).merge(GtidState::from(b)).last();
}

struct Positions {
  std::string version;
  GtidVector logged, applied;
};
Result<Positions> positions_of(MariadbConnection& connection, Deadline deadline, const std::stop_token& stop) {
  const auto rows =
      TRY(connection.query("SELECT @@version AS version, @@GLOBAL.gtid_binlog_pos AS logged, "
                           "@@GLOBAL.gtid_slave_pos AS applied",
                           deadline, stop));
  return Positions{rows.text("version"), TRY(GtidVector::parse(rows.text("logged"))),
                   TRY(GtidVector::parse(rows.text("applied")))};
}

}  // namespace

Result<bool> stopped_at_what_it_logged(const sql::Target& replica, Deadline deadline, std::stop_token stop) {
  auto connection = TRY(MariadbConnection::connect(replica, deadline, stop));
  if (!cluster::has_atomic_ddl(TRY(positions_of(connection, deadline, stop)).version)) return false;
  bool stopped = false;
  std::optional<Error> broken;
  const auto known = [&]() -> Result<bool> {
    const Deadline each = Deadline::in(std::chrono::seconds(10));  // that ours passes in a query is no failure
    const auto rows = TRY(connection.query("SHOW ALL SLAVES STATUS", each, stop));
    bool applying = true;
    for (size_t i = 0; i < rows.rows.size(); ++i) {
      const bool refused = cluster::refuses_what_it_logged(std::atoi(rows.text("Last_SQL_Errno", i).c_str()),
                                                           rows.text("Last_SQL_Error", i));
      stopped = stopped || refused;
      applying = applying && (rows.text("Slave_SQL_Running", i) == "Yes" || rows.text("Last_SQL_Errno", i) != "0");
    }
    if (stopped || rows.empty()) return true;
    const auto now = TRY(positions_of(connection, each, stop));
    return applying && later(now.applied, now.logged) == now.applied;
  };
  TRY(sys::wait_until(
      [&] {
        auto answer = known();
        if (!answer) broken = answer.error();
        return broken || *answer;
      },
      deadline, stop));
  if (broken) return fail(std::move(*broken));
  return stopped;
}

Result<std::string> logged_behind(const sql::Target& replica, Deadline deadline, std::stop_token stop) {
  auto connection = TRY(MariadbConnection::connect(replica, deadline, stop));
  const auto rows = TRY(connection.query(
      "SELECT @@GLOBAL.gtid_binlog_state AS logged, @@GLOBAL.gtid_slave_pos AS noted", deadline, stop));
  return cluster::logged_behind(rows.text("logged"), rows.text("noted"));
}

Status go_on_behind_its_log(const sql::Target& replica, const std::string& channel, Deadline deadline,
                            std::stop_token stop) {
  auto connection = TRY(MariadbConnection::connect(replica, deadline, stop));
  const auto before = TRY(connection.query("SHOW ALL SLAVES STATUS", deadline, stop));
  TRY(connection.query("STOP ALL SLAVES", deadline, stop));
  const auto now = TRY(positions_of(connection, deadline, stop));
  TRY(connection.query(fmt::format("SET GLOBAL gtid_slave_pos='{}'", later(now.applied, now.logged).to_string()),
                       deadline, stop));
  for (size_t i = 0; i < before.rows.size(); ++i) {
    const std::string name = before.text("Connection_name", i);
    const bool ran = before.text("Slave_IO_Running", i) != "No" && before.text("Slave_SQL_Running", i) != "No";
    if (ran || name == channel)
      TRY(connection.query(channel_statement(cluster::Engine::mariadb, "START", name), deadline, stop));
  }
  return {};
}

}  // namespace holdfast::engine
