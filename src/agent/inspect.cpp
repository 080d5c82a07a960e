#include "agent/inspect.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "agent/data_dir.h"
#include "agent/dir_users.h"
#include "agent/last_data.h"
#include "agent/server_files.h"
#include "agent/unit.h"
#include "engine/mariadb/table_files.h"
#include "engine/observe.h"
#include "engine/postgres/stored.h"
#include "engine/stored/parts.h"
#include "sys/file.h"

namespace holdfast::agent {

namespace fs = std::filesystem;

using cluster::MemberFacts;
using cluster::StoredFacts;
using codec::Value;

namespace {

constexpr size_t kLogTail = 16 << 10;
constexpr int kLogLines = 200;

/// "S", "D", "T"...; "" when there is no such process.
std::string process_state(pid_t pid) {
  auto text = sys::read_file(fmt::format("/proc/{}/stat", pid));
  if (!text) return {};
  const std::string_view view = as_text(text->span());
  const size_t name_end = view.rfind(')');
  return name_end == std::string_view::npos || name_end + 2 >= view.size() ? "" : std::string(1, view[name_end + 2]);
}

std::string last_run(const MemberConfig& config) {
  const bool in_journal = config.log_file().empty() && config.is_by_unit();
  std::string text =
      in_journal ? unit_log(config.existing->unit, kLogLines) : tail_as_server(config, config.log_file(), kLogTail);
  if (text.size() > kLogTail) text.erase(0, text.size() - kLogTail);
  // What a run before the last one said is history: it may have been mended since.
  size_t begin = 0;
  for (std::string_view mark : {"starting PostgreSQL", "starting as process", "Starting MariaDB"})
    if (const size_t at = text.rfind(mark); at != std::string::npos) begin = std::max(begin, text.rfind('\n', at) + 1);
  return text.substr(begin);
}

void look_at_disk(MemberFacts& facts, const std::string& path, std::string purpose) {
  struct statvfs disk{};
  if (::statvfs(path.c_str(), &disk) != 0) {
    engine::note_unknown(facts, "disk of " + purpose, path, sys::errno_error(errno, "statvfs").message);
    return;
  }
  cluster::Volume v;
  v.purpose = std::move(purpose);
  v.path = path;
  v.total = static_cast<uint64_t>(disk.f_blocks) * disk.f_frsize;
  v.free = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  v.inodes = disk.f_files;
  v.inodes_free = disk.f_favail;
  facts.runtime.volumes.push_back(std::move(v));
}

bool is_log(std::string_view file) {
  // What a MySQL or MariaDB server holds open all the time beside its tables: the lists of its logs, and its redo log.
  return file.ends_with(".index") || file.starts_with("ib_logfile") || file.starts_with("#ib_redo");
}

void look_beside(MemberFacts& facts, const MemberConfig& config) {
  using Kind = cluster::Leftover::Kind;
  std::error_code error;
  const std::string home = config.data_home();
  for (std::filesystem::directory_iterator it(home, error), end; !error && it != end; it.increment(error)) {
    const std::string path = it->path().string();
    if (path == config.beside(".new"))
      facts.runtime.leftovers.push_back({is_initialised(side_of(config)) ? Kind::side : Kind::half_made, path});
    if (path.starts_with(config.beside(".dropping-"))) facts.runtime.leftovers.push_back({Kind::dropping, path});
    if (path.starts_with(config.beside(".replaced-"))) facts.runtime.leftovers.push_back({Kind::replaced, path});
  }
  std::ranges::sort(facts.runtime.leftovers, {}, &cluster::Leftover::path);
  if (error) engine::note_unknown(facts, "directories beside the data", home, error.message());
}

/// Folders of the server's logs on other disks than its data, told by the files its process holds open: whatever its
/// configuration says, that is where they are.
std::vector<std::string> log_folders(pid_t server_pid, dev_t data) {
  std::vector<std::string> folders;
  std::set<dev_t> seen = {data};
  std::error_code error;
  for (fs::directory_iterator it(fmt::format("/proc/{}/fd", server_pid), error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;
    const fs::path target = fs::read_symlink(it->path(), gone);
    struct stat info{};
    if (gone || !is_log(target.filename().string()) || ::stat(target.c_str(), &info) != 0) continue;
    if (S_ISREG(info.st_mode) && seen.insert(info.st_dev).second) folders.push_back(target.parent_path().string());
  }
  return folders;
}

/// Whatever owner and mode say, nobody writes to it.
bool is_immutable(const fs::path& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0 || (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))) return false;
  const sys::Fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  long flags = 0;
  return fd.get() >= 0 && ::ioctl(fd.get(), FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_IMMUTABLE_FL) != 0;
}

/// The first of the directory, its files, and those of its folders; "" = none. Of very many, those that come first.
std::string immutable_below(const std::string& dir) {
  constexpr int kMost = 5000;
  if (is_immutable(dir)) return dir;
  int seen = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(dir, fs::directory_options::skip_permission_denied, error), end;
       !error && it != end && seen < kMost; it.increment(error), ++seen) {
    if (it.depth() >= 1) it.disable_recursion_pending();
    if (is_immutable(it->path())) return it->path().string();
  }
  return {};
}

