#include "engine/galera/stored.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <filesystem>

#include "engine/binlog/event.h"
#include "engine/stored/files.h"

namespace holdfast::engine::galera {

namespace fs = std::filesystem;

using stored::Known;
using stored::Presence;

namespace {

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Lower case with dashes, or nothing.
std::optional<std::string> uuid(std::string_view text) {
  const auto parsed = binlog::parse_uuid(text);
  if (!parsed) return std::nullopt;
  return binlog::MysqlSource{*parsed, ""}.uuid_text();
}

struct Line {
  std::string_view key, value;  ///< "key: value"; a line without a colon is all key
};

/// Calls `take` for each line that is not blank and no comment; false when it says no.
template <class Take>
bool each_line(std::string_view text, Take take) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || (line[0] == '#' && !line.starts_with("#vw"))) continue;
    const size_t colon = line.find(':');
    const Line parts = colon == std::string_view::npos
                           ? Line{line, {}}
                           : Line{trimmed(line.substr(0, colon)), trimmed(line.substr(colon + 1))};
    if (!take(parts)) return false;
  }
  return true;
}

}  // namespace

Result<Grastate> parse_grastate(std::string_view text) {
  const auto bad = [](std::string why) { return fail(ErrorClass::failed, "galera.grastate", "grastate.dat: " + why); };
  if (text.empty()) return bad("it is empty");
  if (text.find('\0') != std::string_view::npos) return bad("it holds zeros");
  // Written in place: blanks cover what a longer text before it left.
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (text.empty() || text.back() != '\n') return bad("it ends in the middle of a line");
  Grastate state;
  bool version = false, have_uuid = false, have_seqno = false;
  std::string why;
  each_line(text, [&](const Line& line) {
    const auto once = [&](bool& seen) {
      if (std::exchange(seen, true)) why = fmt::format("{} is in it twice", line.key);
    };
    if (line.key == "version") {
      once(version);
    } else if (line.key == "uuid") {
      once(have_uuid);
      const auto value = uuid(line.value);
      if (!value) why = "its uuid is none";
      state.uuid = value.value_or("");
    } else if (line.key == "seqno") {
      once(have_seqno);
      const auto value = number<int64_t>(line.value);
      if (!value || *value < -1) why = "its seqno is none";
      state.seqno = value.value_or(-1);
    } else if (line.key == "safe_to_bootstrap") {
      if (state.safe_to_bootstrap || (line.value != "0" && line.value != "1"))
        why = "safe_to_bootstrap is neither 0 nor 1";
      state.safe_to_bootstrap = line.value == "1";
    } else if (line.key != "cert_index") {
      why = "it holds a line Galera does not write";
    }
    return why.empty();
  });
  if (!why.empty()) return bad(why);
  if (!version || !have_uuid || !have_seqno) return bad("a line is missing");
  return state;
}

Result<View> parse_view(std::string_view text) {
  const auto bad = [](std::string why) { return fail(ErrorClass::failed, "galera.gvwstate", "gvwstate.dat: " + why); };
  View view;
  bool begun = false, ended = false, good = true;
  good = each_line(text, [&](const Line& line) {
    if (line.key == "#vwbeg") return !std::exchange(begun, true);
    if (line.key == "#vwend") return begun && !std::exchange(ended, true);
    if (ended) return false;
    const std::string_view first = line.value.substr(0, line.value.find(' '));
    if (line.key == "my_uuid") {
      view.my_uuid = uuid(line.value).value_or("");
      return !view.my_uuid.empty();
    }
    if (line.key == "view_id") {  // type, uuid, number
      const std::string_view rest = trimmed(line.value.substr(first.size()));
      const size_t space = rest.find(' ');
      if (space == std::string_view::npos) return false;
      const auto sequence = number<uint64_t>(trimmed(rest.substr(space)));
      view.view_uuid = uuid(rest.substr(0, space)).value_or("");
      view.view_number = sequence.value_or(0);
      return sequence && !view.view_uuid.empty();
    }
    if (line.key == "member") {
      view.members.push_back(uuid(first).value_or(""));
      return !view.members.back().empty();
    }
    return line.key == "bootstrap";
  });
  if (!good || !ended || view.my_uuid.empty() || view.view_uuid.empty()) return bad("it is not as Galera writes it");
  return view;
}

Result<CachePreamble> parse_cache_preamble(std::string_view text) {
  const auto bad = [](std::string why) { return fail(ErrorClass::failed, "galera.cache", "galera.cache: " + why); };
  text = text.substr(0, text.find('\0'));
  if (!text.starts_with("Version:")) return bad("it does not begin as Galera writes it");
  CachePreamble preamble;
  bool have_synced = false;
  std::optional<int64_t> first, last;
  const bool good = each_line(text, [&](const Line& line) {
    if (line.key == "GID") {
      preamble.uuid = uuid(line.value).value_or("");
      return !preamble.uuid.empty();
    }
    if (line.key == "synced") {
      preamble.synced = line.value == "1";
      have_synced = true;
      return line.value == "0" || line.value == "1";
    }
    if (line.key == "seqno_min") first = number<int64_t>(line.value);
    if (line.key == "seqno_max") last = number<int64_t>(line.value);
    return true;
  });
  if (!good || preamble.uuid.empty() || !have_synced) return bad("its beginning makes no sense");
  if (preamble.synced && first && last && *first > 0 && *first <= *last) {
    preamble.first = first;
    preamble.last = last;
  }
  return preamble;
}

