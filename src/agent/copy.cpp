#include "agent/copy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <thread>

#include "agent/launch.h"
#include "sys/file.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using cluster::Engine;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace detail {

Result<SecretFile> SecretFile::create(const MemberConfig& config, const MemberConfig& reader, const std::string& name,
                                      const Secret& body) {
  MemberConfig owner = config;
  owner.uid = reader.uid;
  owner.gid = reader.gid;
  return SecretFile(TRY(write_etc(owner, name, body.reveal())));
}

SecretFile::~SecretFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

void remove_files(const MemberConfig& config, std::initializer_list<const char*> names) {
  const sys::ActAs as_server(server_identity(config));
  std::error_code ignored;
  for (const char* name : names) fs::remove(config.data_dir() + "/" + name, ignored);
}

uint64_t bytes_on_disk(const MemberConfig& config, const std::string& path) {
  const sys::ActAs as_server(server_identity(config));
  uint64_t total = 0;
  std::error_code error;
  for (auto it = fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied, error);
       !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    struct stat info{};
    if (::lstat(it->path().c_str(), &info) == 0) total += static_cast<uint64_t>(info.st_blocks) * 512;
  }
  return total;
}

Result<sql::Target> admin_target(const MemberConfig& config) {
  sql::Target target;
  target.socket = config.server_socket();
  target.port = config.port;  // PostgreSQL names its socket after it
  target.user = config.admin_user;
  target.password = TRY(admin_password(config));
  // Without a password the server asks the kernel: PostgreSQL knows its own user, MariaDB and MySQL know root.
  if (target.password.empty() && config.engine == Engine::postgres) target.peer = server_identity(config);
  target.app_name = "holdfast-agent";
  return target;
}

std::string copy_threads() {
  return fmt::format("--parallel={}", std::clamp(std::thread::hardware_concurrency(), 1u, 4u));
}

Status run_logged(const CopyJob& job, sys::Command command) {
  const std::string log_path = job.config.dir + "/log/copy.log";
  const sys::Fd log = TRY(open_log(job.config, log_path));
  const off_t log_start = ::lseek(log.get(), 0, SEEK_END);
  const std::string name = fs::path(command.argv[0]).filename().string();
  command.in = sys::Stdio::null();
  command.out = command.err = sys::Stdio::to(log.get());
  auto running = TRY(sys::spawn(command));  // killed with this object
  job.progress.watch(running.pid());
  std::optional<sys::ExitStatus> ended;
  const auto over = [&] {
    (void)job.progress.value();  // remembers what it has written so far
    return (ended = running.poll()).has_value() || job.stop.stop_requested();
  };
  const auto waited = sys::wait_until(over, job.deadline);
  job.progress.watch(0);
  if (!waited) return fail(waited.error());
  if (!ended && job.stop.stop_requested())
    return fail(ErrorClass::interrupted, "agent.cancelled", "stopped on request");
  if (!ended) return fail(ErrorClass::unavailable, "agent.timeout", name + " took too long and was killed");
  if (ended->ok()) return {};
  return fail(ErrorClass::failed, "agent.copy",
              fmt::format("{} ended with {}: {}", name, ended->to_string(),
                          tail_as_server(job.config, log_path, 1200, log_start)),
              "the whole log is " + log_path);
}

Status with_private_server(const CopyJob& job, const MemberConfig& config, Afterwards afterwards,
                           const std::function<Status(sql::MariadbConnection&)>& use) {
  LaunchOptions options;
  options.mode = StartMode::isolated;
  TRY_VOID(clear_stale(config));
  {
    const sys::ActAs as_server(server_identity(config));
    std::error_code ignored;
    fs::remove(config.log_file(), ignored);
  }
  auto command = TRY(prepare_launch(config, options));
  const sys::Fd log = TRY(open_log(config, config.log_file()));
  command.out = command.err = sys::Stdio::to(log.get());
  auto server = TRY(sys::spawn(command));
  const sql::Target target = TRY(admin_target(config));
  Error last{ErrorClass::unavailable, "agent.not_ready", "it did not get ready in time", {}, {}};
  std::optional<sql::MariadbConnection> connection;
  auto ready = sys::wait_until(
      [&] {
        if (server.poll()) return true;
        auto opened = sql::MariadbConnection::connect(target, Deadline::in(seconds(2)), job.stop);
        if (opened) {
          connection.emplace(std::move(*opened));
          return true;
        }
        last = std::move(opened).error();
        return false;
      },
      job.deadline, job.stop);
  if (!ready) return fail(std::move(ready).error());
  if (!connection) {
    last.message += "\nend of " + config.log_file() + ":\n" + tail_as_server(config, config.log_file(), 1200);
    return fail(std::move(last).with_context("starting a server on " + config.data_dir()));
  }
  job.progress.watch(server.pid());
  auto used = use(*connection);
  job.progress.watch(0);
  connection.reset();
  if (!used || afterwards == Afterwards::kill) return used;  // killed: what it worked on is thrown away
  TRY_VOID(server.signal(SIGTERM));
  auto ended = server.wait(job.deadline.at_most(seconds(120)), job.stop);
  if (!ended) return fail(std::move(ended).error().with_context("stopping the server on " + config.data_dir()));
  if (!ended->ok())
    return fail(ErrorClass::failed, "agent.copy",
                fmt::format("the server on {} ended with {}", config.data_dir(), ended->to_string()));
  return {};
}

}  // namespace detail

Result<codec::Value> copy_from_donor(const CopyJob& job) {
  auto copy = [&]() -> Result<codec::Value> {
    switch (job.config.engine) {
      case Engine::mysql:
        return detail::copy_mysql(job);
      case Engine::postgres:
        return detail::copy_postgres(job);
      default:
        return detail::copy_mariadb(job);
    }
  };
  auto made = copy();
  // Also when the copy failed because it was cancelled: the donor gets back what it had.
  auto undone = undo_donor_changes(job.config, Deadline::in(seconds(20)), {});
  if (made) made->set("donorRestored", undone.has_value());
  if (made && !undone) made->set("donorProblem", undone.error().to_string());
  if (made) return made;
  std::error_code ignored;
  if (made.error().id == "agent.copy" && fs::space(job.config.data_dir(), ignored).available < (16u << 20))
    made.error().id = "agent.no_space";
  return made;
}

}  // namespace holdfast::agent
