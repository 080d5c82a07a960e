#include "agent/agent.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <list>
#include <thread>

#include "agent/answers.h"
#include "agent/client.h"
#include "agent/frames.h"
#include "agent/launch.h"
#include "agent/line_socket.h"
#include "agent/server_files.h"
#include "base/log.h"
#include "net/tls_stream.h"

namespace holdfast::agent {

using codec::Value;
using std::chrono::seconds;

namespace {

/// Connections over the network at a time; what comes beyond them is closed at once. Those of this host are never:
/// whoever fills the others must not keep the host's own commands away.
constexpr int64_t kMostFromNetwork = 200;
/// A connection over the network that has sent no whole request for so long is closed.
constexpr seconds kIdle{300};
/// For a TLS handshake.
constexpr seconds kHandshake{10};

class Agent {
 public:
  Agent(const AgentOptions& options, MemberConfig config)
      : options_(options), answers_(options.dir, std::move(config), [this] { wake(); }) {
    answers_.set_leashed(options.leashed);
  }

  Status run();

 private:
  Status take_lock();
  Status listen_local();
  Status listen_network();
  void accept(int listener, bool network);
  void serve_local(int fd);
  void serve_network(sys::Fd fd);
  void serve(std::unique_ptr<net::Stream> stream, const Caller& caller, seconds idle);
  bool serve_one(LineSocket& socket, const std::string& line, const Caller& caller);
  MemberConfig config() { return answers_.server().config(); }
  void wake() { (void)!::write(wake_.get(), "\1\0\0\0\0\0\0\0", 8); }

