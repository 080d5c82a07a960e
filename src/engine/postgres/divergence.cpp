// The PostgreSQL part of engine/divergence.h.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <unordered_map>

#include "engine/divergence.h"
#include "engine/postgres/errant.h"
#include "engine/programs.h"
#include "engine/stored/files.h"
#include "sys/act_as.h"
#include "sys/process.h"

namespace holdfast::engine::detail {

namespace fs = std::filesystem;
using codec::Value;
using namespace postgres;

namespace {

/// What pg_waldump says of each record, by LSN; nothing where it is not installed or of another major version: the
/// records are told without it, only with less detail.
std::unordered_map<Lsn, std::string> descriptions(const ErrantSearch& search, const cluster::WalSpan& span,
                                                  const std::string& scratch) {
  std::unordered_map<Lsn, std::string> found;
  const auto program = find_program(cluster::Engine::postgres, "pg_waldump");
  if (!program) return found;
  auto out = sys::open_file(scratch, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!out) return found;
  sys::Command command;
  command.argv = {*program,
                  "-p",
                  search.data_dir + "/pg_wal",
                  "-t",
                  std::to_string(span.timeline),
                  "-s",
                  lsn_text(span.from.value),
                  "-e",
                  lsn_text(span.to.value)};
  command.identity = sys::owner_of(search.data_dir);  // what it reads may be made to break it
  command.cwd = "/";
  command.clear_env = true;
  command.env = {{"LC_ALL", "C"}};
  command.out = sys::Stdio::to(out->get());
  command.err = sys::Stdio::null();
  command.new_session = true;
  command.die_with_parent = SIGKILL;
  auto process = sys::spawn(command);
  if (process) (void)process->wait(search.deadline, search.stop);
  std::ifstream lines(scratch);
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find("lsn: "), desc = line.find("desc: ");
    if (at == std::string::npos || desc == std::string::npos) continue;
    const auto lsn = position::Lsn::parse(line.substr(at + 5, line.find(',', at) - at - 5));
    if (lsn) found[lsn->value] = line.substr(desc + 6);
  }
  ::unlink(scratch.c_str());
  return found;
}

Status copy_file(const std::optional<sys::Identity>& owner, const std::string& from, const std::string& to) {
  sys::Fd in = TRY([&] {
    const sys::ActAs as_owner(owner);
    return stored::open_regular(from);
  }());
  sys::Fd out = TRY(sys::open_file(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  Buffer chunk;
  for (;;) {
    chunk.resize(1 << 20);
    const size_t got = TRY(sys::read_full(in.get(), {chunk.data(), chunk.size()}));
    if (got == 0) return {};
    TRY_VOID(sys::write_all(out.get(), chunk.span().first(got)));
  }
}

Status copy_segments(const ErrantSearch& search, const std::set<std::string>& names, const std::string& folder,
                     const std::string& prefix, DivergenceFiles& written) {
  if (::mkdir((folder + "/" + prefix).c_str(), 0700) != 0) return fail(sys::errno_error(errno, "mkdir " + prefix));
  for (const auto& name : names) {
    const std::string from = search.data_dir + "/pg_wal/" + name;
    auto copied = copy_file(sys::owner_of(search.data_dir), from, folder + "/" + prefix + "/" + name);
    if (!copied && copied.error().id == "store.not_found") continue;  // on no disk any more; the list says so
    TRY_VOID(std::move(copied));
    written.files.push_back(prefix + "/" + name);
  }
  return sys::sync_directory(folder + "/" + prefix);
}

}  // namespace

Status write_wal_divergence(const ErrantSearch& search, const ErrantList& list, const DivergenceOptions& options,
                            const std::string& folder, DivergenceFiles& written) {
  written.not_written = list.errant.unseen;
  const auto names = TRY(cluster::parse_errant(search.engine, search.transactions));
  const auto as_owner = [owner = sys::owner_of(search.data_dir)](auto&& read) {
    const sys::ActAs guard(owner);
    return read();
  };
  auto access = as_owner([&] { return open_wal(search.data_dir, search.deadline, search.stop); });
  if (!access) {
    written.not_written = access.error().message;
    return {};
  }
  const uint32_t segment_size = access->control.wal_segment_size;
  Value records{Value::List()}, commits{Value::List()}, spans{Value::List()};
  std::set<std::string> segments;
  size_t told = 0;
  for (const auto& span : names.wal) {
    const auto said = descriptions(search, span, folder + "/waldump.part");
    const auto on_record = [&](const WalItem& item) {
      segments.insert(segment_file_name({item.timeline, item.start / segment_size}, segment_size));
      segments.insert(segment_file_name({item.timeline, (item.end - 1) / segment_size}, segment_size));
      if (told++ >= options.most_records) return;
      const auto record = parse_wal_record(item);
      const auto text = said.find(item.start);
      records.push(Value::object({{"lsn", lsn_text(item.start)},
                                  {"end", lsn_text(item.end)},
                                  {"timeline", item.timeline},
                                  {"record", record ? wal_record_name(*record) : "unreadable"},
                                  {"xid", record ? Value(record->xid) : Value()},
                                  {"bytes", item.bytes.size()},
                                  {"description", text == said.end() ? Value() : Value(text->second)}}));
    };
    const WalPiece piece{span.from.value, span.to.value};
    const auto walk =
        as_owner([&] { return walk_wal(search.data_dir, access->control, piece, on_record, access->options); });
    spans.push(Value::object({{"timeline", span.timeline},
                              {"from", span.from.to_string()},
                              {"to", span.to.to_string()},
                              {"readTo", lsn_text(walk.end)},
                              {"bytes", walk.end - piece.from},
                              {"unread", walk.unknown.empty() ? Value() : Value(walk.unknown)}}));
    if (span.timeline > 1) segments.insert(history_file_name(span.timeline));
    if (!walk.unknown.empty()) break;
  }
  for (const auto& commit : list.list)
    commits.push(Value::object({{"xid", commit.id.substr(commit.id.find(' ') + 1)},
                                {"time", time_text(commit.time)},
                                {"lsn", lsn_text(commit.offset)},
                                {"class", cluster::errant_class_name(commit.kind)},
                                {"relations", Value::list_of(commit.tables)},
                                {"bytes", commit.size}}));
  auto document = Value::object({{"member", options.member},
                                 {"cluster", options.cluster},
                                 {"systemIdentifier", std::to_string(access->control.system_identifier)},
                                 {"spans", spans},
                                 {"commits", commits},
                                 {"recordsCutShort", told > options.most_records},
                                 {"records", records}});
  const std::string name = options.member + ".wal.json";
  TRY_VOID(sys::publish_file(folder + "/" + name, as_bytes(codec::to_json(document, 2) + "\n"), 0600));
  written.files.push_back(name);
  return copy_segments(search, segments, folder, options.member + ".wal", written);
}

}  // namespace holdfast::engine::detail
