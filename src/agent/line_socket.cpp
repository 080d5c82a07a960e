#include "agent/line_socket.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/process.h"

namespace holdfast::agent {

namespace {
Error timed_out() {
  return Error{ErrorClass::unavailable, "agent.timeout", "the agent did not answer in time", {}, {}};
}
}  // namespace

Status LineSocket::check_peer() const {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return fail(sys::errno_error(errno, "asking who is at the other end of a socket"));
  if (peer.uid == 0 || peer.uid == ::geteuid()) return {};
  return fail(ErrorClass::refused, "agent.stranger",
              fmt::format("the other end of the agent's socket is process {} of user {}, not of root or user {}",
                          peer.pid, peer.uid, ::geteuid()),
              "run the agent and the command as the same user; check which process made that socket");
}

Result<std::string> LineSocket::read_line(Deadline deadline, std::stop_token stop) {
  for (;;) {
    if (auto at = buffer_.find('\n'); at != std::string::npos) {
      std::string line = buffer_.substr(0, at);
      buffer_.erase(0, at + 1);
      return line;
    }
    if (buffer_.size() > (4 << 20)) return fail(ErrorClass::failed, "agent.line", "a line of more than 4 MiB");
    if (!TRY(sys::wait_fd(fd_.get(), POLLIN, deadline, stop))) return fail(timed_out());
    char chunk[16 << 10];
    ssize_t n = ::recv(fd_.get(), chunk, sizeof chunk, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return fail(sys::errno_error(errno, "reading from the agent"));
    if (n == 0) return std::string();
    buffer_.append(chunk, static_cast<size_t>(n));
  }
}

Status LineSocket::write_line(std::string_view line, Deadline deadline, std::stop_token stop) {
  std::string text(line);
  text += '\n';
  std::string_view rest(text);
  while (!rest.empty()) {
    ssize_t n = ::send(fd_.get(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) {
      if (!TRY(sys::wait_fd(fd_.get(), POLLOUT, deadline, stop))) return fail(timed_out());
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(sys::errno_error(errno, "writing to the agent"));
    rest.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

}  // namespace holdfast::agent