  const AgentOptions options_;
  sys::Fd lock_, listener_, network_, wake_, signals_;
  std::optional<net::TlsContext> tls_;
  Answers answers_;
  struct Connection {
    explicit Connection(bool from_network) : network(from_network) {}
    const bool network;
    std::atomic<bool> done = false;
    std::jthread thread;
  };
  std::list<Connection> connections_;  // main thread only
};

/// One request, answered; false when the connection is to end.
bool Agent::serve_one(LineSocket& socket, const std::string& line, const Caller& caller) {
  Value reply;
  auto request = codec::parse_value(line);
  const RequestKind* kind = request ? find_request((*request)["op"].text()) : nullptr;
  if (kind && kind->streams) {
    bool answered = false;
    auto served = answers_.serve(*request, caller, socket.stream(), answered);
    if (answered) {
      if (!served) log(LogLevel::info, "{}: {}", kind->name, served.error().to_string());
      return false;
    }
    reply = Value::object({{"ok", false}, {"error", error_value(served.error())}});
  } else {
    auto result = request ? answers_.answer(*request, caller) : fail(request.error());
    reply =
        result ? Value::object({{"ok", true}}) : Value::object({{"ok", false}, {"error", error_value(result.error())}});
    if (result)
      for (const auto& [key, value] : result->members()) reply.set(key, value);
    if (!result && kind && kind->effect == Effect::changes && !caller.local)
      log(LogLevel::warn, "{} of {} refused: {}", kind->name, caller.name, result.error().to_string());
  }
  reply.set("protocol", kProtocol);
  if (!socket.write_line(codec::to_json(reply), Deadline::in(seconds(10)))) return false;
  if (!answers_.ending()) return true;
  wake();
  return false;
}

void Agent::serve(std::unique_ptr<net::Stream> stream, const Caller& caller, seconds idle) {
  LineSocket socket(std::move(stream));
  for (;;) {
    auto line = socket.read_line(idle.count() ? Deadline::in(idle) : Deadline::never(), answers_.token());
    if (!line && !caller.local && line.error().id != "net.broken")
      log(LogLevel::info, "the connection of {} is closed: {}", caller.name, line.error().to_string());
    if (!line || line->empty() || !serve_one(socket, *line, caller)) break;
  }
}

void Agent::serve_local(int fd) {
  sys::Fd own(fd);
  if (auto known = check_peer(own.get()); !known) {
    log(LogLevel::warn, "{}", known.error().to_string());
    return;
  }
  serve(std::make_unique<net::SocketStream>(std::move(own)), {.local = true, .role = {}, .name = "this host"},
        seconds(0));
}

void Agent::serve_network(sys::Fd fd) {
  auto stream = net::tls_accept(std::move(fd), *tls_, Deadline::in(kHandshake), answers_.token());
  if (!stream) {
    log(LogLevel::warn, "a connection over the network is refused: {}", stream.error().to_string());
    return;
  }
  const Caller caller{false, stream->peer().role, stream->peer().name};
  serve(std::make_unique<net::TlsStream>(std::move(*stream)), caller, kIdle);
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

Status Agent::listen_local() {
  const MemberConfig config = this->config();
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

/// Where the configuration says, and nowhere else. The addresses of a name are tried in order.
Status Agent::listen_network() {
  const MemberConfig config = this->config();
  if (config.listen.empty()) return {};
  const Address address = TRY(Address::parse(config.listen, {}));
  tls_ = TRY(net::TlsContext::load({config.tls_ca, config.tls_certificate, config.tls_key}));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (error != 0)
    return fail(ErrorClass::refused, "agent.listen", fmt::format("{}: {}", config.listen, ::gai_strerror(error)),
                "correct listen in agent.json: an address of this host and a port");
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  int why = 0;
  for (const addrinfo* one = found; one; one = one->ai_next) {
    sys::Fd fd(::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int yes = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (::bind(fd.get(), one->ai_addr, one->ai_addrlen) == 0 && ::listen(fd.get(), 64) == 0) {
      network_ = std::move(fd);
      log(LogLevel::info, "agent of {} listens on {}", config.member, config.listen);
      return {};
    }
    why = errno;
  }
  return fail(ErrorClass::refused, "agent.listen",
              fmt::format("listening on {}: {}", config.listen, std::strerror(why)),
              "see which process has the port (ss -ltnp), or correct listen in agent.json");
}

void Agent::accept(int listener, bool network) {
  sys::Fd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return;
  if (network && std::ranges::count(connections_, true, &Connection::network) >= kMostFromNetwork) {
    log(LogLevel::warn, "a connection over the network is closed: there are {} already", kMostFromNetwork);
    return;
  }
  auto& connection = connections_.emplace_back(network);
  connection.thread = std::jthread([this, network, &connection, own = std::move(fd)]() mutable {
    if (network)
      serve_network(std::move(own));
    else
      serve_local(own.release());
    connection.done = true;
    wake();  // so that it is closed now, not when the next one comes
  });
}

Status Agent::run() {
  if (const MemberConfig config = this->config(); config.existing) {
    // Below /run, which is empty after a boot.
    TRY_VOID(sys::make_directories(std::filesystem::path(config.socket_dir).parent_path().string(), 0755));
    TRY_VOID(detail::make_server_dir(config, config.socket_dir, 0755));
  }
  TRY_VOID(check_own_directories(config()));
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
  TRY_VOID(answers_.begin());
  TRY_VOID(listen_local());
  TRY_VOID(listen_network());
  log(LogLevel::info, "agent of {} listens", config().member);
  bool committed = false;
  const std::stop_callback on_stop(options_.stop, [this] {
    answers_.end();
    wake();
  });
  while (!answers_.ending()) {
    pollfd fds[4] = {{listener_.get(), POLLIN, 0},
                     {wake_.get(), POLLIN, 0},
                     {signals_.get(), POLLIN, 0},
                     {network_.get(), POLLIN, 0}};
    if (::poll(fds, 4, -1) < 0 && errno != EINTR) return fail(sys::errno_error(errno, "poll"));
    if (fds[1].revents) {
      uint64_t count;
      (void)!::read(wake_.get(), &count, sizeof count);
    }
    if (answers_.committed() && !committed) {
      ::prctl(PR_SET_PDEATHSIG, 0);  // belongs to the thread: only the main one can take its own leash off
      committed = true;
    }
    if (fds[2].revents) {
      signalfd_siginfo info{};
      while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info))
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) answers_.end();
    }
    if (fds[0].revents) accept(listener_.get(), false);
    if (fds[3].revents) accept(network_.get(), true);
    std::erase_if(connections_, [](const Connection& c) { return c.done.load(); });
  }
  answers_.request_stop();
  network_.reset();
  connections_.clear();
  if (config().server_survives) {
    // `shutdown` has stopped it; a signal ends the agent alone.
    ::unlink(config().agent_socket().c_str());
    return {};
  }
  auto stopped = answers_.server().stop(StopMode::fast, Deadline::in(seconds(60)));
  ::unlink(config().agent_socket().c_str());
  if (stopped || stopped.error().id != "agent.in_use") return stopped;
  log(LogLevel::warn, "{}: {}", config().member, stopped.error().to_string());
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
