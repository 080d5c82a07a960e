#include "repo/cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/log.h"
#include "crypto/sha256.h"
#include "sys/file.h"
#include "sys/random_suffix.h"

namespace holdfast::repo {

std::string Cache::path(const char* kind, const Id& id) const {
  const std::string hex = id.hex();
  return fmt::format("{}/{}/{}/{}", directory_, kind, std::string_view(hex).substr(0, 2), hex);
}

std::optional<Buffer> Cache::read(const char* kind, const Id& id) const {
  auto bytes = sys::read_file(path(kind, id));
  if (!bytes) return std::nullopt;
  if (crypto::sha256(*bytes) != id.bytes) {
    log(LogLevel::warn, "the cache's copy of {} {} is damaged; reading it again", kind, id.short_hex());
    remove(kind, id);
    return std::nullopt;
  }
  return std::move(*bytes);
}

std::optional<Buffer> Cache::read_range(const char* kind, const Id& id, uint64_t offset, uint64_t length) const {
  auto fd = sys::open_file(path(kind, id), O_RDONLY);
  if (!fd) return std::nullopt;
  Buffer bytes(length);
  for (uint64_t have = 0; have < length;) {
    const ssize_t n = ::pread(fd->get(), bytes.data() + have, length - have, static_cast<off_t>(offset + have));
    if (n <= 0) return std::nullopt;
    have += static_cast<uint64_t>(n);
  }
  return bytes;
}

void Cache::write(const char* kind, const Id& id, ByteSpan bytes) const {
  const std::string final_path = path(kind, id);
  const std::string temp = fmt::format("{}.{}", final_path, sys::random_suffix());
  const auto store = [&]() -> Status {
    TRY_VOID(sys::make_directories(final_path.substr(0, final_path.rfind('/')), 0700));
    const sys::Fd fd = TRY(sys::open_file(temp, O_WRONLY | O_CREAT | O_EXCL, 0600));
    // No fsync: a file that a power loss cut short does not hash to its name.
    TRY_VOID(sys::write_all(fd.get(), bytes));
    if (::rename(temp.c_str(), final_path.c_str()) != 0) return fail(sys::errno_error(errno, "rename " + temp));
    return {};
  };
  if (auto done = store(); !done) {
    ::unlink(temp.c_str());
    log(LogLevel::info, "writing the cache: {}", done.error().to_string());
  }
}

void Cache::remove(const char* kind, const Id& id) const {
  ::unlink(path(kind, id).c_str());
}

void Cache::keep_only(const char* kind, std::span<const Id> present) const {
  for (unsigned i = 0; i < 256; ++i) {
    const std::string directory = fmt::format("{}/{}/{:02x}", directory_, kind, i);
    std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()),
                                             [](DIR* d) { return d ? ::closedir(d) : 0; });
    if (!open) continue;
    while (const dirent* entry = ::readdir(open.get())) {
      const auto id = Id::parse(entry->d_name);
      if (id && !std::binary_search(present.begin(), present.end(), *id)) remove(kind, *id);
    }
  }
}

}  // namespace holdfast::repo
