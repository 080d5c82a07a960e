#include "tests/support/system_container.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/support/require.h"

namespace holdfast::test {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// $1: a directory of ours, $2: where the build is, $3: a name, $4: the files to run on. Mounts and processes are in
// namespaces of this process, which is the first of its own: with it all of them end, however it ends. The processes
// are in control groups of their own, since a container takes names in the one it starts in.
constexpr const char* kBoot = R"(set -eu
mount -t tmpfs -o mode=755 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=$4,upperdir=$1/upper,workdir=$1/work" "$1/root"
rm -f "$1/root/etc/machine-id"
for tree in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
  [ -w "$tree/cgroup.procs" ] || continue
  mkdir -p "$tree/$3" && echo 0 >"$tree/$3/cgroup.procs" || true
done
[ "$4" = / ] || export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 # newer ones know no other
exec systemd-nspawn -q -D "$1/root" -M "$3" --register=no --keep-unit --private-network --console=pipe \
  --bind-ro="$2" --kill-signal=SIGRTMIN+3 --boot systemd.unit=basic.target systemd.mask=systemd-resolved.service)";

/// Of a folder of the build that all its programs are in.
std::string build_folder() {
  return fs::path(holdfast_binary()).parent_path().string();
}

/// The files it runs on: this machine's, or those of another distribution that HOLDFAST_TEST_SYSTEM names.
std::string base_files() {
  const char* named = std::getenv("HOLDFAST_TEST_SYSTEM");
  return named && *named ? named : "/";
}

// $1: where it is to be, $2: the container's files, $3: a program, $4: the files it runs on. On another distribution it
// gets the libraries and the loader that it was built with.
constexpr const char* kInstall = R"(set -eu
cp "$3" "$2$1"
[ "$4" = / ] && exit
libraries=/usr/lib/of-the-build
mkdir -p "$2$libraries"
ldd "$3" | awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }' | xargs cp -L -t "$2$libraries"
patchelf --set-interpreter $libraries/ld-linux-x86-64.so.2 --force-rpath --set-rpath $libraries "$2$1")";

/// Children of a process, of all its threads.
std::vector<pid_t> children(pid_t pid) {
  std::vector<pid_t> found;
  std::error_code ec;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task", ec)) {
    std::ifstream list(task.path() / "children");
    for (pid_t child = 0; list >> child;) found.push_back(child);
  }
  return found;
}

}  // namespace

std::string SystemContainer::refused() {
  const RunResult mounts = run_program({"unshare", "--mount", "--propagation", "private", "true"});
  if (mounts.exit_code != 0) return "no mount namespace of one's own: " + mounts.err;
  struct statfs info{};
  if (::statfs("/sys/fs/cgroup", &info) != 0 || (info.f_type != CGROUP2_SUPER_MAGIC && info.f_type != TMPFS_MAGIC))
    return "no control groups are mounted on /sys/fs/cgroup";
  return "";
}

std::string SystemContainer::missing() {
  if (::geteuid() != 0) return "only root may start a container";
  if (find_program("systemd-nspawn").empty()) return "systemd-nspawn is not installed (package systemd-container)";
  return "";
}

std::string SystemContainer::file(const std::string& path) {
  return base_files() == "/" ? path : base_files() + path;
}

std::unique_ptr<SystemContainer> SystemContainer::boot() {
  std::unique_ptr<SystemContainer> made(new SystemContainer);
  const std::string log = made->dir_.path() + ".log";
  auto file = sys::open_file(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (!file) {
    ADD_FAILURE() << file.error().to_string();
    return nullptr;
  }
  sys::Command command;
  command.argv = {"unshare",         "--mount",      "--propagation", "private",   "--pid", "--fork",
                  "--kill-child",    "--mount-proc", "/bin/sh",       "-c",        kBoot,   "sh",
                  made->dir_.path(), build_folder(), made->name_,     base_files()};
  command.out = command.err = sys::Stdio::to(file->get());
  command.die_with_parent = SIGKILL;
  command.new_session = true;
  auto process = sys::spawn(command);
  if (!process) {
    ADD_FAILURE() << process.error().to_string();
    return nullptr;
  }
  made->process_ = std::move(*process);
  const auto booted = [&] {
    if (made->process_.poll()) return true;
    made->init_ = made->find_init();
    return made->init_ > 0 && made->run("systemctl is-active --quiet basic.target").exit_code == 0;
  };
  const auto ready = sys::wait_until(booted, Deadline::in(seconds(60)));
  std::stringstream text;
  text << std::ifstream(log).rdbuf();
  ::unlink(log.c_str());
  if (!ready || !*ready || made->process_.poll()) {
    ADD_FAILURE() << "the container does not boot:\n" << text.str();
    return nullptr;
  }
  return made;
}

void SystemContainer::install_holdfast() const {
  const RunResult done = run_program(
      {"/bin/sh", "-c", kInstall, "sh", "/usr/bin/holdfast", seen_from_here(""), holdfast_binary(), base_files()});
  EXPECT_EQ(done.exit_code, 0) << done.err;
}

/// Process 1 of the container: the child of systemd-nspawn, which is the child of our child.
pid_t SystemContainer::find_init() const {
  for (const pid_t nspawn : children(process_.pid()))
    for (const pid_t child : children(nspawn)) {
      std::ifstream status("/proc/" + std::to_string(child) + "/status");
      for (std::string line; std::getline(status, line);)
        if (line.starts_with("NSpid:") && line.ends_with("	1")) return child;
    }
  return 0;
}

SystemContainer::~SystemContainer() {
  // Without an orderly shutdown: nothing of it is to be kept.
  if (process_) (void)process_.kill();
  for (const char* tree : {"/sys/fs/cgroup/systemd/", "/sys/fs/cgroup/unified/", "/sys/fs/cgroup/"}) {
    const std::string path = tree + name_;
    std::error_code ec;
    std::vector<fs::path> folders;
    std::error_code gone;  // the system's own end takes some of them away meanwhile
    for (fs::recursive_directory_iterator it(path, gone), end; !gone && it != end; it.increment(gone))
      if (it->is_directory(ec)) folders.push_back(it->path());
    folders.insert(folders.begin(), path);
    for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder)
      for (int tries = 0; ::rmdir(folder->c_str()) != 0 && errno == EBUSY && tries < 100; ++tries)
        std::this_thread::sleep_for(milliseconds(20));
  }
}

RunResult SystemContainer::run(const std::string& script, seconds limit) const {
  RunOptions options;
  options.limit = limit;
  return run_program({"nsenter",    "--target",     std::to_string(init_),
                      "--mount",    "--uts",        "--ipc",
                      "--net",      "--pid",        "--cgroup",
                      "--root",     "/usr/bin/env", "-i",
                      "-C",         "/root",        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                      "HOME=/root", "LANG=C.UTF-8", "HOLDFAST_PEERS=" + peers_folder(),
                      "/bin/sh",    "-c",           script},
                     options);
}

std::string SystemContainer::ok(const std::string& script, seconds limit) const {
  const RunResult result = run(script, limit);
  EXPECT_EQ(result.exit_code, 0) << script << '\n' << result.out << result.err;
  return result.out;
}

RunResult SystemContainer::holdfast(const std::string& arguments, seconds limit) const {
  return run(holdfast_binary() + " " + arguments, limit);
}

}  // namespace holdfast::test
