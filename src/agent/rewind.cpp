// PostgreSQL: pg_rewind of a stopped member onto the timeline of a running one, in place or on a copy beside it.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "agent/copy.h"
#include "agent/data_dir.h"
#include "agent/launch.h"
#include "engine/postgres/control.h"
#include "engine/postgres/timeline.h"
#include "engine/private_files.h"
#include "engine/stored/files.h"
#include "sql/postgres.h"
#include "sys/file.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using codec::Value;
using std::chrono::seconds;

namespace {

struct Control {
  std::string state, system;
  int64_t timeline = 0;
};

std::string tool(const MemberConfig& c, const char* name) {
  return (fs::path(c.server_program).parent_path() / name).string();
}

Result<Control> control_of(const CopyJob& job) {
  const MemberConfig& c = job.config;
  auto result = TRY(
      sys::run_ok(detail::base_command(c, {tool(c, "pg_controldata"), "-D", c.data_dir()}), job.deadline, job.stop));
  auto field = [&](std::string_view name) -> std::string {
    auto at = result.out.find(fmt::format("{}:", name));
    if (at == std::string::npos) return {};
    at = result.out.find_first_not_of(' ', at + name.size() + 1);
    return result.out.substr(at, result.out.find('\n', at) - at);
  };
  return Control{field("Database cluster state"), field("Database system identifier"),
                 std::strtoll(field("Latest checkpoint's TimeLineID").c_str(), nullptr, 10)};
}

/// After a crash pg_rewind needs a directory that was shut down: recovered in isolation, then stopped.
Status shut_down_cleanly(const CopyJob& job) {
  LaunchOptions options;
  options.mode = StartMode::isolated;
  options.extra_args = {"-c", "autovacuum=off"};
  // A side directory is synced as a whole when it is made; a file at a time is slow.
  if (job.config.data_name != "data") options.extra_args.insert(options.extra_args.end(), {"-c", "fsync=off"});
  TRY_VOID(clear_stale(job.config));
  auto command = TRY(prepare_launch(job.config, options));
  const sys::Fd log = TRY(open_log(job.config, job.config.log_file()));
  command.out = command.err = sys::Stdio::to(log.get());
  auto server = TRY(sys::spawn(command));
  auto ready = TRY(
      sys::wait_until([&] { return server.poll() || probe_ready(job.config, Deadline::in(seconds(2))).has_value(); },
                      job.deadline, job.stop));
  if (!ready || server.poll())
    return fail(ErrorClass::failed, "agent.rewind", "the server does not recover from its crash",
                "the end of " + job.config.log_file() + " says why; reseed it instead");
  TRY_VOID(server.signal(stop_signal(job.config.engine)));
  auto ended = TRY(server.wait(job.deadline, job.stop));
  if (!ended.ok())
    return fail(ErrorClass::failed, "agent.rewind", "the recovered server ended with " + ended.to_string());
  return {};
}

/// A link leads out of the directory: its copy would share what lies there with the old one.
Status check_copyable(const MemberConfig& config, const std::string& from) {
  const sys::ActAs as_server(server_identity(config));
  std::error_code error;
  std::vector<std::string> links;
  if (fs::is_symlink(from + "/pg_wal", error)) links.push_back("pg_wal");
  for (const auto& entry : fs::directory_iterator(from + "/pg_tblspc", error)) links.push_back(entry.path().filename());
  if (links.empty()) return {};
  return fail(ErrorClass::refused, "agent.rewind",
              fmt::format("{} lies elsewhere: a copy to rewind would share it with the old directory", links[0]),
              "copy a donor");
}

/// After a rewind recovery begins at the checkpoint before the fork: every WAL segment from there on must have been
/// brought along. Returns where it begins.
Result<std::string> check_wal(const MemberConfig& config) {
  const sys::ActAs as_server(server_identity(config));
  const std::string data_dir = config.data_dir();
  constexpr std::string_view kMark = "START WAL LOCATION: ", kFile = " (file ";
  const std::string label = TRY(engine::stored::read_small(data_dir + "/backup_label"));
  const std::string_view text = label;
  const auto at = text.find(kMark), file = text.find(kFile, at), end = text.find(')', file);
  if (at != 0 || end == text.npos)
    return fail(ErrorClass::failed, "agent.rewind", "pg_rewind left no word of where recovery begins", "copy a donor");
  const std::string_view first = text.substr(file + kFile.size(), end - file - kFile.size());
  // The same segment may stand there under the name of several timelines: what follows those names is its number.
  std::set<std::string> numbers;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(data_dir + "/pg_wal", error))
    if (const std::string name = entry.path().filename(); name.size() == 24 && name.find('.') == name.npos)
      numbers.insert(name.substr(8));
  const uint64_t size = TRY(engine::postgres::read_control(data_dir)).wal_segment_size;
  std::optional<uint64_t> next;
  for (const auto& number : numbers) {
    if (number < first.substr(8)) continue;
    const auto segment = engine::postgres::parse_segment_name("00000001" + number, static_cast<uint32_t>(size));
    if (segment && (next ? segment->number == *next : number == first.substr(8))) {
      next = segment->number + 1;
      continue;
    }
    next.reset();
    break;
  }
  if (!next)
    return fail(ErrorClass::refused, "agent.rewind",
                fmt::format("not all WAL from {} on, where recovery begins, is there any more", first), "copy a donor");
  return std::string(text.substr(kMark.size(), file - kMark.size()));
}

