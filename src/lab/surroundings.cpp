#include "lab/surroundings.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <set>
#include <sstream>

#include "agent/server_files.h"
#include "lab/host_faults.h"
#include "sys/beneath.h"
#include "sys/file.h"
#include "sys/net_namespace.h"
#include "sys/process.h"

namespace holdfast::lab {

namespace fs = std::filesystem;
using agent::MemberConfig;
using std::chrono::seconds;

namespace {

std::string image(const MemberConfig& c) {
  return c.dir + "/small-disk.img";
}
std::string place(const MemberConfig& c) {
  return c.dir + "/small-disk";
}
std::string ballast(const MemberConfig& c) {
  return place(c) + "/ballast";
}
std::string cut_marker(const MemberConfig& c) {
  return c.dir + "/network-cut";
}
std::string table(const MemberConfig& c) {
  return fmt::format("holdfast_lab_{}", c.gid);
}

std::string program(const std::string& name) {
  for (const char* folder : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"}) {
    if (::access((folder + name).c_str(), X_OK) == 0) return folder + name;
  }
  return {};
}

Status run(std::vector<std::string> argv, Deadline deadline, std::stop_token stop) {
  sys::Command command;
  command.argv = std::move(argv);
  TRY(sys::run_ok(std::move(command), deadline, stop));
  return {};
}

/// A mount point is on another device than the folder above it, or another directory of the same one (a bind mount).
bool is_mounted(const std::string& path) {
  auto text = sys::read_file("/proc/self/mountinfo");
  return text && as_text(text->span()).find(" " + path + " ") != std::string_view::npos;
}

uint64_t size_of(const std::string& folder) {
  uint64_t bytes = 0;
  std::error_code error;
  for (auto it = fs::recursive_directory_iterator(folder, error); it != fs::recursive_directory_iterator();
       it.increment(error)) {
    if (error) break;
    std::error_code ignored;
    bytes += 4096;
    if (it->is_regular_file(ignored)) bytes += it->file_size(ignored);
  }
  return bytes;
}

/// As the server's user, whose files they are.
Status copy_all(const MemberConfig& c, const std::string& from, const std::string& to, Deadline deadline,
                std::stop_token stop) {
  TRY_VOID(sys::own_directory(to, 0700, c.uid, c.gid));
  sys::Command command;
  command.argv = {"/bin/cp", "-a", "--sparse=auto", "-T", from, to};
  command.identity = agent::server_identity(c);
  TRY(sys::run_ok(std::move(command), deadline, stop));
  return {};
}

/// Local TCP ports of the connections that processes of the member's group have now. On loopback a packet does not tell
/// who will receive it, so what comes in on these is known by the port alone.
std::vector<int> ports_in_use_here(const MemberConfig& c) {
  std::set<std::string> inodes;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string pid = entry.path().filename().string();
    struct stat info{};
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (::stat(entry.path().c_str(), &info) != 0 || info.st_gid != c.gid) continue;
    std::error_code ignored;
    for (auto it = fs::directory_iterator(entry.path() / "fd", ignored); it != fs::directory_iterator();
         it.increment(ignored)) {
      if (ignored) break;
      const std::string to = fs::read_symlink(it->path(), ignored).string();
      if (to.starts_with("socket:[")) inodes.insert(to.substr(8, to.size() - 9));
    }
  }
  std::vector<int> ports;
  for (const char* file : {"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"}) {
    auto text = sys::read_file(file);
    if (!text) continue;
    std::istringstream lines{std::string(as_text(text->span()))};
    for (std::string line; std::getline(lines, line);) {
      std::istringstream fields(line);
      std::vector<std::string> words{std::istream_iterator<std::string>(fields), {}};
      if (words.size() < 10 || !inodes.contains(words[9])) continue;
      const auto colon = words[1].rfind(':');
      if (colon != std::string::npos)
        ports.push_back(static_cast<int>(std::strtol(words[1].c_str() + colon + 1, nullptr, 16)));
    }
  }
  return ports;
}

/// They are of the namespace that the server lives in.
Result<std::vector<int>> ports_in_use(const MemberConfig& c) {
  if (c.net_namespace.empty()) return ports_in_use_here(c);
  const sys::Fd host = TRY(sys::open_net_namespace(c.net_namespace));
  std::vector<int> ports;
  TRY_VOID(sys::in_net_namespace(host.get(), [&]() -> Status {
    ports = ports_in_use_here(c);
    return {};
  }));
  return ports;
}

}  // namespace

