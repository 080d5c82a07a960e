#include "engine/divergence.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <ctime>
#include <fstream>

#include "engine/programs.h"
#include "sys/file.h"
#include "sys/process.h"

namespace holdfast::engine {

using codec::Value;

namespace {

/// What it reads may be made to break it.
Status run_to_file(std::vector<std::string> argv, const sys::Fd& in, const std::string& out_path, Deadline deadline,
                   std::stop_token stop) {
  const std::string error_path = out_path + ".err";
  sys::Fd out = TRY(sys::open_file(out_path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  sys::Fd err = TRY(sys::open_file(error_path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  sys::Command command;
  const std::string program = argv[0];
  command.argv = std::move(argv);
  command.env = {{"LC_ALL", "C.UTF-8"}, {"TZ", "UTC"}};
  command.identity = detail::log_reader();
  command.cwd = "/";
  command.clear_env = true;
  command.in = sys::Stdio::to(in.get());
  command.out = sys::Stdio::to(out.get());
  command.err = sys::Stdio::to(err.get());
  command.new_session = true;
  command.die_with_parent = SIGKILL;
  auto process = TRY(sys::spawn(command));
  const auto status = TRY(process.wait(deadline, stop));
  std::string said;
  if (auto text = sys::read_file(error_path)) said = std::string(as_text(text->span()));
  ::unlink(error_path.c_str());
  if (status.ok()) return {};
  return fail(ErrorClass::failed, "divergence.program",
              fmt::format("{} ended with {}: {}", program, status.to_string(), said.substr(0, 500)));
}

/// MariaDB: the lines that would give a transaction its old GTID again, in the frame before its first statement.
class FrameFilter {
 public:
  bool drops(const std::string& line) {
    if (line.starts_with('#') && line.find("\tGTID ") != std::string::npos) {
      in_frame_ = true;
      return false;
    }
    if (!in_frame_ || line.starts_with('#')) return false;
    // "/*!100001 SET @@session.gtid_seq_no=5*//*!*/;", from 10.11.9 on "/*M!100001 SET ..."
    const size_t mark = line.starts_with("/*M!") ? 4 : line.starts_with("/*!") ? 3 : 0;
    const std::string_view rest = std::string_view(line).substr(mark);
    if (mark == 0 || !rest.substr(std::min<size_t>(6, rest.size())).starts_with(" SET @@session.")) {
      in_frame_ = false;
      return false;
    }
    const auto name = rest.substr(rest.find('.') + 1);
    return name.starts_with("gtid_domain_id=") || name.starts_with("server_id=") || name.starts_with("gtid_seq_no=");
  }

 private:
  bool in_frame_ = false;
};

Status write_sql(const ErrantLog& log, const DivergenceOptions& options, const std::string& folder,
                 DivergenceFiles& written) {
  const bool mysql = options.engine == cluster::Engine::mysql;
  const std::string program = TRY(find_program(options.engine, mysql ? "mysqlbinlog" : "mariadb-binlog"));
  const std::string name = options.member + ".sql", path = folder + "/" + name, part = path + ".part";
  sys::Fd created = TRY(sys::open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  created.reset();
  std::ofstream sql(path, std::ios::binary);
  sql << fmt::format(
      "-- Transactions that only {} of {} has and {} lacks: {}.\n-- Replay: {} < this file, where they shall be. {}\n",
      options.member, options.cluster, log.list.errant.against, log.list.list.size(),
      mysql ? "mysql --binary-mode" : "mariadb --binary-mode",
      mysql ? "They keep their GTIDs." : "They get new GTIDs there.");
  for (const auto& piece : log.pieces) {
    const sys::Fd bytes = TRY(sys::open_file(piece.path, O_RDONLY | O_NOFOLLOW));
    TRY_VOID(run_to_file({program, "--no-defaults", "--verbose", "-"}, bytes, part, options.deadline, options.stop));
    std::ifstream lines(part, std::ios::binary);
    FrameFilter filter;
    for (std::string line; std::getline(lines, line);)
      if (mysql || !filter.drops(line)) sql << line << '\n';
    ::unlink(piece.path.c_str());
    ::unlink(part.c_str());
  }
  sql.flush();
  if (!sql) return fail(sys::errno_error(errno, "write " + path));
  sql.close();
  written.files.push_back(name);
  return {};
}

Value transaction_value(const ErrantTransaction& t) {
  return Value::object({{"gtid", t.id},
                        {"time", detail::time_text(t.time)},
                        {"class", cluster::errant_class_name(t.kind)},
                        {"tables", Value::list_of(t.tables)},
                        {"verbs", Value::list_of(t.verbs)},
                        {"size", t.size},
                        {"file", t.file},
                        {"offset", t.offset},
                        {"end", t.end}});
}

}  // namespace

namespace detail {

std::string time_text(double seconds) {
  const auto whole = static_cast<std::time_t>(std::floor(seconds));
  std::tm parts{};
  ::gmtime_r(&whole, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  const auto micros = static_cast<long>(std::lround((seconds - static_cast<double>(whole)) * 1e6));
  return micros > 0 && micros < 1'000'000 ? fmt::format("{}.{:06}Z", text, micros) : fmt::format("{}Z", text);
}

std::optional<sys::Identity> log_reader() {
  constexpr uid_t kNobody = 65534;
  if (::geteuid() != 0) return std::nullopt;
  return sys::Identity{kNobody, kNobody, {}};
}

}  // namespace detail

std::string divergence_log(const DivergenceOptions& options) {
  return options.member + (options.engine == cluster::Engine::postgres ? ".wal" : ".log");
}

Result<DivergenceFiles> write_divergence(const ErrantLog& log, const DivergenceOptions& options,
                                         const std::string& folder) {
  DivergenceFiles written;
  written.errant = log.list.errant;
  written.not_written = log.list.errant.unseen;
  if (!log.system_identifier.empty())
    TRY_VOID(detail::write_wal_divergence(log, options, folder, written));
  else if (!log.pieces.empty())
    TRY_VOID(write_sql(log, options, folder, written));
  if (log.segments.empty()) ::rmdir(log.folder.c_str());
  Value transactions{Value::List()};
  for (const auto& transaction : log.list.list) transactions.push(transaction_value(transaction));
  auto document = Value::object({{"member", options.member},
                                 {"cluster", options.cluster},
                                 {"engine", cluster::engine_name(options.engine)},
                                 {"errant", cluster::errant_value(log.list.errant)},
                                 {"cutShort", log.list.cut_short},
                                 {"transactions", transactions}});
  const std::string name = options.member + ".json";
  TRY_VOID(sys::publish_file(folder + "/" + name, as_bytes(codec::to_json(document, 2) + "\n"), 0600));
  written.files.insert(written.files.begin(), name);
  return written;
}

}  // namespace holdfast::engine