/// Noted before it exists: a slot that nobody remembers fills the donor's disk.
struct SlotsOfDonor {
  bool borrowed = false;
  static Result<SlotsOfDonor> look(const CopyJob& job) {
    auto connection = TRY(sql::PostgresConnection::connect(job.donor.socket, job.deadline, job.stop));
    auto there = TRY(connection.query(
        "SELECT 1 FROM pg_replication_slots WHERE slot_name = " + sql::quote_postgres(job.config.slot_name()),
        job.deadline, job.stop));
    SlotsOfDonor result{there.empty()};
    if (result.borrowed) TRY_VOID(detail::note_donor_change(job, "slot", job.config.slot_name()));
    return result;
  }
};

}  // namespace

Result<Value> rewind_to_donor(const CopyJob& job) {
  const MemberConfig& c = job.config;
  const MemberConfig& d = job.donor.config;
  if (c.engine != cluster::Engine::postgres)
    return fail(ErrorClass::usage, "agent.rewind", "only a PostgreSQL member can be rewound", "reseed it");
  // A rewind right after a promotion finds the donor's old checkpoint and says that there is nothing to do.
  auto donor = TRY(sql::PostgresConnection::connect(job.donor.socket, job.deadline, job.stop));
  TRY(donor.query("CHECKPOINT", job.deadline, job.stop));
  auto rows =
      TRY(donor.query("SELECT timeline_id AS t, (SELECT system_identifier FROM pg_control_system()) AS i FROM "
                      "pg_control_checkpoint()",
                      job.deadline, job.stop));
  const int64_t to = std::strtoll(rows.text("t").c_str(), nullptr, 10);
  job.progress.step("recover");
  Control control = TRY(control_of(job));
  if (control.system != rows.text("i"))
    return fail(ErrorClass::refused, "agent.lineage",
                fmt::format("{} has system identifier {}, the donor {}: another cluster", c.member, control.system,
                            rows.text("i")),
                "only a reseed can bring it in, and it destroys what is there: make an escrow first");
  if (control.state != "shut down" && control.state != "shut down in recovery") {
    TRY_VOID(shut_down_cleanly(job));
    control = TRY(control_of(job));
  }
  sql::Target over_network = job.donor.socket;
  over_network.socket.clear();
  over_network.host = d.host;
  over_network.port = d.port;
  over_network.plain_text = c.plain_text;
  auto passfile = TRY(detail::SecretFile::create(c, c, "rewind.pgpass", engine::postgres_password_file(over_network)));
  const std::string source =
      TRY(engine::postgres_conninfo(over_network, passfile.path(), donor.database())).append(detail::kNoticesSilence);
  auto command = [&](bool dry) {
    auto rewind = detail::base_command(
        c, {tool(c, "pg_rewind"), "-D", c.data_dir(), "--no-ensure-shutdown", "--no-sync", "--source-server", source});
    rewind.umask = 0077;
    if (dry) rewind.argv.push_back("--dry-run");
    return rewind;
  };
  // Everything but the writing, first: what cannot be rewound is left as it was.
  job.progress.step("compare");
  auto dry = sys::run(command(true), job.deadline, job.stop);
  if (!dry) return fail(std::move(dry).error());
  if (!dry->status.ok())
    return fail(ErrorClass::refused, "agent.rewind", "pg_rewind cannot: " + dry->err, "reseed it; nothing was changed");
  Value result = Value::object(
      {{"rewound", false}, {"fromTimeline", control.timeline}, {"toTimeline", to}, {"lineage", control.system}});
  if ((dry->err + dry->out).find("no rewind required") != std::string::npos) return result;
  // The member follows the donor from here on: what it has not got yet must still be there.
  if (c.upstream == d.member) TRY(detail::hold_wal(job, job.donor.socket));
  job.progress.step("rewind");
  // A side directory has a mark of its own for as long as it is made.
  const bool in_place = c.data_name == "data";
  if (in_place) TRY_VOID(begin_rewind(c));
  TRY_VOID(detail::run_logged(job, command(false)));
  TRY_VOID(detail::become_standby(c));
  if (in_place) TRY_VOID(end_rewind(c));
  result.set("rewound", true);
  return result;
}

Result<Value> copy_rewound(const CopyJob& job, const std::string& from) {
  const MemberConfig& c = job.config;
  if (c.engine != cluster::Engine::postgres)
    return fail(ErrorClass::usage, "agent.rewind", "only a PostgreSQL member can be rewound", "copy a donor");
  TRY_VOID(check_copyable(c, from));
  const auto slots = TRY(SlotsOfDonor::look(job));
  job.progress.step("copy");
  TRY_VOID(detail::copy_files(c, from, job.deadline, job.stop));
  auto rewound = TRY(rewind_to_donor(job));
  if (!rewound["rewound"].boolean())
    return fail(ErrorClass::refused, "agent.rewind", "pg_rewind finds nothing to rewind, which it should",
                "copy a donor");
  job.progress.step("verify");
  const std::string start = TRY(check_wal(c));
  if (slots.borrowed) TRY_VOID(detail::keep_donor_changes(job));  // the member is going to use it
  return Value::object({{"method", "pg_rewind"},
                        {"position", start},
                        {"start", start},
                        {"timeline", rewound["toTimeline"].integer()},
                        {"fromTimeline", rewound["fromTimeline"].integer()},
                        {"lineage", rewound["lineage"].text()},
                        {"slotMade", slots.borrowed}});
}

}  // namespace holdfast::agent
