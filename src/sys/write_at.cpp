#include "sys/write_at.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "sys/file.h"

namespace holdfast::sys {
namespace {

constexpr size_t kDirectFrom = 64 * 1024;
constexpr size_t kBlock = 4096;  // what file systems ask of direct writes: place, length and memory
constexpr size_t kStep = 1 << 20;

ssize_t write_once(int fd, const void* from, size_t length, uint64_t offset) {
  ssize_t n;
  do {
    n = ::pwrite(fd, from, length, static_cast<off_t>(offset));
  } while (n < 0 && errno == EINTR);
  return n;
}

Status write_cached(int fd, ByteSpan body, uint64_t offset) {
  while (!body.empty()) {
    const ssize_t n = write_once(fd, body.data(), body.size(), offset);
    if (n < 0) return fail(errno_error(errno, "write"));
    body = body.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return {};
}

// Writes whole blocks without the page cache, through an aligned copy; returns how many bytes. Less than all is no
// error: the file system may not be able to.
Result<size_t> write_direct(int fd, ByteSpan blocks, uint64_t offset) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_DIRECT) != 0) return 0;
  static thread_local std::unique_ptr<void, void (*)(void*)> copy(std::aligned_alloc(kBlock, kStep), std::free);
  size_t done = 0;
  int error = 0;
  while (copy && done < blocks.size() && done % kBlock == 0) {
    const size_t length = std::min(kStep, blocks.size() - done);
    std::memcpy(copy.get(), blocks.data() + done, length);
    const ssize_t n = write_once(fd, copy.get(), length, offset + done);
    if (n <= 0) {
      error = n < 0 ? errno : 0;
      break;
    }
    done += static_cast<size_t>(n);
  }
  (void)::fcntl(fd, F_SETFL, flags);
  if (error != 0 && error != EINVAL && error != EOPNOTSUPP) return fail(errno_error(error, "write"));
  return done;
}

}  // namespace

Status write_at(int fd, ByteSpan body, uint64_t offset) {
  if (body.size() >= kDirectFrom) {
    const size_t head = (kBlock - offset % kBlock) % kBlock;
    const size_t blocks = (body.size() - head) / kBlock * kBlock;
    TRY_VOID(write_cached(fd, body.first(head), offset));
    const size_t done = head + TRY(write_direct(fd, body.subspan(head, blocks), offset + head));
    body = body.subspan(done);
    offset += done;
  }
  return write_cached(fd, body, offset);
}

}  // namespace holdfast::sys
