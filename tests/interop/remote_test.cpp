// The same repository behind real servers, used by both programs: S3 (SeaweedFS, versitygw) and restic's REST server.
#include "tests/interop/interop.h"
#include "tests/interop/json.h"
#include "tests/support/servers/store_servers.h"

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

  std::unique_ptr<StoreServer> server_;
};

TEST_F(Remote, s3_on_seaweedfs) {
  use(make_seaweedfs(), "seaweedfs");
  if (server_) both_ways();
}

TEST_F(Remote, s3_on_versitygw) {
  use(make_versitygw(), "versitygw");
  if (server_) both_ways();
}

TEST_F(Remote, restics_rest_server) {
  use(make_rest_server(), "rest-server");
  if (server_) both_ways();
}

TEST_F(Remote, init_makes_the_bucket_too) {
  for (const bool weed : {true, false}) {
    use(weed ? make_seaweedfs() : make_versitygw(), weed ? "seaweedfs" : "versitygw");
    if (!server_) return;
    repo = "s3:" + server_->origin() + "/not-there-yet/repo";
    EXPECT_NE(run(box.holdfast({"get", "snapshots", "-r", repo})).code, 0);
    holdfast({"repo", "init"});
    holdfast_stream("content", "ns/first.sql");
    holdfast({"repo", "init"}, 3);
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
