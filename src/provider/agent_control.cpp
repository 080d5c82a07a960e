#include "provider/agent_control.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "agent/channels.h"
#include "agent/client.h"
#include "agent/config.h"
#include "agent/data_dir.h"
#include "agent/dir_users.h"
#include "agent/epoch.h"
#include "agent/server.h"
#include "agent/sql_tunnel.h"
#include "agent/ways.h"
#include "provider/agent_call.h"
#include "sys/file.h"
#include "sys/process.h"

namespace holdfast::provider {
namespace {

namespace fs = std::filesystem;
using agent::MemberConfig;
using codec::Value;
using engine::MemberSetup;
using engine::StartRequest;
using std::chrono::seconds;

/// For what an agent knows without asking anybody.
constexpr seconds kAgentPatience{10};
/// How long an agent waits for the death of a server that it killed because it did not end, and says so.
constexpr seconds kDeath{25};

MemberSetup setup_from(const Value& told) {
  MemberSetup setup;
  setup.name = told["name"].text();
  setup.is_primary = told["primary"].boolean();
  setup.data_dir = told["dataDir"].text();
  setup.socket.socket = told["socket"].text();
  setup.socket.port = static_cast<int>(told["port"].integer());
  setup.socket.user = told["adminUser"].text();
  setup.socket.password = Secret(told["adminPassword"].text());
  if (const Value& peer = told["adminPeer"]; peer.is_object() && ::geteuid() == 0)
    setup.socket.peer =
        sys::Identity{static_cast<uid_t>(peer["uid"].integer()), static_cast<gid_t>(peer["gid"].integer()), {}};
  for (const auto& [name, peer] : told["peers"].members())
    setup.peers[name] = {peer["host"].text(), static_cast<int>(peer["port"].integer())};
  setup.upstream = told["upstream"].text();
  setup.upstream_host = told["upstreamHost"].text();
  setup.upstream_port = static_cast<int>(told["upstreamPort"].integer());
  setup.replication_user = told["replicationUser"].text();
  setup.replication_password = Secret(told["replicationPassword"].text());
  setup.slot = told["slot"].text();
  return setup;
}

/// What its agent says of it. Of a member of this machine whose agent is gone, what that would have said. Nothing of
/// another host's whose agent does not answer now.
Result<std::optional<MemberSetup>> ask_for_setup(const cluster::Member& member, const std::stop_token& stop) {
  auto told = ask_agent(member, "member", Value::object(), Deadline::in(kAgentPatience), stop);
  if (!told && told.error().error_class != ErrorClass::unavailable) return fail(std::move(told).error());
  if (!told && !member.data_dir.empty() && !member.agent_socket.empty()) {
    const auto config =
        TRY(agent::read_config(fs::path(member.data_dir).parent_path().string()).context(member.name.str()));
    told = agent::member_value(config);
  }
  if (!told) return std::optional<MemberSetup>();
  MemberSetup setup = setup_from(*told);
  setup.name = member.name.str();
  if (!member.agent_address.empty() && member.agent_socket.empty()) {
    const auto address = TRY(agent::Address::of(member));
    const auto tunnel = TRY(agent::SqlTunnel::open(address, setup.socket.port));
    setup.socket.socket = tunnel->socket();
    setup.socket.keep = tunnel;
    setup.socket.peer.reset();  // its agent is the one that connects
  }
  return std::optional(std::move(setup));
}

class AgentMember : public engine::MemberControl {
 public:
  AgentMember(cluster::Member member, std::optional<MemberSetup> setup, std::stop_token stop, CurrentEpoch epoch)
      : member_(std::move(member)), told_(setup), stop_(std::move(stop)), epoch_(std::move(epoch)) {
    if (setup) setup_ = std::move(*setup);
    setup_.name = member_.name.str();
  }

