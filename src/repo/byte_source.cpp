#include "repo/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "sys/file.h"

namespace holdfast::repo {
namespace {

class DescriptorSource final : public ByteSource {
 public:
  explicit DescriptorSource(int fd) : fd_(fd) {
    // Both fail harmlessly where they do not apply.
    (void)::fcntl(fd, F_SETPIPE_SZ, 1 << 20);
    (void)::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  uint64_t size_hint() const override {
    struct stat info{};
    return ::fstat(fd_, &info) == 0 && S_ISREG(info.st_mode) ? static_cast<uint64_t>(info.st_size) : 0;
  }
  std::shared_ptr<const sys::MappedFile> mapped() override {
    auto mapped = sys::MappedFile::map(fd_);
    return mapped ? std::make_shared<const sys::MappedFile>(std::move(*mapped)) : nullptr;
  }
  Result<size_t> read(MutableByteSpan into) override {
    for (;;) {
      const ssize_t n = ::read(fd_, into.data(), into.size());
      if (n >= 0) return static_cast<size_t>(n);
      if (errno != EINTR) return fail(sys::errno_error(errno, "reading the input"));
    }
  }

 private:
  int fd_;
};

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(ByteSpan bytes) : bytes_(bytes) {}
  Result<size_t> read(MutableByteSpan into) override {
    const size_t n = std::min(into.size(), bytes_.size());
    if (n > 0) std::memcpy(into.data(), bytes_.data(), n);
    bytes_ = bytes_.subspan(n);
    return n;
  }

 private:
  ByteSpan bytes_;
};

}  // namespace

std::unique_ptr<ByteSource> read_descriptor(int fd) {
  return std::make_unique<DescriptorSource>(fd);
}
std::unique_ptr<ByteSource> read_memory(ByteSpan bytes) {
  return std::make_unique<MemorySource>(bytes);
}

}  // namespace holdfast::repo
