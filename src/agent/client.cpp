#include "agent/client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <ctime>
#include <map>
#include <tuple>

#include "agent/frames.h"
#include "base/mutex.h"
#include "net/tls_stream.h"

namespace holdfast::agent {

using codec::Value;

namespace {

/// Contexts by their files; tls_connect() reads them again when the files change.
Result<net::TlsContext> context_of(const cluster::AgentTls& tls) {
  static Mutex mutex;
  static std::map<std::tuple<std::string, std::string, std::string>, net::TlsContext> all;
  MutexLock lock(mutex);
  const auto key = std::tuple(tls.ca, tls.certificate, tls.key);
  const auto known = all.find(key);
  if (known != all.end()) return known->second;
  auto context = TRY(net::TlsContext::load({tls.ca, tls.certificate, tls.key}));
  all.emplace(key, context);
  return context;
}

Result<LineSocket> connect_local(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(ErrorClass::usage, "agent.socket_path", path + " is too long for a unix socket (107 bytes)");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  sys::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail(sys::errno_error(errno, "a socket for " + path));
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return fail(ErrorClass::unavailable, "agent.unreachable",
                std::string("no agent answers at ") + path + ": " + std::strerror(errno),
                "`holdfast lab up` starts it");
  TRY_VOID(check_peer(fd.get()).context(path));
  return LineSocket(std::make_unique<net::SocketStream>(std::move(fd)));
}

cluster::AgentCertificate certificate(cluster::AgentCertificate::Of of, const std::string& name, int64_t from,
                                      int64_t to) {
  return {.of = of,
          .name = name,
          .names = {},
          .role = {},
          .until = net::time_text(to),
          .seconds_left = static_cast<double>(to - std::time(nullptr)),
          .seconds_valid = static_cast<double>(to - from)};
}

std::vector<cluster::AgentCertificate> certificates_of(const net::Peer& peer, const net::CertificateInfo& own) {
  using Of = cluster::AgentCertificate::Of;
  std::vector<cluster::AgentCertificate> all = {certificate(Of::agent, peer.name, peer.not_before, peer.not_after),
                                                certificate(Of::caller, own.name, own.not_before, own.not_after)};
  all[0].names = peer.names;
  all[1].role = net::role_name(own.role);
  if (!peer.authority.empty())
    all.push_back(certificate(Of::authority, peer.authority, peer.authority_not_before, peer.authority_not_after));
  return all;
}

Result<net::TlsStream> connect_tls(const Address& address, const net::TlsContext& context, Deadline deadline,
                                   const std::stop_token& stop) {
  auto stream = net::tls_connect(address.host, address.port, address.host, context, deadline, stop);
  if (stream) return stream;
  Error error = std::move(stream).error();
  if (error.id == "net.unreachable" || error.id == "net.timeout") {
    error.id = "agent.unreachable";
    error.message = fmt::format("no agent answers at {}: {}", address.text(), error.message);
    error.hint = "see that `holdfast agent` runs there and that the network lets its port through";
  }
  return fail(std::move(error));
}

}  // namespace

std::string Address::text() const {
  if (!socket.empty()) return socket;
  const bool v6 = host.find(':') != host.npos;
  return v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Result<Address> Address::parse(const std::string& text, cluster::AgentTls tls) {
  Address address;
  address.tls = std::move(tls);
  const auto colon = text.rfind(':');
  if (colon != text.npos) {
    address.host = text.substr(0, colon);
    if (address.host.starts_with('[') && address.host.ends_with(']'))
      address.host = address.host.substr(1, address.host.size() - 2);
    const char* end = text.data() + text.size();
    const auto [last, error] = std::from_chars(text.data() + colon + 1, end, address.port);
    if (error == std::errc() && last == end && !address.host.empty() && address.port > 0 && address.port < 65536)
      return address;
  }
  return fail(ErrorClass::usage, "agent.address", fmt::format("'{}' is not an agent's address", text),
              "write host:port, for example db1.example:7420");
}

Result<Address> Address::of(const cluster::Member& member) {
  if (!member.agent_socket.empty()) return of_socket(member.agent_socket);
  if (!member.agent_address.empty()) return parse(member.agent_address, member.agent_tls);
  return fail(ErrorClass::refused, "provider.external", member.name.str() + " has no agent",
              "`holdfast agent adopt` on its host gives a running server one");
}

Result<Client> Client::connect(const Address& address, Deadline deadline, std::stop_token stop) {
  if (!address.socket.empty()) return Client(TRY(connect_local(address.socket)));
  const auto context = TRY(context_of(address.tls));
  auto stream = TRY(connect_tls(address, context, deadline, stop));
  auto certificates = certificates_of(stream.peer(), context.certificate());
  Client client{LineSocket(std::make_unique<net::TlsStream>(std::move(stream)))};
  client.certificates_ = std::move(certificates);
  return client;
}

Result<Value> Client::call(const std::string& op, Value arguments, Deadline deadline, std::stop_token stop) {
  const RequestKind* kind = find_request(op);
  if (known_ && kind && kind->since > protocol_)
    return fail(ErrorClass::refused, "agent.too_old",
                fmt::format("the agent speaks version {} of the protocol, '{}' needs {}", protocol_, op, kind->since),
                "install this version of holdfast on its host, too");
  arguments.set("op", op);
  arguments.set("protocol", kProtocol);
  TRY_VOID(socket_.write_line(codec::to_json(arguments), deadline, stop));
  const std::string line = TRY(socket_.read_line(deadline, stop));
  if (line.empty())
    return fail(ErrorClass::unavailable, "agent.gone", "the agent ended before it answered '" + op + "'");
  Value reply = TRY(codec::parse_value(line));
  protocol_ = static_cast<int>(reply["protocol"].integer(kFirstProtocol));
  known_ = true;
  if (reply["ok"].boolean()) return reply;
  return fail(error_from(reply["error"]));
}

Result<Value> Client::call(const std::string& op, Deadline deadline) {
  return call(op, Value::object(), deadline);
}

Result<Value> Client::call_now(const std::string& op, Value arguments, Deadline deadline, std::stop_token stop) {
  const RequestKind* kind = find_request(op);
  if (kind && kind->effect == Effect::changes && !arguments.find("epoch")) {
    const Value status = TRY(call("status", Value::object(), deadline, stop));
    arguments.set("epoch", std::max<uint64_t>(1, status["epoch"].unsigned_integer()));
  }
  return call(op, std::move(arguments), deadline, std::move(stop));
}

Result<std::unique_ptr<net::Stream>> Client::open(const std::string& op, Value arguments, Deadline deadline,
                                                  std::stop_token stop) && {
  TRY(call(op, std::move(arguments), deadline, std::move(stop)));
  return std::move(socket_).take_stream();
}

}  // namespace holdfast::agent