  const MemberSetup& setup() const override { return setup_; }
  Status learn() override {
    if (told_) return {};
    auto setup = TRY(ask_for_setup(member_, stop_));
    if (!setup)
      return fail(ErrorClass::unavailable, "agent.unreachable",
                  fmt::format("no agent answers for {}, and without it nothing says where its server is", setup_.name),
                  "see that `holdfast agent` runs on its host and that the network lets its port through");
    setup_ = std::move(*setup);
    told_ = true;
    return {};
  }
  Result<std::vector<engine::Channel>> noted_channels() override {
    std::vector<engine::Channel> channels;
    const auto told = ask("channels", Value::object(), Deadline::in(kAgentPatience), false);
    const auto config = told ? std::nullopt : config_here();
    if (config && told.error().error_class == ErrorClass::unavailable) return agent::noted_channels(*config);
    if (!told) return fail(told.error());
    for (const auto& one : (*told)["channels"].items()) channels.push_back(engine::channel_from(one));
    return channels;
  }
  Result<bool> is_running(Deadline deadline) override {
    // One that is shutting down, for an agent that was killed meanwhile, is neither: what comes of it is waited for.
    Result<Value> reply;
    const auto settled = [&] {
      reply = ask("status", Value::object(), deadline);
      return !reply || (*reply)["server"]["state"].text() != "stopping";
    };
    TRY(sys::wait_until(settled, deadline, stop_));
    const Value status = TRY(std::move(reply));
    return status["server"]["pid"].integer(-1) > 0 || !status["outside"].items().empty();
  }
  Status start(const StartRequest& request, Deadline deadline) override {
    auto arguments =
        Value::object({{"mode", request.isolated ? "isolated" : "normal"}, {"newCluster", request.new_cluster}});
    arguments.set("extraArgs", Value::list_of(request.extra_args));
    // A start for clients is the end of a restore or of its undoing: neither may stop half way.
    return done(ask("start", std::move(arguments), deadline, request.isolated));
  }
  Status stop(Deadline deadline) override {
    auto stopped = stop_once(deadline);
    if (is_busy(stopped)) {
      // With a change of ours whose answer nobody waits for any more: a copy, when the caller was interrupted or its
      // connection was lost.
      TRY(ask("cancel", Value::object(), Deadline::in(kAgentPatience), false));
      TRY(sys::wait_until([&] { return !is_busy(stopped = stop_once(deadline)); }, deadline));
    }
    if (stopped || stopped.error().id == "agent.in_use") return stopped;
    const auto config = config_here();
    if (!config || !TRY(agent_is_gone(*config))) return stopped;
    // That no agent is there proves nothing: its server may have outlived it. That nobody uses its directories does.
    TRY_VOID(agent::check_unused(config->data_dir()));
    return agent::check_unused(agent::side_of(*config).data_dir());
  }
  Status initialise_empty(Deadline deadline) override {
    return done(ask("initialise", Value::object({{"from", "empty"}}), deadline));
  }
  Status initialise_copy(const std::string& from, Deadline deadline) override {
    return done(ask("initialise", Value::object({{"from", "copy"}, {"donor", from}}), deadline));
  }
  Status initialise_basebackup(Deadline deadline) override {
    return done(ask("initialise", Value::object({{"from", "basebackup"}}), deadline));
  }
  Result<std::string> set_aside(Deadline deadline) override {
    return TRY(ask("set_aside", Value::object(), deadline))["path"].text();
  }
  Status put_back(const std::string& path, Deadline deadline) override {
    auto put = done(ask("put_back", Value::object({{"path", path}}), deadline, false));
    const auto config = put ? std::nullopt : config_here();
    if (!config) return put;
    auto gone = TRY(agent_is_gone(*config));
    if (!gone) return put;
    agent::EpochGate epochs(config->dir);
    if (epoch_ && *epoch_) TRY(epochs.admit(*epoch_, deadline, [] {}));
    return agent::Server(*config).put_back(path);
  }

 private:
  Status stop_once(Deadline deadline) {
    return done(ask("stop", Value::object({{"mode", "fast"}}), deadline, false, kDeath));
  }
  static bool is_busy(const Status& status) { return !status && status.error().id == "agent.busy"; }
  /// Of a member of this machine, whose agent may be gone.
  std::optional<MemberConfig> config_here() const {
    if (member_.agent_socket.empty() || member_.data_dir.empty()) return std::nullopt;
    auto config = agent::read_config(fs::path(member_.data_dir).parent_path().string());
    return config ? std::optional(std::move(*config)) : std::nullopt;
  }
  /// The agent's lock when no agent runs; while it is held none can start.
  static Result<sys::Fd> agent_is_gone(const MemberConfig& config) {
    sys::Fd lock = TRY(sys::open_file(config.dir + "/agent.lock", O_RDWR | O_CREAT, 0600));
    // A killed agent holds it until the kernel is done with it.
    auto taken = TRY(sys::wait_until([&] { return sys::lock_file(lock.get()); }, Deadline::in(seconds(5))));
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
                    seconds more = seconds(2)) {
    arguments.set("timeoutSeconds", deadline.left().count() / 1000 + 1);
    if (epoch_ && *epoch_) arguments.set("epoch", epoch_->load());
    auto client = TRY(connect_agent(member_, Deadline::in(kAgentPatience)).context(setup_.name));
    return client
        .call(op, std::move(arguments), Deadline::in(deadline.left() + more), interruptible ? stop_ : std::stop_token())
        .context(setup_.name);
  }

  const cluster::Member member_;
  MemberSetup setup_;
  bool told_;  ///< setup_ is what the agent said, not the name alone
  const std::stop_token stop_;
  const CurrentEpoch epoch_;
};

}  // namespace

Result<std::unique_ptr<engine::MemberControl>> control_by_agent(const cluster::Member& member,
                                                                const std::stop_token& stop,
                                                                const CurrentEpoch& epoch) {
  return std::make_unique<AgentMember>(member, TRY(ask_for_setup(member, stop)), stop, epoch);
}

}  // namespace holdfast::provider
