// What happens to the network stores when the network, the server or the credentials are not as they should be.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <random>
#include <thread>

#include "codec/hex.h"
#include "crypto/sha256.h"
#include "net/retry.h"
#include "store/s3_store.h"
#include "tests/conformance/store_peers.h"
#include "tests/support/servers/fault_proxy.h"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;
using Kind = Behaviour::Kind;
using Clock = std::chrono::steady_clock;

std::string id_of(const Status& status) {
  return status ? "ok" : status.error().id;
}
int exit_of(const Status& status) {
  return status ? 0 : exit_code(status.error().error_class);
}

struct Object {
  std::string key;
  Buffer body;
};

Object make_object(size_t size, uint64_t seed) {
  Object object;
  object.body.resize(size);
  std::mt19937_64 random(seed);
  for (size_t i = 0; i < size; ++i) object.body[i] = static_cast<uint8_t>(random());
  const std::string id = codec::to_hex(crypto::sha256(object.body));
  object.key = fmt::format("data/{}/{}", id.substr(0, 2), id);
  return object;
}

/// Options of the peer with some environment variables replaced.
store::StoreOptions with_env(store::StoreOptions options, std::map<std::string, std::string> changes) {
  options.env = [inner = options.env, changes](const std::string& name) {
    const auto found = changes.find(name);
    return found == changes.end() ? inner(name) : std::optional<std::string>(found->second);
  };
  return options;
}

class StoreNetwork : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    peer_ = &store_peer(GetParam());
    HOLDFAST_NEED(peer_->name, peer_->missing.empty(), peer_->missing);
    if (!peer_->server->running()) peer_->server->start();
    place_ = fmt::format("n{}-{}", ::getpid(), counter_++);
    direct_ = peer_->open(place_);
    ASSERT_TRUE(direct_);
    ASSERT_TRUE(direct_->create());
    proxy_ = std::make_unique<FaultProxy>(peer_->server->port());
  }

  /// The same place, through the proxy.
  std::unique_ptr<store::ObjectStore> through_proxy(std::map<std::string, std::string> env = {}) {
    auto opened = store::open_store(peer_->server->location(place_, peer_->server->origin_at(proxy_->port())),
                                    with_env(peer_->server->options(), std::move(env)));
    EXPECT_TRUE(opened);
    return std::move(*opened);
  }
  void expect_body(const Object& object) {
    Buffer out;
    auto done = direct_->get_all(object.key, out);
    ASSERT_TRUE(done) << done.error().to_string();
    EXPECT_TRUE(std::ranges::equal(out.span(), object.body.span()));
  }
  bool is_absent(const std::string& key) {
    auto info = direct_->stat(key);
    EXPECT_TRUE(info) << info.error().to_string();
    return info && !*info;
  }
  bool is_s3() const { return peer_->name != "rest_server"; }

  StorePeer* peer_ = nullptr;
  std::string place_;
  std::unique_ptr<store::ObjectStore> direct_;
  std::unique_ptr<FaultProxy> proxy_;
  inline static int counter_ = 0;
};

TEST_P(StoreNetwork, a_server_that_is_busy_for_a_while_is_asked_again) {
  const Object object = make_object(100'000, 1);
  for (const int status : {500, 503, 429}) proxy_->next(Behaviour::answer(status));
  auto store = through_proxy({{"HOLDFAST_RETRY_BUDGET", "60"}});
  auto done = store->put(object.key, object.body);
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_EQ(proxy_->connections(), 4);
  expect_body(object);
}

TEST_P(StoreNetwork, retry_after_is_waited_for) {
  const Object object = make_object(1000, 2);
  proxy_->next(Behaviour::answer(503, "Retry-After: 2\r\n"));
  const auto begin = Clock::now();
  EXPECT_TRUE(through_proxy()->put(object.key, object.body));
  EXPECT_GE(Clock::now() - begin, 2s);
}

TEST_P(StoreNetwork, a_server_that_stays_busy_is_unavailable_within_the_budget) {
  const Object object = make_object(1000, 3);
  proxy_->always(Behaviour::answer(503));
  auto store = through_proxy({{"HOLDFAST_RETRY_BUDGET", "2"}});
  Buffer out;
  const auto begin = Clock::now();
  for (const Status& status : {store->put(object.key, object.body), store->get_all(object.key, out),
                               store->remove(object.key), store->list("data/", [](const auto&) { return Status(); })}) {
    EXPECT_EQ(id_of(status), "store.server");
    EXPECT_EQ(exit_of(status), 6);
    EXPECT_FALSE(status.error().hint.empty());
  }
  EXPECT_LT(Clock::now() - begin, 20s);
  EXPECT_TRUE(is_absent(object.key));
}

TEST_P(StoreNetwork, a_server_that_is_not_there_is_unavailable_within_the_budget) {
  auto opened = store::open_store(peer_->server->location(place_, peer_->server->origin_at(unused_port())),
                                  with_env(peer_->server->options(), {{"HOLDFAST_RETRY_BUDGET", "2"}}));
  ASSERT_TRUE(opened);
  const auto begin = Clock::now();
  auto info = (*opened)->stat("config");
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().id, "net.connect");
  EXPECT_EQ(info.error().error_class, ErrorClass::unavailable);
  EXPECT_LT(Clock::now() - begin, 15s);
}

