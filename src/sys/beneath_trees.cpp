#include "sys/beneath.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <vector>

namespace holdfast::sys {

namespace {

constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

/// A descriptor of the directory that holds `path`, and its last name there.
Result<std::pair<Fd, std::string>> parent_of(const std::string& path) {
  std::filesystem::path p(path);
  if (!p.has_filename()) p = p.parent_path();
  const std::string above = p.parent_path().string();
  return std::pair(TRY(open_file(above.empty() ? "." : above, O_RDONLY | O_DIRECTORY)), p.filename().string());
}

Status give_at(int directory, const std::string& name, uid_t from, uid_t uid, gid_t gid) {
  const Fd fd = open_at(directory, name, O_PATH);
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0) return fail(errno_error(errno, "open " + name));
  if (info.st_uid != from && info.st_uid != uid)
    return fail(ErrorClass::refused, "sys.foreign_file",
                fmt::format("{} belongs to user {}, not to the one who made this directory", name, info.st_uid),
                "look at what links to another user's files there");
  // What is in a directory goes first: until it is given away itself, nobody but its owner gets in.
  if (S_ISDIR(info.st_mode)) {
    for (const auto& inner : TRY(names_in(fd.get()))) TRY_VOID(give_at(fd.get(), inner, from, uid, gid).context(name));
  }
  if (info.st_uid == uid && info.st_gid == gid) return {};
  if (::fchownat(fd.get(), "", uid, gid, AT_EMPTY_PATH) != 0) return fail(errno_error(errno, "chown " + name));
  return {};
}

}  // namespace

Result<std::vector<std::string>> names_in(int directory) {
  Fd copy = open_at(directory, ".", kDirectory);
  DIR* listing = copy ? ::fdopendir(copy.get()) : nullptr;
  if (!listing) return fail(errno_error(errno, "list a directory"));
  copy.release();  // the listing's from now on
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(listing)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
    errno = 0;
  }
  const int error = errno;
  ::closedir(listing);
  if (error) return fail(errno_error(error, "list a directory"));
  return names;
}

Result<Fd> open_last_directory(const std::string& path) {
  return open_file(path, kDirectory);
}

Status remove_tree_at(int directory, const std::string& name) {
  for (int attempt = 0;; ++attempt) {
    if (::unlinkat(directory, name.c_str(), 0) == 0 || errno == ENOENT) return {};
    if (errno != EISDIR && errno != EPERM) return fail(errno_error(errno, "remove " + name));
    const int refused = errno;
    const Fd inside = open_at(directory, name, kDirectory);
    if (!inside) {
      if (errno == ENOENT) return {};
      return fail(errno_error(errno == ENOTDIR || errno == ELOOP ? refused : errno, "remove " + name));
    }
    for (const auto& inner : TRY(names_in(inside.get()))) TRY_VOID(remove_tree_at(inside.get(), inner).context(name));
    if (::unlinkat(directory, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
    // Somebody put something in meanwhile, or put something else here.
    if ((errno != ENOTEMPTY && errno != ENOTDIR) || attempt == 3) return fail(errno_error(errno, "remove " + name));
  }
}

Status remove_tree(const std::string& path) {
  auto parent = parent_of(path);
  if (!parent) return parent.error().id == "store.not_found" ? Status() : Status(fail(std::move(parent).error()));
  return remove_tree_at(parent->first.get(), parent->second).context(path);
}

Status give_tree(const std::string& path, uid_t from, uid_t uid, gid_t gid) {
  const auto parent = TRY(parent_of(path));
  return give_at(parent.first.get(), parent.second, from, uid, gid).context(path);
}

Status own_directory(const std::string& path, unsigned mode, uid_t uid, gid_t gid) {
  const auto parent = TRY(parent_of(path));
  const int above = parent.first.get();
  const char* name = parent.second.c_str();
  if (::mkdirat(above, name, 0700) != 0 && errno != EEXIST) return fail(errno_error(errno, "mkdir " + path));
  const Fd fd = open_at(above, name, kDirectory);
  if (!fd) return fail(errno_error(errno, "open " + path));
  if (uid != static_cast<uid_t>(-1) && ::fchown(fd.get(), uid, gid) != 0)
    return fail(errno_error(errno, "chown " + path));
  if (::fchmod(fd.get(), mode) != 0) return fail(errno_error(errno, "chmod " + path));
  return {};
}

}  // namespace holdfast::sys
