#include "tests/cli_support/awkward_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <system_error>

namespace holdfast::test {
namespace {

void check(int result, const std::string& what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
}

/// Bytes that neither repeat nor compress.
std::string noise(size_t size, uint64_t seed) {
  std::string bytes(size, '\0');
  for (auto& byte : bytes) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    byte = static_cast<char>(seed >> 24);
  }
  return bytes;
}

std::string prose(size_t size, uint64_t seed) {
  std::string text;
  while (text.size() < size) {
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    text += "line " + std::to_string(seed >> 40) + " of a file that compresses well enough\n";
  }
  text.resize(size);
  return text;
}

void write_at(const std::string& path, const std::string& bytes, off_t offset = 0) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  check(fd, path);
  size_t done = 0;
  while (done < bytes.size()) {
    const auto n = ::pwrite(fd, bytes.data() + done, bytes.size() - done, offset + static_cast<off_t>(done));
    check(static_cast<int>(std::min<ssize_t>(n, 1)), path);
    done += static_cast<size_t>(n);
  }
  check(::close(fd), path);
}

void set_time(const std::string& path, time_t seconds, long nanoseconds) {
  const timespec times[2] = {{seconds, nanoseconds}, {seconds, nanoseconds}};
  check(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), "times of " + path);
}

void make_names(const std::string& dir) {
  const std::string names[] = {"bad-\xff\xfe-utf8",
                               "cut-\xe2\x82",
                               "surrogate-\xed\xa0\x80",
                               "overlong-\xc0\xaf",
                               "control-\x01\x1f\x7f",
                               "c1-\xc2\x85\xc2\x9f",
                               "new\nline",
                               "carriage\rreturn",
                               "tab\tstop",
                               "bell\a\b\f\v",
                               "quote\"double",
                               "quote'single",
                               "back\\slash",
                               "back\\x41slash",
                               "back\\\\",
                               "<angle>&amp",
                               "line-sep-\xe2\x80\xa8-\xe2\x80\xa9",
                               "zero-width-\xe2\x80\x8b",
                               "soft-hyphen-\xc2\xad",
                               "bom-\xef\xbb\xbf",
                               "nbsp-\xc2\xa0",
                               "emoji-\xf0\x9f\x98\x80",
                               "combining-e\xcc\x81",
                               "precomposed-\xc3\xa9",
                               "private-\xee\x80\x80",
                               "replacement-\xef\xbf\xbd",
                               "unassigned-\xcd\xb8",
                               "last-\xf4\x8f\xbf\xbf",
                               "rtl-\xe2\x80\xae-txt",
                               " leading",
                               "trailing ",
                               "-rf",
                               "--help",
                               "*?[a]",
                               "$HOME",
                               "`id`",
                               "a:b",
                               "~",
                               "%41",
                               "...",
                               "\x7f",
                               std::string(255, 'n'),
                               "UPPER",
                               "upper"};
  ::mkdir(dir.c_str(), 0755);
  for (const auto& name : names) write_at(dir + "/" + name, "content of " + name);
  for (const auto& name : {std::string("dir-\xff"), std::string("dir\nline"), std::string("dir<&>\xe2\x80\xa8")}) {
    check(::mkdir((dir + "/" + name).c_str(), 0755), name);
    write_at(dir + "/" + name + "/inside", "x");
  }
}

