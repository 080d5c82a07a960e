#include "tests/support/member_sql.h"

#include <gtest/gtest.h>

#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/file.h"

namespace holdfast::test {

sql::Target target_of(const codec::Value& member) {
  sql::Target target;
  target.host = member["host"].text();
  target.port = static_cast<int>(member["port"].integer());
  target.plain_text = true;  // on hosts of a lab, in namespaces of its own
  target.user = member["user"].text();
  auto password = sys::read_file(member["passwordFile"].text());
  EXPECT_TRUE(password) << member["passwordFile"].text();
  if (password) {
    std::string text(as_text(password->span()));
    target.password = Secret(text.substr(0, text.find('\n')));
  }
  return target;
}

std::string ask(cluster::Engine engine, const sql::Target& target, const std::string& statement) {
  const Deadline deadline = Deadline::in(std::chrono::seconds(30));
  Result<sql::Rows> rows = fail(ErrorClass::bug, "", "");
  if (engine == cluster::Engine::postgres) {
    auto connection = sql::PostgresConnection::connect(target, deadline);
    if (!connection) return connection.error().to_string();
    rows = connection->query(statement, deadline);
  } else {
    auto connection = sql::MariadbConnection::connect(target, deadline);
    if (!connection) return connection.error().to_string();
    rows = connection->query(statement, deadline);
  }
  if (!rows) return rows.error().to_string();
  return rows->empty() ? "" : rows->rows[0][0].value_or("NULL");
}

}  // namespace holdfast::test