template <class T>
Value optional(const std::optional<T>& value) {
  return value ? Value(*value) : Value();
}
std::optional<bool> flag(const Value& value) {
  return value.is_bool() ? std::optional(value.boolean()) : std::nullopt;
}
std::optional<int64_t> number(const Value& value) {
  return value.is_integer() ? std::optional(value.integer()) : std::nullopt;
}

constexpr StoredFacts::Data kData[] = {StoredFacts::Data::unknown, StoredFacts::Data::present, StoredFacts::Data::empty,
                                       StoredFacts::Data::missing, StoredFacts::Data::incomplete};

Value room_value(const std::optional<StoredFacts::WalRoom>& room) {
  if (!room) return {};
  Value slots{Value::List()};
  for (const auto& slot : room->slots)
    slots.push(Value::object({{"name", slot.name}, {"physical", slot.physical}, {"restart", slot.restart_lsn}}));
  return Value::object({{"segmentSize", room->segment_size},
                        {"oldest", room->oldest},
                        {"recovery", room->recovery},
                        {"archiver", room->archiver},
                        {"unknown", room->unknown},
                        {"slots", slots}});
}

std::optional<StoredFacts::WalRoom> room_from(const Value& v) {
  if (!v.is_object()) return std::nullopt;
  StoredFacts::WalRoom room;
  room.segment_size = v["segmentSize"].unsigned_integer();
  room.oldest = v["oldest"].text();
  room.recovery = v["recovery"].text();
  room.archiver = v["archiver"].text();
  room.unknown = v["unknown"].text();
  for (const auto& told : v["slots"].items()) {
    cluster::Slot slot;
    slot.name = told["name"].text();
    slot.physical = told["physical"].boolean();
    slot.restart_lsn = told["restart"].text();
    room.slots.push_back(std::move(slot));
  }
  return room;
}

Value page_check_value(const std::optional<cluster::PageCheck>& check) {
  if (!check) return {};
  Value empty = Value::list();
  for (const auto& run : check->empty)
    empty.push(Value::object({{"file", run.file}, {"first", run.first}, {"pages", run.pages}}));
  return Value::object({{"running", check->running},
                        {"complete", check->complete},
                        {"bytes", check->bytes},
                        {"ofBytes", check->of_bytes},
                        {"bad", Value::list_of(check->bad)},
                        {"empty", std::move(empty)}});
}

std::optional<cluster::PageCheck> page_check_from(const Value& v) {
  if (!v.is_object()) return std::nullopt;
  cluster::PageCheck check{v["running"].boolean(),
                           v["complete"].boolean(),
                           v["bytes"].unsigned_integer(),
                           v["ofBytes"].unsigned_integer(),
                           {},
                           {}};
  for (const auto& bad : v["bad"].items()) check.bad.push_back(bad.text());
  for (const auto& run : v["empty"].items())
    check.empty.push_back({run["file"].text(), run["first"].unsigned_integer(), run["pages"].unsigned_integer()});
  return check;
}

