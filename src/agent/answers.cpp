#include "agent/answers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "agent/account_check.h"
#include "agent/errant_log.h"
#include "agent/files.h"
#include "agent/inspect.h"
#include "agent/peer_copy.h"
#include "agent/tree_stream.h"
#include "agent/ways.h"
#include "engine/errant.h"
#include "engine/received.h"

namespace holdfast::agent {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;

namespace {

/// A donor that was cut off is asked again so often.
constexpr seconds kBetweenSettling{30};

}  // namespace

Status check_right(const RequestKind& kind, const Caller& caller) {
  using net::Role;
  if (caller.local) return {};
  const bool allowed = kind.right == Right::observe ? caller.role != Role::none
                       : kind.right == Right::copy  ? caller.role == Role::operate || caller.role == Role::agent
                                                    : caller.role == Role::operate;
  if (allowed) return {};
  return fail(ErrorClass::refused, "agent.not_permitted",
              fmt::format("the certificate of {} has the role {}; '{}' needs {}", caller.name,
                          net::role_name(caller.role), kind.name, right_name(kind.right)),
              "holdfast pki issue operate NAME makes a certificate that may change members");
}

Answers::Answers(const std::string& dir, MemberConfig config, std::function<void()> wake)
    : server_(std::move(config)),
      epochs_(dir),
      wake_(std::move(wake)),
      disks_([this](cluster::MemberFacts& facts) { look_at_disks(facts, server_.config(), server_.pid()); }),
      channels_([this] { return server_.serving(); }) {}

Status Answers::begin() {
  server_.when_unit_has_started([this] { pages_.begin(server_.config()); });
  const bool adopted = server_.adopt();
  TRY_VOID(server_.recover());
  disks_.start();
  channels_.start();
  settling_ = std::jthread([this](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait_for(lock, stop, kBetweenSettling, [] { return false; });
      if (stop.stop_requested()) return;
      server_.settle_with_donors(stop);
    }
  });
  // What was read of its pages went with the agent before: that one may have died before it was told to anybody.
  if (adopted)
    adopting_ = std::jthread([this](const std::stop_token& stop) {
      if (server_.await_adopted(stop)) pages_.begin(server_.config());
    });
  return {};
}

Result<const RequestKind*> Answers::permitted(const Value& request, const Caller& caller) {
  const std::string op = request["op"].text();
  const RequestKind* kind = find_request(op);
  if (!kind)
    return fail(ErrorClass::usage, "agent.request", "the agent knows no request '" + op + "'",
                "an agent of a newer version may: holdfast version shows which one a host has");
  TRY_VOID(check_right(*kind, caller));
  return kind;
}

Result<EpochGate::Pass> Answers::admit(const RequestKind& kind, const Value& request, Deadline deadline) {
  if (kind.effect != Effect::changes) return EpochGate::Pass();
  const Value* epoch = request.find("epoch");
  if (!epoch)
    return fail(ErrorClass::refused, "agent.no_epoch",
                fmt::format("'{}' changes the member and carries no epoch", kind.name),
                "changes are made by operations: holdfast repair, restore, bootstrap");
  if (!epoch->is_integer() || epoch->integer() <= 0)
    return fail(ErrorClass::usage, "agent.request", "an epoch is a number above 0");
  return epochs_.admit(epoch->unsigned_integer(), deadline, [this] { server_.cancel(); });
}

Result<Value> Answers::answer(const Value& request, const Caller& caller) {
  const RequestKind& kind = *TRY(permitted(request, caller));
  if (kind.streams) return fail(ErrorClass::bug, "agent.streams", fmt::format("'{}' streams", kind.name));
  const Deadline deadline = Deadline::in(seconds(request["timeoutSeconds"].integer(120)));
  const auto pass = TRY(admit(kind, request, deadline));
  const Handler handler = handlers().at(kind.name);
  return (this->*handler)(Asked{request, server_.config(), deadline});
}

