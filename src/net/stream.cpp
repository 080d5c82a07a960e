#include "net/stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "net/stream_error.h"
#include "sys/process.h"

namespace holdfast::net {

Error timed_out(std::string what) {
  return Error{ErrorClass::unavailable, "net.timeout", std::move(what), {}, {}};
}

Error broken(std::string what) {
  return Error{ErrorClass::unavailable, "net.broken", std::move(what), {}, {}};
}

Status check_time(Deadline deadline, const std::stop_token& stop) {
  if (stop.stop_requested()) return fail(ErrorClass::interrupted, "sys.interrupted", "stopped on request");
  if (deadline.passed()) return fail(timed_out("the other side took too long"));
  return {};
}

Status Stream::wait(short events, Deadline deadline, const std::stop_token& stop) const {
  (void)TRY(sys::wait_fd(poll_fd(), events, deadline, stop));
  return {};  // whether in time is asked next
}

Result<size_t> Stream::read_some(MutableByteSpan into, Deadline deadline, std::stop_token stop) {
  for (;;) {
    TRY_VOID(check_time(deadline, stop));
    const Step step = TRY(try_read(into));
    if (!step.wants) return step.bytes;
    TRY_VOID(wait(step.wants, deadline, stop));
  }
}

Status Stream::write_all(ByteSpan bytes, Deadline deadline, std::stop_token stop) {
  while (!bytes.empty()) {
    TRY_VOID(check_time(deadline, stop));
    const Step step = TRY(try_write(bytes));
    if (step.wants) TRY_VOID(wait(step.wants, deadline, stop));
    bytes = bytes.subspan(step.bytes);
  }
  return {};
}

Status Stream::end_writing(Deadline deadline) {
  for (;;) {
    const Step step = TRY(try_end_writing());
    if (!step.wants) return {};
    TRY_VOID(check_time(deadline, {}));
    TRY_VOID(wait(step.wants, deadline, {}));
  }
}

Result<Step> SocketStream::try_read(MutableByteSpan into) {
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), into.data(), into.size(), MSG_DONTWAIT);
    if (n >= 0) return Step{.bytes = static_cast<size_t>(n)};
    if (errno == EAGAIN) return Step{.wants = POLLIN};
    if (errno != EINTR) return fail(broken(std::string("the connection broke: ") + std::strerror(errno)));
  }
}

Result<Step> SocketStream::try_write(ByteSpan bytes) {
  for (;;) {
    const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) return Step{.bytes = static_cast<size_t>(n)};
    if (errno == EAGAIN) return Step{.wants = POLLOUT};
    if (errno != EINTR) return fail(broken(std::string("the connection broke: ") + std::strerror(errno)));
  }
}

Result<Step> SocketStream::try_end_writing() {
  if (::shutdown(fd_.get(), SHUT_WR) != 0)
    return fail(broken(std::string("the connection broke: ") + std::strerror(errno)));
  return Step{};
}

}  // namespace holdfast::net
