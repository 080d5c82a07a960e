#include "agent/data_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <optional>

#include "agent/dir_users.h"
#include "agent/launch.h"
#include "agent/log_files.h"
#include "agent/own_files.h"
#include "agent/wal_dir.h"
#include "codec/value.h"
#include "sys/beneath.h"
#include "sys/file.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using cluster::Engine;

namespace {

constexpr const char* kUnusable = "/holdfast.unusable";

std::string marker_of(const MemberConfig& c) {
  return c.dir + "/initialising" + c.data_name.substr(std::string_view("data").size());
}
std::string rewind_marker(const MemberConfig& c) {
  return c.dir + "/rewinding";
}
std::string swap_journal(const MemberConfig& c) {
  return c.dir + "/swap.json";
}
MemberConfig main_of(MemberConfig c) {
  c.data_name = "data";
  return c;
}
bool is_there(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0;
}

/// Where the member's whole data is, as its mark says; nullopt where there is none.
std::optional<std::string> whole_data_of_mark(const MemberConfig& c) {
  const auto text = sys::read_file(incomplete_mark(c));
  if (!text) return std::nullopt;
  const auto mark = codec::parse_value(as_text(text->span()));
  return mark ? (*mark)["wholeData"].text() : std::string();
}

Status write_mark(const MemberConfig& c, const std::string& whole_in) {
  const auto mark = codec::Value::object(
      {{"note", "a restore or a rebuild is not finished: " + c.existing->unit + " does not start on this data"},
       {"wholeData", whole_in},
       {"since", utc_now()}});
  return sys::publish_file(incomplete_mark(c), as_bytes(codec::to_json(mark) + "\n"), 0644);
}

/// Before its unit could meet what is not whole. `whole_in` is where the member's data is from then on; "" where it is
/// nowhere, or a swap knows.
Status keep_unit_away(const MemberConfig& c, const std::string& whole_in) {
  if (!c.is_by_unit()) return {};
  // The mark of an earlier change knows better where the whole data is.
  const auto now = whole_data_of_mark(c);
  if (now && (whole_in.empty() || (!now->empty() && is_there(*now)))) return {};
  return write_mark(c, whole_in);
}

/// A name beside the data directory that nothing has yet, nor logs of it: "<data directory><infix><UTC time>".
std::string fresh_name(const MemberConfig& c, const char* infix) {
  std::string stamp = utc_now();
  std::erase_if(stamp, [](char ch) { return ch == '-' || ch == ':'; });
  for (int attempt = 0;; ++attempt) {
    const std::string suffix = infix + stamp + (attempt ? fmt::format("-{}", attempt) : "");
    if (!is_there(c.beside(suffix)) && !has_logs(c, suffix)) return c.beside(suffix);
  }
}

/// What stands behind the data directory's name in the name of one that was moved aside.
std::string suffix_of(const MemberConfig& c, const std::string& path) {
  return path.substr(std::min(path.size(), c.beside("").size()));
}

Status rename_durably(const MemberConfig& c, const std::string& from, const std::string& to) {
  const sys::ActAs as_owner(beside_identity(c));
  if (::rename(from.c_str(), to.c_str()) != 0) {
    if (errno == EBUSY)
      return fail(ErrorClass::refused, "agent.mounted", from + " is a mount point and cannot be renamed",
                  "mount the volume at " + c.data_home() + ", with the data directory inside it");
    if (errno == EXDEV)
      return fail(ErrorClass::refused, "agent.mounted",
                  from + " cannot be renamed: it is a mount point, or a directory of a container's image",
                  "have " + c.data_home() + " on a volume, with the data directory inside it");
    return fail(sys::errno_error(errno, "rename " + from));
  }
  return sys::sync_directory(c.data_home());
}

Status remove_durably(const MemberConfig& c, const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail(sys::errno_error(errno, "remove " + path));
  return sys::sync_directory(c.dir);
}

Status remove_whole(const MemberConfig& c, const std::string& path) {
  TRY_VOID(remove_wal_dir(c, path));
  const sys::ActAs as_owner(beside_identity(c));
  auto removed = sys::remove_tree(path);
  if (removed) return {};
  Error failed = std::move(removed).error();
  failed.message = path + ": " + failed.message;
  failed.hint = "see what keeps it there (lsattr -R shows immutable files: chattr -i), then try again";
  return fail(std::move(failed));
}

/// What a removal that did not end has left: data, or logs that lay elsewhere.
Status remove_dropping(const MemberConfig& c, const std::string& path) {
  if (path.starts_with(c.beside("."))) return remove_whole(c, path);
  const sys::ActAs as_server(server_identity(c));
  return sys::remove_tree(path).context(path);
}

/// Out of the way by one rename, then gone: no half of it can be taken for data.
Status drop(const MemberConfig& c, const std::string& path) {
  if (!is_there(path)) return {};
  TRY_VOID(check_unused(path));
  const std::string dropping = fresh_name(c, ".dropping-");
  TRY_VOID(rename_durably(c, path, dropping));
  TRY_VOID(remove_whole(c, dropping));
  return sys::sync_directory(c.data_home());
}

/// A half-rewound directory takes the note along when it moves.
Status carry_rewind_mark(const MemberConfig& c) {
  if (!is_there(rewind_marker(c))) return {};
  if (is_there(c.data_dir())) {
    const std::string text = "pg_rewind was interrupted on this directory: no server may start on it\n";
    const sys::ActAs as_server(server_identity(c));
    TRY_VOID(sys::publish_file(c.data_dir() + kUnusable, as_bytes(text), 0644));
  }
  return remove_durably(c, rewind_marker(c));
}

/// A directory that takes the data's place would lack what that has elsewhere, and share it. Logs and WAL follow it.
Status check_all_is_here(const MemberConfig& c) {
  TRY_VOID(check_logs_can_go(c));
  if (!c.existing || c.existing->elsewhere.empty()) return {};
  return fail(ErrorClass::refused, "agent.data_elsewhere",
              fmt::format("the data of {} cannot be replaced: {}", c.member, c.existing->elsewhere.front()),
              "move it into the data directory, restart the server, then: holdfast agent adopt");
}

bool is_name_of_aside(const MemberConfig& c, const std::string& path) {
  const std::string prefix = c.beside(".replaced-");
  return path.starts_with(prefix) && path.find('/', prefix.size()) == std::string::npos;
}

Status check_aside(const MemberConfig& c, const std::string& path, const char* id) {
  if (!is_name_of_aside(c, path))
    return fail(ErrorClass::usage, id, path + " is not a directory that was set aside here");
  std::error_code error;
  if (!fs::is_directory(fs::symlink_status(path, error))) return fail(ErrorClass::failed, id, path + " is not there");
  return {};
}

Status sync_volume(const std::string& path) {
  sys::Fd fd = TRY(sys::open_file(path, O_RDONLY | O_DIRECTORY));
  if (::syncfs(fd.get()) != 0) return fail(sys::errno_error(errno, "sync " + path));
  return {};
}

/// With logs that its server has begun where the configuration puts them.
Status remove_half_made(const MemberConfig& c) {
  if (c.data_name == "data") TRY_VOID(remove_logs_here(c));
  return remove_whole(c, c.data_dir());
}

/// What a copy does not bring: the member's own configuration and keys, and whose the directory is. Whether files were
/// changed.
Result<bool> keep_what_is_its_own(const MemberConfig& c, const std::string& dir, const std::optional<Look>& look) {
  const bool changed = TRY(keep_own_files(c, dir).context("what is the member's own"));
  if (look) TRY_VOID(give_look(c, dir, *look));
  return changed;
}

/// What swap.json says: a directory takes the data's place, or none does yet.
struct Swap {
  std::string from;        ///< that takes it; "" = none
  std::string aside;       ///< what becomes of the one that is there; "" = there is none
  std::string logs;        ///< suffix of what becomes of logs that lie elsewhere; "" = there are none
  bool logs_gone = false;  ///< those have been moved: what is in their place is not of the old data any more
};

Result<std::optional<Swap>> read_swap(const MemberConfig& c) {
  auto text = sys::read_file(swap_journal(c));
  if (!text) {
    if (text.error().id == "store.not_found") return std::nullopt;
    return fail(std::move(text).error());
  }
  const auto journal = TRY(codec::parse_value(as_text(text->span())));
  const auto* from = journal.find("from");
  return Swap{.from = from ? from->text() : side_of(c).data_dir(),
              .aside = journal["aside"].text(),
              .logs = journal["logs"].text(),
              .logs_gone = journal["logsGone"].boolean()};
}

Status write_swap(const MemberConfig& c, const Swap& swap) {
  const auto journal = codec::Value::object({{"from", swap.from},
                                             {"aside", swap.aside},
                                             {"logs", swap.logs},
                                             {"logsGone", swap.logs_gone},
                                             {"since", utc_now()}});
  return sys::publish_file(swap_journal(c), as_bytes(codec::to_json(journal) + "\n"), 0600);
}

/// The directories have changed places; the logs follow.
Status swap_logs(const MemberConfig& c, Swap& swap) {
  if (swap.logs.empty()) return {};
  if (!swap.logs_gone) {
    TRY_VOID(move_logs_out(c, swap.logs));
    swap.logs_gone = true;
    TRY_VOID(write_swap(c, swap));
  }
  if (swap.from.empty()) return {};
  return swap.from == side_of(c).data_dir() ? leave_logs_of_copy(c) : move_logs_back(c, suffix_of(c, swap.from));
}

std::unexpected<Error> fits_no_step(const MemberConfig& c) {
  return fail(ErrorClass::needs_operator, "agent.swap",
              fmt::format("a swap of {} was interrupted, and what is there now fits none of its steps", c.data_dir()),
              fmt::format("look at {}* and {}", c.data_dir(), swap_journal(c)));
}

/// The data leaves its place, and nothing takes it yet.
Status finish_leaving(const MemberConfig& c, Swap& swap, bool has_data, bool has_aside) {
  if (has_data == has_aside) return fits_no_step(c);
  TRY_VOID(keep_unit_away(c, swap.aside));
  if (has_data) TRY_VOID(rename_durably(c, c.data_dir(), swap.aside));
  TRY_VOID(swap_logs(c, swap));
  return remove_durably(c, swap_journal(c));
}

/// Puts `from` ("" = nothing) in the data's place, where no process uses either. Returns where the data is then, "" =
/// there was none.
Result<std::string> swap_in(const MemberConfig& c, const std::string& from) {
  if (is_there(swap_journal(c)))
    return fail(ErrorClass::conflict, "agent.swap", "an earlier swap is not completed", "restart the agent");
  TRY_VOID(carry_rewind_mark(c));
  const std::string fresh = fresh_name(c, ".replaced-");
  const Swap swap{.from = from,
                  .aside = is_there(c.data_dir()) ? fresh : "",
                  .logs = has_logs_elsewhere(c) ? suffix_of(c, fresh) : ""};
  TRY_VOID(write_swap(c, swap));
  const bool was_whole = !is_there(incomplete_mark(c));
  auto finished = finish_swap(c);
  if (finished) return swap.aside;
  // The first rename was refused: nothing has changed, and nothing is to be completed.
  if ((from.empty() || is_there(from)) && (swap.aside.empty() ? !is_there(c.data_dir()) : !is_there(swap.aside))) {
    if (was_whole) (void)let_unit_start(c);
    (void)remove_durably(c, swap_journal(c));
  }
  return fail(std::move(finished).error());
}

}  // namespace