Status can_break_surroundings(const std::string& kind) {
  if (::geteuid() != 0) {
    return fail(ErrorClass::refused, "lab.needs_root",
                fmt::format("{} needs root: it {}", kind,
                            kind == "partition" ? "drops packets in the kernel" : "mounts a small file system"),
                "run the lab and this as root, or choose another kind of damage");
  }
  for (const char* name : {"nft", "mkfs.ext4", "mount"}) {
    const bool needed = (kind == "partition") == (std::string_view(name) == "nft");
    if (needed && program(name).empty()) {
      return fail(ErrorClass::refused, "lab.needs_program", fmt::format("{} needs the program {}", kind, name),
                  fmt::format("install the package {}", kind == "partition" ? "nftables" : "e2fsprogs"));
    }
  }
  return {};
}

Status move_to_small_disk(const MemberConfig& c, Deadline deadline, std::stop_token stop) {
  constexpr uint64_t kRoom = 96 * 1024 * 1024;  // servers preallocate logs when they start
  const uint64_t size = size_of(c.data_dir()) * 5 / 4 + kRoom;
  const auto make = [&]() -> Status {
    {
      sys::Fd file = TRY(sys::open_file(image(c), O_RDWR | O_CREAT | O_TRUNC, 0600));
      if (::ftruncate(file.get(), static_cast<off_t>(size)) != 0)
        return fail(sys::errno_error(errno, "make " + image(c)));
    }
    TRY_VOID(run({program("mkfs.ext4"), "-q", "-F", "-m", "0", "-O", "^has_journal", image(c)}, deadline, stop));
    TRY_VOID(sys::make_directories(place(c), 0755));
    auto mounted = run({program("mount"), "-o", "loop", image(c), place(c)}, deadline, stop);
    if (!mounted) {
      return fail(ErrorClass::refused, "lab.no_mount",
                  "a file system cannot be mounted here: " + mounted.error().to_string(),
                  "a container needs the right to mount and a loop device for this");
    }
    TRY_VOID(copy_all(c, c.data_dir(), place(c) + "/data", deadline, stop));
    if (::mount((place(c) + "/data").c_str(), c.data_dir().c_str(), nullptr, MS_BIND, nullptr) != 0)
      return fail(sys::errno_error(errno, "mount over " + c.data_dir()));
    return {};
  };
  auto made = make();
  if (!made) drop_small_disk(c);
  return made;
}

Result<uint64_t> fill_small_disk(const MemberConfig& c) {
  sys::Fd file = TRY(sys::open_file(ballast(c), O_WRONLY | O_CREAT | O_APPEND, 0600));
  const std::string block(1 << 16, '\xb5');
  uint64_t taken = 0;
  for (size_t piece = block.size(); piece > 0;) {
    const ssize_t wrote = ::write(file.get(), block.data(), piece);
    if (wrote > 0) {
      taken += static_cast<uint64_t>(wrote);
    } else if (errno == ENOSPC) {
      piece = piece > 512 ? piece / 2 : 0;
    } else if (errno != EINTR) {
      return fail(sys::errno_error(errno, "fill " + place(c)));
    }
  }
  (void)::fsync(file.get());
  return taken;
}

bool on_small_disk(const MemberConfig& c) {
  return is_mounted(place(c));
}

Status empty_small_disk(const MemberConfig& c) {
  if (::unlink(ballast(c).c_str()) != 0 && errno != ENOENT)
    return fail(sys::errno_error(errno, "remove " + ballast(c)));
  return {};
}

