// A stopped Galera node's position and its safe_to_bootstrap mark.
#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>

#include "agent/launch.h"
#include "agent/server.h"
#include "sys/file.h"

namespace holdfast::agent {

namespace fs = std::filesystem;

Result<std::string> Server::recover_position(Deadline deadline, std::stop_token stop) {
  auto lock = TRY(begin());
  return recover_locked(config(), deadline, stop);
}

Result<std::string> Server::galera_position(Deadline deadline, std::stop_token stop) {
  auto lock = TRY(begin());
  return galera_position_locked(config(), deadline, stop);
}

Result<std::string> Server::galera_position_locked(const MemberConfig& config, Deadline deadline,
                                                   std::stop_token stop) {
  if (config.engine != cluster::Engine::galera)
    return fail(ErrorClass::usage, "agent.recover", "only a Galera node has a position to recover");
  if (!is_initialised(config))
    return fail(ErrorClass::refused, "agent.no_data", config.member + " has no data directory");
  auto saved = read_grastate(config);
  if (saved && saved->zero_uuid())
    return fail(ErrorClass::refused, "agent.no_history",
                fmt::format("grastate.dat of {} has no history: Galera itself has found its data not to be trusted",
                            config.member),
                "rebuild it from another member");
  if (saved && saved->seqno >= 0) return fmt::format("{}:{}", saved->uuid, saved->seqno);
  return recover_locked(config, deadline, stop);
}

Result<bool> Server::safe_to_bootstrap(std::optional<bool> set) {
  auto lock = TRY(begin());
  if (set) TRY_VOID(check_stopped());
  if (pid() > 0) return fail(running_error());
  const MemberConfig config = this->config();
  auto state = read_grastate(config);
  if (!state)
    return fail(ErrorClass::refused, "agent.no_data", config.member + " has no grastate.dat, or not a whole one",
                "rebuild it from another member");
  const bool safe = state->safe_to_bootstrap == true;
  if (!set || *set == safe) return safe;
  state->safe_to_bootstrap = set;
  TRY_VOID(write_grastate(config, *state));
  return *set;
}

Result<std::vector<std::string>> Server::words_for_start(const MemberConfig& config, const LaunchOptions& options,
                                                         Deadline deadline, const std::stop_token& stop) {
  std::vector<std::string> words = options.extra_args;
  if (config.engine != cluster::Engine::galera) return words;
  const auto saved = read_grastate(config);
  // After a crash only InnoDB knows where it stands, and a node that is not told takes everything from another one.
  // What Galera has thrown out stands nowhere.
  if (!config.existing->finds_position && saved && !saved->zero_uuid())
    words.push_back("--wsrep-start-position=" + TRY(galera_position_locked(config, deadline, stop)));
  if (!options.new_cluster) return words;
  words.emplace_back("--wsrep-new-cluster");
  if (saved && saved->safe_to_bootstrap != true) TRY_VOID(allow_bootstrap(config, *saved));
  return words;
}

Status Server::give_up_joining(const MemberConfig& config, Deadline deadline, const std::stop_token& stop) {
  const auto comes = [&] { return state() != ServerState::starting || find_running(config).has_value(); };
  if (TRY(sys::wait_until(comes, deadline.at_most(std::chrono::seconds(10)), stop))) return {};
  // In that state it hears no signal but the one that cannot be refused, and has opened no table.
  return stop_locked(StopMode::fast, deadline.at_most(std::chrono::seconds(10)), stop);
}

namespace {

/// Which files InnoDB's position is in, and whether anything wrote to them: any start of a server does. "" when one is
/// missing.
std::string innodb_files(const MemberConfig& config) {
  std::string text;
  for (const char* name : {"ib_logfile0", "ibdata1", "grastate.dat"}) {
    struct stat info{};
    if (::lstat((config.data_dir() + "/" + name).c_str(), &info) != 0) return {};
    text += fmt::format("{}:{}:{}:{}.{} ", info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec,
                        info.st_mtim.tv_nsec);
  }
  return text;
}

}  // namespace

Result<std::string> Server::recover_locked(const MemberConfig& config, Deadline deadline, std::stop_token stop) {
  if (config.engine != cluster::Engine::galera)
    return fail(ErrorClass::usage, "agent.recover", "only a Galera node has a position to recover");
  if (pid() > 0) return fail(ErrorClass::refused, "agent.running", "the server runs", "ask it by SQL");
  TRY_VOID(clear_stale(config));
  LaunchOptions options;
  const std::string log_file = config.dir + "/log/recover.log";
  options.extra_args = {"--wsrep-recover", "--log-error=" + log_file};
  // Of an existing server, too: nothing of it is its unit's.
  MemberConfig alone = config;
  alone.apart = config.existing.has_value();
  auto command = TRY(prepare_launch(alone, options));
  {
    const sys::ActAs as_server(server_identity(config));
    std::error_code ignored;
    fs::remove(log_file, ignored);
  }
  auto result = TRY(sys::run(std::move(command), deadline, stop));
  std::string text = result.err;
  if (const auto log = read_as_server(config, log_file)) text += *log;
  const std::string_view mark = "WSREP: Recovered position:";
  auto at = text.rfind(mark);
  if (at == std::string::npos)
    return fail(ErrorClass::failed, "agent.recover",
                "mariadbd --wsrep-recover printed no position (" + result.status.to_string() + ")");
  at = text.find_first_not_of(' ', at + mark.size());
  std::string position = text.substr(at, text.find_first_of(" \r\n,", at) - at);
  MutexLock guard(mutex_);
  recovered_ = Recovered{position, std::chrono::steady_clock::now()};
  recovered_files_ = innodb_files(config);
  return position;
}

std::optional<Server::Recovered> Server::recovered() const {
  MutexLock lock(mutex_);
  if (!recovered_ || recovered_files_.empty()) return std::nullopt;
  const bool runs = state_ != ServerState::stopped && state_ != ServerState::failed;
  if (runs || innodb_files(config_) != recovered_files_) return std::nullopt;
  return recovered_;
}

}  // namespace holdfast::agent
