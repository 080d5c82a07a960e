// TLS to a real server of each engine, by our own connections and by the programs that we start: only a certificate of
// our authority, for that host and of today will do; a server without TLS is refused where TLS is asked for, one on
// another host where plain text is not allowed by name; a unix socket needs none.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <thread>

#include "engine/dump.h"
#include "engine/private_files.h"
#include "engine/programs.h"
#include "provider/folder_server.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/file.h"
#include "sys/process.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using std::chrono::seconds;
namespace fs = std::filesystem;

using Key = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;
using Certificate = std::unique_ptr<X509, void (*)(X509*)>;

/// An authority, and what it signs.
class Authority {
 public:
  explicit Authority(const std::string& name)
      : key_(make_key()), certificate_(sign(*key_, name, "", true, 3600, *this)) {}

  std::string pem() const {
    return text([this](BIO* bio) { PEM_write_bio_X509(bio, certificate_.get()); });
  }
  /// {key, certificate} of a server with this alternative name ("IP:127.0.0.1"), valid for so long from now.
  std::pair<std::string, std::string> issue(const std::string& alternative, long for_seconds) const {
    const Key key = make_key();
    const Certificate made = sign(*key, "server", alternative, false, for_seconds, *this);
    return {text([&](BIO* bio) { PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr); }),
            text([&](BIO* bio) { PEM_write_bio_X509(bio, made.get()); })};
  }

 private:
  static Key make_key() { return {EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{2048}), EVP_PKEY_free}; }
  static std::string text(const std::function<void(BIO*)>& write) {
    BIO* bio = BIO_new(BIO_s_mem());
    write(bio);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    std::string result(data, static_cast<size_t>(size));
    BIO_free(bio);
    return result;
  }
  static Certificate sign(EVP_PKEY& key, const std::string& name, const std::string& alternative, bool authority,
                          long for_seconds, const Authority& by) {
    Certificate made(X509_new(), X509_free);
    static long serial = 1;
    X509_set_version(made.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -7200);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), for_seconds);
    X509_set_pubkey(made.get(), &key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509* issuer = authority ? made.get() : by.certificate_.get();
    X509_set_issuer_name(made.get(), X509_get_subject_name(issuer));
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, made.get(), nullptr, nullptr, 0);
    const auto add = [&](int nid, const std::string& value) {
      X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
      X509_add_ext(made.get(), extension, -1);
      X509_EXTENSION_free(extension);
    };
    add(NID_basic_constraints, authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (!alternative.empty()) add(NID_subject_alt_name, alternative);
    X509_sign(made.get(), by.key_.get(), EVP_sha256());
    return made;
  }

  Key key_;
  Certificate certificate_;
};

/// The address of this machine on its network: for Holdfast another host. "" when it has none.
std::string own_address() {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return "";
  std::string found;
  for (ifaddrs* at = all; at && found.empty(); at = at->ifa_next) {
    if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET || (at->ifa_flags & IFF_LOOPBACK)) continue;
    char text[INET_ADDRSTRLEN];
    if (::inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(at->ifa_addr)->sin_addr, text, sizeof text)) found = text;
  }
  ::freeifaddrs(all);
  return found;
}

/// The same server at another address: hands every connection on.
class Forwarder {
 public:
  Forwarder(const std::string& from, const std::string& to, int to_port)
      : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), to_(address(to, to_port)) {
    sockaddr_in at = address(from, 0);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), size), 0) << from;
    EXPECT_EQ(::listen(listener_.get(), 16), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &size), 0);
    port = ntohs(at.sin_port);
    thread_ = std::jthread([this](std::stop_token stop) { accept_all(stop); });
  }
  int port = 0;
  std::atomic<int> accepted{0};

 private:
  static sockaddr_in address(const std::string& text, int port) {
    sockaddr_in result{};
    result.sin_family = AF_INET;
    result.sin_port = htons(static_cast<uint16_t>(port));
    EXPECT_EQ(::inet_pton(AF_INET, text.c_str(), &result.sin_addr), 1) << text;
    return result;
  }
  void accept_all(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd ready{listener_.get(), POLLIN, 0};
      if (::poll(&ready, 1, 50) <= 0) continue;
      sys::Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      ++accepted;
      sys::Fd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&to_), sizeof to_) != 0) continue;
      pairs_.emplace_back([a = std::move(client), b = std::move(server)](std::stop_token end) { pump(a, b, end); });
    }
  }
  static void pump(const sys::Fd& a, const sys::Fd& b, const std::stop_token& stop) {
    std::array<pollfd, 2> ready{pollfd{a.get(), POLLIN, 0}, pollfd{b.get(), POLLIN, 0}};
    std::array<uint8_t, 65536> block;
    while (!stop.stop_requested()) {
      if (::poll(ready.data(), 2, 50) <= 0) continue;
      for (const size_t from : {0u, 1u}) {
        if (!ready[from].revents) continue;
        const ssize_t got = ::read(ready[from].fd, block.data(), block.size());
        if (got <= 0 || !sys::write_all(ready[1 - from].fd, ByteSpan(block).first(static_cast<size_t>(got)))) return;
      }
    }
  }
  sys::Fd listener_;
  const sockaddr_in to_;
  std::vector<std::jthread> pairs_;
  std::jthread thread_;
};

