#include "cli/watched_source.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

namespace holdfast::cli {
namespace {

class WatchedSource final : public repo::ByteSource {
 public:
  WatchedSource(int fd, sys::Process* producer, std::stop_token stop)
      : source_(repo::read_descriptor(fd)),
        fd_(fd),
        producer_(producer),
        wake_(::eventfd(0, EFD_CLOEXEC)),
        on_stop_(std::move(stop), Wake{wake_.get()}) {}

  uint64_t size_hint() const override { return source_->size_hint(); }
  std::shared_ptr<const sys::MappedFile> mapped() override { return source_->mapped(); }
  Result<size_t> read(MutableByteSpan into) override {
    for (;;) {
      pollfd watched[3] = {
          {fd_, POLLIN, 0}, {wake_.get(), POLLIN, 0}, {producer_ ? producer_->pidfd() : -1, POLLIN, 0}};
      if (::poll(watched, 3, -1) < 0) {
        if (errno == EINTR) continue;
        return fail(sys::errno_error(errno, "waiting for input"));
      }
      if (watched[1].revents) return fail(ErrorClass::interrupted, "interrupted", "stopped; no snapshot was made");
      if (watched[2].revents) {
        const auto status = producer_->poll();
        if (status) TRY_VOID(producer_verdict(*status));
        if (status) producer_ = nullptr;
      }
      if (watched[0].revents) return source_->read(into);
    }
  }

 private:
  struct Wake {
    int fd;
    void operator()() const {
      const uint64_t one = 1;
      if (::write(fd, &one, sizeof one) < 0) return;
    }
  };
  std::unique_ptr<repo::ByteSource> source_;
  const int fd_;
  sys::Process* producer_;
  sys::Fd wake_;
  std::stop_callback<Wake> on_stop_;
};

}  // namespace

Status producer_verdict(const sys::ExitStatus& status) {
  if (status.ok()) return {};
  return fail(ErrorClass::failed, "backup.producer_failed",
              fmt::format("the program ended with {}; no snapshot was made", status.to_string()),
              "see its messages above; the backup can be run again");
}

std::unique_ptr<repo::ByteSource> watched_source(int fd, sys::Process* producer, std::stop_token stop) {
  return std::make_unique<WatchedSource>(fd, producer, std::move(stop));
}

}  // namespace holdfast::cli