Value stored_value(const StoredFacts& s) {
  return Value::object({{"data", cluster::stored_data_name(s.data)},
                        {"why", s.why},
                        {"remembered", s.remembered},
                        {"immutable", s.immutable},
                        {"torn", s.torn},
                        {"position", s.position},
                        {"positionUnknown", s.position_unknown},
                        {"positionSource", s.position_source},
                        {"received", s.received},
                        {"receivedUnknown", s.received_unknown},
                        {"lineage", s.lineage},
                        {"clusterState", s.cluster_state},
                        {"timeline", s.timeline},
                        {"history", s.history},
                        {"minimumRecovery", s.minimum_recovery},
                        {"standbySignal", optional(s.standby_signal)},
                        {"checksumVersion", optional(s.checksum_version)},
                        {"archiveReady", s.archive_ready},
                        {"walRoom", room_value(s.wal_room)},
                        {"seqno", optional(s.seqno)},
                        {"safeToBootstrap", optional(s.safe_to_bootstrap)},
                        {"abortedTransfer", s.aborted_transfer},
                        {"transferStillSeconds", optional(s.transfer_still_seconds)},
                        {"gcacheFirst", optional(s.gcache_first)},
                        {"gcacheLast", optional(s.gcache_last)}});
}

StoredFacts stored_from(const Value& v) {
  StoredFacts s;
  for (auto data : kData)
    if (v["data"].text() == cluster::stored_data_name(data)) s.data = data;
  s.why = v["why"].text();
  s.remembered = v["remembered"].text();
  s.immutable = v["immutable"].text();
  s.torn = v["torn"].boolean();
  s.position = v["position"].text();
  s.position_unknown = v["positionUnknown"].text();
  s.position_source = v["positionSource"].text();
  s.received = v["received"].text();
  s.received_unknown = v["receivedUnknown"].text();
  s.lineage = v["lineage"].text();
  s.cluster_state = v["clusterState"].text();
  s.timeline = static_cast<uint32_t>(v["timeline"].integer());
  s.history = v["history"].text();
  s.minimum_recovery = v["minimumRecovery"].text();
  s.standby_signal = flag(v["standbySignal"]);
  if (auto version = number(v["checksumVersion"])) s.checksum_version = static_cast<int>(*version);
  s.archive_ready = static_cast<int>(v["archiveReady"].integer());
  s.wal_room = room_from(v["walRoom"]);
  s.seqno = number(v["seqno"]);
  s.safe_to_bootstrap = flag(v["safeToBootstrap"]);
  s.aborted_transfer = v["abortedTransfer"].text();
  if (!v["transferStillSeconds"].is_null()) s.transfer_still_seconds = v["transferStillSeconds"].number();
  s.gcache_first = number(v["gcacheFirst"]);
  s.gcache_last = number(v["gcacheLast"]);
  return s;
}

}  // namespace

void look_at_disks(MemberFacts& facts, const MemberConfig& config, pid_t server_pid) {
  struct stat data{}, info{};
  const bool has_data = ::stat(config.data_dir().c_str(), &data) == 0;
  look_at_disk(facts, has_data ? config.data_dir() : config.data_home(), "data");
  if (!has_data) return;
  if (config.engine != cluster::Engine::postgres) {
    for (const auto& folder : server_pid > 0 ? log_folders(server_pid, data.st_dev) : std::vector<std::string>())
      look_at_disk(facts, folder, "log");
    return;
  }
  const sys::ActAs as_server(server_identity(config));
  // WAL and tablespaces may be on disks of their own, behind symbolic links.
  std::set<dev_t> seen = {data.st_dev};
  const std::string wal = config.data_dir() + "/pg_wal";
  if (::stat(wal.c_str(), &info) == 0 && seen.insert(info.st_dev).second) look_at_disk(facts, wal, "log");
  std::error_code error;
  for (fs::directory_iterator it(config.data_dir() + "/pg_tblspc", error), end; !error && it != end;
       it.increment(error))
    if (::stat(it->path().c_str(), &info) == 0 && seen.insert(info.st_dev).second)
      look_at_disk(facts, it->path().string(), "tablespace");
}

