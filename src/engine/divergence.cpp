#include "engine/divergence.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>

#include "engine/binlog/scan.h"
#include "engine/programs.h"
#include "sys/act_as.h"
#include "sys/file.h"
#include "sys/process.h"

namespace holdfast::engine {

namespace fs = std::filesystem;
using codec::Value;

namespace {

constexpr size_t kChunk = 1 << 20;
constexpr std::string_view kMagic(
    "\xfe"
    "bin",
    4);

Status copy_bytes(stored::Source& from, uint64_t at, uint64_t end, int to) {
  Buffer chunk;
  while (at < end) {
    chunk.resize(static_cast<size_t>(std::min<uint64_t>(kChunk, end - at)));
    const size_t got = TRY(from.read(at, {chunk.data(), chunk.size()}));
    if (got != chunk.size())
      return fail(ErrorClass::unavailable, "divergence.log", "the binary log became shorter while it was read");
    TRY_VOID(sys::write_all(to, chunk.span()));
    at += got;
  }
  return {};
}

/// The format description event that counts at `offset`: [first, second) in the file.
Result<std::pair<uint64_t, uint64_t>> format_before(stored::Source& source, uint64_t offset) {
  binlog::Window window(source);
  std::pair<uint64_t, uint64_t> format{0, 0};
  for (uint64_t at = kMagic.size(); at < offset;) {
    const auto head = TRY(window.view(at, binlog::kHeaderSize));
    const auto header = binlog::parse_header(head);
    if (!header || header->size < binlog::kHeaderSize) break;
    if (header->type == binlog::kFormatDescription) format = {at, at + header->size};
    at += header->size;
  }
  if (format.second == 0) return fail(ErrorClass::failed, "divergence.log", "the binary log has no format description");
  return format;
}

/// A binary log of nothing but these transactions of one file, which `owner` can read; its descriptor stands at its
/// beginning.
Result<sys::Fd> write_small_log(const std::vector<const ErrantTransaction*>& transactions, const std::string& path,
                                const std::optional<sys::Identity>& owner) {
  auto source = TRY([&] {
    const sys::ActAs as_owner(owner);
    return binlog::FileSource::open(transactions[0]->file);
  }());
  const auto format = TRY(format_before(source, transactions[0]->offset));
  auto fd = TRY(sys::open_file(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  TRY_VOID(sys::write_all(fd.get(), as_bytes(kMagic)));
  TRY_VOID(copy_bytes(source, format.first, format.second, fd.get()));
  for (const auto* transaction : transactions)
    TRY_VOID(copy_bytes(source, transaction->offset, transaction->end, fd.get()));
  if (::lseek(fd.get(), 0, SEEK_SET) != 0) return fail(sys::errno_error(errno, "read " + path));
  return fd;
}

/// As `owner`, whose files it reads: they may be made to break the program that reads them.
Status run_to_file(std::vector<std::string> argv, const sys::Fd& in, const std::optional<sys::Identity>& owner,
                   const std::string& out_path, Deadline deadline, std::stop_token stop) {
  const std::string error_path = out_path + ".err";
  sys::Fd out = TRY(sys::open_file(out_path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  sys::Fd err = TRY(sys::open_file(error_path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  sys::Command command;
  const std::string program = argv[0];
  command.argv = std::move(argv);
  command.env = {{"LC_ALL", "C.UTF-8"}, {"TZ", "UTC"}};
  command.identity = owner;
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

Status write_sql(const ErrantSearch& search, const ErrantList& list, const DivergenceOptions& options,
                 const std::string& folder, DivergenceFiles& written) {
  const bool mysql = search.engine == cluster::Engine::mysql;
  const std::string program = TRY(find_program(search.engine, mysql ? "mysqlbinlog" : "mariadb-binlog"));
  const std::string name = options.member + ".sql", path = folder + "/" + name;
  const std::string small_log = path + ".log", part = path + ".part";
  sys::Fd created = TRY(sys::open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  created.reset();
  std::ofstream sql(path, std::ios::binary);
  sql << fmt::format(
      "-- Transactions that only {} of {} has and {} lacks: {}.\n-- Replay: {} < this file, where they shall be. {}\n",
      options.member, options.cluster, options.against, list.list.size(),
      mysql ? "mysql --binary-mode" : "mariadb --binary-mode",
      mysql ? "They keep their GTIDs." : "They get new GTIDs there.");
  for (size_t i = 0; i < list.list.size();) {
    std::vector<const ErrantTransaction*> here;
    const std::string& file = list.list[i].file;
    for (; i < list.list.size() && list.list[i].file == file; ++i) here.push_back(&list.list[i]);
    const auto owner = sys::owner_of(search.data_dir);
    const sys::Fd log = TRY(write_small_log(here, small_log, owner));
    TRY_VOID(run_to_file({program, "--no-defaults", "--verbose", "-"}, log, owner, part, search.deadline, search.stop));
    std::ifstream lines(part, std::ios::binary);
    FrameFilter filter;
    for (std::string line; std::getline(lines, line);)
      if (mysql || !filter.drops(line)) sql << line << '\n';
    ::unlink(small_log.c_str());
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

}  // namespace detail

Result<DivergenceFiles> write_divergence(const ErrantSearch& search, const DivergenceOptions& options,
                                         const std::string& folder) {
  ErrantSearch whole = search;
  whole.most = options.most;
  ErrantList list;
  if (search.data_dir.empty()) {
    list.errant.transactions = search.transactions;
    list.errant.unseen = "its data directory is not known here";
  } else {
    list = find_errant(whole);
  }
  if (search.stop.stop_requested()) return fail(ErrorClass::interrupted, "cli.interrupted", "interrupted");
  DivergenceFiles written;
  list.errant.against = options.against;
  if (search.engine == cluster::Engine::postgres && !search.data_dir.empty()) {
    TRY_VOID(detail::write_wal_divergence(whole, list, options, folder, written));
  } else if (list.list.empty()) {
    written.not_written = list.errant.unseen;
  } else {
    TRY_VOID(write_sql(whole, list, options, folder, written));
    written.not_written = list.errant.unseen;
  }
  Value transactions{Value::List()};
  for (const auto& transaction : list.list) transactions.push(transaction_value(transaction));
  auto document = Value::object({{"member", options.member},
                                 {"cluster", options.cluster},
                                 {"engine", cluster::engine_name(search.engine)},
                                 {"errant", cluster::errant_value(list.errant)},
                                 {"cutShort", list.cut_short},
                                 {"transactions", transactions}});
  const std::string name = options.member + ".json";
  TRY_VOID(sys::publish_file(folder + "/" + name, as_bytes(codec::to_json(document, 2) + "\n"), 0600));
  written.files.insert(written.files.begin(), name);
  written.errant = std::move(list.errant);
  return written;
}

}  // namespace holdfast::engine
