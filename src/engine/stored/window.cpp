#include "engine/stored/window.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/stored/files.h"

namespace holdfast::engine::stored {

Result<FileSource> FileSource::open(const std::string& path) {
  FileSource source;
  source.fd_ = TRY(open_regular(path));
  struct stat info{};
  if (::fstat(source.fd_.get(), &info) != 0) return fail(sys::errno_error(errno, "stat " + path));
  source.size_ = static_cast<uint64_t>(info.st_size);
  return source;
}

Result<size_t> FileSource::read(uint64_t at, MutableByteSpan into) {
  size_t have = 0;
  while (have < into.size()) {
    const ssize_t got = ::pread(fd_.get(), into.data() + have, into.size() - have, static_cast<off_t>(at + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(sys::errno_error(errno, "read"));
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  return have;
}

Result<size_t> MemorySource::read(uint64_t at, MutableByteSpan into) {
  if (at >= bytes_.size()) return 0;
  const size_t count = std::min<uint64_t>(into.size(), bytes_.size() - at);
  std::memcpy(into.data(), bytes_.data() + at, count);
  return count;
}

namespace {
constexpr size_t kWindow = 1 << 20;
constexpr size_t kFirstRead = 1 << 16;  // beginnings of files are often all that is wanted
}  // namespace

Window::Window(Source& source) : source_(source), size_(source.size()) {}

Result<ByteSpan> Window::view(uint64_t at, size_t count) {
  if (at >= size_) return ByteSpan();
  count = static_cast<size_t>(std::min<uint64_t>(count, size_ - at));
  if (at < start_ || at + count > start_ + buffer_.size()) {
    const size_t usual = at == 0 ? kFirstRead : kWindow;
    buffer_.resize(static_cast<size_t>(std::min<uint64_t>(std::max(count, usual), size_ - at)));
    start_ = at;
    const size_t got = TRY(source_.read(at, {buffer_.data(), buffer_.size()}));
    buffer_.resize(got);
    if (got < count) {
      size_ = at + got;  // it has shrunk
      count = got;
    }
  }
  return buffer_.span(static_cast<size_t>(at - start_), count);
}

}  // namespace holdfast::engine::stored
