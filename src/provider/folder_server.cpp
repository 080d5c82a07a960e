#include "provider/folder_server.h"

#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <filesystem>

#include "agent/server.h"
#include "agent/server_files.h"
#include "engine/programs.h"
#include "provider/restore_folder.h"
#include "sys/beneath.h"
#include "sys/file.h"
#include "sys/user.h"

namespace holdfast::provider {
namespace {

namespace fs = std::filesystem;
using agent::MemberConfig;
using cluster::Engine;
using engine::MemberSetup;
using engine::StartRequest;

Result<MemberSetup> setup_of(const MemberConfig& config) {
  MemberSetup setup;
  setup.name = config.member;
  setup.data_dir = config.data_dir();
  setup.socket.socket = config.server_socket();
  setup.socket.port = config.port;
  setup.socket.user = config.admin_user;
  setup.socket.password = TRY(agent::read_password(config.admin_password_file));
  setup.slot = config.slot_name();
  return setup;
}

class FolderServer : public engine::MemberControl {
 public:
  FolderServer(RestoreFolder folder, MemberConfig config, MemberSetup setup, std::stop_token stop)
      : folder_(std::move(folder)), setup_(std::move(setup)), stop_(std::move(stop)), server_(std::move(config)) {}

  const MemberSetup& setup() const override { return setup_; }
  Result<bool> is_running(Deadline) override { return server_.pid() > 0; }
  Status start(const StartRequest& request, Deadline deadline) override {
    agent::LaunchOptions options;
    options.mode = request.isolated ? agent::StartMode::isolated : agent::StartMode::normal;
    options.extra_args = request.extra_args;
    return server_.start(options, deadline, stop_);
  }
  Status stop(Deadline deadline) override { return server_.stop(agent::StopMode::fast, deadline); }
  Status initialise_empty(Deadline deadline) override {
    return server_.initialise(agent::Server::From::empty, "", deadline, stop_);
  }
  Status initialise_copy(const std::string&, Deadline) override { return not_here(); }
  Status initialise_basebackup(Deadline) override { return not_here(); }
  Result<std::string> set_aside(Deadline) override { return std::string(); }
  Status put_back(const std::string&, Deadline) override { return not_here(); }
  Status settle() override { return folder_.settle(); }
  Status discard() override { return folder_.discard(); }

 private:
  static Status not_here() {
    return fail(ErrorClass::bug, "provider.stand_alone", "a stand-alone server has no other members");
  }
  RestoreFolder folder_;
  const MemberSetup setup_;
  const std::stop_token stop_;
  agent::Server server_;
};

Result<std::string> random_password() {
  uint8_t random[18];
  if (::getrandom(random, sizeof random, 0) != sizeof random) return fail(sys::errno_error(errno, "getrandom"));
  static constexpr char kLetters[] = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
  std::string password;
  for (uint8_t byte : random) password += kLetters[byte % (sizeof kLetters - 1)];
  return password;
}

}  // namespace

Result<std::unique_ptr<engine::MemberControl>> control_folder(const std::string& folder, Engine engine,
                                                              const std::string& name, std::stop_token stop,
                                                              int postgres_major) {
  std::string path = fs::absolute(folder).lexically_normal().string();
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  auto claimed = TRY(RestoreFolder::claim(path));
  TRY_VOID(sys::make_directories(path + "/run", 0755));
  MemberConfig config;
  config.cluster = config.member = name;
  config.ns = "restore";
  config.engine = engine == Engine::galera ? Engine::mariadb : engine;  // one node by itself is a plain server
  config.replication = cluster::ReplicationMode::standalone;
  config.dir = path;
  config.socket_dir = path + "/run";
  config.uid = ::geteuid();
  config.gid = ::getegid();
  if (config.uid == 0) {
    auto user = sys::find_user(engine == Engine::postgres ? "postgres" : "mysql");
    if (!user) user = sys::find_user("nobody");
    if (!user) return fail(std::move(user).error());
    config.uid = user->uid;
    config.gid = user->gid;
    TRY_VOID(sys::own_directory(config.socket_dir, 0755, config.uid, config.gid));
  }
  TRY_VOID(agent::check_own_directories(config));
  config.port =
      engine == Engine::postgres ? 5432 : 3306;  // written to its configuration; while restoring it listens nowhere
  config.server_id = 1;
  config.admin_user = engine == Engine::postgres ? "postgres" : "holdfast";
  config.admin_password_file = path + "/admin.password";
  TRY_VOID(sys::publish_file(config.admin_password_file, as_bytes(TRY(random_password()) + "\n"), 0600));
  const char* program = engine == Engine::postgres ? "postgres" : engine == Engine::mysql ? "mysqld" : "mariadbd";
  config.server_program = TRY(engine::find_program(config.engine, program, postgres_major));
  auto setup = TRY(setup_of(config));
  return std::make_unique<FolderServer>(std::move(claimed), std::move(config), std::move(setup), stop);
}

}  // namespace holdfast::provider
