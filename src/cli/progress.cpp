#include "cli/progress.h"

#include <fmt/format.h>

#include "base/units.h"

namespace holdfast::cli {

std::string progress_text(std::string_view what, std::string_view phase, uint64_t bytes, uint64_t total, uint64_t items,
                          std::chrono::duration<double> elapsed) {
  std::string text(what);
  if (!phase.empty()) text += fmt::format(": {}", phase);
  if (total > 0) {
    text += fmt::format("  {} of {}, {}%", human_size(bytes), human_size(total),
                        bytes >= total ? 100 : bytes * 100 / total);
  } else if (bytes > 0) {
    text += fmt::format("  {}", human_size(bytes));
  }
  if (items > 0) text += fmt::format(", {} items", items);
  // In the first second a rate is noise.
  if (bytes > 0 && elapsed.count() >= 1) {
    text += fmt::format(", {}", human_rate(bytes, elapsed));
    if (total > bytes) {
      const double left = elapsed.count() * static_cast<double>(total - bytes) / static_cast<double>(bytes);
      text += fmt::format(", {} left", human_span(std::chrono::duration<double>(left)));
    }
  }
  return text;
}

Progress::Progress(Output& out, std::string what) : out_(out), what_(std::move(what)) {
  const bool terminal = out.is_human() && !out.quiet() && out.streams().err_is_terminal;
  if (terminal || out.format() == Format::jsonl) drawer_ = std::thread([this] { draw_until_done(); });
}

Progress::~Progress() {
  if (!drawer_.joinable()) return;
  {
    MutexLock lock(mutex_);
    done_ = true;
  }
  wake_.notify_all();
  drawer_.join();
  out_.progress_line("");
}

void Progress::set_phase(std::string phase) {
  MutexLock lock(mutex_);
  phase_ = std::move(phase);
}

std::chrono::duration<double> Progress::elapsed() const {
  return std::chrono::steady_clock::now() - start_;
}

void Progress::draw_until_done() {
  const auto period = out_.format() == Format::jsonl ? std::chrono::milliseconds(1000) : std::chrono::milliseconds(200);
  MutexLock lock(mutex_);
  while (!lock.wait_for(wake_, period, [this]() REQUIRES(mutex_) { return done_; })) {
    const std::string phase = phase_;
    lock.unlock();
    if (out_.format() == Format::jsonl) {
      out_.event("progress", codec::Value::object({{"what", what_},
                                                   {"phase", phase},
                                                   {"bytesDone", bytes()},
                                                   {"bytesTotal", total_.load()},
                                                   {"itemsDone", items_.load()},
                                                   {"secondsElapsed", elapsed().count()}}));
    } else {
      out_.progress_line(progress_text(what_, phase, bytes(), total_, items_, elapsed()));
    }
    lock.lock();
  }
}

}  // namespace holdfast::cli