class Tls : public testing::TestWithParam<Engine> {
 protected:
  static constexpr const char* kPassword = "p\"#w\\ 'x";  // of a kind that option files are bad at

  void SetUp() override {
    const Engine engine = GetParam();
    const char* name = engine == Engine::postgres ? "postgres" : engine == Engine::mysql ? "mysqld" : "mariadbd";
    HOLDFAST_NEED(std::string(cluster::engine_name(engine)), engine::find_program(engine, name).has_value(),
                  "its server is not installed");
    dir_.emplace(sys::TempDir::create("tls").value());
    ASSERT_EQ(::chmod(dir_->path().c_str(), 0755), 0);
    // An address of its own: the ports are always the same.
    host_ = "127.77." + std::to_string(::getpid() / 200 % 250 + 1) + "." + std::to_string(::getpid() % 200 + 1);
    auto control = provider::control_folder(dir_->path() + "/server", engine, "tls-0", {});
    ASSERT_TRUE(control) << control.error().to_string();
    server_ = std::move(*control);
    const auto made = server_->initialise_empty(Deadline::in(seconds(120)));
    ASSERT_TRUE(made) << made.error().to_string();
    trusted_ = put("ca.pem", authority_.pem());
  }
  void TearDown() override {
    if (!server_) return;
    EXPECT_TRUE(server_->stop(Deadline::in(seconds(60))));
  }

