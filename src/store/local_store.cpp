#include "store/local_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "store/http_object.h"
#include "sys/file.h"
#include "sys/mapped_file.h"

namespace holdfast::store {
namespace {

constexpr uint64_t kMapFrom = 256 * 1024;  // shorter reads are copied for less than a mapping costs

class LocalStore final : public ObjectStore {
 public:
  explicit LocalStore(std::string root) : root_(std::move(root)) {
    while (root_.size() > 1 && root_.ends_with('/')) root_.pop_back();
    struct stat info{};
    if (::stat((root_ + "/config").c_str(), &info) == 0 && (info.st_mode & S_IRGRP)) {
      file_mode_ = 0440;
      directory_mode_ = 0750;
    }
  }

  std::string location() const override { return root_; }
  unsigned connections() const override { return 2; }
  bool is_remote() const override { return false; }

  Status create() override { return sys::make_directories(root_, directory_mode_); }

  Status put(const std::string& key, ByteSpan body, const PutOptions& options) override {
    TRY_VOID(check_key(key));
    const std::string path = path_of(key);
    const auto how = options.if_absent ? sys::Publish::create_only : sys::Publish::replace;
    auto done = sys::publish_file(path, body, file_mode_, how);
    if (!done && done.error().id == kNotFound) {
      // The directory is made on first use, and its own entry made durable with it.
      const auto directory = std::filesystem::path(path).parent_path().string();
      TRY_VOID(sys::make_directories(directory, directory_mode_));
      for (auto at = std::filesystem::path(directory); at.string().size() > root_.size(); at = at.parent_path()) {
        TRY_VOID(sys::sync_directory(at.parent_path().string()));
      }
      done = sys::publish_file(path, body, file_mode_, how);
    }
    return done;
  }

  Status get(const std::string& key, uint64_t offset, uint64_t length, Buffer& out) override {
    TRY_VOID(check_key(key));
    const std::string path = path_of(key);
    sys::Fd fd = TRY(sys::open_file(path, O_RDONLY));
    if (length == kToEnd || length == 0) {
      struct stat info{};
      if (::fstat(fd.get(), &info) != 0) return fail(sys::errno_error(errno, "stat " + path));
      const auto size = static_cast<uint64_t>(info.st_size);
      if (offset > size) return short_read(key, offset, 0);
      if (length == kToEnd) length = size - offset;
    }
    out.resize(length);
    uint64_t have = 0;
    while (have < length) {
      ssize_t n = ::pread(fd.get(), out.data() + have, length - have, static_cast<off_t>(offset + have));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail(sys::errno_error(errno, "read " + path));
      if (n == 0) return short_read(key, offset + have, length - have);
      have += static_cast<uint64_t>(n);
    }
    return {};
  }

  Result<ObjectView> view(const std::string& key, uint64_t offset, uint64_t length, Buffer& buffer) override {
    if (length >= kMapFrom && length != kToEnd && check_key(key)) {
      const auto fd = sys::open_file(path_of(key), O_RDONLY);
      if (fd && ::lseek(fd->get(), static_cast<off_t>(offset), SEEK_SET) >= 0) {
        auto file = sys::MappedFile::map(fd->get());
        if (file && file->bytes().size() >= length) {
          auto keep = std::make_shared<const sys::MappedFile>(std::move(*file));
          const ByteSpan bytes = keep->bytes().first(length);
          sys::MappedFile::need_now(bytes);
          return ObjectView{bytes, std::move(keep)};
        }
      }
    }
    return ObjectStore::view(key, offset, length, buffer);  // which also knows what is wrong
  }

  void expect(const std::string& key, uint64_t offset, uint64_t length) override {
    if (!check_key(key)) return;
    const auto fd = sys::open_file(path_of(key), O_RDONLY);
    if (fd) ::posix_fadvise(fd->get(), static_cast<off_t>(offset), static_cast<off_t>(length), POSIX_FADV_WILLNEED);
  }

  Result<std::optional<ObjectInfo>> stat(const std::string& key) override {
    TRY_VOID(check_key(key));
    struct stat info{};
    if (::stat(path_of(key).c_str(), &info) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return std::optional<ObjectInfo>{};
      return fail(sys::errno_error(errno, "stat " + path_of(key)));
    }
    return std::optional<ObjectInfo>(ObjectInfo{key, static_cast<uint64_t>(info.st_size)});
  }

  Status list(const std::string& prefix, const std::function<Status(const ObjectInfo&)>& visit) override {
    std::string relative = prefix;
    while (relative.ends_with('/')) relative.pop_back();
    return list_directory(relative, visit);
  }

  Status remove(const std::string& key) override {
    TRY_VOID(check_key(key));
    if (::unlink(path_of(key).c_str()) != 0 && errno != ENOENT) {
      return fail(sys::errno_error(errno, "remove " + path_of(key)));
    }
    // A forgotten snapshot or a replaced index must not come back after what it needs is gone. A pack may, one more is
    // no harm, and so may a lock, which proves itself stale.
    const std::string directory = key.substr(0, key.find('/'));
    if (directory != "snapshots" && directory != "index" && directory != "keys") return {};
    return sys::sync_directory(root_ + "/" + directory);
  }

 private:
  std::string path_of(const std::string& key) const { return root_ + "/" + key; }

  static Status short_read(const std::string& key, uint64_t at, uint64_t missing) {
    return fail(ErrorClass::verification_failed, kShortRead,
                fmt::format("{} ends at byte {}, {} more were expected", key, at, missing), "holdfast check -r REPO");
  }

  Status list_directory(const std::string& relative, const std::function<Status(const ObjectInfo&)>& visit) {
    const std::string path = relative.empty() ? root_ : path_of(relative);
    DIR* raw = ::opendir(path.c_str());
    if (!raw) {
      if (errno == ENOENT) return {};
      return fail(sys::errno_error(errno, "list " + path));
    }
    std::unique_ptr<DIR, int (*)(DIR*)> directory(raw, ::closedir);
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(directory.get());
      if (!entry) {
        if (errno != 0) return fail(sys::errno_error(errno, "list " + path));
        return {};
      }
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      const std::string key = relative.empty() ? std::string(name) : fmt::format("{}/{}", relative, name);
      struct stat info{};
      if (::fstatat(::dirfd(directory.get()), entry->d_name, &info, 0) != 0) {
        if (errno == ENOENT) continue;  // removed meanwhile
        return fail(sys::errno_error(errno, "stat " + path_of(key)));
      }
      if (S_ISDIR(info.st_mode)) {
        TRY_VOID(list_directory(key, visit));
      } else if (S_ISREG(info.st_mode) && name.find("-tmp-") == std::string_view::npos) {
        TRY_VOID(visit(ObjectInfo{key, static_cast<uint64_t>(info.st_size)}));
      }
    }
  }

  std::string root_;
  unsigned file_mode_ = 0400;
  unsigned directory_mode_ = 0700;
};

}  // namespace

std::unique_ptr<ObjectStore> open_local_store(std::string root) {
  return std::make_unique<LocalStore>(std::move(root));
}

}  // namespace holdfast::store