void inspect(MemberFacts& facts, const MemberConfig& config, pid_t server_pid, Deadline deadline,
             std::stop_token stop) {
  if (server_pid > 0) facts.runtime.process_state = process_state(server_pid);
  // Its agent starts it with this one: a stopped server has it nowhere in its files.
  if (config.server_id > 0 && config.engine != cluster::Engine::postgres) facts.server_id = config.server_id;
  look_at_disks(facts, config, server_pid);
  look_beside(facts, config);
  if (server_pid <= 0) {
    const pid_t ours[] = {::getpid()};
    facts.runtime.outside = users_of(config.data_dir(), ours);
  }
  if (!facts.runtime.outside.empty()) {
    // What its files say changes while it is read.
    StoredFacts& s = facts.stored.emplace();
    s.why = s.position_unknown = "used outside its agent by " + outside_text(facts.runtime.outside.front());
    engine::note_unknown(facts, "data directory", config.data_dir(), s.why);
    return;
  }
  const sys::ActAs as_server(server_identity(config));
  facts.runtime.log_tail = last_run(config);
  const bool stands_still = server_pid <= 0 || facts.runtime.process_state == "T" || facts.runtime.process_state == "t";
  if (stands_still) {
    detail::read_stored(facts, config, deadline, std::move(stop));
    StoredFacts& s = *facts.stored;
    s.immutable = immutable_below(config.data_dir());
    if (s.data == StoredFacts::Data::empty || s.data == StoredFacts::Data::missing)
      s.remembered = data_elsewhere(config);
    if (!s.remembered.empty()) {
      s.data = StoredFacts::Data::unknown;
      s.why = s.remembered;
    }
  } else if (config.engine == cluster::Engine::galera) {
    detail::read_galera_state(facts, config);
  }
  if (!stands_still && (config.engine == cluster::Engine::mariadb || config.engine == cluster::Engine::galera))
    facts.runtime.tables_without_file = engine::mariadb::tables_without_file(config.data_dir());
  facts.runtime.missing_parts = engine::missing_parts(config.engine, config.data_dir(), server_pid);
}

Value wal_end_value(const MemberConfig& config, Deadline deadline, std::stop_token stop) {
  engine::postgres::PostgresStoredOptions options;
  options.deadline = deadline;
  options.stop = std::move(stop);
  const sys::ActAs as_server(server_identity(config));
  const auto stored = engine::postgres::read_postgres_stored(config.data_dir(), options);
  if (!stored.wal.end) return Value::object({{"unknown", stored.wal.unknown}});
  const auto& end = *stored.wal.end;
  const auto history = stored.histories.find(end.timeline);
  return Value::object({{"end", engine::postgres::lsn_text(end.end)},
                        {"timeline", end.timeline},
                        {"history", history == stored.histories.end() ? "" : history->second.to_string()}});
}

void take_recovered(MemberFacts& facts, const std::string& position, std::chrono::milliseconds age) {
  if (!facts.stored || facts.stored->data != StoredFacts::Data::present || !facts.stored->position.empty() ||
      facts.stored->seqno != -1 || !facts.stored->aborted_transfer.empty())
    return;
  // Galera has thrown it out: InnoDB's number is then of no history, however like one it looks.
  if (facts.stored->lineage == "00000000-0000-0000-0000-000000000000") return;
  facts.stored->position = position;
  facts.stored->position_unknown.clear();
  facts.stored->position_source = "recovered";
  std::erase_if(facts.readings, [](const cluster::Reading& r) { return r.name == "durable position"; });
  // age_ms is the clock at the reading until the report makes it an age.
  facts.readings.push_back({"durable position", position, "recovered by mariadbd --wsrep-recover", "",
                            engine::reading_clock() - age.count()});
}

