#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/file.h"

namespace holdfast::sql {
namespace {

using std::chrono::milliseconds;

TEST(Rows, ColumnsByNameAndNull) {
  Rows rows{{"Id", "name"}, {{"1", std::nullopt}}, 0};
  EXPECT_EQ(rows.text("ID"), "1");
  EXPECT_EQ(rows.value("name"), std::nullopt);
  EXPECT_EQ(rows.value("nothing"), std::nullopt);
  EXPECT_EQ(rows.value("id", 7), std::nullopt);
}

TEST(Quote, HostileText) {
  EXPECT_EQ(quote_mysql("a'b\\"), "'a''b\\\\'");
  EXPECT_EQ(quote_postgres("a'b"), "'a''b'");
  EXPECT_EQ(quote_postgres("a'\\b"), " E'a''\\\\b'");
  EXPECT_EQ(quote_mysql_name("a`b"), "`a``b`");
  EXPECT_EQ(quote_postgres_name("a\"b"), "\"a\"\"b\"");
}

TEST(ErrorCode, IsTakenFromTheMessage) {
  EXPECT_EQ(error_code(Error{ErrorClass::failed, "sql.error", "[1062] Duplicate entry", {}, {}}), "1062");
  EXPECT_EQ(error_code(Error{ErrorClass::failed, "sql.error", "no code", {}, {}}), "");
}

/// Accepts connections and never says a word: the server that is stopped, swapping, or behind a dead link.
class SilentServer : public ::testing::Test {
 protected:
  void SetUp() override {
    listener_ = sys::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_GE(listener_.get(), 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listener_.get(), 8), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    target_.host = "127.0.0.1";
    target_.port = ntohs(address.sin_port);
    target_.user = "u";
    target_.password = Secret("p");
  }
  sys::Fd listener_;
  Target target_;
};

TEST_F(SilentServer, CostsItsOwnDeadlineOnly) {
  auto begun = std::chrono::steady_clock::now();
  auto mysql = MariadbConnection::connect(target_, Deadline::in(milliseconds(200)));
  ASSERT_FALSE(mysql);
  EXPECT_EQ(mysql.error().id, "sql.timeout");
  auto postgres = PostgresConnection::connect(target_, Deadline::in(milliseconds(200)));
  ASSERT_FALSE(postgres);
  EXPECT_EQ(postgres.error().id, "sql.timeout");
  auto spent = std::chrono::steady_clock::now() - begun;
  EXPECT_LT(spent, milliseconds(1500));
}

TEST_F(SilentServer, StopRequestEndsTheWait) {
  std::stop_source source;
  source.request_stop();
  auto mysql = MariadbConnection::connect(target_, Deadline::in(milliseconds(20000)), source.get_token());
  ASSERT_FALSE(mysql);
  EXPECT_EQ(mysql.error().id, "sys.interrupted");
  auto postgres = PostgresConnection::connect(target_, Deadline::in(milliseconds(20000)), source.get_token());
  ASSERT_FALSE(postgres);
  EXPECT_EQ(postgres.error().id, "sys.interrupted");
}

TEST_F(SilentServer, RefusedConnectionIsUnreachable) {
  listener_.reset();
  auto mysql = MariadbConnection::connect(target_, Deadline::in(milliseconds(2000)));
  ASSERT_FALSE(mysql);
  EXPECT_EQ(mysql.error().id, "sql.unreachable");
  auto postgres = PostgresConnection::connect(target_, Deadline::in(milliseconds(2000)));
  ASSERT_FALSE(postgres);
  EXPECT_EQ(postgres.error().id, "sql.unreachable");
}

}  // namespace
}  // namespace holdfast::sql