  /// A file that the server can read.
  std::string put(const std::string& name, const std::string& text) const {
    const std::string path = dir_->path() + "/" + name;
    EXPECT_TRUE(sys::publish_file(path, as_bytes(text), 0600));
    struct stat info{};
    EXPECT_EQ(::stat(server_->setup().data_dir.c_str(), &info), 0);
    EXPECT_EQ(::chown(path.c_str(), info.st_uid, info.st_gid), 0);
    return path;
  }
  void start(bool with_tls) {
    engine::StartRequest request;
    const std::string key = dir_->path() + "/key.pem", certificate = dir_->path() + "/certificate.pem";
    if (GetParam() == Engine::postgres) {
      request.extra_args = {"-c", "listen_addresses=" + host_, "-c", with_tls ? "ssl=on" : "ssl=off"};
      if (with_tls)
        request.extra_args.insert(request.extra_args.end(),
                                  {"-c", "ssl_key_file=" + key, "-c", "ssl_cert_file=" + certificate});
    } else {
      request.extra_args = {"--bind-address=" + host_};
      if (with_tls)
        request.extra_args.insert(request.extra_args.end(), {"--ssl-key=" + key, "--ssl-cert=" + certificate});
      else
        request.extra_args.push_back(GetParam() == Engine::mysql ? "--tls-version=" : "--skip-ssl");
    }
    const auto started = server_->start(request, Deadline::in(seconds(60)));
    ASSERT_TRUE(started) << started.error().to_string();
  }
  sql::Rows by_socket(const std::string& statement) {
    const Deadline deadline = Deadline::in(seconds(20));
    const sql::Target& target = server_->setup().socket;
    sql::Rows rows;
    const auto take = [&](auto connection) {
      ASSERT_TRUE(connection) << connection.error().to_string();
      auto answer = connection->query(statement, deadline);
      ASSERT_TRUE(answer) << statement << ": " << answer.error().to_string();
      rows = std::move(*answer);
    };
    if (GetParam() == Engine::postgres)
      take(sql::PostgresConnection::connect(target, deadline));
    else
      take(sql::MariadbConnection::connect(target, deadline));
    return rows;
  }
  /// The server shows this certificate from now on.
  void show(const std::pair<std::string, std::string>& key_and_certificate) {
    put("key.pem", key_and_certificate.first);
    put("certificate.pem", key_and_certificate.second);
    if (!*server_->is_running(Deadline::in(seconds(5)))) return;
    if (GetParam() == Engine::mariadb) by_socket("FLUSH SSL");
    if (GetParam() == Engine::mysql) {  // it would refuse to take over a certificate that it finds wrong itself
      ASSERT_TRUE(server_->stop(Deadline::in(seconds(60))));
      start(true);
    }
    if (GetParam() != Engine::postgres) return;
    const std::string before = by_socket("SELECT pg_conf_load_time()::text AS t").text("t");
    by_socket("SELECT pg_reload_conf()");
    ASSERT_TRUE(*sys::wait_until([&] { return by_socket("SELECT pg_conf_load_time()::text AS t").text("t") != before; },
                                 Deadline::in(seconds(20))));
  }
  sql::Target over_network() const {
    sql::Target target;
    target.host = host_;
    target.port = GetParam() == Engine::postgres ? 5432 : 3306;
    target.user = "tls";
    target.password = Secret(kPassword);
    return with_tls(target);
  }
  /// "" when it connects, the id of the error otherwise.
  std::string connect(const sql::Target& target) {
    const auto said = [&](const auto& connection) {
      if (!connection) last_ = connection.error().to_string();
      return connection ? std::string() : connection.error().id;
    };
    const Deadline deadline = Deadline::in(seconds(20));
    if (GetParam() == Engine::postgres) return said(sql::PostgresConnection::connect(target, deadline));
    return said(sql::MariadbConnection::connect(target, deadline));
  }

  /// The same by a program that we start, with what it gets for a dump or a restore.
  std::string program(const sql::Target& target) {
    const Engine engine = GetParam();
    sys::Command command;
    std::optional<engine::PrivateFile> file;
    const auto prepare = [&]() -> Status {
      if (engine == Engine::postgres) {
        file.emplace(TRY(engine::PrivateFile::create("pgpass", engine::postgres_password_file(target))));
        command.argv = {TRY(engine::find_program(engine, "psql")),
                        "--no-psqlrc",
                        "-c",
                        "SELECT 1",
                        "-d",
                        TRY(engine::postgres_conninfo(target, file->path(), "postgres"))};
      } else {
        file.emplace(TRY(engine::PrivateFile::create("client.cnf", TRY(engine::mysql_option_file(engine, target)))));
        command.argv = {TRY(engine::find_program(engine, engine == Engine::mysql ? "mysql" : "mariadb")),
                        "--defaults-file=" + file->path(), "-e", "SELECT 1"};
      }
      return {};
    };
    if (const Status prepared = prepare(); !prepared) return prepared.error().id;
    command.clear_env = true;
    const auto ran = sys::run(std::move(command), Deadline::in(seconds(20)));
    if (!ran) return ran.error().to_string();
    if (!ran->status.ok()) last_ = ran->err;
    return ran->status.ok() ? "" : "refused";
  }
  void serves(const sql::Target& target, const std::string& why) {
    EXPECT_EQ(connect(target), "") << why << ": " << last_;
    EXPECT_EQ(program(target), "") << why << ": " << last_;
  }
  void is_refused(const sql::Target& target, const std::string& why) {
    EXPECT_EQ(program(target), "refused") << why;
    EXPECT_EQ(connect(target), "sql.tls") << why << ": " << last_;
  }
  void create_account() {
    if (GetParam() == Engine::postgres) {
      by_socket("CREATE ROLE tls LOGIN SUPERUSER PASSWORD " + sql::quote_postgres(kPassword));
    } else {
      by_socket("CREATE USER 'tls'@'%' IDENTIFIED BY " + sql::quote_mysql(kPassword));
      by_socket("GRANT ALL PRIVILEGES ON *.* TO 'tls'@'%'");
    }
  }
  sql::Target with_tls(sql::Target target) const {
    target.tls = true;
    target.tls_ca = trusted_;
    return target;
  }