void make_contents(const std::string& dir) {
  constexpr size_t kZeroChunk = 512 << 10;
  check(::mkdir(dir.c_str(), 0755), dir);
  write_at(dir + "/empty", "");
  write_at(dir + "/one-byte", "1");
  write_at(dir + "/text", prose(300'000, 1));
  write_at(dir + "/same-text", prose(300'000, 1));
  write_at(dir + "/large-noise", noise(5'000'000, 2));
  write_at(dir + "/large-text", prose(9'000'000, 3));
  write_at(dir + "/zeros-one-chunk", std::string(kZeroChunk, '\0'));
  write_at(dir + "/zeros", std::string(kZeroChunk * 4 + 17, '\0'));
  write_at(dir + "/zero-runs",
           noise(700'000, 4) + std::string(kZeroChunk * 3, '\0') + noise(100'000, 5) + std::string(kZeroChunk, '\0'));
  write_at(dir + "/hole-inside", noise(100'000, 6));
  write_at(dir + "/hole-inside", noise(100'000, 7), 40 << 20);
  write_at(dir + "/hole-at-end", noise(100'000, 8));
  check(::truncate((dir + "/hole-at-end").c_str(), 12 << 20), "truncate");
  write_at(dir + "/all-hole", "");
  check(::truncate((dir + "/all-hole").c_str(), 5 << 20), "truncate");
  write_at(dir + "/min-chunk-exact", noise(kZeroChunk, 9));
  write_at(dir + "/min-chunk-less-one", noise(kZeroChunk - 1, 10));
}

void make_links(const std::string& dir) {
  check(::mkdir(dir.c_str(), 0755), dir);
  const auto link = [&](const std::string& target, const std::string& name) {
    check(::symlink(target.c_str(), (dir + "/" + name).c_str()), name);
    set_time(dir + "/" + name, 1'500'000'000, 5);
  };
  link("../contents/text", "relative");
  link("/etc/hostname", "absolute");
  link("does/not/exist", "dangling");
  link(".", "self");
  link("bad-\xff\xfe target", "bad-target");
  link("new\nline \"quoted\" \\ <&>\xe2\x80\xa8", "odd-target");
  link(std::string(3000, 'l'), "long-target");
  write_at(dir + "/hard-1", "hard linked");
  check(::mkdir((dir + "/below").c_str(), 0755), "below");
  for (const char* name : {"/hard-2", "/below/hard-3"})
    check(::link((dir + "/hard-1").c_str(), (dir + name).c_str()), name);
  write_at(dir + "/other-hard-1", "another group");
  check(::link((dir + "/other-hard-1").c_str(), (dir + "/below/other-hard-2").c_str()), "other-hard-2");
  // A hard link to a symbolic link is legal, too.
  check(::linkat(AT_FDCWD, (dir + "/relative").c_str(), AT_FDCWD, (dir + "/relative-again").c_str(), 0),
        "relative-again");
}

void make_attributes(const std::string& dir, bool specials) {
  check(::mkdir(dir.c_str(), 0755), dir);
  const auto set = [&](const std::string& path, const char* name, const std::string& value) {
    if (::lsetxattr(path.c_str(), name, value.data(), value.size(), 0) < 0 && errno != ENOTSUP && errno != EPERM)
      check(-1, name);
  };
  const auto file = dir + "/file";
  write_at(file, "has attributes");
  set(file, "user.text", "value");
  set(file, "user.empty", "");
  set(file, "user.binary", std::string("\0\xff\n\"<", 5));
  set(file, "user.long", noise(2000, 11));
  set(file, "user.odd <&> \"name\"", "x");
  check(::mkdir((dir + "/folder").c_str(), 0755), "folder");
  set(dir + "/folder", "user.on-directory", "yes");
  write_at(dir + "/acl", "has an ACL");
  // POSIX ACL, version 2: user rw, user 1234 r, group r, mask rw, other none.
  const std::string acl(
      "\2\0\0\0\1\0\6\0\xff\xff\xff\xff\2\0\4\0\xd2\4\0\0\4\0\4\0\xff\xff\xff\xff\x10\0\6\0\xff\xff\xff\xff "
      "\0\0\0\xff\xff\xff\xff",
      44);
  set(dir + "/acl", "system.posix_acl_access", acl);
  if (specials) {
    set(file, "trusted.root-only", "secret");
    write_at(dir + "/capable", "has a capability");
    set(dir + "/capable", "security.capability", std::string("\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20));
  }
}

void make_modes(const std::string& dir, bool specials) {
  check(::mkdir(dir.c_str(), 0755), dir);
  for (const mode_t mode : {0000, 0400, 0444, 0555, 0600, 0644, 0666, 0755, 0777, 01644, 02755, 04755, 06755, 07777}) {
    const auto path = dir + "/file-" + std::to_string(mode);
    write_at(path, "mode");
    check(::chmod(path.c_str(), mode), path);
  }
  for (const mode_t mode : {0500, 0700, 0755, 0777, 01777, 02755, 03777}) {
    const auto path = dir + "/dir-" + std::to_string(mode);
    check(::mkdir(path.c_str(), 0755), path);
    check(::chmod(path.c_str(), mode), path);
  }
  check(::mkfifo((dir + "/fifo").c_str(), 0640), "fifo");
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const auto socket_path = dir + "/socket";
  if (socket_path.size() < sizeof address.sun_path) {
    std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    check(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), "bind");
    ::close(fd);
  }
  if (!specials) return;
  check(::mknod((dir + "/null").c_str(), S_IFCHR | 0666, makedev(1, 3)), "char device");
  check(::mknod((dir + "/block").c_str(), S_IFBLK | 0660, makedev(259, 70000)), "block device");
  write_at(dir + "/foreign", "owned by nobody known");
  check(::chown((dir + "/foreign").c_str(), 4'000'000'000u, 123'456), "chown");
  check(::mkdir((dir + "/foreign-dir").c_str(), 0755), "foreign-dir");
  check(::chown((dir + "/foreign-dir").c_str(), 65534, 65534), "chown");
  check(::symlink("target", (dir + "/foreign-link").c_str()), "foreign-link");
  check(::lchown((dir + "/foreign-link").c_str(), 1234, 5678), "lchown");
}

void make_times(const std::string& dir) {
  check(::mkdir(dir.c_str(), 0755), dir);
  const std::pair<time_t, long> times[] = {{0, 0},
                                           {0, 1},
                                           {1, 999'999'999},
                                           {-1, 500'000'000},
                                           {-1'000'000'000, 0},
                                           {1'700'000'000, 120'000'000},
                                           {1'700'000'000, 123'456'789},
                                           {4'000'000'000, 0},
                                           {7'258'118'400, 10},
                                           {951'782'400, 100}};
  for (const auto& [seconds, nanoseconds] : times) {
    const auto path = dir + "/t" + std::to_string(seconds) + "." + std::to_string(nanoseconds);
    write_at(path, "time");
    set_time(path, seconds, nanoseconds);
  }
  check(::mkdir((dir + "/old-dir").c_str(), 0755), "old-dir");
  write_at(dir + "/old-dir/new-file", "the directory's time is older than its content");
  set_time(dir + "/old-dir", 946'684'800, 7);
}

using Names = std::vector<std::string>;

Names children(const std::string& path) {
  Names names;
  DIR* open = ::opendir(path.c_str());
  if (!open) return names;
  while (const dirent* entry = ::readdir(open)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(open);
  std::sort(names.begin(), names.end());
  return names;
}

std::string shown(const std::string& path) {
  std::string out;
  for (const unsigned char c : path) {
    if (c < 0x20 || c >= 0x7f) {
      char hex[8];
      std::snprintf(hex, sizeof hex, "\\x%02x", c);
      out += hex;
    } else {
      out += static_cast<char>(c);
    }
  }
  return out;
}

bool same_bytes(const std::string& a, const std::string& b) {
  const int fds[2] = {::open(a.c_str(), O_RDONLY | O_CLOEXEC), ::open(b.c_str(), O_RDONLY | O_CLOEXEC)};
  static thread_local char left[256 << 10], right[256 << 10];
  bool same = fds[0] >= 0 && fds[1] >= 0;
  while (same) {
    const auto n = ::read(fds[0], left, sizeof left), m = ::read(fds[1], right, sizeof right);
    same = n >= 0 && n == m && std::memcmp(left, right, static_cast<size_t>(n)) == 0;
    if (n <= 0) break;
  }
  for (const int fd : fds) {
    if (fd >= 0) ::close(fd);
  }
  return same;
}

std::vector<std::pair<std::string, std::string>> attributes(const std::string& path) {
  char names[16384];
  const auto size = ::llistxattr(path.c_str(), names, sizeof names);
  std::vector<std::pair<std::string, std::string>> found;
  for (ssize_t at = 0; at < size;) {
    const std::string name = names + at;
    at += static_cast<ssize_t>(name.size()) + 1;
    char value[65536];
    const auto length = ::lgetxattr(path.c_str(), name.c_str(), value, sizeof value);
    found.emplace_back(name, length < 0 ? "?" : std::string(value, static_cast<size_t>(length)));
  }
  std::sort(found.begin(), found.end());
  return found;
}

class Comparison {
 public:
  explicit Comparison(const CompareOptions& options) : options_(options) {}

  void compare(const std::string& expected, const std::string& actual, const std::string& name) {
    struct stat want{}, have{};
    if (::lstat(expected.c_str(), &want) < 0)
      return differ(name, "cannot be read: " + std::string(std::strerror(errno)));
    if (S_ISSOCK(want.st_mode)) return;
    if (::lstat(actual.c_str(), &have) < 0) return differ(name, "is missing");
    number(name, "kind", want.st_mode & S_IFMT, have.st_mode & S_IFMT);
    if ((want.st_mode & S_IFMT) != (have.st_mode & S_IFMT)) return;
    if (!S_ISLNK(want.st_mode)) number(name, "mode", want.st_mode & 07777, have.st_mode & 07777);
    if (options_.owners) {
      number(name, "uid", want.st_uid, have.st_uid);
      number(name, "gid", want.st_gid, have.st_gid);
    }
    if (options_.times) {
      number(name, "mtime seconds", want.st_mtim.tv_sec, have.st_mtim.tv_sec);
      number(name, "mtime nanoseconds", want.st_mtim.tv_nsec, have.st_mtim.tv_nsec);
    }
    if (options_.xattrs && attributes(expected) != attributes(actual)) differ(name, "extended attributes differ");
    if (S_ISREG(want.st_mode)) {
      number(name, "size", want.st_size, have.st_size);
      if (want.st_size == have.st_size && !same_bytes(expected, actual)) differ(name, "content differs");
    }
    if (S_ISLNK(want.st_mode) && std::filesystem::read_symlink(expected) != std::filesystem::read_symlink(actual)) {
      differ(name, "link target differs");
    }
    if (S_ISCHR(want.st_mode) || S_ISBLK(want.st_mode)) number(name, "device", want.st_rdev, have.st_rdev);
    if (S_ISREG(want.st_mode)) {  // restic does not tie hard-linked symbolic links together again, nobody asks for it
      number(name, "hard links", want.st_nlink, have.st_nlink);
      const auto pair = inodes_.emplace(want.st_ino, have.st_ino).first;
      number(name, "inode of its hard-link group", pair->second, have.st_ino);
    }
    if (!S_ISDIR(want.st_mode)) return;
    const auto wanted = children(expected);
    for (const auto& child : wanted) compare(expected + "/" + child, actual + "/" + child, name + "/" + child);
    for (const auto& child : children(actual)) {
      if (!std::binary_search(wanted.begin(), wanted.end(), child)) differ(name + "/" + child, "should not be there");
    }
  }

  std::vector<std::string> differences;

 private:
  void differ(const std::string& name, const std::string& what) { differences.push_back(shown(name) + ": " + what); }
  template <class A, class B>
  void number(const std::string& name, const char* what, A want, B have) {
    if (static_cast<uint64_t>(want) != static_cast<uint64_t>(have)) {
      differ(name, std::string(what) + " is " + std::to_string(have) + ", should be " + std::to_string(want));
    }
  }
  CompareOptions options_;
  std::map<ino_t, ino_t> inodes_;
};

}  // namespace

void make_awkward_tree(const std::string& directory, const AwkwardOptions& options) {
  const bool specials = options.specials && ::geteuid() == 0;
  std::filesystem::create_directories(directory);
  make_names(directory + "/names");
  make_contents(directory + "/contents");
  make_links(directory + "/links");
  make_attributes(directory + "/attributes", specials);
  make_modes(directory + "/modes", specials);
  make_times(directory + "/times");
  check(::mkdir((directory + "/empty-dir").c_str(), 0755), "empty-dir");
  check(::mkdir((directory + "/many").c_str(), 0755), "many");
  for (unsigned i = 0; i < options.many_files; ++i)
    write_at(directory + "/many/" + std::to_string(i * 7919u), std::to_string(i));
  std::string deep = directory + "/deep";
  for (int i = 0; i < 30; ++i) deep += "/d" + std::to_string(i);
  std::filesystem::create_directories(deep);
  write_at(deep + "/bottom", "deep");
}

void change_awkward_tree(const std::string& directory) {
  write_at(directory + "/contents/text", "CHANGED", 150'000);
  write_at(directory + "/contents/large-noise", "inserted in the middle", 2'500'000);
  write_at(directory + "/contents/added", prose(200'000, 77));
  check(::unlink((directory + "/contents/same-text").c_str()), "unlink");
  check(::truncate((directory + "/contents/large-text").c_str(), 4'000'000), "truncate");
  check(::chmod((directory + "/modes/file-420").c_str(), 0600), "chmod");
  check(::rename((directory + "/many/0").c_str(), (directory + "/many/renamed").c_str()), "rename");
  check(::unlink((directory + "/links/dangling").c_str()), "unlink");
  check(::mkdir((directory + "/links/dangling").c_str(), 0700), "a directory where a link was");
  check(::rmdir((directory + "/empty-dir").c_str()), "rmdir");
  write_at(directory + "/empty-dir", "a file where a directory was");
}

std::vector<std::string> compare_trees(const std::string& expected, const std::string& actual,
                                       const CompareOptions& options) {
  Comparison comparison(options);
  comparison.compare(expected, actual, ".");
  return std::move(comparison.differences);
}

std::string summary(const std::vector<std::string>& differences, size_t limit) {
  std::string text;
  for (size_t i = 0; i < differences.size() && i < limit; ++i) text += differences[i] + "\n";
  if (differences.size() > limit) text += "... and " + std::to_string(differences.size() - limit) + " more\n";
  return text;
}

}  // namespace holdfast::test
