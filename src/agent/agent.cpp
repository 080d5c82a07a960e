#include "agent/agent.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <list>
#include <set>
#include <thread>

#include "agent/account_check.h"
#include "agent/channels.h"
#include "agent/disk_watch.h"
#include "agent/epoch.h"
#include "agent/files.h"
#include "agent/inspect.h"
#include "agent/line_socket.h"
#include "agent/log_watch.h"
#include "agent/page_watch.h"
#include "agent/server.h"
#include "agent/skip_watch.h"
#include "base/log.h"
#include "codec/value.h"
#include "engine/errant.h"

namespace holdfast::agent {

using codec::Value;
using std::chrono::seconds;

namespace {

Value error_reply(const Error& error) {
  return Value::object({{"ok", false},
                        {"error", Value::object({{"class", error_class_name(error.error_class)},
                                                 {"id", error.id},
                                                 {"message", error.to_string()},
                                                 {"hint", error.hint}})}});
}

class Agent {
 public:
  Agent(const AgentOptions& options, MemberConfig config)
      : options_(options), server_(std::move(config)), epochs_(options.dir) {}

  Status run();

 private:
  Result<Value> answer(const Value& request);
  Result<EpochGate::Pass> admit(const Value& request, Deadline deadline);
  Status take_lock();
  Status listen();
  void serve(int fd);
  void wake() { (void)!::write(wake_.get(), "\1\0\0\0\0\0\0\0", 8); }