Status Answers::serve(const Value& request, const Caller& caller, net::Stream& stream, bool& answered) {
  const RequestKind& kind = *TRY(permitted(request, caller));
  const Deadline deadline = Deadline::in(seconds(request["timeoutSeconds"].integer(120)));
  const MemberConfig config = server_.config();
  if (kind.name == "sql") return serve_sql(config, stream, answered, deadline, token());
  if (kind.name == "backup_stream") return serve_backup(config, stream, answered, deadline, token());
  if (kind.name == "errant_log") return serve_errant_log(config, request, stream, answered, deadline, token());
  if (kind.name == "tree")
    return serve_tree(config, server_.pid() > 0, request["directory"].text(), stream, answered, deadline, token());
  return fail(ErrorClass::bug, "agent.streams", fmt::format("'{}' does not stream", kind.name));
}

const std::map<std::string_view, Answers::Handler>& Answers::handlers() {
  static const std::map<std::string_view, Handler> all = {
      {"ping", &Answers::ping},
      {"status", &Answers::status},
      {"inspect", &Answers::inspect},
      {"directories", &Answers::directories},
      {"errant", &Answers::errant},
      {"skipped", &Answers::skipped},
      {"wal_end", &Answers::wal_end},
      {"check_account", &Answers::check_account},
      {"check_pages", &Answers::check_pages},
      {"files", &Answers::files},
      {"read_file", &Answers::read_file},
      {"member", &Answers::member},
      {"channels", &Answers::channels},
      {"donor", &Answers::donor},
      {"start", &Answers::start},
      {"restart", &Answers::restart},
      {"stop", &Answers::stop},
      {"continue", &Answers::continue_server},
      {"apply_received", &Answers::apply_received},
      {"initialise", &Answers::initialise},
      {"discard_side", &Answers::discard_side},
      {"swap_side", &Answers::swap_side},
      {"set_aside", &Answers::set_aside},
      {"put_back", &Answers::put_back},
      {"drop_aside", &Answers::drop_aside},
      {"rewind", &Answers::rewind},
      {"free_wal", &Answers::free_wal},
      {"cancel", &Answers::cancel},
      {"galera_position", &Answers::galera_position},
      {"recover_position", &Answers::recover_position},
      {"safe_to_bootstrap", &Answers::safe_to_bootstrap},
      {"configure", &Answers::configure},
      {"fence", &Answers::fence},
      {"shutdown", &Answers::shutdown},
      {"commit", &Answers::commit},
  };
  return all;
}

Value Answers::agent_value(const MemberConfig& config) const {
  return Value::object({{"pid", ::getpid()},
                        {"member", config.member},
                        {"startedAt", started_at_},
                        {"committed", !leashed_ || commit_}});
}

// ---------------------------------------------------------------- what can be seen

Result<Value> Answers::ping(const Asked& asked) {
  return Value::object({{"agent", agent_value(asked.config)}});
}

Result<Value> Answers::status(const Asked& asked) {
  const MemberConfig& config = asked.config;
  const auto known = epochs_.highest();
  const Value epoch = known ? Value(*known) : Value();
  const Peer* upstream = config.role == Role::replica ? config.find_peer(config.upstream) : nullptr;
  return Value::object({{"agent", agent_value(config)},
                        {"cluster", config.cluster},
                        {"namespace", config.ns},
                        {"member", config.member},
                        {"engine", cluster::engine_name(config.engine)},
                        {"role", config.role == Role::replica ? "replica" : "primary"},
                        {"upstream", config.upstream},
                        {"upstreamAddress", upstream ? fmt::format("{}:{}", upstream->host, upstream->port) : ""},
                        {"channels", noted_value(config)},
                        {"network", network_value(server_.pid())},
                        {"dataDir", config.data_dir()},
                        {"existing", config.existing.has_value()},
                        {"supervisor", config.is_by_unit() ? config.existing->unit : "agent"},
                        {"socket", config.server_socket()},
                        {"host", config.host},
                        {"port", config.port},
                        {"epoch", epoch},
                        {"outside", outside_value(server_.outside())},
                        {"server", server_.status()}});
}

Result<Value> Answers::inspect(const Asked& asked) {
  cluster::MemberFacts facts;
  agent::inspect(facts, asked.config, server_.pid(), asked.deadline, token());
  disks_.tell(facts);
  pages_.tell(facts, asked.config);
  log_.tell(facts, asked.config);
  if (const auto known = server_.recovered())
    take_recovered(facts, known->position,
                   std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - known->at));
  return inspection_value(facts);
}

