#include "engine/producer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/mutex.h"

namespace holdfast::engine {

using std::chrono::milliseconds;

struct Producer::State {
  sys::Process process;
  sys::Fd out;
  std::string name;
  std::chrono::seconds stall_limit{0};
  std::stop_token stop;
  bool ended = false;
  std::thread listener;  ///< collects standard error, which would otherwise fill its pipe and block the program
  mutable Mutex mutex;
  std::string messages GUARDED_BY(mutex);
};

namespace {

constexpr size_t kMessageBytes = 16 << 10;

std::string last_lines(const std::string& text) {
  std::string_view view = text;
  while (!view.empty() && (view.back() == '\n' || view.back() == ' ')) view.remove_suffix(1);
  size_t from = view.size();
  for (int lines = 0; lines < 3 && from != std::string_view::npos && from > 0; ++lines) {
    from = view.rfind('\n', from - 1);
    if (from == std::string_view::npos) break;
  }
  return std::string(from == std::string_view::npos || from == view.size() ? view : view.substr(from + 1));
}

}  // namespace

Producer::Producer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Producer::Producer(Producer&&) noexcept = default;

Producer::~Producer() {
  if (!state_) return;
  if (!state_->ended) {
    (void)state_->process.signal_group(SIGKILL);
    (void)state_->process.kill();
  }
  if (state_->listener.joinable()) state_->listener.join();
}

Result<Producer> Producer::start(sys::Command command, std::chrono::seconds stall_limit, std::stop_token stop) {
  auto state = std::make_unique<State>();
  state->name = command.argv.at(0).substr(command.argv[0].rfind('/') + 1);
  state->stall_limit = stall_limit;
  state->stop = std::move(stop);
  command.out = sys::Stdio::pipe();
  command.err = sys::Stdio::pipe();
  command.new_session = true;
  command.die_with_parent = SIGKILL;
  state->process = TRY(sys::spawn(command));
  state->out = state->process.take_stdout();
  // Fewer, larger wake-ups; a refusal (pipe-user-pages limit) only costs speed.
  (void)::fcntl(state->out.get(), F_SETPIPE_SZ, 1 << 20);
  state->listener = std::thread([err = state->process.take_stderr(), raw = state.get()] {
    char block[4096];
    while (true) {
      const ssize_t got = ::read(err.get(), block, sizeof block);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return;
      MutexLock lock(raw->mutex);
      raw->messages.append(block, static_cast<size_t>(got));
      if (raw->messages.size() > kMessageBytes) raw->messages.erase(0, raw->messages.size() - kMessageBytes);
    }
  });
  return Producer(std::move(state));
}

std::string Producer::messages() const {
  MutexLock lock(state_->mutex);
  return state_->messages;
}

Result<size_t> Producer::read(MutableByteSpan into) {
  State& state = *state_;
  if (state.ended) return 0;
  while (true) {
    auto ready = sys::wait_fd(state.out.get(), POLLIN, Deadline::in(state.stall_limit), state.stop);
    if (!ready) return fail(std::move(ready).error());
    if (!*ready) {
      return fail(ErrorClass::unavailable, "engine.producer_stalled",
                  fmt::format("{} has produced nothing for {} s", state.name, state.stall_limit.count()),
                  "look for locks on the source server, then try again");
    }
    const ssize_t got = ::read(state.out.get(), into.data(), into.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return fail(sys::errno_error(errno, "reading from " + state.name));
    if (got > 0) return static_cast<size_t>(got);
    TRY_VOID(finish());
    return 0;
  }
}

Status Producer::finish() {
  State& state = *state_;
  auto status = TRY(state.process.wait(Deadline::in(state.stall_limit), state.stop));
  state.ended = true;
  if (state.listener.joinable()) state.listener.join();
  if (status.ok()) return {};
  return fail(ErrorClass::failed, "engine.producer_failed",
              fmt::format("{} ended with {}: {}", state.name, status.to_string(), last_lines(messages())),
              "no snapshot was made; when the reason is gone, run the backup again");
}

}  // namespace holdfast::engine
