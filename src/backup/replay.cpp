#include "backup/replay.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "backup/client_error.h"
#include "base/mutex.h"
#include "engine/dump.h"
#include "engine/private_files.h"
#include "engine/programs.h"
#include "repo/dump.h"
#include "repo/tree_access.h"
#include "sql/postgres.h"
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
  if (engine == Engine::postgres) {
    auto file = TRY(engine::PrivateFile::create("pgpass", engine::postgres_password_file(target)));
    command.argv = {TRY(engine::find_program(engine, "psql")),
                    "-X",
                    "-q",
                    "-v",
                    "ON_ERROR_STOP=1",
                    "--no-password",
                    "-d",
                    engine::postgres_conninfo(target, file.path(), "postgres"),
                    "-f",
                    "-"};
    // Reconnects of \connect must find the password too; the file's path is no secret.
    command.env = {{"PGPASSFILE", file.path()}};
    return ClientCommand{std::move(command), std::move(file)};
  }
  auto file = TRY(engine::PrivateFile::create("client.cnf", engine::mysql_option_file(target)));
  command.argv = {TRY(engine::find_program(engine, engine == Engine::mysql ? "mysql" : "mariadb")),
                  "--defaults-file=" + file.path(),
                  "--batch",
                  "--binary-mode",
                  "--comments",  // those in the bodies of routines are part of them
                  "--default-character-set=utf8mb4",
                  "--max-allowed-packet=1G"};
  return ClientCommand{std::move(command), std::move(file)};
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

Result<RoleFilter> role_filter(const sql::Target& target, std::stop_token stop) {
  auto connection = TRY(sql::PostgresConnection::connect(target, Deadline::in(seconds(30)), stop));
  auto rows = TRY(connection.query("SELECT quote_ident(rolname) AS r, rolname = current_user AS own FROM pg_roles",
                                   Deadline::in(seconds(30)), stop));
  std::vector<std::string> names;
  std::string own;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    names.push_back(rows.text("r", i));
    if (rows.text("own", i) == "t") own = names.back();
  }
  return RoleFilter(std::move(names), std::move(own));
}

}  // namespace

bool RoleFilter::drop(std::string_view line) const {
  if (line.starts_with("ALTER ROLE " + own_ + " WITH ")) return true;
  if (!line.starts_with("CREATE ROLE ")) return false;
  line.remove_prefix(12);
  if (!line.ends_with(";\n")) return false;
  line.remove_suffix(2);
  return std::ranges::count(existing_, line) > 0;
}

std::string RoleFilter::feed(std::string_view bytes) {
  if (!in_globals_) return held_.empty() ? std::string(bytes) : std::exchange(held_, {}) + std::string(bytes);
  held_ += bytes;
  std::string out;
  size_t from = 0;
  for (size_t end = held_.find('\n'); end != std::string::npos; end = held_.find('\n', from)) {
    const std::string_view line(held_.data() + from, end + 1 - from);
    if (!drop(line)) out += line;
    const bool last = line.starts_with("\\connect ");
    from = end + 1;
    if (last) {
      in_globals_ = false;
      out += held_.substr(from);
      held_.clear();
      return out;
    }
  }
  held_.erase(0, from);
  return out;
}

Result<engine::DumpCounts> replay_dump(repo::Repository& repository, const repo::Snapshot& snapshot,
                                       const std::string& path, Engine engine, const sql::Target& target,
                                       std::atomic<uint64_t>* progress, std::stop_token stop) {
  repo::Codec codec(repository.master_key());
  const auto node = TRY(repo::find_node(repository, snapshot.tree, path, codec));
  if (!node || node->type != repo::NodeType::file) {
    return fail(ErrorClass::refused, "restore.no_dump",
                fmt::format("snapshot {} holds no {}", snapshot.id.short_hex(), path),
                "holdfast get backups lists what there is");
  }
  std::optional<RoleFilter> filter;
  if (engine == Engine::postgres) filter.emplace(TRY(role_filter(target, stop)));
  auto client_parts = TRY(client_command(engine, target));
  client_parts.command.in = sys::Stdio::pipe();
  client_parts.command.out = sys::Stdio::null();
  client_parts.command.err = sys::Stdio::pipe();
  client_parts.command.new_session = true;
  client_parts.command.die_with_parent = SIGKILL;
  Client client(TRY(sys::spawn(client_parts.command)), stop);
  engine::DumpScanner scanner(engine::dump_flavour(engine));
  const auto write = [&](ByteSpan bytes) -> Status {
    scanner.feed(bytes);
    if (progress) *progress += bytes.size();
    return filter ? client.write(filter->feed(as_text(bytes))) : client.write(as_text(bytes));
  };
  TRY_VOID(repo::dump_blobs(repository, node->content, write, {}, stop));
  if (!scanner.complete()) {
    return fail(ErrorClass::verification_failed, "restore.incomplete_dump",
                fmt::format("{} of snapshot {} has no end marker", path, snapshot.id.short_hex()),
                "restore another snapshot");
  }
  if (filter) TRY_VOID(client.write(filter->finish()));
  TRY_VOID(client.finish());
  return scanner.counts();
}

}  // namespace holdfast::backup