std::optional<double> transfer_still_seconds(const std::string& data_dir) {
  constexpr size_t kMostFiles = 50'000;
  std::error_code error;
  timespec newest{};
  size_t seen = 0;
  fs::recursive_directory_iterator it(data_dir, error), end;
  for (; !error && it != end; it.increment(error)) {
    if (++seen > kMostFiles) return std::nullopt;
    const std::string name = it->path().filename().string();
    if (it.depth() == 0 && (name == "galera.cache" || name.starts_with("gcache.page.") || name == "grastate.dat" ||
                            name.starts_with("gvwstate.dat") || name.ends_with(".err") || name.ends_with(".log")))
      continue;
    struct stat info{};
    // Not the time of the contents: rsync sets that to the donor's.
    if (::lstat(it->path().c_str(), &info) != 0 || S_ISDIR(info.st_mode)) continue;
    if (std::pair(info.st_ctim.tv_sec, info.st_ctim.tv_nsec) > std::pair(newest.tv_sec, newest.tv_nsec))
      newest = info.st_ctim;
  }
  if (error || newest.tv_sec == 0) return std::nullopt;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const double age =
      static_cast<double>(now.tv_sec - newest.tv_sec) + static_cast<double>(now.tv_nsec - newest.tv_nsec) / 1e9;
  return std::max(0.0, age);
}

GaleraStored read_galera_stored(const std::string& data_dir) {
  GaleraStored state;
  const auto small = [&](const char* name, auto parse, auto& into, bool& absent) {
    using Answer = std::remove_reference_t<decltype(into)>;
    const std::string path = data_dir + "/" + name;
    const auto text = stored::read_small(path, 64 << 10);
    if (!text) {
      into = Answer::unknown(text.error());
      // Absent only where the directory itself is there: a missing disk proves nothing.
      absent = text.error().id == "store.not_found" && stored::presence(data_dir + "/.") == Presence::present &&
               stored::presence(path) == Presence::absent;
      return;
    }
    auto parsed = parse(*text);
    if (parsed)
      into = std::move(*parsed);
    else
      into = Answer::unknown(parsed.error());
  };
  small("grastate.dat", parse_grastate, state.grastate, state.grastate_absent);
  small("gvwstate.dat", parse_view, state.view, state.view_absent);

  // wsrep_sst_rsync and wsrep_sst_mariabackup: the files each leaves behind when it is cut off.
  struct TransferFile {
    const char* name;
    bool joiner;  ///< only a receiving node has it
  };
  static constexpr TransferFile kFiles[] = {
      {"sst_in_progress", true},
      {".sst", true},
      {"rsync_sst_complete", true},
      {"rsync_sst.pid", true},
      {"xtrabackup_ist", false},
      {"xtrabackup_galera_info", false},
      {"donor_galera_info", false},
      {"wsrep_sst.pid", false},
      {"wsrep_sst_binlog.tar", false},
      {"tables_flushed", false},
      {"sst_error", false},
      {"stunnel.pid", false},
  };
  const auto listing = stored::list_directory(data_dir);
  if (!listing.all_names) state.transfer_unknown = data_dir + " cannot be listed: " + listing.why;
  for (const auto& file : kFiles) {
    if (!std::ranges::binary_search(listing.names, file.name)) continue;
    state.transfer_files.emplace_back(file.name);
    if (file.joiner) state.joiner_unfinished = true;
  }

  const std::string path = data_dir + "/galera.cache";
  auto fd = stored::open_regular(path);
  if (!fd) {
    state.cache = Known<CachePreamble>::unknown(fd.error());
    state.cache_absent = listing.all_names && !std::ranges::binary_search(listing.names, "galera.cache");
    return state;
  }
  struct stat info{};
  if (::fstat(fd->get(), &info) == 0) state.cache_bytes = static_cast<uint64_t>(info.st_size);
  char head[1024];
  const ssize_t got = ::pread(fd->get(), head, sizeof head, 0);
  if (got < 0) {
    state.cache = Known<CachePreamble>::unknown(sys::errno_error(errno, "read " + path));
    return state;
  }
  auto preamble = parse_cache_preamble(std::string_view(head, static_cast<size_t>(got)));
  if (preamble)
    state.cache = std::move(*preamble);
  else
    state.cache = Known<CachePreamble>::unknown(preamble.error());
  return state;
}

}  // namespace holdfast::engine::galera
