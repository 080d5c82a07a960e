// An S3 server that answers 500, says nothing, or hangs up in the middle of a body, under backup and dump: the
// documented exit code and a hint, nothing visible, nothing lost, and the next run works.
#include <sys/stat.h>

#include "tests/damage/damage.h"
#include "tests/interop/json.h"
#include "tests/support/servers/fault_proxy.h"
#include "tests/support/servers/store_servers.h"

namespace holdfast::test {
namespace {

using Kind = Behaviour::Kind;

struct Fault {
  const char* name;
  Behaviour behaviour;
  bool of_reads = true;  ///< it hits a dump too
  bool of_writes = true;
};

class RemoteFaults : public Interop {
 protected:
  void SetUp() override {
    Interop::SetUp();
    if (HasFatalFailure() || IsSkipped()) return;
    server_ = make_versitygw();
    HOLDFAST_NEED("versitygw", server_->missing().empty(), server_->missing());
    server_->start();
    proxy_ = std::make_unique<FaultProxy>(server_->port());
    for (const char* name : {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"}) {
      if (const auto value = server_->options().env(name)) box.env()[name] = *value;
    }
    box.env()["HOLDFAST_RETRY_BUDGET"] = "1";
    box.env()["HOLDFAST_STALL_TIMEOUT"] = "1";
    repo = server_->location("faults", server_->origin_at(proxy_->port()));
    holdfast({"repo", "init"});
    if (!HasFailure()) holdfast_stream(kept_, "/kept");
  }
  void TearDown() override {
    proxy_.reset();  // its connections end before the server does
  }
  size_t visible() { return snapshots_of(holdfast({"get", "snapshots", "-o", "json"}).out).size(); }
  Outcome backup(const std::string& content) {
    auto command = box.holdfast({"backup", "--stdin", "--path", "/new", "-r", repo});
    command.stdin_text = content;
    command.timeout = std::chrono::seconds(60);
    return run(command);
  }
  Outcome dump() {
    auto command = box.holdfast({"dump", "--no-cache", "--path", "/kept", "latest", "/kept", "-r", repo});
    command.timeout = std::chrono::seconds(60);
    return run(command);
  }
  void expect_unavailable(const Outcome& outcome) {
    EXPECT_EQ(outcome.code, 6) << outcome.describe();
    EXPECT_NE(outcome.err.find("HINT:"), std::string::npos) << outcome.describe();
    EXPECT_EQ(outcome.err.find(box.env()["AWS_SECRET_ACCESS_KEY"]), std::string::npos) << "a secret in a message";
  }

  const std::string kept_ = some_dump(6'000'000, 1);
  std::unique_ptr<StoreServer> server_;
  std::unique_ptr<FaultProxy> proxy_;
};

TEST_F(RemoteFaults, every_fault_is_unavailable_with_a_hint_and_the_next_run_works) {
  const auto content = some_dump(9'000'000, 2);
  const Fault faults[] = {
      {"answers 500", Behaviour::answer(500)},
      {"answers 503 and asks to wait", Behaviour::answer(503, "Retry-After: 1\r\n")},
      {"says nothing", {.kind = Kind::stall}},
      {"hangs up without an answer", {.kind = Kind::close_response, .after = 0}},
      {"hangs up in the middle of an upload", {.kind = Kind::close_request, .after = 200'000}, false, true},
      {"falls silent in the middle of a download", {.kind = Kind::stall_response, .after = 100'000}, true, false},
      {"dribbles its answers", {.kind = Kind::dribble}},
      {"hangs up in the middle of a download", {.kind = Kind::close_response, .after = 100'000}, true, false},
  };
  for (const auto& fault : faults) {
    SCOPED_TRACE(std::string("the server ") + fault.name);
    proxy_->always(fault.behaviour);
    if (fault.of_writes) expect_unavailable(backup(content));
    if (fault.of_reads) {
      const auto dumped = dump();
      expect_unavailable(dumped);
      EXPECT_TRUE(kept_.starts_with(dumped.out)) << "wrong bytes were given";
    }
    proxy_->always({});
    EXPECT_EQ(visible(), 1u) << "a failed backup is visible";
    EXPECT_TRUE(dump().out == kept_);
    if (HasFailure()) return;
  }
  const auto done = backup(content);
  EXPECT_TRUE(done.ok()) << done.describe();
  EXPECT_TRUE(holdfast({"dump", "--no-cache", "--path", "/new", "latest", "/new"}).out == content);
  EXPECT_EQ(visible(), 2u);
  holdfast({"check", "--read-data"});
}

TEST_F(RemoteFaults, a_server_that_is_slow_but_goes_on_is_waited_for) {
  // Far longer than the stall timeout of a second for one pack; no retry would help.
  box.env()["HOLDFAST_RETRY_BUDGET"] = "0";
  const auto content = some_dump(9'000'000, 4);
  proxy_->always({.kind = Kind::slow, .after = 16'384});
  const auto done = backup(content);
  EXPECT_TRUE(done.ok()) << done.describe();
  EXPECT_GT(done.wall_seconds, 2) << "the server was not slow";
  EXPECT_TRUE(dump().out == kept_);
  proxy_->always({});
  EXPECT_TRUE(holdfast({"dump", "--no-cache", "--path", "/new", "latest", "/new"}).out == content);
  EXPECT_EQ(visible(), 2u);
}

TEST_F(RemoteFaults, a_few_faults_are_survived_by_trying_again) {
  box.env()["HOLDFAST_RETRY_BUDGET"] = "20";
  const auto content = some_dump(9'000'000, 3);
  proxy_->next(Behaviour::answer(500), 2);
  proxy_->next({.kind = Kind::close_request, .after = 200'000}, 2);
  proxy_->next({.kind = Kind::stall}, 1);
  proxy_->next({.kind = Kind::close_response, .after = 0}, 1);
  const auto done = backup(content);
  EXPECT_TRUE(done.ok()) << done.describe();
  EXPECT_GT(proxy_->connections(), 6) << "the faults were not met";
  proxy_->next({.kind = Kind::close_response, .after = 100'000}, 2);
  EXPECT_TRUE(holdfast({"dump", "--no-cache", "--path", "/new", "latest", "/new"}).out == content);
  holdfast({"check", "--read-data"});
}

}  // namespace
}  // namespace holdfast::test