Result<Value> Answers::directories(const Asked& asked) {
  return directories_value(asked.config);
}

Result<Value> Answers::errant(const Asked& asked) {
  auto search = errant_search(asked.config, asked.request);
  search.deadline = Deadline::in(std::chrono::milliseconds(asked.request["timeoutMs"].integer(5000)));
  search.stop = token();
  return Value::object({{"errant", cluster::errant_value(engine::find_errant(search).errant)}});
}

Result<Value> Answers::skipped(const Asked& asked) {
  if (asked.config.engine != Engine::mariadb && asked.config.engine != Engine::mysql)
    return fail(ErrorClass::usage, "agent.request", "only MariaDB and MySQL members have a log of that kind");
  return skips_.tell(asked.config);
}

Result<Value> Answers::wal_end(const Asked& asked) {
  if (asked.config.engine != Engine::postgres)
    return fail(ErrorClass::usage, "agent.request", "only a PostgreSQL member has WAL");
  return wal_end_value(asked.config, asked.deadline, token());
}

Result<Value> Answers::check_account(const Asked& asked) {
  const Value& request = asked.request;
  return agent::check_account(asked.config,
                              {request["member"].text(), request["host"].text(),
                               static_cast<int>(request["port"].integer()), request["renew"].boolean()},
                              asked.deadline.at_most(seconds(10)), token());
}

Result<Value> Answers::check_pages(const Asked& asked) {
  pages_.begin(server_.config(), seconds(asked.request["limitSeconds"].integer(PageWatch::kLimit.count())));
  return Value::object();
}

Result<Value> Answers::files(const Asked& asked) {
  return Value::object({{"files", list_files(asked.config)}});
}

Result<Value> Answers::read_file(const Asked& asked) {
  const Value& request = asked.request;
  return read_named_file(asked.config, request["name"].text(), static_cast<uint64_t>(request["offset"].integer()),
                         static_cast<uint64_t>(request["limit"].integer()),
                         static_cast<uint64_t>(request["tail"].integer()));
}

// ---------------------------------------------------------------- ways to its server and its data

Result<Value> Answers::member(const Asked& asked) {
  return member_value(asked.config);
}

Result<Value> Answers::channels(const Asked& asked) {
  Value list{Value::List()};
  for (const auto& channel : noted_channels(asked.config)) list.push(engine::channel_value(channel));
  return Value::object({{"channels", list}});
}

Result<Value> Answers::donor(const Asked& asked) {
  return donor_value(asked.config, asked.request["measure"].boolean(true), asked.deadline, token());
}

// ---------------------------------------------------------------- the server's process

namespace {

LaunchOptions launch_options(const Value& request) {
  LaunchOptions options;
  if (request["mode"].text() == "isolated") options.mode = StartMode::isolated;
  options.new_cluster = request["newCluster"].boolean();
  options.side = request["data"].text() == "side";
  for (const auto& arg : request["extraArgs"].items())
    if (arg.is_text()) options.extra_args.push_back(arg.text());
  return options;
}

StopMode stop_mode(const Value& request) {
  return request["mode"].text() == "immediate" ? StopMode::immediate : StopMode::fast;
}

}  // namespace

Result<Value> Answers::start(const Asked& asked) {
  return start_or_restart(asked, false);
}

Result<Value> Answers::restart(const Asked& asked) {
  return start_or_restart(asked, true);
}

Result<Value> Answers::start_or_restart(const Asked& asked, bool restart) {
  const LaunchOptions options = launch_options(asked.request);
  TRY_VOID(restart ? server_.restart(options, asked.deadline, token())
                   : server_.start(options, asked.deadline, token()));
  if (!options.side && options.mode == StartMode::normal) pages_.begin(server_.config());
  return Value::object({{"pid", server_.pid()}});
}

Result<Value> Answers::stop(const Asked& asked) {
  TRY_VOID(server_.stop(stop_mode(asked.request), asked.deadline));
  return Value::object();
}

Result<Value> Answers::continue_server(const Asked& asked) {
  return Value::object({{"continued", TRY(server_.continue_stopped(asked.deadline, token()))}});
}

