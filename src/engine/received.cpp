#include "engine/received.h"

#include <fmt/format.h>

#include <filesystem>
#include <vector>

#include "engine/binlog/files.h"
#include "engine/binlog/scan.h"
#include "position/gtid_vector.h"
#include "sql/mariadb.h"
#include "sys/process.h"

namespace holdfast::engine {

using position::GtidVector;
using sql::MariadbConnection;

namespace {

/// Transactions one behind the other in a relay log that are to be applied.
struct Stretch {
  std::string file;
  uint64_t begin = 0, end = 0, transactions = 0;
};

std::unexpected<Error> cannot(std::string why) {
  return fail(ErrorClass::failed, "replication.received", std::move(why));
}

class Applier {
 public:
  Applier(MariadbConnection& connection, const std::string& data_dir, Deadline deadline, const std::stop_token& stop)
      : connection_(connection), data_dir_(data_dir), deadline_(deadline), stop_(stop) {}

  Result<AppliedReceived> run() {
    const auto status = TRY(ask("SHOW ALL SLAVES STATUS"));
    AppliedReceived result;
    for (size_t i = 0; i < status.rows.size(); ++i) {
      const std::string name = status.text("Connection_name", i);
      if (status.text("Slave_IO_Running", i) != "No" || status.text("Slave_SQL_Running", i) != "No")
        return cannot("its replication threads run");
      if (status.text("Using_Gtid", i) == "No") continue;  // keeps its relay logs
      TRY(ask("SET @@SESSION.default_master_connection=" + sql::quote_mysql(name)));
      result.transactions += TRY(apply_connection(status.text("Relay_Log_File", i), status.text("Using_Gtid", i)));
    }
    result.position = TRY(ask("SELECT @@GLOBAL.gtid_slave_pos AS p")).text("p");
    return result;
  }

 private:
  Result<sql::Rows> ask(const std::string& statement) { return connection_.query(statement, deadline_, stop_); }

  /// The logs of one connection, known by a file of them.
  Result<std::vector<std::string>> files_with(const std::string& file) const {
    const auto stem = [](const std::string& path) { return std::filesystem::path(path).stem().string(); };
    for (const auto& logs : TRY(binlog::find_relay_logs(data_dir_)))
      if (!logs.paths.empty() && stem(logs.paths.front()) == stem(file)) return logs.paths;
    return cannot(fmt::format("its relay logs, {} among them, are not in {}", file, data_dir_));
  }

  Result<std::vector<Stretch>> missing(const std::vector<std::string>& files, const GtidVector& applied) const {
    std::vector<Stretch> stretches;
    for (const auto& path : files) {
      auto source = TRY(binlog::FileSource::open(path));
      binlog::ScanOptions options;
      options.relay = true;
      options.deadline = deadline_;
      options.stop = stop_;
      const std::string file = std::filesystem::path(path).filename().string();
      bool together = false;
      options.on_group = [&](const binlog::Group& group, const binlog::Format&) {
        const auto& gtid = group.start.mariadb;
        const bool wanted = gtid && gtid->sequence > applied.of_domain(gtid->domain).seq;
        if (wanted && !together) stretches.push_back({file, group.offset, group.end, 0});
        if (wanted) {
          stretches.back().end = group.end;
          ++stretches.back().transactions;
        }
        together = wanted;
      };
      const auto scan = binlog::scan_log(source, options);
      if (!scan.trouble.empty()) return cannot(path + ": " + scan.trouble);
    }
    return stretches;
  }

  Result<uint64_t> apply_connection(const std::string& relay_file, const std::string& using_gtid) {
    const auto files = TRY(files_with(relay_file));
    const auto applied = TRY(GtidVector::parse(TRY(ask("SELECT @@GLOBAL.gtid_slave_pos AS p")).text("p")));
    const auto stretches = TRY(missing(files, applied));
    uint64_t count = 0;
    std::string last = std::filesystem::path(files.back()).filename().string();
    for (const auto& stretch : stretches) {
      auto done = apply(stretch);
      if (!done) {  // by GTID again, with its relay logs
        (void)ask("STOP SLAVE");
        (void)ask(fmt::format("CHANGE MASTER TO MASTER_USE_GTID={}, RELAY_LOG_FILE='{}', RELAY_LOG_POS={}", using_gtid,
                              stretch.file, stretch.begin));
        return fail(std::move(done).error());
      }
      count += stretch.transactions;
    }
    if (!stretches.empty())
      TRY(ask(
          fmt::format("CHANGE MASTER TO MASTER_USE_GTID={}, RELAY_LOG_FILE='{}', RELAY_LOG_POS=4", using_gtid, last)));
    return count;
  }

  Status apply(const Stretch& stretch) {
    TRY(ask(fmt::format("CHANGE MASTER TO MASTER_USE_GTID=no, RELAY_LOG_FILE='{}', RELAY_LOG_POS={}", stretch.file,
                        stretch.begin)));
    TRY(ask(
        fmt::format("START SLAVE SQL_THREAD UNTIL RELAY_LOG_FILE='{}', RELAY_LOG_POS={}", stretch.file, stretch.end)));
    std::optional<Error> broken;
    const auto ended = [&]() -> Result<bool> {
      const auto now = TRY(ask("SHOW SLAVE STATUS"));
      if (now.text("Last_SQL_Errno") != "0")
        return cannot(fmt::format("[{}] {}", now.text("Last_SQL_Errno"), now.text("Last_SQL_Error")));
      // UNTIL stops it before the next transaction. Behind the last one it waits for more.
      return now.text("Slave_SQL_Running") == "No" ||
             now.text("Slave_SQL_Running_State").starts_with("Slave has read all relay log");
    };
    const bool done = TRY(sys::wait_until(
        [&] {
          auto answer = ended();
          if (!answer) broken = answer.error();
          return broken || *answer;
        },
        deadline_, stop_));
    if (broken) return fail(std::move(*broken));
    if (!done) return cannot("it does not come to the end of its relay logs in time");
    TRY(ask("STOP SLAVE SQL_THREAD"));
    return {};
  }

  MariadbConnection& connection_;
  const std::string& data_dir_;
  const Deadline deadline_;
  const std::stop_token& stop_;
};

}  // namespace

Result<AppliedReceived> apply_received(const sql::Target& replica, const std::string& data_dir, Deadline deadline,
                                       std::stop_token stop) {
  auto connection = TRY(MariadbConnection::connect(replica, deadline, stop));
  return Applier(connection, data_dir, deadline, stop).run();
}

}  // namespace holdfast::engine