  std::optional<sys::TempDir> dir_;
  const Authority authority_{"ours"}, stranger_{"theirs"};
  std::unique_ptr<engine::MemberControl> server_;
  std::string host_, trusted_, last_;
};

TEST_P(Tls, OnlyTheRightCertificateWillDo) {
  start(false);
  create_account();
  is_refused(over_network(), "a server without TLS");
  sql::Target plain = over_network();
  plain.tls = false;
  serves(plain, "loopback, and nobody asked for TLS");
  const sql::Target socket = with_tls(server_->setup().socket);
  serves(socket, "a unix socket needs no TLS");
  ASSERT_TRUE(server_->stop(Deadline::in(seconds(60))));

  const std::string here = "IP:" + host_;
  show(authority_.issue(here, 3600));
  start(true);
  serves(over_network(), "as it should be");
  serves(socket, "a unix socket of a server that has TLS");
  serves(plain, "a server that has TLS, and nobody asked for it");

  sql::Target elsewhere = over_network();
  elsewhere.tls_ca = put("theirs.pem", stranger_.pem());
  is_refused(elsewhere, "another authority is trusted");
  elsewhere.tls_ca.clear();
  is_refused(elsewhere, "the system's authorities know nothing of it");
  elsewhere.tls_ca = dir_->path() + "/missing.pem";
  is_refused(elsewhere, "the file with the authority is missing");
  show(stranger_.issue(here, 3600));
  is_refused(over_network(), "signed by another authority");
  show(authority_.issue("DNS:elsewhere.example,IP:192.0.2.1", 3600));
  is_refused(over_network(), "for another host");
  show(authority_.issue(here, -3600));
  is_refused(over_network(), "ended an hour ago");
  if (GetParam() != Engine::postgres) {
    EXPECT_NE(last_.find("expired"), std::string::npos) << last_;
  }
  show(authority_.issue(here, 3600));
  serves(over_network(), "the right one again");
}

TEST_P(Tls, DumpsGoTheSameWay) {
  show(authority_.issue("IP:" + host_, 3600));
  start(true);
  create_account();
  engine::DumpRequest request;
  request.engine = GetParam();
  request.member = "tls-0";
  request.target = over_network();
  auto dump = engine::open_dump(request, {});
  ASSERT_TRUE(dump) << dump.error().to_string();
  Buffer block(1 << 16);
  uint64_t bytes = 0;
  for (;;) {
    const auto got = (*dump)->read({block.data(), block.size()});
    ASSERT_TRUE(got) << got.error().to_string();
    if (*got == 0) break;
    bytes += *got;
  }
  EXPECT_GT(bytes, 100u);
}

TEST_P(Tls, AnotherHostNeedsItUnlessPlainTextIsAllowedByName) {
  const std::string address = own_address();
  HOLDFAST_NEED("network", !address.empty(), "this machine has no address but loopback");
  start(false);
  create_account();
  Forwarder forwarder(address, host_, over_network().port);
  sql::Target remote = over_network();
  remote.host = address;
  remote.port = forwarder.port;
  remote.tls = false;
  EXPECT_EQ(connect(remote), "sql.plain_text");
  EXPECT_EQ(program(remote), "sql.plain_text");
  EXPECT_EQ(forwarder.accepted, 0) << "nothing was sent";
  remote.plain_text = true;
  serves(remote, "allowed by name");
  EXPECT_EQ(forwarder.accepted, 2);
  is_refused(with_tls(remote), "a server without TLS");
  ASSERT_TRUE(server_->stop(Deadline::in(seconds(60))));

  show(authority_.issue("IP:" + address, 3600));
  start(true);
  remote.plain_text = false;
  serves(with_tls(remote), "its certificate names the address");
  show(authority_.issue("IP:" + host_, 3600));
  is_refused(with_tls(remote), "its certificate names another address");
}

INSTANTIATE_TEST_SUITE_P(Engines, Tls, testing::Values(Engine::mariadb, Engine::mysql, Engine::postgres),
                         [](const auto& info) { return std::string(cluster::engine_name(info.param)); });

}  // namespace
}  // namespace holdfast::test
