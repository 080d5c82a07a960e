#include "tests/integration/triage/mariadb.h"

#include <gtest/gtest.h>

#include <thread>

namespace holdfast::test::mariadb {

using std::chrono::milliseconds;

std::string value(Patient& p, int i, const std::string& variable) {
  return p.sql(i, {"SELECT @@GLOBAL." + variable});
}

std::string apply_error(Patient& p, int i) {
  return p.field(i, "SHOW ALL SLAVES STATUS", "Last_SQL_Errno");
}

void has_applied(Patient& p, int i, const std::string& position) {
  EXPECT_EQ(p.sql(i, {"SELECT MASTER_GTID_WAIT('" + position + "', 29)"}), "0") << "member " << i << ", " << position;
}

void caught_up(Patient& p, int i) {
  for (int looks = 0; looks < 3; ++looks) {
    const std::string at = value(p, 0, "gtid_binlog_pos");
    has_applied(p, i, at);
    std::this_thread::sleep_for(milliseconds(20));
    if (value(p, 0, "gtid_binlog_pos") == at) return;
  }
}

std::function<void(Patient&)> sql_on(int i, std::vector<std::string> statements) {
  return [i, statements](Patient& p) { p.sql(i, statements); };
}

const std::vector<std::string> kTable = {"CREATE TABLE shop.t (a INT PRIMARY KEY, b INT)",
                                         "INSERT INTO shop.t VALUES (1, 1)"};
const std::vector<std::string> kDropTable = {"DROP TABLE shop.t"};

}  // namespace holdfast::test::mariadb
