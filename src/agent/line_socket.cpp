#include "agent/line_socket.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace holdfast::agent {

namespace {

constexpr size_t kMostInLine = 4 << 20;

/// Says whose patience ended.
std::unexpected<Error> as_agent(Error error) {
  if (error.id == "net.timeout") {
    error.id = "agent.timeout";
    error.message = "the agent did not answer in time";
  }
  return fail(std::move(error));
}

/// A stream of which something has been read already.
class BegunStream final : public net::Stream {
 public:
  BegunStream(std::string begun, std::unique_ptr<net::Stream> rest)
      : begun_(std::move(begun)), rest_(std::move(rest)) {}

  Result<net::Step> try_read(MutableByteSpan into) override {
    if (begun_.empty()) return rest_->try_read(into);
    const size_t count = std::min(into.size(), begun_.size());
    std::ranges::copy(as_bytes(begun_).first(count), into.begin());
    begun_.erase(0, count);
    return net::Step{count, 0};
  }
  Result<net::Step> try_write(ByteSpan bytes) override { return rest_->try_write(bytes); }
  Result<net::Step> try_end_writing() override { return rest_->try_end_writing(); }
  int poll_fd() const override { return rest_->poll_fd(); }

 private:
  std::string begun_;
  const std::unique_ptr<net::Stream> rest_;
};

}  // namespace

Status check_peer(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return fail(sys::errno_error(errno, "asking who is at the other end of a socket"));
  if (peer.uid == 0 || peer.uid == ::geteuid()) return {};
  return fail(ErrorClass::refused, "agent.stranger",
              fmt::format("the other end of the agent's socket is process {} of user {}, not of root or user {}",
                          peer.pid, peer.uid, ::geteuid()),
              "run the agent and the command as the same user; check which process made that socket");
}

Result<std::string> LineSocket::read_line(Deadline deadline, std::stop_token stop) {
  for (size_t searched = 0;;) {
    if (const auto at = buffer_.find('\n', searched); at != std::string::npos) {
      std::string line = buffer_.substr(0, at);
      buffer_.erase(0, at + 1);
      return line;
    }
    searched = buffer_.size();
    if (buffer_.size() > kMostInLine) return fail(ErrorClass::failed, "agent.line", "a line of more than 4 MiB");
    uint8_t chunk[16 << 10];
    auto got = stream_->read_some(chunk, deadline, stop);
    if (!got) return as_agent(std::move(got).error());
    if (*got == 0) return std::string();
    buffer_.append(reinterpret_cast<const char*>(chunk), *got);
  }
}

Status LineSocket::write_line(std::string_view line, Deadline deadline, std::stop_token stop) {
  std::string text(line);
  text += '\n';
  auto written = stream_->write_all(as_bytes(text), deadline, std::move(stop));
  if (!written) return as_agent(std::move(written).error());
  return {};
}

std::unique_ptr<net::Stream> LineSocket::take_stream() && {
  if (buffer_.empty()) return std::move(stream_);
  return std::make_unique<BegunStream>(std::move(buffer_), std::move(stream_));
}

}  // namespace holdfast::agent