TEST_P(StoreNetwork, a_server_that_never_answers_is_unavailable_within_the_stall_timeout) {
  proxy_->always({.kind = Kind::stall});
  auto store = through_proxy({{"HOLDFAST_RETRY_BUDGET", "1"}, {"HOLDFAST_STALL_TIMEOUT", "1"}});
  const Object object = make_object(3 << 20, 4);
  const auto begin = Clock::now();
  auto done = store->put(object.key, object.body);
  EXPECT_EQ(id_of(done), "net.timeout");
  EXPECT_EQ(exit_of(done), 6);
  EXPECT_LT(Clock::now() - begin, 20s);
  EXPECT_TRUE(is_absent(object.key));
}

TEST_P(StoreNetwork, a_stop_request_ends_a_transfer_that_hangs) {
  proxy_->always({.kind = Kind::stall});
  std::stop_source source;
  store::StoreOptions options = peer_->server->options();
  options.stop = source.get_token();
  auto opened = store::open_store(peer_->server->location(place_, peer_->server->origin_at(proxy_->port())), options);
  ASSERT_TRUE(opened);
  std::jthread stopper([&] {
    while (proxy_->connections() == 0) std::this_thread::yield();
    source.request_stop();
  });
  const auto begin = Clock::now();
  Buffer out;
  auto done = (*opened)->get_all("config", out);
  EXPECT_EQ(exit_of(done), 130);
  EXPECT_LT(Clock::now() - begin, 8s);
}