std::string utc_now() {
  std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

MemberConfig side_of(MemberConfig config) {
  config.data_name = kSideName;
  return config;
}

Status make_data_dir(const MemberConfig& config, const std::function<Status()>& make) {
  TRY_VOID(check_all_is_here(config));
  const std::string marker = marker_of(config);
  const bool half_made = is_there(marker), is_helper = config.data_name == kHelperName;
  const bool is_main = config.data_name == "data";
  const auto look = is_helper || (half_made && is_main) ? std::nullopt : look_of_data(config);
  std::error_code error;
  if (half_made) {
    TRY_VOID(check_unused(config.data_dir()));
    TRY_VOID(remove_half_made(config).context("what was half made"));
  }
  if (fs::exists(config.data_dir(), error) && !fs::is_empty(config.data_dir(), error))
    return fail(ErrorClass::refused, "agent.not_empty", config.data_dir() + " holds data already",
                config.data_name == kSideName ? "use it, or discard it first (agent request discard_side)"
                                              : "move it aside first (agent request set_aside)");
  if (is_main) TRY_VOID(keep_unit_away(config, {}));
  // Of data that is gone: whatever is there from here on is of what is being made.
  if (is_main && !half_made) TRY_VOID(move_logs_out(config, suffix_of(config, fresh_name(config, ".replaced-"))));
  TRY_VOID(sys::publish_file(marker, {}, 0600));
  if (is_main) TRY_VOID(remove_durably(config, rewind_marker(config)));
  TRY_VOID(detail::make_server_dir(config, config.dir + "/log", 0750));
  // Of its own: a starting mariadbd deletes every #sql file in its temporary folder, also those of other servers.
  TRY_VOID(detail::make_server_dir(config, config.tmp_dir(), 0700));
  TRY_VOID(detail::make_server_dir(config, config.data_dir(), 0700));
  if (config.engine == cluster::Engine::postgres)
    TRY_VOID(detail::make_server_dir(config, config.dir + "/tablespaces", 0700));
  auto made = make();
  if (made && !is_helper)
    if (auto kept = keep_what_is_its_own(config, config.data_dir(), look); !kept) made = fail(std::move(kept).error());
  // Neither initdb --no-sync nor cp has put anything on disk. A helper's data is thrown away.
  if (made && !is_helper) made = sync_volume(config.data_dir());
  if (const std::string wal = wal_elsewhere(config.data_dir()); made && !wal.empty()) made = sync_volume(wal);
  if (!made) {
    if (remove_half_made(config)) fs::remove(marker, error);
    return made;
  }
  fs::remove(marker, error);
  TRY_VOID(sys::sync_directory(config.data_home()));
  return sys::sync_directory(config.dir);
}

std::string incomplete_mark(const MemberConfig& config) {
  return config.dir + "/incomplete";
}

Status let_unit_start(const MemberConfig& config) {
  return is_there(incomplete_mark(config)) ? remove_durably(config, incomplete_mark(config)) : Status();
}

Status review_mark(const MemberConfig& given) {
  const MemberConfig c = main_of(given);
  const auto whole = whole_data_of_mark(c);
  if (!whole || whole->empty() || is_there(*whole) || !is_initialised(c)) return {};
  return let_unit_start(c);
}

Status check_startable(const MemberConfig& config) {
  if (is_there(marker_of(config)))
    return fail(ErrorClass::refused, "agent.half_made", config.data_dir() + " was never finished",
                "initialise it again, or restore into it");
  const bool is_main = config.data_name == "data";
  if ((is_main && is_there(rewind_marker(config))) || is_there(config.data_dir() + kUnusable))
    return fail(ErrorClass::refused, "agent.half_rewound",
                "a rewind of " + config.data_dir() + " did not end: no server may start on it",
                "reseed it (agent request initialise, from a donor)");
  const char* sign = config.engine == Engine::postgres ? "/PG_VERSION" : "/ibdata1";
  if (!is_there(config.data_dir() + sign))
    return fail(ErrorClass::refused, "agent.no_data", config.member + " has no data directory to start on",
                "initialise it first, or restore into it");
  return {};
}

bool is_initialised(const MemberConfig& config) {
  return check_startable(config).has_value();
}

Status begin_rewind(const MemberConfig& config) {
  if (config.data_name == "data") TRY_VOID(keep_unit_away(config, {}));
  return sys::publish_file(rewind_marker(config), {}, 0600);
}

Status end_rewind(const MemberConfig& config) {
  TRY_VOID(sync_volume(config.data_dir()));
  TRY_VOID(remove_durably(config, rewind_marker(config)));
  return let_unit_start(config);
}

Result<std::string> set_data_aside(const MemberConfig& given) {
  const MemberConfig c = main_of(given);
  if (!is_there(c.data_dir())) return std::string();
  TRY_VOID(check_all_is_here(c));
  return swap_in(c, "");
}

Status put_data_back(const MemberConfig& given, const std::string& aside) {
  const MemberConfig c = main_of(given);
  TRY_VOID(check_aside(c, aside, "agent.put_back"));
  TRY_VOID(check_unused(aside));
  TRY(swap_in(c, aside));
  return {};
}

Result<std::string> swap_in_side(const MemberConfig& given) {
  const MemberConfig c = main_of(given);
  const std::string side = side_of(c).data_dir();
  auto ready = check_startable(side_of(c));
  if (!ready) return fail(std::move(ready).error().with_context("the side directory"));
  TRY_VOID(check_all_is_here(c));
  TRY_VOID(check_logs_of_copy(c, side));
  // Again: it may have been changed since the copy was made.
  if (TRY(keep_what_is_its_own(c, side, look_of_data(c)))) TRY_VOID(sync_volume(side));
  return swap_in(c, side);
}

Status finish_swap(const MemberConfig& given) {
  const MemberConfig c = main_of(given);
  auto swap = TRY(read_swap(c));
  if (!swap) return {};
  const std::string data = c.data_dir();
  const bool has_data = is_there(data), has_from = !swap->from.empty() && is_there(swap->from);
  const bool has_aside = !swap->aside.empty() && is_there(swap->aside);
  for (const auto& path : {data, swap->from})
    if (!path.empty()) TRY_VOID(check_unused(path));
  if (swap->from.empty()) return finish_leaving(c, *swap, has_data, has_aside);
  // Between the two renames there is nothing, where some units make an empty server first.
  if (has_from) TRY_VOID(keep_unit_away(c, {}));
  if (has_from && has_data && !swap->aside.empty() && !has_aside) {
    TRY_VOID(rename_durably(c, data, swap->aside));
    TRY_VOID(rename_durably(c, swap->from, data));
  } else if (has_from && !has_data && has_aside == !swap->aside.empty()) {
    TRY_VOID(rename_durably(c, swap->from, data));
  } else if (has_from || !has_data || has_aside == swap->aside.empty()) {
    return fits_no_step(c);
  }
  TRY_VOID(swap_logs(c, *swap));
  TRY_VOID(let_unit_start(c));
  return remove_durably(c, swap_journal(c));
}

Status discard_side_dir(const MemberConfig& given) {
  const MemberConfig c = main_of(given);
  if (is_there(swap_journal(c)))
    return fail(ErrorClass::conflict, "agent.swap", "a swap is not completed", "restart the agent");
  TRY_VOID(drop(c, side_of(c).data_dir()));
  return remove_durably(c, marker_of(side_of(c)));
}

Status drop_data_aside(const MemberConfig& c, const std::string& path) {
  const auto droppings = dropping_dirs(c);
  // Its logs go after it: a crash between both leaves them.
  const std::string suffix = is_name_of_aside(c, path) ? suffix_of(c, path) : "";
  const bool has_left_logs = !suffix.empty() && has_logs(c, suffix);
  if (is_there(path) || (droppings.empty() && !has_left_logs)) {
    TRY_VOID(check_aside(c, path, "agent.drop_aside"));
    if (whole_data_of_mark(c) == path) TRY_VOID(write_mark(c, {}));
    TRY_VOID(drop(c, path));
  }
  TRY_VOID(remove_logs(c, suffix));
  // One that an earlier try could not remove has another name by now.
  for (const auto& dropping : droppings) TRY_VOID(remove_dropping(c, dropping));
  return sys::sync_directory(c.data_home());
}

std::vector<std::string> dropping_dirs(const MemberConfig& c) {
  std::vector<std::string> found = dropping_logs(c);
  std::error_code error;
  for (fs::directory_iterator it(c.data_home(), error), end; !error && it != end; it.increment(error))
    if (it->path().string().starts_with(c.beside(".dropping-"))) found.push_back(it->path().string());
  return found;
}

void remove_work_dirs(const MemberConfig& c) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator it(c.dir, error), end; !error && it != end; it.increment(error))
    if (const std::string name = it->path().filename().string(); name.starts_with("etc.") || name.starts_with("tmp."))
      found.push_back(it->path().string());
  for (const auto& dir : found) (void)sys::remove_tree(dir);
}

void sweep_leftovers(const MemberConfig& c) {
  {
    const sys::ActAs as_owner(beside_identity(c));
    (void)sys::remove_tree(c.beside(".helper"));
  }
  for (const auto& dropping : dropping_dirs(c)) (void)remove_dropping(c, dropping);
  std::vector<std::string> streams;
  std::error_code error;
  for (fs::directory_iterator it(c.dir, error), end; !error && it != end; it.increment(error))
    if (it->path().filename().string().starts_with("stream-")) streams.push_back(it->path().string());
  for (const auto& stream : streams) (void)sys::remove_tree(stream);
}

}  // namespace holdfast::agent
