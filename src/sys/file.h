// Files: descriptors that close themselves, whole-file reads, atomic durable publishing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::sys {

/// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = other.release();
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() {
    int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset();

 private:
  int fd_ = -1;
};

/// Error of a failed system call: "what: No such file or directory". ENOSPC/EDQUOT get the id "store.no_space",
/// ENOENT "store.not_found", EACCES/EPERM/EROFS "sys.denied", ENOTDIR/EISDIR "sys.in_the_way", anything else "sys.io";
/// classes follow the ids.
Error errno_error(int error_number, std::string what);

/// open(2) with O_CLOEXEC.
Result<Fd> open_file(const std::string& path, int flags, unsigned mode = 0600);
Result<Buffer> read_file(const std::string& path);
/// Writes all of `body` to `fd`; retries short writes and EINTR.
Status write_all(int fd, ByteSpan body);
/// Reads until `into` is full or the end; returns the bytes read.
Result<size_t> read_full(int fd, MutableByteSpan into);
Status sync_directory(const std::string& path);
/// Creates `path` and its parents, with this mode under any umask; existing ones are fine and stay as they are.
Status make_directories(const std::string& path, unsigned mode = 0700);

/// Takes a whole-file lock that belongs to this open file: it goes when the descriptor is closed, so also with the
/// process. Several may have a shared one at the same time. False when another has one that excludes it. Children do
/// not inherit it (descriptors close at exec).
enum class LockKind { exclusive, shared };
bool lock_file(int fd, LockKind kind = LockKind::exclusive);

enum class Publish { replace, create_only };
/// Puts `body` at `path` so that a crash leaves the old state or the new one, never a mix: temporary file in the same
/// directory, fsync, rename (or link for create_only, which fails with "store.exists"), fsync of the directory.
Status publish_file(const std::string& path, ByteSpan body, unsigned mode, Publish how = Publish::replace);

/// A directory that is removed with everything in it when the object goes.
class TempDir {
 public:
  /// Under $TMPDIR or /tmp; `name` becomes part of the directory's name.
  static Result<TempDir> create(std::string_view name);
  TempDir(TempDir&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  TempDir& operator=(TempDir&&) = delete;
  ~TempDir();
  const std::string& path() const { return path_; }

 private:
  explicit TempDir(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace holdfast::sys