Result<Value> Answers::apply_received(const Asked& asked) {
  if (asked.config.engine != Engine::mariadb)
    return fail(ErrorClass::usage, "agent.request", "only a MariaDB member loses its relay logs at a start");
  const auto applied = TRY(engine::apply_received(TRY(detail::admin_target(asked.config)), asked.config.data_dir(),
                                                  asked.deadline, token()));
  return Value::object({{"transactions", applied.transactions}, {"position", applied.position}});
}

// ---------------------------------------------------------------- its data directories

Result<Value> Answers::initialise(const Asked& asked) {
  static const std::map<std::string_view, Server::From> ways = {{"empty", Server::From::empty},
                                                                {"copy", Server::From::copy},
                                                                {"basebackup", Server::From::basebackup},
                                                                {"donor", Server::From::donor},
                                                                {"rewind", Server::From::rewind}};
  const Value& request = asked.request;
  const std::string from = request["from"].text_or("empty");
  const auto way = ways.find(from);
  if (way == ways.end())
    return fail(ErrorClass::usage, "agent.request", "initialise from what? " + from,
                "empty, copy, basebackup, donor or rewind");
  Server::Initialise what;
  what.from = way->second;
  what.path = request["path"].text();
  what.donor = request["donor"].text();
  what.side = request["side"].boolean();
  if (what.from == Server::From::rewind && !what.side)
    return fail(ErrorClass::usage, "agent.request", "a copy to be rewound is made beside the data directory",
                "side: true; `rewind` does it in place");
  what.rate = request["rate"].unsigned_integer();
  if (request["reserve"].is_integer()) what.reserve = request["reserve"].unsigned_integer();
  return server_.initialise(what, asked.deadline, token());
}

Result<Value> Answers::discard_side(const Asked&) {
  TRY_VOID(server_.discard_side());
  return Value::object();
}

Result<Value> Answers::swap_side(const Asked&) {
  return Value::object({{"path", TRY(server_.swap_side())}});
}

Result<Value> Answers::set_aside(const Asked&) {
  return Value::object({{"path", TRY(server_.set_aside())}});
}

Result<Value> Answers::put_back(const Asked& asked) {
  TRY_VOID(server_.put_back(asked.request["path"].text()));
  return Value::object();
}

Result<Value> Answers::drop_aside(const Asked& asked) {
  TRY_VOID(server_.drop_aside(asked.request["path"].text()));
  return Value::object();
}

Result<Value> Answers::rewind(const Asked& asked) {
  return server_.rewind(asked.request["donor"].text(), asked.deadline, token());
}

Result<Value> Answers::free_wal(const Asked& asked) {
  std::vector<std::string> slots;
  for (const auto& slot : asked.request["dropSlots"].items()) slots.push_back(slot.text());
  return server_.free_wal(asked.request["keepFrom"].text(), slots);
}

Result<Value> Answers::cancel(const Asked&) {
  return Value::object({{"cancelled", server_.cancel()}});
}

Result<Value> Answers::galera_position(const Asked& asked) {
  return Value::object({{"position", TRY(server_.galera_position(asked.deadline, token()))}});
}

Result<Value> Answers::recover_position(const Asked& asked) {
  return Value::object({{"position", TRY(server_.recover_position(asked.deadline, token()))}});
}

Result<Value> Answers::safe_to_bootstrap(const Asked& asked) {
  std::optional<bool> set;
  if (asked.request.find("set")) set = asked.request["set"].boolean();
  return Value::object({{"safe", TRY(server_.safe_to_bootstrap(set))}});
}

// ---------------------------------------------------------------- the agent

Result<Value> Answers::configure(const Asked& asked) {
  return Value::object({{"leads", TRY(server_.reconfigure(asked.request))}});
}

Result<Value> Answers::fence(const Asked&) {
  return Value::object();  // its epoch has been noted
}

Result<Value> Answers::shutdown(const Asked& asked) {
  auto stopped = server_.stop(stop_mode(asked.request), asked.deadline);
  if (!stopped && stopped.error().id != "agent.in_use") return fail(std::move(stopped).error());
  ending_ = true;
  return Value::object();
}

Result<Value> Answers::commit(const Asked&) {
  commit_ = true;
  wake_();
  return Value::object();
}

}  // namespace holdfast::agent
