// The same repository behind real servers, used by both programs: S3 (SeaweedFS, versitygw) and restic's REST server.
#include <fmt/format.h>

#include "tests/interop/interop.h"
#include "tests/interop/json.h"
#include "tests/support/servers/store_servers.h"
#include "tests/support/servers/tls_front.h"

namespace holdfast::test {
namespace {

class Remote : public Interop {
 protected:
  /// Starts it, hands its credentials to both programs and makes `repo` a place in it.
  void use(std::unique_ptr<StoreServer> server, const std::string& peer) {
    HOLDFAST_NEED(peer, server->missing().empty(), server->missing());
    server->start();
    server_ = std::move(server);
    for (const char* name : {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "RESTIC_REST_USERNAME",
                             "RESTIC_REST_PASSWORD"}) {
      if (const auto value = server_->options().env(name)) box.env()[name] = *value;
    }
    repo = server_->location("interop");
  }

  void both_ways() {
    holdfast({"repo", "init"});
    if (HasFailure()) return;
    const auto first = some_dump(20'000'000, 1), second = some_dump(10'000'000, 2);
    holdfast_stream(first, "ns/first.sql");
    restic_stream(second, "ns/second.sql");
    expect_clean();
    EXPECT_TRUE(restic({"dump", "--path", "/ns/first.sql", "latest", "/ns/first.sql"}).out == first);
    EXPECT_TRUE(holdfast({"dump", "--path", "/ns/second.sql", "latest", "/ns/second.sql"}).out == second);
    holdfast_stream(first, "ns/first.sql");
    holdfast({"prune", "--keep-last", "1", "--max-unused", "0"});
    expect_clean();
    restic({"forget", "--keep-last", "1", "--prune"});
    // With our cache in place, and without it.
    EXPECT_TRUE(holdfast({"dump", "--path", "/ns/first.sql", "latest", "/ns/first.sql"}).out == first);
    EXPECT_TRUE(holdfast({"dump", "--no-cache", "--path", "/ns/first.sql", "latest", "/ns/first.sql"}).out == first);
    EXPECT_EQ(snapshots_of(holdfast({"get", "snapshots", "-o", "json"}).out).size(), 2u);
  }

  /// A bucket that is not there comes with the repository.
  void new_bucket() {
    const std::string bucket = "/conformance/";
    repo.replace(repo.find(bucket), bucket.size(), "/another-bucket/");
    const auto early = run(box.holdfast({"get", "snapshots", "-r", repo}));
    EXPECT_NE(early.code, 0) << early.describe();
    holdfast({"repo", "init"});
    expect_clean();
  }

  std::unique_ptr<StoreServer> server_;
};

TEST_F(Remote, s3_on_seaweedfs) {
  use(make_seaweedfs(), "seaweedfs");
  if (server_) both_ways();
  if (server_) new_bucket();
}

TEST_F(Remote, s3_on_versitygw) {
  use(make_versitygw(), "versitygw");
  if (server_) both_ways();
  if (server_) new_bucket();
}

TEST_F(Remote, restics_rest_server) {
  use(make_rest_server(), "rest-server");
  if (server_) both_ways();
}

TEST_F(Remote, a_server_that_demands_a_certificate) {
  use(make_rest_server(), "rest-server");
  if (!server_) return;
  const Certificates own = make_certificates(), others = make_certificates();
  const TlsFront front(own, server_->port());
  repo = server_->location("interop", fmt::format("https://127.0.0.1:{}", front.port()));
  box.env()["RESTIC_CACERT"] = own.ca;
  const std::string mine = make_client_certificate(own), strangers = make_client_certificate(others);
  holdfast({"repo", "init", "--tls-client-cert", mine});
  if (HasFailure()) return;
  box.env()["RESTIC_TLS_CLIENT_CERT"] = mine;
  const auto content = some_dump(3'000'000, 1);
  holdfast_stream(content, "ns/first.sql");
  EXPECT_TRUE(holdfast({"dump", "--path", "/ns/first.sql", "latest", "/ns/first.sql"}).out == content);
  expect_clean();
  // Without it, with a stranger's, and with a file that holds none: refused at once, with what to do.
  for (const std::string& certificate : {std::string(), strangers, own.ca, path("nothing")}) {
    box.env().erase("RESTIC_TLS_CLIENT_CERT");
    if (!certificate.empty()) box.env()["RESTIC_TLS_CLIENT_CERT"] = certificate;
    const auto refused = run(box.holdfast({"get", "snapshots", "-r", repo}));
    EXPECT_EQ(refused.code, 3) << refused.describe();
    EXPECT_LT(refused.wall_seconds, 10) << "a certificate does not get better by waiting";
    EXPECT_NE(refused.err.find("--tls-client-cert"), std::string::npos) << refused.describe();
  }
}

TEST_F(Remote, a_server_that_is_gone_is_unavailable_and_hinted) {
  use(make_rest_server(), "rest-server");
  if (!server_) return;
  holdfast({"repo", "init"});
  server_->kill();
  box.env()["HOLDFAST_RETRY_BUDGET"] = "2";
  auto command = box.holdfast({"get", "snapshots", "-r", repo});
  const auto outcome = run(command);
  EXPECT_EQ(outcome.code, 6) << outcome.describe();
  EXPECT_NE(outcome.err.find("HINT:"), std::string::npos) << outcome.describe();
  EXPECT_EQ(outcome.err.find(server_->options().env("RESTIC_REST_PASSWORD").value_or("?")), std::string::npos)
      << "a password in a message";
}

}  // namespace
}  // namespace holdfast::test
