#include "agent/dir_users.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <sstream>

#include "agent/proc.h"
#include "agent/server_files.h"
#include "sys/any_process.h"
#include "sys/file.h"
#include "sys/process.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using cluster::OutsideProcess;
using std::chrono::seconds;

namespace {

constexpr const char* kPostmaster = "is named by postmaster.pid";
constexpr const char* kLock = "holds the lock of";

struct Process {
  std::string program;
  pid_t parent = 0;
};

/// Of /proc/PID/stat: "4711 (mariadbd) S 1 ...".
Process process_of(pid_t pid) {
  Process process;
  const std::string stat = proc_text(fmt::format("/proc/{}/stat", pid));
  const size_t open = stat.find('('), close = stat.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close + 4 >= stat.size()) return process;
  process.program = stat.substr(open + 1, close - open - 1);
  process.parent = proc_number(std::string_view(stat).substr(close + 4, stat.find(' ', close + 4) - close - 4));
  return process;
}

bool is_server(std::string_view program) {
  for (std::string_view name : {"mariadbd", "mysqld", "postgres", "postmaster"})
    if (program == name) return true;
  return false;
}

class Search {
 public:
  Search(std::string dir, std::span<const pid_t> ours) : dir_(std::move(dir)), ours_(ours) {}

  std::vector<OutsideProcess> run() {
    if (::stat(dir_.c_str(), &info_) != 0) return {};
    std::error_code error;
    if (const fs::path real = fs::canonical(dir_, error); !error) real_ = real.string();
    for (const char* file : {"ibdata1", "aria_log_control"}) look_at_lock(file);
    look_at_postmaster();
    for (fs::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error))
      if (const pid_t pid = proc_number(it->path().filename().string()); pid > 0) look_at_process(pid);
    std::vector<OutsideProcess> users;
    for (auto& [pid, user] : found_) users.push_back(std::move(user));
    return users;
  }

 private:
  bool is_ours(pid_t pid) const {
    for (int depth = 0; pid > 0 && depth < 64; ++depth) {
      if (std::ranges::find(ours_, pid) != ours_.end()) return true;
      pid = process_of(pid).parent;
    }
    return false;
  }

  void add(pid_t pid, std::string how) {
    if (found_.contains(pid) || (pid > 0 && (is_ours(pid) || sys::is_dying(pid)))) return;
    found_[pid] = {pid, pid > 0 ? process_of(pid).program : std::string(), std::move(how)};
  }

  void look_at_lock(const char* name) {
    const sys::Fd dir(::open(dir_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // The server's user owns the folder: no link may lead a root agent elsewhere, no fifo may hold it.
    const sys::Fd file(dir ? ::openat(dir.get(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1);
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (!file || ::fcntl(file.get(), F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return;
    // 0: of another pid namespace, a container. -1: the lock belongs to an open file, whose process is found by it.
    if (lock.l_pid >= 0) add(lock.l_pid, fmt::format("{} {}", kLock, name));
  }

  bool works_here(pid_t pid) const {
    struct stat cwd{};
    return ::stat(fmt::format("/proc/{}/cwd", pid).c_str(), &cwd) == 0 && cwd.st_dev == info_.st_dev &&
           cwd.st_ino == info_.st_ino;
  }

  void look_at_postmaster() {
    const std::string text = read_in(dir_, "postmaster.pid");
    const pid_t pid = proc_number(std::string_view(text).substr(0, text.find('\n')));
    // After a crash another program may have its number by now.
    if (pid > 0 && (works_here(pid) || (process_of(pid).program == "postgres" && is_named_by(pid))))
      add(pid, kPostmaster);
  }

  /// Its arguments name the directory: "-D", "/srv/data" or "--datadir=/srv/data".
  bool is_named_by(pid_t pid) const {
    const std::string all = proc_text(fmt::format("/proc/{}/cmdline", pid));
    for (size_t at = 0; at < all.size();) {
      const size_t end = std::min(all.find('\0', at), all.size());
      std::string_view argument = std::string_view(all).substr(at, end - at);
      at = end + 1;
      if (argument.starts_with("--datadir=")) argument.remove_prefix(10);
      if (argument.starts_with("-D")) argument.remove_prefix(2);
      while (argument.size() > 1 && argument.ends_with('/')) argument.remove_suffix(1);
      if (!argument.empty() && (argument == dir_ || argument == real_)) return true;
    }
    return false;
  }

  static bool open_for_writing(pid_t pid, const std::string& fd) {
    const std::string info = proc_text(fmt::format("/proc/{}/fdinfo/{}", pid, fd));
    const size_t at = info.find("flags:");
    if (at == std::string::npos) return false;
    unsigned flags = 0;
    const size_t first = info.find_first_not_of(" \t", at + 6);
    const size_t end = std::min(info.find('\n', first), info.size());
    std::from_chars(info.data() + first, info.data() + end, flags, 8);
    return (flags & O_ACCMODE) != O_RDONLY;
  }

  void look_at_process(pid_t pid) {
    if (found_.contains(pid)) return;
    const Process process = process_of(pid);
    if (sys::is_dying(pid)) return;
    if (is_server(process.program) && works_here(pid)) return add(pid, "works in it");
    std::error_code error;
    const std::string fds = fmt::format("/proc/{}/fd", pid);
    for (fs::directory_iterator it(fds, error), end; !error && it != end; it.increment(error)) {
      std::error_code gone;
      const std::string target = fs::read_symlink(it->path(), gone).string();
      if (gone || target.size() <= real_.size() || !target.starts_with(real_) || target[real_.size()] != '/') continue;
      if (!open_for_writing(pid, it->path().filename().string())) continue;
      return add(pid, "has " + target.substr(real_.size() + 1) + " open for writing");
    }
    if (error && is_server(process.program) && is_named_by(pid)) add(pid, "was started on it");
  }

  const std::string dir_;
  std::string real_ = dir_;
  const std::span<const pid_t> ours_;
  struct stat info_{};
  std::map<pid_t, OutsideProcess> found_;
};

}  // namespace

std::string outside_text(const OutsideProcess& user) {
  const std::string who = user.pid > 0 ? fmt::format("process {}", user.pid) : "a process of another container";
  return user.program.empty() ? fmt::format("{} ({})", who, user.how)
                              : fmt::format("{} ({}: {})", who, user.program, user.how);
}

bool is_holder(const OutsideProcess& user) {
  return user.how == kPostmaster || user.how.starts_with(kLock);
}

std::vector<OutsideProcess> users_of(const std::string& data_dir, std::span<const pid_t> ours) {
  return Search(data_dir, ours).run();
}

Status check_unused(const std::string& data_dir, std::span<const pid_t> ours, Deadline deadline) {
  std::vector<OutsideProcess> users;
  if (TRY(sys::wait_until([&] { return (users = users_of(data_dir, ours)).empty(); }, deadline))) return {};
  return fail(ErrorClass::refused, "agent.in_use",
              fmt::format("{} is in use outside its agent: {}", data_dir, outside_text(users.front())),
              "stop that server in order (it shuts down cleanly on SIGTERM), then try again");
}

Status check_unused(const std::string& data_dir) {
  const pid_t ours[] = {::getpid()};
  return check_unused(data_dir, ours, Deadline::in(seconds(2)));
}

namespace {

/// A killed PostgreSQL leaves backends in sessions of their own, which end when they notice. Until then they hold its
/// shared memory (named in the 7th line of postmaster.pid), and may still write.
Status wait_for_orphans(const MemberConfig& config) {
  std::istringstream lines(read_in(config.data_dir(), "postmaster.pid"));
  std::string line;
  for (int i = 0; i < 7; ++i)
    if (!std::getline(lines, line)) return {};
  std::istringstream fields(line);
  long key = 0;
  int id = -1;
  if (!(fields >> key >> id) || key == 0) return {};
  auto gone = TRY(sys::wait_until(
      [id] {
        shmid_ds info{};
        return ::shmctl(id, IPC_STAT, &info) != 0 || info.shm_nattch == 0;
      },
      Deadline::in(seconds(30))));
  if (gone) return {};
  return fail(ErrorClass::unavailable, "agent.orphans",
              "processes of the killed server of " + config.member + " still use its data directory",
              "wait until they are gone, then try again");
}

}  // namespace

Status wait_until_unused(const MemberConfig& config) {
  if (config.engine != cluster::Engine::postgres) return check_unused(config.data_dir());
  const pid_t ours[] = {::getpid()};
  const auto users = users_of(config.data_dir(), ours);
  if (std::ranges::any_of(users, [](const OutsideProcess& user) { return user.how == kPostmaster; }))
    return check_unused(config.data_dir());
  TRY_VOID(wait_for_orphans(config));
  return check_unused(config.data_dir());
}

}  // namespace holdfast::agent
