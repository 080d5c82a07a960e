#include "lab/slow_wire.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <random>

#include "base/bytes.h"
#include "sys/any_process.h"
#include "sys/file.h"
#include "sys/process.h"

namespace holdfast::lab {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

namespace {

/// struct virtio_net_hdr, whose header file is not C++.
constexpr ssize_t kKernelsHeader = 10;

/// What waits in one direction at most; more is dropped, as a full queue of a router does.
constexpr size_t kMostWaiting = 64U << 20;

/// An interface that frames are taken from and put on. A frame here begins with the kernel's own header
/// (PACKET_VNET_HDR): checksums and segmentation that the sender left to its device stay left to the receiver's.
class End {
 public:
  static Result<End> open(const std::string& name) {
    End end;
    end.name_ = name;
    end.index_ = ::if_nametoindex(name.c_str());
    end.fd_ = sys::Fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int yes = 1, buffer = 16 << 20;
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(end.index_);
    if (end.index_ == 0 || !end.fd_ ||
        ::setsockopt(end.fd_.get(), SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof yes) != 0 ||
        ::setsockopt(end.fd_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) != 0 ||
        ::setsockopt(end.fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0 ||
        ::setsockopt(end.fd_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer) != 0 ||
        ::bind(end.fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      return fail(sys::errno_error(errno, "take frames from " + name));
    return end;
  }

  int fd() const { return fd_.get(); }
  bool gone() const { return ::if_nametoindex(name_.c_str()) != index_; }
  /// 0 when there is none now.
  size_t receive(Buffer& into) const {
    const ssize_t got = ::recv(fd_.get(), into.data(), into.size(), 0);
    return got > kKernelsHeader ? static_cast<size_t>(got) : 0;
  }
  /// What the interface does not take is lost.
  void send(const std::string& frame) const { (void)!::send(fd_.get(), frame.data(), frame.size(), 0); }

 private:
  std::string name_;
  unsigned index_ = 0;
  sys::Fd fd_;
};

/// Frames on their way in one direction.
class Direction {
 public:
  Direction(const End& from, const End& to, const Wire& wire) : from_(from), to_(to), wire_(wire) {}

  void take(Buffer& buffer, Clock::time_point now) {
    for (int i = 0; i < 256; ++i) {  // then the other direction has its turn
      const size_t size = from_.receive(buffer);
      if (size == 0) return;
      if (lost_(random_) || bytes_ + size > kMostWaiting) continue;
      bytes_ += size;
      waiting_.push_back({now + wire_.delay, std::string(as_text(buffer.span(0, size)))});
    }
  }

  void give(Clock::time_point now) {
    while (!waiting_.empty() && waiting_.front().at <= now) {
      to_.send(waiting_.front().frame);
      bytes_ -= waiting_.front().frame.size();
      waiting_.pop_front();
    }
  }

  Clock::time_point next() const { return waiting_.empty() ? Clock::time_point::max() : waiting_.front().at; }

 private:
  struct Waiting {
    Clock::time_point at;
    std::string frame;
  };
  const End& from_;
  const End& to_;
  const Wire& wire_;
  std::mt19937 random_{std::random_device{}()};
  std::bernoulli_distribution lost_{wire_.loss};
  std::deque<Waiting> waiting_;
  size_t bytes_ = 0;
};

/// The lock is released only with the process: whoever sees it free may reuse the interfaces.
Result<sys::Fd> take_lock(const std::string& lock_file) {
  sys::Fd lock = TRY(sys::open_file(lock_file, O_RDWR | O_CREAT, 0600));
  // Who only looks whether it is held (has_wire) holds it for a moment.
  if (!TRY(sys::wait_until([&] { return sys::lock_file(lock.get()); }, Deadline::in(seconds(2)))))
    return fail(ErrorClass::conflict, "lab.wire", "another process holds " + lock_file);
  if (::ftruncate(lock.get(), 0) != 0) return fail(sys::errno_error(errno, "truncate " + lock_file));
  TRY_VOID(sys::write_all(lock.get(), as_bytes(fmt::format("{}\n", ::getpid()))));
  return lock;
}

}  // namespace

Status run_wire(const Wire& wire, const std::string& lock_file, std::stop_token stop) {
  const End left = TRY(End::open(wire.left)), right = TRY(End::open(wire.right));
  const sys::Fd lock = TRY(take_lock(lock_file));
  Direction there(left, right, wire), back(right, left, wire);
  const sys::Fd wake(::eventfd(0, EFD_CLOEXEC));
  const std::stop_callback on_stop(stop, [&wake] { (void)!::write(wake.get(), "\1\0\0\0\0\0\0\0", 8); });
  Buffer buffer(256 << 10);
  auto looked = Clock::now();
  while (!stop.stop_requested()) {
    const auto next = std::min({there.next(), back.next(), Clock::now() + seconds(1)});
    const auto left_ns = std::max<int64_t>(std::chrono::nanoseconds(next - Clock::now()).count(), 0);
    const timespec wait{left_ns / 1'000'000'000, left_ns % 1'000'000'000};
    pollfd fds[3] = {{left.fd(), POLLIN, 0}, {right.fd(), POLLIN, 0}, {wake.get(), POLLIN, 0}};
    if (::ppoll(fds, 3, &wait, nullptr) < 0 && errno != EINTR) return fail(sys::errno_error(errno, "poll"));
    const auto now = Clock::now();
    if (now - looked >= seconds(1)) {
      if (left.gone() || right.gone()) break;
      looked = now;
    }
    there.take(buffer, now);
    back.take(buffer, now);
    there.give(now);
    back.give(now);
  }
  return {};
}

std::string wire_lock(const std::string& lab_dir, int host) {
  return fmt::format("{}/host{}.wire", lab_dir, host);
}

bool has_wire(const std::string& lock_file) {
  const auto lock = sys::open_file(lock_file, O_RDWR);
  return lock && !sys::lock_file(lock->get());
}

void end_wire(const std::string& lock_file) {
  const auto lock = sys::open_file(lock_file, O_RDWR);
  if (!lock) return;
  if (!sys::lock_file(lock->get())) {
    const auto text = sys::read_file(lock_file);
    const pid_t pid =
        text ? static_cast<pid_t>(std::strtol(std::string(as_text(text->span())).c_str(), nullptr, 10)) : 0;
    const auto pidfd = pid > 1 ? sys::open_pidfd(pid) : Result<sys::Fd>(fail(ErrorClass::failed, "lab.wire", "no pid"));
    // It has nothing to bring in order.
    if (pidfd) (void)::syscall(SYS_pidfd_send_signal, pidfd->get(), SIGKILL, nullptr, 0);
    (void)sys::wait_until([&] { return sys::lock_file(lock->get()); }, Deadline::in(seconds(10)));
  }
  ::unlink(lock_file.c_str());
}

}  // namespace holdfast::lab
