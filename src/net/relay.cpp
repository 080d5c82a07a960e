#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "net/stream.h"
#include "net/stream_error.h"

namespace holdfast::net {
namespace {

constexpr size_t kBuffered = 256 << 10;  // of each direction

/// One direction, and how far it is.
class Direction {
 public:
  Direction(Stream& from, Stream& to) : from_(from), to_(to) {}

  /// Does what can be done without waiting; false when nothing could be. An error is one in reading.
  Result<bool> advance();
  /// All is over there, or can no longer be written.
  bool over() const { return ended_ || failure_; }
  const std::optional<Error>& failure() const { return failure_; }

  /// What `stream` must show before more can be done here.
  short wants_of(const Stream& stream) const {
    return static_cast<short>((&stream == &from_ ? reading_wants_ : 0) | (&stream == &to_ ? writing_wants_ : 0));
  }
  void shown(const Stream& stream, short events) {
    const auto answer = [events](short& wants) {
      if (events & (wants | POLLERR | POLLHUP | POLLNVAL)) wants = 0;
    };
    if (&stream == &from_) answer(reading_wants_);
    if (&stream == &to_) answer(writing_wants_);
  }

 private:
  bool wrote(Result<Step> step);

  Stream& from_;
  Stream& to_;
  Buffer buffer_{kBuffered};
  size_t begin_ = 0, end_ = 0;  // what is read and not yet written
  bool source_ended_ = false;
  bool ended_ = false;
  short reading_wants_ = 0, writing_wants_ = 0;
  std::optional<Error> failure_;  // in writing
};

// True if it came to something; `begin_` moves.
bool Direction::wrote(Result<Step> step) {
  if (!step) {
    failure_ = std::move(step.error());
    reading_wants_ = writing_wants_ = 0;
    return true;
  }
  writing_wants_ = step->wants;
  begin_ += step->bytes;
  if (begin_ == end_) begin_ = end_ = 0;
  return !step->wants;
}

Result<bool> Direction::advance() {
  bool moved = false;
  if (over()) return moved;
  if (!source_ended_ && !reading_wants_ && end_ < buffer_.size()) {
    const Step step = TRY(from_.try_read({buffer_.data() + end_, buffer_.size() - end_}));
    reading_wants_ = step.wants;
    end_ += step.bytes;
    if (!step.wants) {
      moved = true;
      source_ended_ = step.bytes == 0;
    }
  }
  if (begin_ < end_ && !writing_wants_) moved |= wrote(to_.try_write(buffer_.span(begin_, end_ - begin_)));
  if (source_ended_ && begin_ == end_ && !writing_wants_ && !failure_) {
    moved |= wrote(to_.try_end_writing());
    ended_ = !writing_wants_ && !failure_;
  }
  return moved;
}

}  // namespace

Status relay(Stream& a, Stream& b, Deadline deadline, std::stop_token stop) {
  Direction directions[] = {{a, b}, {b, a}};
  const sys::Fd wake(::eventfd(0, EFD_CLOEXEC));
  if (!wake) return fail(sys::errno_error(errno, "eventfd"));
  const std::stop_callback on_stop(stop, [&wake] { (void)!::write(wake.get(), "\1\0\0\0\0\0\0\0", 8); });
  while (!directions[0].over() || !directions[1].over()) {
    TRY_VOID(check_time(deadline, stop));
    bool moved = false;
    for (Direction& direction : directions) moved |= TRY(direction.advance());
    if (moved) continue;

    // A stream of which nothing is wanted is not asked about: its end would show again and again.
    Stream* const streams[] = {&a, &b};
    pollfd asked[] = {{-1, 0, 0}, {-1, 0, 0}, {wake.get(), POLLIN, 0}};
    for (size_t i = 0; i < 2; ++i) {
      asked[i].events = static_cast<short>(directions[0].wants_of(*streams[i]) | directions[1].wants_of(*streams[i]));
      if (asked[i].events) asked[i].fd = streams[i]->poll_fd();
    }
    if (::poll(asked, 3, static_cast<int>(deadline.left().count())) < 0 && errno != EINTR)
      return fail(sys::errno_error(errno, "poll"));
    for (size_t i = 0; i < 2; ++i)
      for (Direction& direction : directions) direction.shown(*streams[i], asked[i].revents);
  }
  for (const Direction& direction : directions)
    if (direction.failure()) return fail(*direction.failure());
  return {};
}

}  // namespace holdfast::net