Status leave_small_disk(const MemberConfig& c, Deadline deadline, std::stop_token stop) {
  if (!on_small_disk(c)) return {};
  TRY_VOID(empty_small_disk(c));
  const std::string returning = c.dir + "/data.returning", covered = c.dir + "/data.covered";
  std::error_code error;
  if (is_mounted(c.data_dir())) {
    TRY_VOID(sys::remove_tree(returning));
    TRY_VOID(copy_all(c, c.data_dir(), returning, deadline, stop));
    if (::umount2(c.data_dir().c_str(), 0) != 0) return fail(sys::errno_error(errno, "unmount " + c.data_dir()));
  }
  if (fs::exists(returning, error)) {
    // What the mount covered is older than what was written on it.
    fs::rename(c.data_dir(), covered, error);
    fs::rename(returning, c.data_dir(), error);
    if (error) return fail(sys::errno_error(error.value(), "rename " + returning));
    (void)sys::remove_tree(covered);
  }
  if (::umount2(place(c).c_str(), 0) != 0) return fail(sys::errno_error(errno, "unmount " + place(c)));
  fs::remove(place(c), error);
  fs::remove(image(c), error);
  return sys::sync_directory(c.dir);
}

void drop_small_disk(const MemberConfig& c) {
  if (is_mounted(c.data_dir())) (void)::umount2(c.data_dir().c_str(), MNT_DETACH);
  if (is_mounted(place(c))) (void)::umount2(place(c).c_str(), MNT_DETACH);
  std::error_code ignored;
  if (!is_mounted(place(c))) fs::remove_all(place(c), ignored);
  fs::remove(image(c), ignored);
}

Status cut_network(const MemberConfig& c) {
  // By group: what the server sends. By port: what reaches it, where it listens and on connections it has made.
  std::set<int> known{c.port};
  for (int port : {c.group_port, c.ist_port, c.sst_port}) {
    if (port) known.insert(port);
  }
  for (int port : TRY(ports_in_use(c))) known.insert(port);
  std::string rules = fmt::format("add table inet {0}\ndelete table inet {0}\ntable inet {0} {{\n", table(c));
  rules += fmt::format(
      "  chain output {{\n    type filter hook output priority 0; policy accept;\n    meta skgid {} drop\n"
      "    tcp dport {{ {} }} drop\n  }}\n",
      c.gid, fmt::join(known, ", "));
  // What members on other hosts send does not pass our output.
  rules += fmt::format(
      "  chain input {{\n    type filter hook input priority 0; policy accept;\n    tcp dport {{ {} }} drop\n  }}\n",
      fmt::join(known, ", "));
  rules += "}\n";
  TRY_VOID(sys::publish_file(cut_marker(c), {}, 0600));  // first, so that a crash cannot leave rules nobody knows of
  auto cut = run_nft(c.net_namespace, rules);
  if (cut) return {};
  ::unlink(cut_marker(c).c_str());
  return fail(ErrorClass::refused, "lab.partition", "nft cannot drop packets here: " + cut.error().to_string(),
              "a container needs the right to administer its network for this");
}

bool is_cut(const MemberConfig& c) {
  return ::access(cut_marker(c).c_str(), F_OK) == 0;
}

Status mend_network(const MemberConfig& c) {
  if (!is_cut(c)) return {};
  const std::string rules = fmt::format("add table inet {0}\ndelete table inet {0}\n", table(c));
  // A host that is gone has taken its rules with it.
  const bool there = c.net_namespace.empty() || sys::open_net_namespace(c.net_namespace).has_value();
  if (there) TRY_VOID(run_nft(c.net_namespace, rules));
  if (::unlink(cut_marker(c).c_str()) != 0 && errno != ENOENT)
    return fail(sys::errno_error(errno, "remove " + cut_marker(c)));
  return {};
}

}  // namespace holdfast::lab
