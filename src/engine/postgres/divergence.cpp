// The PostgreSQL part of engine/divergence.h.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <unordered_map>

#include "engine/divergence.h"
#include "engine/programs.h"
#include "position/wal.h"
#include "sys/process.h"

namespace holdfast::engine::detail {

using codec::Value;

namespace {

/// The segments, as long as this lives readable for the program that reads them, and nothing else for it.
class Lent {
 public:
  Lent(const ErrantLog& log, const std::optional<sys::Identity>& reader) : log_(log), reader_(reader) {
    change(reader_ ? reader_->gid : 0, 0040);
  }
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;
  ~Lent() { change(::getegid(), 0); }

 private:
  void change(gid_t group, mode_t more) const {
    if (!reader_) return;
    const auto set = [&](const std::string& path, mode_t mode) {
      (void)!::lchown(path.c_str(), static_cast<uid_t>(-1), group);
      (void)!::chmod(path.c_str(), mode);
    };
    set(log_.folder, 0700 | more | more >> 2);
    for (const auto& name : log_.segments) set(log_.folder + "/" + name, 0600 | more);
  }
  const ErrantLog& log_;
  const std::optional<sys::Identity>& reader_;
};

/// What pg_waldump says of each record, by LSN; nothing where it is not installed or of another major version: the
/// records are told without it, only with less detail.
void describe(std::unordered_map<std::string, std::string>& found, const Value& span, const ErrantLog& log,
              const DivergenceOptions& options, const std::string& scratch) {
  const auto program = find_program(cluster::Engine::postgres, "pg_waldump", options.postgres_major);
  const auto timeline = span["timeline"].unsigned_integer();
  const auto from = position::Lsn::parse(span["from"].text()), to = position::Lsn::parse(span["to"].text());
  const auto folder = sys::open_file(log.folder, O_RDONLY | O_DIRECTORY);
  auto out = sys::open_file(scratch, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!program || !from || !to || !folder || !out) return;
  const auto reader = log_reader();
  const Lent lent(log, reader);
  sys::Command command;
  constexpr int kFolder = 3;  // by its descriptor: the folders above are not the reader's to see
  command.argv = {*program,
                  "-p",
                  fmt::format("/proc/self/fd/{}", kFolder),
                  "-t",
                  std::to_string(timeline),
                  "-s",
                  from->to_string(),
                  "-e",
                  to->to_string()};
  command.pass = {{folder->get(), kFolder}};
  command.identity = reader;
  command.cwd = "/";
  command.clear_env = true;
  command.env = {{"LC_ALL", "C"}};
  command.out = sys::Stdio::to(out->get());
  command.err = sys::Stdio::null();
  command.new_session = true;
  command.die_with_parent = SIGKILL;
  auto process = sys::spawn(command);
  if (process) (void)process->wait(options.deadline, options.stop);
  std::ifstream lines(scratch);
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find("lsn: "), desc = line.find("desc: ");
    if (at == std::string::npos || desc == std::string::npos) continue;
    const auto lsn = position::Lsn::parse(line.substr(at + 5, line.find(',', at) - at - 5));
    if (lsn) found[lsn->to_string()] = line.substr(desc + 6);
  }
  ::unlink(scratch.c_str());
}

}  // namespace

Status write_wal_divergence(const ErrantLog& log, const DivergenceOptions& options, const std::string& folder,
                            DivergenceFiles& written) {
  std::unordered_map<std::string, std::string> said;
  for (const auto& span : log.spans.items()) describe(said, span, log, options, folder + "/waldump.part");
  Value records{Value::List()}, commits{Value::List()};
  for (const auto& record : log.records.items()) {
    const auto text = said.find(record["lsn"].text());
    records.push(record).set("description", text == said.end() ? Value() : Value(text->second));
  }
  for (const auto& commit : log.list.list)
    commits.push(Value::object({{"xid", commit.id.substr(commit.id.find(' ') + 1)},
                                {"time", time_text(commit.time)},
                                {"lsn", position::Lsn{commit.offset}.to_string()},
                                {"class", cluster::errant_class_name(commit.kind)},
                                {"relations", Value::list_of(commit.tables)},
                                {"bytes", commit.size}}));
  auto document = Value::object({{"member", options.member},
                                 {"cluster", options.cluster},
                                 {"systemIdentifier", log.system_identifier},
                                 {"spans", log.spans},
                                 {"commits", commits},
                                 {"recordsCutShort", log.records_cut_short},
                                 {"records", records}});
  const std::string name = options.member + ".wal.json";
  TRY_VOID(sys::publish_file(folder + "/" + name, as_bytes(codec::to_json(document, 2) + "\n"), 0600));
  written.files.push_back(name);
  for (const auto& segment : log.segments) written.files.push_back(divergence_log(options) + "/" + segment);
  return sys::sync_directory(log.folder);
}

}  // namespace holdfast::engine::detail
