#include "agent/client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace holdfast::agent {

namespace {

ErrorClass class_of(const std::string& name) {
  for (int i = 0; i <= static_cast<int>(ErrorClass::interrupted); ++i)
    if (error_class_name(static_cast<ErrorClass>(i)) == name) return static_cast<ErrorClass>(i);
  return ErrorClass::failed;
}

}  // namespace

Result<Client> Client::connect(const std::string& path, Deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(ErrorClass::usage, "agent.socket_path", path + " is too long for a unix socket (107 bytes)");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  sys::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return fail(sys::errno_error(errno, "a socket for " + path));
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return fail(ErrorClass::unavailable, "agent.unreachable",
                std::string("no agent answers at ") + path + ": " + std::strerror(errno),
                "`holdfast lab up` starts it");
  LineSocket socket(std::move(fd));
  TRY_VOID(socket.check_peer().context(path));
  return Client(std::move(socket));
}

Result<codec::Value> Client::call(const std::string& op, codec::Value arguments, Deadline deadline,
                                  std::stop_token stop) {
  arguments.set("op", op);
  TRY_VOID(socket_.write_line(codec::to_json(arguments), deadline, stop));
  const std::string line = TRY(socket_.read_line(deadline, stop));
  if (line.empty())
    return fail(ErrorClass::unavailable, "agent.gone", "the agent ended before it answered '" + op + "'");
  codec::Value reply = TRY(codec::parse_value(line));
  if (reply["ok"].boolean()) return reply;
  const codec::Value& error = reply["error"];
  return fail(class_of(error["class"].text()), error["id"].text_or("agent.error"),
              error["message"].text_or("the agent gave no reason"), error["hint"].text());
}

Result<codec::Value> Client::call(const std::string& op, Deadline deadline) {
  return call(op, codec::Value::object(), deadline);
}

}  // namespace holdfast::agent