  const AgentOptions options_;
  Server server_;
  EpochGate epochs_;
  sys::Fd lock_, listener_, wake_, signals_;
  std::string started_at_ = utc_now();
  std::atomic<bool> commit_ = false, ending_ = false;
  std::stop_source stop_;
  struct Connection {
    sys::Fd fd;
    std::atomic<bool> done = false;
    std::jthread thread;
  };
  std::list<Connection> connections_;  // main thread only
  DiskWatch disks_{[this](cluster::MemberFacts& facts) { look_at_disks(facts, server_.config(), server_.pid()); }};
  PageWatch pages_;
  SkipWatch skips_;
  LogWatch log_;
  ChannelWatch channels_{[this] { return server_.serving(); }};
};

LaunchOptions launch_options(const Value& request) {
  LaunchOptions options;
  if (request["mode"].text() == "isolated") options.mode = StartMode::isolated;
  options.new_cluster = request["newCluster"].boolean();
  options.side = request["data"].text() == "side";
  for (const auto& arg : request["extraArgs"].items())
    if (arg.is_text()) options.extra_args.push_back(arg.text());
  return options;
}

/// Requests that only look. All others are not taken from an operation that another one has taken over from.
bool only_looks(const std::string& op) {
  static const std::set<std::string, std::less<>> all = {"ping",      "status", "inspect", "errant",  "files",
                                                         "read_file", "commit", "wal_end", "skipped", "check_account"};
  return all.contains(op);
}

Result<EpochGate::Pass> Agent::admit(const Value& request, Deadline deadline) {
  const Value* epoch = request.find("epoch");
  if (!epoch || only_looks(request["op"].text())) return EpochGate::Pass();
  if (!epoch->is_integer() || epoch->integer() <= 0)
    return fail(ErrorClass::usage, "agent.request", "an epoch is a number above 0");
  return epochs_.admit(epoch->unsigned_integer(), deadline, [this] { server_.cancel(); });
}

Result<Value> Agent::answer(const Value& request) {
  const std::string op = request["op"].text();
  const Deadline deadline = Deadline::in(seconds(request["timeoutSeconds"].integer(120)));
  const auto pass = TRY(admit(request, deadline));
  const MemberConfig config = server_.config();
  const Value agent = Value::object({{"pid", ::getpid()},
                                     {"member", config.member},
                                     {"startedAt", started_at_},
                                     {"committed", !options_.leashed || commit_}});
  if (op == "ping") return Value::object({{"agent", agent}});
  if (op == "status") {
    const auto known = epochs_.highest();
    const Value epoch = known ? Value(*known) : Value();
    const Peer* upstream = config.role == Role::replica ? config.find_peer(config.upstream) : nullptr;
    return Value::object({{"agent", agent},
                          {"cluster", config.cluster},
                          {"namespace", config.ns},
                          {"member", config.member},
                          {"engine", cluster::engine_name(config.engine)},
                          {"role", config.role == Role::replica ? "replica" : "primary"},
                          {"upstream", config.upstream},
                          {"upstreamAddress", upstream ? fmt::format("{}:{}", upstream->host, upstream->port) : ""},
                          {"channels", followed_value(config)},
                          {"dataDir", config.data_dir()},
                          {"socket", config.server_socket()},
                          {"host", config.host},
                          {"port", config.port},
                          {"epoch", epoch},
                          {"outside", outside_value(server_.outside())},
                          {"server", server_.status()}});
  }
  if (op == "start" || op == "restart") {
    const LaunchOptions options = launch_options(request);
    TRY_VOID(op == "start" ? server_.start(options, deadline, stop_.get_token())
                           : server_.restart(options, deadline, stop_.get_token()));
    if (!options.side && options.mode == StartMode::normal) pages_.begin(server_.config());
    return Value::object({{"pid", server_.pid()}});
  }
  if (op == "wal_end") {
    if (config.engine != cluster::Engine::postgres)
      return fail(ErrorClass::usage, "agent.request", "only a PostgreSQL member has WAL");
    return wal_end_value(config, deadline, stop_.get_token());
  }
  if (op == "check_account")
    return check_account(
        config, {request["host"].text(), static_cast<int>(request["port"].integer()), request["renew"].boolean()},
        deadline.at_most(seconds(10)), stop_.get_token());
  if (op == "check_pages") {
    pages_.begin(server_.config(), seconds(request["limitSeconds"].integer(PageWatch::kLimit.count())));
    return Value::object();
  }
  if (op == "stop") {
    TRY_VOID(server_.stop(request["mode"].text() == "immediate" ? StopMode::immediate : StopMode::fast, deadline));
    return Value::object();
  }
  if (op == "continue")
    return Value::object({{"continued", TRY(server_.continue_stopped(deadline, stop_.get_token()))}});
  if (op == "initialise") {
    const std::string from = request["from"].text_or("empty");
    Server::Initialise what;
    if (from == "copy") {
      what.from = Server::From::copy;
    } else if (from == "basebackup") {
      what.from = Server::From::basebackup;
    } else if (from == "donor") {
      what.from = Server::From::donor;
    } else if (from == "rewind") {
      what.from = Server::From::rewind;
    } else if (from != "empty") {
      return fail(ErrorClass::usage, "agent.request", "initialise from what? " + from,
                  "empty, copy, basebackup, donor or rewind");
    }
    what.path = request["path"].text();
    what.donor = request["donor"].text();
    what.side = request["side"].boolean();
    if (what.from == Server::From::rewind && !what.side)
      return fail(ErrorClass::usage, "agent.request", "a copy to be rewound is made beside the data directory",
                  "side: true; `rewind` does it in place");
    if (request["reserve"].is_integer()) what.reserve = request["reserve"].unsigned_integer();
    return server_.initialise(what, deadline, stop_.get_token());
  }
  if (op == "discard_side") {
    TRY_VOID(server_.discard_side());
    return Value::object();
  }
  if (op == "swap_side") return Value::object({{"path", TRY(server_.swap_side())}});
  if (op == "free_wal") {
    std::vector<std::string> slots;
    for (const auto& slot : request["dropSlots"].items()) slots.push_back(slot.text());
    return server_.free_wal(request["keepFrom"].text(), slots);
  }
  if (op == "drop_aside") {
    TRY_VOID(server_.drop_aside(request["path"].text()));
    return Value::object();
  }
  if (op == "rewind") return server_.rewind(request["donor"].text(), deadline, stop_.get_token());
  if (op == "fence") return Value::object();  // its epoch has been noted
  if (op == "cancel") return Value::object({{"cancelled", server_.cancel()}});
  if (op == "set_aside") return Value::object({{"path", TRY(server_.set_aside())}});
  if (op == "put_back") {
    TRY_VOID(server_.put_back(request["path"].text()));
    return Value::object();
  }
  if (op == "recover_position")
    return Value::object({{"position", TRY(server_.recover_position(deadline, stop_.get_token()))}});
  if (op == "galera_position")
    return Value::object({{"position", TRY(server_.galera_position(deadline, stop_.get_token()))}});
  if (op == "safe_to_bootstrap") {
    std::optional<bool> set;
    if (request.find("set")) set = request["set"].boolean();
    return Value::object({{"safe", TRY(server_.safe_to_bootstrap(set))}});
  }
  if (op == "configure") {
    TRY_VOID(server_.reconfigure(request));
    return Value::object();
  }
  if (op == "inspect") {
    cluster::MemberFacts facts;
    inspect(facts, config, server_.pid(), deadline, stop_.get_token());
    disks_.tell(facts);
    pages_.tell(facts, config);
    log_.tell(facts, config);
    if (const auto known = server_.recovered())
      take_recovered(
          facts, known->position,
          std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - known->at));
    return inspection_value(facts);
  }
  if (op == "errant") {
    engine::ErrantSearch search;
    search.engine = config.engine;
    search.data_dir = config.data_dir();
    search.transactions = request["transactions"].text();
    for (const auto& name : request["heartbeatTables"].items()) search.heartbeat_tables.insert(name.text());
    search.deadline = Deadline::in(std::chrono::milliseconds(request["timeoutMs"].integer(5000)));
    search.stop = stop_.get_token();
    return Value::object({{"errant", cluster::errant_value(engine::find_errant(search).errant)}});
  }
  if (op == "skipped") {
    if (config.engine != cluster::Engine::mariadb && config.engine != cluster::Engine::mysql)
      return fail(ErrorClass::usage, "agent.request", "only MariaDB and MySQL members have a log of that kind");
    return skips_.tell(config);
  }
  if (op == "files") return Value::object({{"files", list_files(config)}});
  if (op == "read_file")
    return TRY(read_named_file(config, request["name"].text(), static_cast<uint64_t>(request["offset"].integer()),
                               static_cast<uint64_t>(request["limit"].integer()),
                               static_cast<uint64_t>(request["tail"].integer())));
  if (op == "commit") {
    commit_ = true;
    wake();
    return Value::object();
  }
  if (op == "shutdown") {
    auto stopped = server_.stop(request["mode"].text() == "immediate" ? StopMode::immediate : StopMode::fast, deadline);
    if (!stopped && stopped.error().id != "agent.in_use") return fail(std::move(stopped).error());
    ending_ = true;
    return Value::object();
  }
  return fail(ErrorClass::usage, "agent.request", "the agent knows no request '" + op + "'");
}

void Agent::serve(int fd) {
  LineSocket socket{sys::Fd(::fcntl(fd, F_DUPFD_CLOEXEC, 3))};
  if (auto known = socket.check_peer(); !known) {
    log(LogLevel::warn, "{}", known.error().to_string());
    return;
  }
  for (;;) {
    auto line = socket.read_line(Deadline::never(), stop_.get_token());
    if (!line || line->empty()) break;
    Value reply;
    auto request = codec::parse_value(*line);
    if (!request) {
      reply = error_reply(request.error());
    } else {
      auto result = answer(*request);
      if (result) {
        reply = Value::object({{"ok", true}});
        for (const auto& [key, value] : result->members()) reply.set(key, value);
      } else {
        reply = error_reply(result.error());
      }
    }
    if (!socket.write_line(codec::to_json(reply), Deadline::in(seconds(10)))) break;
    if (ending_) {
      wake();
      break;
    }
  }
}

Status Agent::take_lock() {
  const std::string path = options_.dir + "/agent.lock";
  lock_ = TRY(sys::open_file(path, O_RDWR | O_CREAT, 0600));
  if (!sys::lock_file(lock_.get()))
    return fail(ErrorClass::conflict, "agent.locked", "another agent runs in " + options_.dir,
                "`holdfast lab status` shows it");
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock_.get(), 0) != 0) return fail(sys::errno_error(errno, "truncate " + path));
  return sys::write_all(lock_.get(), as_bytes(pid));
}

