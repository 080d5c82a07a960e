#include "agent/page_watch.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/server_files.h"
#include "base/log.h"
#include "engine/observe.h"

namespace holdfast::agent {

namespace {

void yield_to_everybody() {
  constexpr int kThisThread = 1, kIdleClass = 3 << 13;  // IOPRIO_WHO_PROCESS, IOPRIO_CLASS_IDLE
  (void)::syscall(SYS_ioprio_set, kThisThread, 0, kIdleClass);
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 19);
}

}  // namespace

void PageWatch::begin(const MemberConfig& config, std::chrono::seconds limit) {
  std::lock_guard alone(beginning_);
  thread_ = {};  // asks it to stop, and waits
  std::lock_guard lock(mutex_);
  last_.reset();
  failed_.clear();
  running_ = true;
  thread_ =
      std::jthread([this, limit, engine = config.engine, member = config.member, identity = server_identity(config),
                    data_dir = config.data_dir()](const std::stop_token& stop) {
        yield_to_everybody();
        const sys::ActAs as_server(identity);
        auto checked = engine::check_pages(engine, data_dir, Deadline::in(limit), stop);
        if (!checked) log(LogLevel::warn, "{}: its pages are not checked: {}", member, checked.error().to_string());
        std::lock_guard guard(mutex_);
        if (checked)
          last_ = std::move(*checked);
        else
          failed_ = checked.error().to_string();
        running_ = false;
      });
}

void PageWatch::tell(cluster::MemberFacts& facts, const MemberConfig& config) {
  std::optional<engine::PageCheck> known;
  cluster::PageCheck told;
  std::string failed;
  {
    std::lock_guard lock(mutex_);
    known = last_;
    failed = failed_;
    told.running = running_;
  }
  if (!failed.empty()) engine::note_unknown(facts, "damaged pages", "agent", failed);
  if (!known && !told.running) return;
  if (known) {
    told.complete = known->complete;
    told.bytes = known->bytes;
    told.of_bytes = known->of_bytes;
    const sys::ActAs as_server(server_identity(config));
    for (const auto& bad : engine::still_bad(config.engine, config.data_dir(), known->bad))
      told.bad.push_back(fmt::format("page {} of {}", bad.page, bad.file));
    told.empty = engine::empty_now(config.engine, config.data_dir(), *known);
  }
  if (told.running)
    engine::note_unknown(facts, "damaged pages", "agent", "they are being read");
  else
    engine::note(
        facts, "damaged pages",
        fmt::format("{} in {:.1f} of {:.1f} MiB read after its start", told.bad.size(),
                    static_cast<double>(told.bytes) / (1 << 20), static_cast<double>(told.of_bytes) / (1 << 20)),
        "agent");
  facts.runtime.page_check = std::move(told);
}

}  // namespace holdfast::agent