Value outside_value(const std::vector<cluster::OutsideProcess>& outside) {
  Value list = Value::list();
  for (const auto& user : outside)
    list.push(Value::object({{"pid", user.pid}, {"program", user.program}, {"how", user.how}}));
  return list;
}

Value inspection_value(const MemberFacts& facts) {
  Value volumes{Value::List()}, readings{Value::List()}, leftovers{Value::List()};
  for (const auto& left : facts.runtime.leftovers)
    leftovers.push(Value::object({{"kind", cluster::leftover_name(left.kind)}, {"path", left.path}}));
  for (const auto& v : facts.runtime.volumes)
    volumes.push(Value::object({{"purpose", v.purpose},
                                {"path", v.path},
                                {"total", v.total},
                                {"free", v.free},
                                {"inodes", v.inodes},
                                {"inodesFree", v.inodes_free},
                                {"growth", optional(v.growth)},
                                {"growthSeconds", v.growth_seconds}}));
  for (const auto& r : facts.readings)
    readings.push(Value::object({{"name", r.name},
                                 {"value", r.value},
                                 {"source", r.source},
                                 {"unknown", r.unknown},
                                 {"ageMs", engine::reading_clock() - r.age_ms}}));
  return Value::object({{"processState", facts.runtime.process_state},
                        {"serverId", facts.server_id ? Value(*facts.server_id) : Value()},
                        {"volumes", volumes},
                        {"logTail", facts.runtime.log_tail},
                        {"stored", facts.stored ? stored_value(*facts.stored) : Value()},
                        {"leftovers", leftovers},
                        {"outside", outside_value(facts.runtime.outside)},
                        {"damageLogged", facts.runtime.damage_logged},
                        {"pageCheck", page_check_value(facts.runtime.page_check)},
                        {"tablesWithoutFile", Value::list_of(facts.runtime.tables_without_file)},
                        {"missingParts", Value::list_of(facts.runtime.missing_parts)},
                        {"readings", readings}});
}

void take_inspection(MemberFacts& facts, const Value& value) {
  facts.runtime.process_state = value["processState"].text();
  facts.runtime.log_tail = value["logTail"].text();
  if (!facts.server_id && value["serverId"].is_integer()) facts.server_id = value["serverId"].unsigned_integer();
  for (const auto& v : value["volumes"].items())
    facts.runtime.volumes.push_back(
        {v["purpose"].text(), v["path"].text(), v["total"].unsigned_integer(), v["free"].unsigned_integer(),
         v["inodes"].unsigned_integer(), v["inodesFree"].unsigned_integer(),
         v["growth"].is_null() ? std::nullopt : std::optional(v["growth"].number()), v["growthSeconds"].number()});
  for (const auto& r : value["readings"].items())
    facts.readings.push_back({r["name"].text(), r["value"].text(), r["source"].text(), r["unknown"].text(),
                              engine::reading_clock() - std::max<int64_t>(0, r["ageMs"].integer())});
  for (const auto& left : value["leftovers"].items())
    for (auto kind : {cluster::Leftover::Kind::side, cluster::Leftover::Kind::half_made,
                      cluster::Leftover::Kind::replaced, cluster::Leftover::Kind::dropping})
      if (left["kind"].text() == cluster::leftover_name(kind))
        facts.runtime.leftovers.push_back({kind, left["path"].text()});
  facts.runtime.damage_logged = value["damageLogged"].text();
  for (const auto& user : value["outside"].items())
    facts.runtime.outside.push_back(
        {static_cast<int>(user["pid"].integer()), user["program"].text(), user["how"].text()});
  if (value["stored"].is_object()) facts.stored = stored_from(value["stored"]);
  facts.runtime.page_check = page_check_from(value["pageCheck"]);
  for (const auto& table : value["tablesWithoutFile"].items())
    facts.runtime.tables_without_file.push_back(table.text());
  for (const auto& part : value["missingParts"].items()) facts.runtime.missing_parts.push_back(part.text());
}

}  // namespace holdfast::agent