Status Agent::listen() {
  const MemberConfig config = server_.config();
  const std::string path = config.agent_socket();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(ErrorClass::usage, "agent.socket_path", path + " is too long for a unix socket (107 bytes)");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  ::unlink(path.c_str());
  listener_ = sys::Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const mode_t before = ::umask(0177);
  int bound = ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  int bind_error = errno;
  ::umask(before);
  if (bound != 0) return fail(sys::errno_error(bind_error, "bind " + path));
  if (::listen(listener_.get(), 64) != 0) return fail(sys::errno_error(errno, "listen " + path));
  return {};
}

Status Agent::run() {
  TRY_VOID(check_own_directories(server_.config()));
  TRY_VOID(take_lock());
  wake_ = sys::Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = sys::Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  TRY_VOID(server_.recover());
  TRY_VOID(listen());
  disks_.start();
  channels_.start();
  log(LogLevel::info, "agent of {} listens", server_.config().member);
  bool committed = false;
  const std::stop_callback on_stop(options_.stop, [this] {
    ending_ = true;
    wake();
  });
  while (!ending_) {
    pollfd fds[3] = {{listener_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    if (::poll(fds, 3, -1) < 0 && errno != EINTR) return fail(sys::errno_error(errno, "poll"));
    if (fds[1].revents) {
      uint64_t count;
      (void)!::read(wake_.get(), &count, sizeof count);
    }
    if (commit_ && !committed) {
      ::prctl(PR_SET_PDEATHSIG, 0);  // belongs to the thread: only the main one can take its own leash off
      committed = true;
    }
    if (fds[2].revents) {
      signalfd_siginfo info{};
      while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info))
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) ending_ = true;
    }
    if (fds[0].revents) {
      int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) {
        auto& connection = connections_.emplace_back();
        connection.fd = sys::Fd(fd);
        connection.thread = std::jthread([this, &connection] {
          serve(connection.fd.get());
          connection.done = true;
          wake();  // so that it is closed now, not when the next one comes
        });
      }
    }
    std::erase_if(connections_, [](const Connection& c) { return c.done.load(); });
  }
  stop_.request_stop();
  connections_.clear();
  auto stopped = server_.stop(StopMode::fast, Deadline::in(seconds(60)));
  ::unlink(server_.config().agent_socket().c_str());
  if (stopped || stopped.error().id != "agent.in_use") return stopped;
  log(LogLevel::warn, "{}: {}", server_.config().member, stopped.error().to_string());
  return {};
}

}  // namespace

Status run_agent(const AgentOptions& options) {
  // `lab up` has done so when it started this; who starts it by hand gets the same.
  if (options.leashed) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto config = TRY(read_config(options.dir));
  Agent agent(options, std::move(config));
  return agent.run();
}

}  // namespace holdfast::agent