TEST_P(StoreNetwork, an_answer_cut_short_is_read_again_and_never_handed_out) {
  const Object object = make_object(1 << 20, 5);
  ASSERT_TRUE(direct_->put(object.key, object.body));
  for (const uint64_t after : {0u, 20u, 5'000u, 500'000u}) proxy_->next({.kind = Kind::close_response, .after = after});
  auto store = through_proxy({{"HOLDFAST_RETRY_BUDGET", "30"}});
  Buffer out;
  auto done = store->get_all(object.key, out);
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_TRUE(std::ranges::equal(out.span(), object.body.span()));
  EXPECT_EQ(proxy_->connections(), 5);

  proxy_->always({.kind = Kind::close_response, .after = 500'000});
  auto again = through_proxy({{"HOLDFAST_RETRY_BUDGET", "1"}});
  done = again->get(object.key, 1000, 900'000, out);
  EXPECT_EQ(id_of(done), "net.closed");
  EXPECT_EQ(exit_of(done), 6);
}

TEST_P(StoreNetwork, a_put_cut_off_leaves_nothing_and_succeeds_when_repeated) {
  const Object object = make_object(4 << 20, 6);
  for (const uint64_t after : {10ull, 2'000ull, 3ull << 20}) {
    proxy_->always({.kind = Kind::close_request, .after = after});
    auto done = through_proxy({{"HOLDFAST_RETRY_BUDGET", "0"}})->put(object.key, object.body);
    EXPECT_EQ(id_of(done), "net.closed");
    EXPECT_TRUE(is_absent(object.key)) << after;
  }
  proxy_->always({});
  proxy_->next({.kind = Kind::close_request, .after = 1 << 20});
  auto done = through_proxy()->put(object.key, object.body);
  ASSERT_TRUE(done) << done.error().to_string();
  expect_body(object);
}

TEST_P(StoreNetwork, a_server_killed_in_the_middle_of_a_put_shows_nothing_after_its_restart) {
  const Object before = make_object(50'000, 7), object = make_object(8 << 20, 8);
  ASSERT_TRUE(direct_->put(before.key, before.body));
  proxy_->next({.kind = Kind::close_request, .after = 5 << 20, .hook = [&] { peer_->server->kill_now(); }});
  auto done = through_proxy({{"HOLDFAST_RETRY_BUDGET", "2"}})->put(object.key, object.body);
  EXPECT_EQ(exit_of(done), 6) << id_of(done);
  peer_->server->start();
  EXPECT_TRUE(is_absent(object.key));
  int listed = 0;
  EXPECT_TRUE(direct_->list("data/", [&](const auto& info) {
    EXPECT_EQ(info.key, before.key);
    ++listed;
    return Status();
  }));
  EXPECT_EQ(listed, 1);
  expect_body(before);
  done = direct_->put(object.key, object.body);
  ASSERT_TRUE(done) << done.error().to_string();
  expect_body(object);
}

TEST_P(StoreNetwork, a_bit_that_flips_on_the_way_is_noticed_by_the_server) {
  const Object object = make_object(200'000, 9);
  proxy_->always({.kind = Kind::flip_request_bit, .after = 100'000});
  const auto hash = crypto::sha256(object.body);
  auto done = through_proxy()->put(object.key, object.body, {.sha256 = hash});
  EXPECT_EQ(id_of(done), "store.bad_digest");
  EXPECT_EQ(exit_of(done), 10);
  EXPECT_TRUE(is_absent(object.key));
}

TEST_P(StoreNetwork, a_conditional_put_whose_answer_was_lost_recognises_its_own_object) {
  const Object object = make_object(3000, 10), other = make_object(3000, 11);
  proxy_->next({.kind = Kind::close_response, .after = 0});
  auto store = through_proxy();
  auto done = store->put("config", object.body, {.if_absent = true});
  EXPECT_TRUE(done) << done.error().to_string();
  proxy_->next({.kind = Kind::close_response, .after = 0});
  done = through_proxy()->put("config", other.body, {.if_absent = true});
  EXPECT_EQ(id_of(done), store::kExists);
  Buffer out;
  ASSERT_TRUE(direct_->get_all("config", out));
  EXPECT_TRUE(std::ranges::equal(out.span(), object.body.span()));
}

TEST_P(StoreNetwork, wrong_credentials_are_refused_at_once_with_a_hint) {
  const Object object = make_object(1000, 12), pack = make_object(17 << 20, 13);
  auto opened = store::open_store(peer_->server->location(place_),
                                  with_env(peer_->server->options(), {{"AWS_SECRET_ACCESS_KEY", "wrong-secret"},
                                                                      {"RESTIC_REST_PASSWORD", "wrong"}}));
  ASSERT_TRUE(opened);
  auto& store = **opened;
  Buffer out;
  const auto begin = Clock::now();
  auto info = store.stat(object.key);
  for (const Status& status :
       {store.put(object.key, object.body), store.get_all(object.key, out), store.remove(object.key),
        store.list("data/", [](const auto&) { return Status(); }), info ? Status() : Status(fail(info.error()))}) {
    EXPECT_EQ(id_of(status), "store.denied");
    EXPECT_EQ(exit_of(status), 3);
    ASSERT_FALSE(status);
    EXPECT_FALSE(status.error().hint.empty());
    EXPECT_EQ(status.error().to_string().find("wrong"), std::string::npos) << "a message shows the password";
  }
  EXPECT_LT(Clock::now() - begin, 8s);
  // A server may hang up before it has read a large body; that must not look like success.
  EXPECT_FALSE(store.put(pack.key, pack.body));
  EXPECT_TRUE(is_absent(object.key));
  EXPECT_TRUE(is_absent(pack.key));
}

TEST_P(StoreNetwork, a_missing_bucket_is_not_an_empty_one) {
  if (!is_s3()) return;  // REST servers have no buckets
  std::string location = peer_->server->location(place_);
  location.replace(location.find("/conformance/"), 13, "/no-such-bucket-here/");
  auto opened = store::open_store(location, peer_->server->options());
  ASSERT_TRUE(opened);
  Buffer out;
  EXPECT_EQ(id_of((*opened)->get_all("config", out)), "store.no_bucket");
  EXPECT_EQ(id_of((*opened)->list("data/", [](const auto&) { return Status(); })), "store.no_bucket");
  auto info = (*opened)->stat("config");
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().id, "store.no_bucket");
}

INSTANTIATE_TEST_SUITE_P(All, StoreNetwork, ::testing::Values("rest_server", "seaweedfs", "versitygw"),
                         [](const auto& info) { return info.param; });

void check_tls(StoreServer& server) {
  server.start();
  const Object object = make_object(3 << 20, 20);
  auto trusted = store::open_store(server.location("tls"), server.options());
  ASSERT_TRUE(trusted);
  ASSERT_TRUE((*trusted)->create());
  auto done = (*trusted)->put(object.key, object.body);
  ASSERT_TRUE(done) << done.error().to_string();
  Buffer out;
  ASSERT_TRUE((*trusted)->get_all(object.key, out));
  EXPECT_TRUE(std::ranges::equal(out.span(), object.body.span()));

  store::StoreOptions options = server.options();
  const std::string ca = options.ca_file;
  options.ca_file.clear();
  const auto begin = Clock::now();
  auto stranger = store::open_store(server.location("tls"), options);
  done = (*stranger)->get_all(object.key, out);
  EXPECT_EQ(id_of(done), "net.tls");
  EXPECT_EQ(exit_of(done), 3);
  EXPECT_LT(Clock::now() - begin, 5s) << "a certificate does not get better by waiting";

  auto by_env = store::open_store(server.location("tls"), with_env(options, {{"RESTIC_CACERT", ca}}));
  EXPECT_TRUE((*by_env)->get_all(object.key, out));
  options.insecure_tls = true;
  auto insecure = store::open_store(server.location("tls"), options);
  EXPECT_TRUE((*insecure)->get_all(object.key, out));

  options = server.options();
  auto other_name =
      store::open_store(server.location("tls", fmt::format("https://other.localhost:{}", server.port())), options);
  done = (*other_name)->get_all(object.key, out);
  EXPECT_EQ(id_of(done), "net.tls");
  options.ca_file = "/does/not/exist.pem";
  auto no_file = store::open_store(server.location("tls"), options);
  EXPECT_EQ(id_of((*no_file)->get_all(object.key, out)), "net.tls");
}

TEST(StoreTls, s3_with_an_authority_of_its_own_versitygw) {
  auto server = make_versitygw(Tls::on);
  HOLDFAST_NEED("versitygw", server->missing().empty(), server->missing());
  check_tls(*server);
}

TEST(StoreTls, rest_with_an_authority_of_its_own_rest_server) {
  auto server = make_rest_server(Tls::on);
  HOLDFAST_NEED("rest_server", server->missing().empty(), server->missing());
  check_tls(*server);
}

class S3Only : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    peer_ = &store_peer(GetParam());
    HOLDFAST_NEED(peer_->name, peer_->missing.empty(), peer_->missing);
    if (!peer_->server->running()) peer_->server->start();
    options_.endpoint = *net::parse_url(peer_->server->origin());
    options_.bucket = "conformance";
    options_.prefix = fmt::format("s3only-{}-{}", ::getpid(), counter_++);
    const store::StoreOptions known = peer_->server->options();
    options_.credentials = {*known.env("AWS_ACCESS_KEY_ID"), Secret(*known.env("AWS_SECRET_ACCESS_KEY")), ""};
    options_.retry.budget = 5s;
  }
  std::unique_ptr<store::ObjectStore> open() { return store::make_s3_store(net::make_http_client({}), options_); }

  StorePeer* peer_ = nullptr;
  store::S3Options options_;
  inline static int counter_ = 0;
};

TEST_P(S3Only, large_bodies_go_up_in_parts) {
  options_.part_size = 5 << 20;
  options_.multipart_above = 6 << 20;
  const Object object = make_object((12 << 20) + 345, 30);
  auto store = open();
  auto done = store->put(object.key, object.body);
  ASSERT_TRUE(done) << done.error().to_string();
  Buffer out;
  ASSERT_TRUE(store->get_all(object.key, out));
  EXPECT_TRUE(std::ranges::equal(out.span(), object.body.span()));
  EXPECT_EQ(id_of(store->put(object.key, object.body, {.if_absent = true})), store::kExists);
}

TEST_P(S3Only, create_makes_a_missing_bucket) {
  options_.bucket = "made-by-create";
  auto store = open();
  ASSERT_FALSE(store->stat("config"));
  auto done = store->create();
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_TRUE(store->put("config", as_bytes("x")));
}

TEST_P(S3Only, a_wrong_region_is_corrected_by_the_servers_answer_or_does_not_matter) {
  options_.region = "eu-nowhere-1";
  auto store = open();
  auto done = store->put("config", as_bytes("x"));
  EXPECT_TRUE(done) << done.error().to_string();
}

TEST_P(S3Only, a_clock_that_is_wrong_is_named_as_the_cause) {
  options_.now = [] { return std::chrono::system_clock::now() - 3h; };
  const auto done = open()->put("config", as_bytes("x"));
  EXPECT_EQ(id_of(done), "store.clock");
}

TEST_P(S3Only, bucket_names_may_be_host_names) {
  if (GetParam() != "versitygw") return;  // started with a virtual domain
  options_.endpoint.host = "localhost";
  options_.lookup = store::BucketLookup::dns;
  net::HttpOptions http;
  http.connect_to = {fmt::format("conformance.localhost:{0}:127.0.0.1:{0}", peer_->server->port())};
  auto store = store::make_s3_store(net::make_http_client(http), options_);
  const Object object = make_object(1000, 31);
  auto done = store->put(object.key, object.body);
  ASSERT_TRUE(done) << done.error().to_string();
  options_.lookup = store::BucketLookup::path;
  options_.endpoint = *net::parse_url(peer_->server->origin());
  Buffer out;
  EXPECT_TRUE(open()->get_all(object.key, out));
  int seen = 0;
  EXPECT_TRUE(store->list("data/", [&](const auto&) { return ++seen, Status(); }));
  EXPECT_EQ(seen, 1);
}

INSTANTIATE_TEST_SUITE_P(All, S3Only, ::testing::Values("seaweedfs", "versitygw"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace holdfast::test
