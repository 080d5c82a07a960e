#include "provider/member_agent.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <filesystem>

#include "agent/channels.h"
#include "agent/client.h"
#include "agent/config.h"
#include "agent/dir_users.h"
#include "agent/epoch.h"
#include "agent/server.h"
#include "agent/server_files.h"
#include "engine/programs.h"
#include "provider/restore_folder.h"
#include "sys/beneath.h"
#include "sys/file.h"
#include "sys/process.h"
#include "sys/user.h"

namespace holdfast::provider {
namespace {

namespace fs = std::filesystem;
using agent::MemberConfig;
using cluster::Engine;
using codec::Value;
using engine::MemberSetup;
using engine::StartRequest;

Result<MemberSetup> setup_of(const MemberConfig& config) {
  MemberSetup setup;
  setup.name = config.member;
  setup.is_primary = config.engine == Engine::galera ? config.ordinal == 0 : config.role == agent::Role::primary;
  setup.data_dir = config.data_dir();
  setup.socket.socket = config.server_socket();
  setup.socket.port = config.port;
  setup.socket.user = config.admin_user;
  setup.socket.password = TRY(agent::read_password(config.admin_password_file));
  if (const auto* upstream = config.find_peer(config.upstream)) {
    setup.upstream_host = upstream->host;
    setup.upstream_port = upstream->port;
  }
  if (!config.replication_user.empty()) {
    setup.replication_user = config.replication_user;
    setup.replication_password = TRY(agent::read_password(config.replication_password_file));
  }
  setup.slot = config.slot_name();
  return setup;
}

/// How long an agent waits for the death of a server that it killed because it did not end, and says so.
constexpr std::chrono::seconds kDeath{25};

class AgentMember : public engine::MemberControl {
 public:
  AgentMember(std::string socket, MemberConfig config, MemberSetup setup, std::stop_token stop, CurrentEpoch epoch)
      : socket_(std::move(socket)),
        config_(std::move(config)),
        setup_(std::move(setup)),
        stop_(std::move(stop)),
        epoch_(std::move(epoch)) {}

  const MemberSetup& setup() const override { return setup_; }
  std::vector<engine::Channel> noted_channels() override { return agent::noted_channels(config_); }
  Result<bool> is_running(Deadline deadline) override {
    auto reply = TRY(ask("status", Value::object(), deadline));
    const std::string state = reply["server"]["state"].text();
    return state == "running" || state == "starting" || !reply["outside"].items().empty();
  }
  Status start(const StartRequest& request, Deadline deadline) override {
    auto arguments =
        Value::object({{"mode", request.isolated ? "isolated" : "normal"}, {"newCluster", request.new_cluster}});
    arguments.set("extraArgs", Value::list_of(request.extra_args));
    // A start for clients is the end of a restore or of its undoing: neither may stop half way.
    return done(ask("start", std::move(arguments), deadline, request.isolated));
  }
  Status stop(Deadline deadline) override {
    auto stopped = done(ask("stop", Value::object({{"mode", "fast"}}), deadline, false, kDeath));
    if (!stopped && stopped.error().id != "agent.in_use" && TRY(agent_is_gone()))
      return agent::check_unused(config_.data_dir());  // its server went with it
    return stopped;
  }
  Status initialise_empty(Deadline deadline) override {
    return done(ask("initialise", Value::object({{"from", "empty"}}), deadline));
  }
  Status initialise_copy(const std::string& from, Deadline deadline) override {
    return done(ask("initialise", Value::object({{"from", "copy"}, {"path", from}}), deadline));
  }
  Status initialise_basebackup(Deadline deadline) override {
    return done(ask("initialise", Value::object({{"from", "basebackup"}}), deadline));
  }
  Result<std::string> set_aside(Deadline deadline) override {
    return TRY(ask("set_aside", Value::object(), deadline))["path"].text();
  }
  Status put_back(const std::string& path, Deadline deadline) override {
    auto put = done(ask("put_back", Value::object({{"path", path}}), deadline, false));
    if (put) return put;
    auto gone = TRY(agent_is_gone());
    if (!gone) return put;
    agent::EpochGate epochs(config_.dir);
    if (epoch_ && *epoch_) TRY(epochs.admit(*epoch_, deadline, [] {}));
    return agent::Server(config_).put_back(path);
  }

 private:
  /// The agent's lock when no agent runs; while it is held none can start.
  Result<sys::Fd> agent_is_gone() const {
    sys::Fd lock = TRY(sys::open_file(config_.dir + "/agent.lock", O_RDWR | O_CREAT, 0600));
    // A killed agent holds it until the kernel is done with it.
    auto taken =
        TRY(sys::wait_until([&] { return sys::lock_file(lock.get()); }, Deadline::in(std::chrono::seconds(5))));
    if (!taken) lock.reset();
    return lock;
  }
  static Status done(Result<Value> reply) {
    if (!reply) return fail(std::move(reply).error());
    return {};
  }
  // Undo steps must run to their end also when the user has asked to stop; they pass `interruptible` false.
  // The agent has until the deadline, and is waited for a little longer: it can say what came of it.
  Result<Value> ask(const std::string& op, Value arguments, Deadline deadline, bool interruptible = true,
                    std::chrono::seconds more = std::chrono::seconds(2)) {
    arguments.set("timeoutSeconds", deadline.left().count() / 1000 + 1);
    if (epoch_ && *epoch_) arguments.set("epoch", epoch_->load());
    auto client = TRY(agent::Client::connect(socket_, Deadline::in(std::chrono::seconds(10))).context(setup_.name));
    return client
        .call(op, std::move(arguments), Deadline::in(deadline.left() + more), interruptible ? stop_ : std::stop_token())
        .context(setup_.name);
  }

  const std::string socket_;
  const MemberConfig config_;
  const MemberSetup setup_;
  const std::stop_token stop_;
  const CurrentEpoch epoch_;
};

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

Result<std::vector<std::unique_ptr<engine::MemberControl>>> control_members(const cluster::DatabaseCluster& cluster,
                                                                            std::stop_token stop,
                                                                            const CurrentEpoch& epoch) {
  std::vector<std::unique_ptr<engine::MemberControl>> controls;
  for (const auto& member : cluster.members) {
    if (cluster.provider != cluster::Provider::host || member.agent_socket.empty() || member.data_dir.empty()) {
      return fail(
          ErrorClass::refused, "provider.external",
          fmt::format("{} has no agent: its server and data directory cannot be replaced from here", member.name.str()),
          "restore --into DIR makes a stand-alone server, export writes the dump to a file");
    }
    auto config = TRY(agent::read_config(fs::path(member.data_dir).parent_path().string()).context(member.name.str()));
    auto setup = TRY(setup_of(config));
    controls.push_back(
        std::make_unique<AgentMember>(member.agent_socket, std::move(config), std::move(setup), stop, epoch));
  }
  if (controls.empty()) return fail(ErrorClass::usage, "config.invalid", cluster.full_name() + " has no members");
  return controls;
}

Result<std::unique_ptr<engine::MemberControl>> control_folder(const std::string& folder, Engine engine,
                                                              const std::string& name, std::stop_token stop) {
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
  config.server_program = TRY(engine::find_program(config.engine, engine == Engine::postgres ? "postgres"
                                                                  : engine == Engine::mysql  ? "mysqld"
                                                                                             : "mariadbd"));
  auto setup = TRY(setup_of(config));
  return std::make_unique<FolderServer>(std::move(claimed), std::move(config), std::move(setup), stop);
}

}  // namespace holdfast::provider
