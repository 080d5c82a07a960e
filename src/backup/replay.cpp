#include "backup/replay.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "backup/client_error.h"
#include "backup/mysql_replay.h"
#include "backup/postgres_replay.h"
#include "base/mutex.h"
#include "engine/dump.h"
#include "engine/private_files.h"
#include "engine/programs.h"
#include "repo/dump.h"
#include "repo/tree_access.h"
#include "sql/transport.h"
#include "sys/process.h"

namespace holdfast::backup {
namespace {

using cluster::Engine;
using std::chrono::seconds;

constexpr auto kStallLimit = std::chrono::minutes(30);  // an ALTER TABLE or CREATE INDEX of the dump may take long

struct ClientCommand {
  sys::Command command;
  engine::PrivateFile file;
};

Result<ClientCommand> client_command(Engine engine, const sql::Target& target) {
  sys::Command command;
  auto file = TRY(
      engine::PrivateFile::create("client.cnf", TRY(engine::mysql_option_file(engine, target)), sql::peer_of(target)));
  command.argv = {TRY(engine::find_program(engine, engine == Engine::mysql ? "mysql" : "mariadb")),
                  "--defaults-file=" + file.path(),
                  "--batch",
                  "--binary-mode",
                  "--comments",  // those in the bodies of routines are part of them
                  "--default-character-set=utf8mb4",
                  "--max-allowed-packet=1G"};
  engine::run_as_peer(command, target);
  return ClientCommand{std::move(command), std::move(file)};
}

Result<sys::Process> start_client(ClientCommand& parts) {
  parts.command.in = sys::Stdio::pipe();
  parts.command.out = sys::Stdio::null();
  parts.command.err = sys::Stdio::pipe();
  parts.command.new_session = true;
  parts.command.die_with_parent = SIGKILL;
  return sys::spawn(parts.command);
}

// The client at work: bytes go to its standard input, its complaints are collected.
class Client {
 public:
  Client(sys::Process process, std::stop_token stop)
      : process_(std::move(process)), stop_(std::move(stop)), in_(process_.take_stdin()) {
    (void)::fcntl(in_.get(), F_SETPIPE_SZ, 1 << 20);
    (void)::fcntl(in_.get(), F_SETFL, O_NONBLOCK);
    listener_ = std::thread([this, err = process_.take_stderr()] {
      char block[4096];
      while (true) {
        const ssize_t got = ::read(err.get(), block, sizeof block);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return;
        MutexLock lock(mutex_);
        words_.add({block, static_cast<size_t>(got)});
      }
    });
  }
  ~Client() {
    (void)process_.signal_group(SIGKILL);
    (void)process_.kill();
    if (listener_.joinable()) listener_.join();
  }

  Status write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t wrote = ::write(in_.get(), bytes.data(), bytes.size());
      if (wrote > 0) {
        bytes.remove_prefix(static_cast<size_t>(wrote));
        continue;
      }
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0 && errno == EPIPE) return finish();
      if (wrote < 0 && errno != EAGAIN) return fail(sys::errno_error(errno, "writing to the client"));
      if (!TRY(sys::wait_fd(in_.get(), POLLOUT, Deadline::in(kStallLimit), stop_))) {
        return fail(ErrorClass::unavailable, "backup.replay_stalled",
                    "the server has taken no statement for 30 minutes",
                    "look at the server's log, then run the restore again");
      }
    }
    return {};
  }

  /// Closes the input and waits; a failure tells what the client said.
  Status finish() {
    in_.reset();
    auto status = TRY(process_.wait(Deadline::in(kStallLimit), stop_));
    if (listener_.joinable()) listener_.join();
    if (status.ok()) return {};
    MutexLock lock(mutex_);
    return fail(ErrorClass::failed, "backup.replay_failed",
                fmt::format("the replay stopped at the first error ({}): {}", status.to_string(), words_.complaint()),
                "a server of another version or with other settings may refuse what this one wrote; restore --into DIR "
                "tries it beside the cluster");
  }

 private:
  sys::Process process_;
  std::stop_token stop_;
  sys::Fd in_;
  std::thread listener_;
  Mutex mutex_;
  ClientWords words_ GUARDED_BY(mutex_);
};

using Sink = std::function<Status(ByteSpan)>;

Status replay_mysql(const ReplayTarget& target, const std::function<Status(const Sink&)>& dump, ReplayReport& report,
                    std::stop_token stop) {
  auto replay = TRY(MysqlReplay::begin(target.server, target.choices, std::move(stop)));
  TRY_VOID(dump([&](ByteSpan bytes) { return replay->feed(as_text(bytes)); }));
  replay->report(report);
  return {};
}

Status replay_postgres(const ReplayTarget& target, const std::function<Status(const Sink&)>& dump, ReplayReport& report,
                       std::stop_token stop) {
  auto replay =
      TRY(PostgresReplay::begin(target.server, target.choices, target.tablespace_dir, target.say, std::move(stop)));
  bool again = true;
  while (again) {
    TRY_VOID(dump([&](ByteSpan bytes) { return replay->feed(as_text(bytes)); }));
    again = TRY(replay->another_round());
    if (again && target.say) target.say("trying again what failed, now that all else is there");
  }
  replay->report(report);
  return {};
}

}  // namespace

Status replay_statements(Engine engine, const sql::Target& target, std::string_view statements, std::stop_token stop) {
  auto parts = TRY(client_command(engine, target));
  Client client(TRY(start_client(parts)), stop);
  TRY_VOID(client.write(statements));
  return client.finish();
}

Result<engine::DumpCounts> read_dump(repo::Repository& repository, const repo::Snapshot& snapshot,
                                     const std::string& path, Engine engine, const Sink& into, std::stop_token stop) {
  repo::Codec codec(repository.master_key());
  const auto node = TRY(repo::find_node(repository, snapshot.tree, path, codec));
  if (!node || node->type != repo::NodeType::file) {
    return fail(ErrorClass::refused, "restore.no_dump",
                fmt::format("snapshot {} holds no {}", snapshot.id.short_hex(), path),
                "holdfast get backups lists what there is");
  }
  engine::DumpScanner scanner(engine::dump_flavour(engine));
  const auto write = [&](ByteSpan bytes) -> Status {
    scanner.feed(bytes);
    return into(bytes);
  };
  TRY_VOID(repo::dump_blobs(repository, node->content, write, {}, std::move(stop)));
  if (!scanner.complete()) {
    return fail(ErrorClass::verification_failed, "restore.incomplete_dump",
                fmt::format("{} of snapshot {} has no end marker", path, snapshot.id.short_hex()),
                "restore another snapshot");
  }
  return scanner.counts();
}

Result<ReplayReport> replay_dump(repo::Repository& repository, const repo::Snapshot& snapshot, const std::string& path,
                                 const ReplayTarget& target, std::atomic<uint64_t>* progress, std::stop_token stop) {
  ReplayReport report;
  bool first = true;
  // May be called again for another round; the dump is counted once.
  const auto dump = [&](const Sink& into) -> Status {
    const auto write = [&](ByteSpan bytes) -> Status {
      if (progress && first) *progress += bytes.size();
      return into(bytes);
    };
    report.counts = TRY(read_dump(repository, snapshot, path, target.engine, write, stop));
    first = false;
    return {};
  };
  TRY_VOID(target.engine == Engine::postgres ? replay_postgres(target, dump, report, stop)
                                             : replay_mysql(target, dump, report, stop));
  return report;
}

}  // namespace holdfast::backup
