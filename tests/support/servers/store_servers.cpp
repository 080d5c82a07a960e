#include "tests/support/servers/store_servers.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "base/deadline.h"
#include "net/http_client.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;

constexpr char kUser[] = "holdfast-test";
constexpr char kPassword[] = "not-so-secret-1";

void run(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

std::string log_end(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  const std::string whole = text.str();
  return whole.size() > 2000 ? whole.substr(whole.size() - 2000) : whole;
}

std::string peer_missing(const std::string& program, const std::string& script) {
  const std::string path = peers_folder() + "/bin/" + program;
  return ::access(path.c_str(), X_OK) == 0 ? "" : path + " is not there; run tools/peers/" + script;
}

store::StoreOptions options_with(std::map<std::string, std::string> env, const std::optional<Certificates>& tls) {
  store::StoreOptions options;
  env.emplace("HOLDFAST_RETRY_BUDGET", "10");
  env.emplace("HOLDFAST_STALL_TIMEOUT", "10");
  env.emplace("HOLDFAST_CONNECT_TIMEOUT", "5");
  options.env = [env](const std::string& name) -> std::optional<std::string> {
    const auto found = env.find(name);
    return found == env.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
  if (tls) options.ca_file = tls->ca;
  return options;
}

class RestServer final : public StoreServer {
 public:
  explicit RestServer(Tls tls) : StoreServer("rest-server", tls == Tls::on) {}
  std::string missing() const override { return peer_missing("rest-server", "rest-server"); }
  std::string location(const std::string& name, const std::string& origin) const override {
    return fmt::format("rest:{}/{}/", origin.empty() ? this->origin() : origin, name);
  }
  store::StoreOptions options() const override {
    return options_with({{"RESTIC_REST_USERNAME", kUser}, {"RESTIC_REST_PASSWORD", kPassword}}, tls_);
  }

 protected:
  void launch() override {
    // {SHA} of the password: rest-server accepts it besides bcrypt, and it needs no tool to make.
    if (!std::filesystem::exists(folder_ + "/htpasswd")) {
      run(fmt::format(
          "printf '%s:{{SHA}}%s\\n' {} \"$(printf %s {} | openssl dgst -sha1 -binary | openssl base64)\" > {}/htpasswd",
          kUser, kPassword, folder_));
    }
    std::vector<std::string> argv{peers_folder() + "/bin/rest-server",
                                  "--listen",
                                  fmt::format("127.0.0.1:{}", port_),
                                  "--path",
                                  folder_ + "/data",
                                  "--htpasswd-file",
                                  folder_ + "/htpasswd"};
    if (tls_) argv.insert(argv.end(), {"--tls", "--tls-cert", tls_->certificate, "--tls-key", tls_->key});
    process_.start(argv, {"PATH=/usr/bin:/bin"}, folder_, folder_ + "/log");
  }
};

store::StoreOptions s3_options(const std::optional<Certificates>& tls) {
  return options_with(
      {{"AWS_ACCESS_KEY_ID", kUser}, {"AWS_SECRET_ACCESS_KEY", kPassword}, {"AWS_DEFAULT_REGION", "us-east-1"}}, tls);
}

class SeaweedFs final : public StoreServer {
 public:
  SeaweedFs() : StoreServer("seaweedfs", false) {
    // Its gRPC ports default to the port + 10000, which may be taken: name them all.
    for (int& port : ports_) port = unused_port();
    std::filesystem::create_directory(folder_ + "/data");
    std::filesystem::create_directory(folder_ + "/tmp");
    write_file(folder_ + "/s3.json",
               fmt::format(R"({{"identities":[{{"name":"root","credentials":[{{"accessKey":"{}","secretKey":"{}"}}],)"
                           R"("actions":["Admin","Read","Write","List","Tagging"]}}]}})",
                           kUser, kPassword));
  }
  std::string missing() const override { return peer_missing("weed", "seaweedfs"); }
  std::string location(const std::string& name, const std::string& origin) const override {
    return fmt::format("s3:{}/conformance/{}", origin.empty() ? this->origin() : origin, name);
  }
  store::StoreOptions options() const override { return s3_options(tls_); }

 protected:
  void launch() override {
    static constexpr const char* kPorts[] = {"s3.port.grpc",    "master.port",      "master.port.grpc",
                                             "volume.port",     "volume.port.grpc", "filer.port",
                                             "filer.port.grpc", "admin.port",       "admin.port.grpc"};
    std::vector<std::string> argv{peers_folder() + "/bin/weed",
                                  "mini",
                                  "-ip=127.0.0.1",
                                  "-ip.bind=127.0.0.1",
                                  "-dir=" + folder_ + "/data",
                                  fmt::format("-s3.port={}", port_),
                                  "-admin.ui=false",
                                  "-webdav=false",
                                  "-s3.port.iceberg=0",
                                  "-s3.port.lance=0",
                                  "-s3.config=" + folder_ + "/s3.json",
                                  "-master.telemetry=false"};
    for (size_t i = 0; i < std::size(kPorts); ++i) argv.push_back(fmt::format("-{}={}", kPorts[i], ports_[i]));
    process_.start(argv, {"PATH=/usr/bin:/bin", "HOME=" + folder_, "TMPDIR=" + folder_ + "/tmp"}, folder_,
                   folder_ + "/log");
  }

 private:
  int ports_[9];
};

class VersityGw final : public StoreServer {
 public:
  explicit VersityGw(Tls tls) : StoreServer("versitygw", tls == Tls::on) {
    std::filesystem::create_directory(folder_ + "/data");
  }
  std::string missing() const override { return peer_missing("versitygw", "versitygw"); }
  std::string location(const std::string& name, const std::string& origin) const override {
    return fmt::format("s3:{}/conformance/{}", origin.empty() ? this->origin() : origin, name);
  }
  store::StoreOptions options() const override { return s3_options(tls_); }

 protected:
  void launch() override {
    std::vector<std::string> argv{peers_folder() + "/bin/versitygw",
                                  "--port",
                                  fmt::format("127.0.0.1:{}", port_),
                                  "--keep-alive",
                                  "--virtual-domain",
                                  fmt::format("localhost:{}", port_),
                                  "--quiet"};
    if (tls_) argv.insert(argv.end(), {"--cert", tls_->certificate, "--key", tls_->key});
    argv.insert(argv.end(), {"posix", folder_ + "/data"});
    process_.start(
        argv,
        {"PATH=/usr/bin:/bin", fmt::format("ROOT_ACCESS_KEY={}", kUser), fmt::format("ROOT_SECRET_KEY={}", kPassword)},
        folder_, folder_ + "/log");
  }
};

}  // namespace

Certificates make_certificates() {
  const std::string folder = make_folder("tls");
  const auto at = [&](const char* name) { return folder + "/" + name; };
  write_file(at("ext"), "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n");
  const std::string quiet = " >>" + at("log") + " 2>&1";
  run(fmt::format(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=Holdfast test CA' -days 2 "
      "-addext basicConstraints=critical,CA:TRUE -keyout {0}/ca.key -out {0}/ca.pem{1}",
      folder, quiet));
  run(
      fmt::format("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=127.0.0.1 -keyout "
                  "{0}/server.key -out {0}/server.csr{1}",
                  folder, quiet));
  run(fmt::format(
      "openssl x509 -req -in {0}/server.csr -CA {0}/ca.pem -CAkey {0}/ca.key -CAcreateserial -days 2 -extfile {0}/ext "
      "-out {0}/server.pem{1}",
      folder, quiet));
  return {at("ca.pem"), at("server.pem"), at("server.key")};
}

StoreServer::StoreServer(std::string name, bool tls)
    : name_(std::move(name)), folder_(make_folder(name_)), port_(unused_port()) {
  if (tls) tls_ = make_certificates();
}

std::string StoreServer::origin_at(int port) const {
  return fmt::format("{}://127.0.0.1:{}", tls_ ? "https" : "http", port);
}

void StoreServer::start() {
  launch();
  const Deadline deadline = Deadline::in(60s);
  std::string why;
  // Up is when what was written can be read: an open port or a status page say less, and SeaweedFS keeps an empty
  // object without the server of its volumes, which comes later.
  for (auto wait = 20ms; !deadline.passed(); wait = std::min(wait * 2, std::chrono::milliseconds(500))) {
    if (!process_.running()) break;
    store::StoreOptions quick = options();
    quick.env = [inner = quick.env](const std::string& name) {
      return name == "HOLDFAST_RETRY_BUDGET" ? std::optional<std::string>("0") : inner(name);
    };
    auto store = store::open_store(location("start-probe"), quick);
    Status up = store ? (*store)->create() : Status(std::unexpected(store.error()));
    static constexpr char kProbe[] = "locks/75a288c0d6898c5f7b054590845978a82a3ad79fcce3d43ff68a7501e5a91ee9";
    Buffer back;
    if (up) up = (*store)->put(kProbe, as_bytes("up"));
    if (up) up = (*store)->get_all(kProbe, back);
    if (up) return;
    why = up.error().to_string();
    std::this_thread::sleep_for(wait);
  }
  throw std::runtime_error(fmt::format("{} did not come up: {}\n{}", name_, why, log_end(folder_ + "/log")));
}

std::unique_ptr<StoreServer> make_rest_server(Tls tls) {
  return std::make_unique<RestServer>(tls);
}
std::unique_ptr<StoreServer> make_seaweedfs() {
  return std::make_unique<SeaweedFs>();
}
std::unique_ptr<StoreServer> make_versitygw(Tls tls) {
  return std::make_unique<VersityGw>(tls);
}

}  // namespace holdfast::test
