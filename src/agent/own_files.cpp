#include "agent/own_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <sstream>

#include "agent/option_files.h"
#include "agent/server_files.h"
#include "engine/stored/files.h"
#include "sys/beneath.h"
#include "sys/file.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using cluster::Engine;

namespace {

constexpr size_t kMostFiles = 1000;  ///< a configuration that includes itself ends

std::string folder_of(const std::string& name) {
  const size_t slash = name.rfind('/');
  return slash == std::string::npos ? "" : name.substr(0, slash);
}

std::string last_of(const std::string& name) {
  return name.substr(name.rfind('/') + 1);  // npos + 1 = 0
}

std::string lower(std::string text) {
  for (char& ch : text) ch = static_cast<char>(std::tolower(static_cast<unsigned char>(ch)));
  return text;
}

struct Setting {
  std::string name, value;
};

/// "name = 'value'  # words", "include other.conf".
Setting setting_of(const std::string& line) {
  const size_t begin = line.find_first_not_of(" \t");
  if (begin == std::string::npos || line[begin] == '#') return {};
  const size_t end = line.find_first_of(" \t=", begin);
  if (end == std::string::npos) return {};
  Setting setting{lower(line.substr(begin, end - begin)), {}};
  size_t at = line.find_first_not_of(" \t=", end);
  if (at == std::string::npos) return setting;
  const char quote = line[at];
  if (quote != '\'' && quote != '"') {
    setting.value = line.substr(at, line.find_first_of(" \t\r#", at) - at);
    return setting;
  }
  for (++at; at < line.size(); ++at) {
    if (line[at] == '\\' && at + 1 < line.size())
      ++at;
    else if (line[at] == quote && (at + 1 >= line.size() || line[at + 1] != quote))
      break;
    else if (line[at] == quote)
      ++at;
    setting.value += line[at];
  }
  return setting;
}

/// Reads a server's configuration as its user, and notes what of it is in one directory.
class Search {
 public:
  Search(const MemberConfig& config, std::string dir)
      : config_(config), data_(config.existing->data_dir), dir_(std::move(dir)) {}

  std::vector<std::string> run() {
    if (config_.engine == Engine::postgres)
      look_at_postgres();
    else
      look_at_mysql();
    return {found_.begin(), found_.end()};
  }

 private:
  /// A path of the configuration as one within the data directory; "" where it is elsewhere.
  std::string within(const std::string& path) const {
    std::error_code error;
    for (const fs::path& one : {fs::path(path).lexically_normal(), fs::weakly_canonical(path, error)})
      if (const std::string text = one.string(); text.starts_with(data_ + "/")) return text.substr(data_.size() + 1);
    return {};
  }
  /// Where that path is to be looked for: the directory may be a copy, or have been moved.
  std::string at(const std::string& path) const {
    if (path == data_) return dir_;
    const std::string inside = within(path);
    return inside.empty() ? path : dir_ + "/" + inside;
  }
  static std::string beside(const std::string& file, const std::string& path) {
    return path.starts_with('/') ? path : (fs::path(file).parent_path() / path).string();
  }

  /// Notes one of the configuration's paths, where it is in the directory and there.
  void note(const std::string& path) {
    std::string name = within(path);
    while (name.ends_with('/')) name.pop_back();
    if (name.empty() || is_data(name)) return;
    // A link on the way is what is the member's; what it leads to is elsewhere.
    struct stat info{};
    for (size_t end = name.find('/'); end != std::string::npos; end = name.find('/', end + 1))
      if (::lstat((dir_ + "/" + name.substr(0, end)).c_str(), &info) == 0 && S_ISLNK(info.st_mode)) name.resize(end);
    if (::lstat((dir_ + "/" + name).c_str(), &info) != 0) return;
    if (S_ISDIR(info.st_mode)) found_.insert(name + "/");
    if (S_ISREG(info.st_mode) || S_ISLNK(info.st_mode)) found_.insert(name);
  }
  /// Names in a directory of the configuration that are read as parts of it.
  std::vector<std::string> parts_of(const std::string& folder, std::string_view ending) const {
    std::vector<std::string> parts;
    std::error_code error;
    for (fs::directory_iterator it(at(folder), error), end; !error && it != end; it.increment(error))
      if (const std::string name = it->path().filename().string(); name.ends_with(ending) && !name.starts_with('.'))
        parts.push_back(folder + "/" + name);
    return parts;
  }

  /// What no configuration can make a file of its own, whatever it says.
  bool is_data(const std::string& name) const {
    static constexpr std::array kOfServer = {
        "base",           "global",          "PG_VERSION",       "backup_label",   "backup_manifest", "tablespace_map",
        "standby.signal", "recovery.signal", "current_logfiles", "postmaster.pid", "postmaster.opts", "auto.cnf",
        "backup-my.cnf"};
    const std::string first = name.substr(0, name.find('/'));
    if (std::ranges::find(kOfServer, first) != kOfServer.end()) return true;
    if (config_.engine == Engine::postgres) {
      struct stat info{};
      return first.starts_with("pg_") && ::lstat((dir_ + "/" + first).c_str(), &info) == 0 && !S_ISREG(info.st_mode);
    }
    static constexpr std::array kEndings = {".cnf", ".cnf.d", ".d",   ".pem", ".crt",
                                            ".cer", ".key",   ".crl", ".my",  ".flag"};
    return std::ranges::none_of(kEndings, [&](const char* ending) { return name.ends_with(ending); });
  }

  // ---------------------------------------------------------------- PostgreSQL

  void look_at_postgres() {
    std::string file = data_ + "/postgresql.conf";
    const auto& arguments = config_.existing->arguments;
    std::vector<Setting> given;
    for (size_t i = 0; i < arguments.size(); ++i) {
      std::string argument = arguments[i];
      if ((argument == "-c" || argument == "-D") && i + 1 < arguments.size()) argument += arguments[++i];
      if (argument.starts_with("-D")) file = argument.substr(2) + "/postgresql.conf";
      if (argument.starts_with("-c") || argument.starts_with("--")) given.push_back(setting_of(argument.substr(2)));
    }
    for (const auto& one : given)
      if (one.name == "config_file" || one.name == "config-file") file = one.value;
    for (const char* name : {"pg_hba.conf", "pg_ident.conf"}) read_rules(beside(file, name));
    for (const char* name : {"server.crt", "server.key"}) note(data_ + "/" + name);
    read_settings(file);
    read_settings(data_ + "/postgresql.auto.conf");
    for (const auto& one : given) look_at(one);
  }

  void look_at(const Setting& setting) {
    static constexpr std::array kFiles = {"ssl_cert_file", "ssl_key_file",       "ssl_ca_file",       "ssl_crl_file",
                                          "ssl_crl_dir",   "ssl_dh_params_file", "krb_server_keyfile"};
    if (setting.value.empty()) return;
    // Relative to where the server works, which is the data directory.
    const std::string path = beside(data_ + "/", setting.value);
    if (setting.name == "hba_file" || setting.name == "ident_file") return read_rules(path);
    if (std::ranges::find(kFiles, setting.name) == kFiles.end()) return;
    note(path);
    if (setting.name == "ssl_crl_dir")
      for (const auto& part : parts_of(path, "")) note(part);
  }

  /// The text of a file of the configuration that was not read before.
  std::optional<std::string> text_of(const std::string& file) {
    if (!read_.insert(at(file)).second || read_.size() > kMostFiles) return std::nullopt;
    auto text = engine::stored::read_small(at(file));
    if (!text) return std::nullopt;
    return std::move(*text);
  }

  /// Whether the line says that others are read, which they are then.
  bool included(const std::string& file, const Setting& setting, void (Search::*read)(const std::string&)) {
    if (!setting.name.starts_with("include") || setting.value.empty()) return false;
    const std::string path = beside(file, setting.value);
    if (setting.name != "include_dir") {
      (this->*read)(path);
      return true;
    }
    note(path);
    for (const auto& part : parts_of(path, ".conf")) (this->*read)(part);
    return true;
  }

  void read_settings(const std::string& file) {
    note(file);
    std::istringstream lines(text_of(file).value_or(""));
    for (std::string line; std::getline(lines, line);) {
      const Setting setting = setting_of(line);
      if (!included(file, setting, &Search::read_settings)) look_at(setting);
    }
  }

  /// Of pg_hba.conf and pg_ident.conf; "@file" stands for the names in that.
  void read_rules(const std::string& file) {
    note(file);
    std::istringstream lines(text_of(file).value_or(""));
    for (std::string line; std::getline(lines, line);) {
      line.resize(std::min(line.size(), line.find('#')));
      if (included(file, setting_of(line), &Search::read_rules)) continue;
      std::erase(line, '"');
      std::ranges::replace(line, ',', ' ');
      std::istringstream words(line);
      for (std::string word; words >> word;)
        if (word.size() > 1 && word.starts_with('@')) read_rules(beside(file, word.substr(1)));
    }
  }

  // ---------------------------------------------------------------- MariaDB, MySQL

  void look_at_mysql() {
    for (const char* ending : {".cnf", ".pem", ".my", ".flag"})
      for (const auto& part : parts_of(data_, ending)) note(part);
    const auto& arguments = config_.existing->arguments;
    for (const auto& argument : arguments)
      if (argument.starts_with("--")) look_at_option(argument.substr(2));
    auto all = option_files(arguments, [this](const std::string& path) { return at(path); });
    for (const auto& folder : all.directories) {
      note(folder);
      for (auto& part : parts_of(folder, ".cnf")) all.files.push_back(std::move(part));
    }
    for (const auto& file : all.files) {
      note(file);
      std::istringstream lines(text_of(file).value_or(""));
      for (std::string line; std::getline(lines, line);) look_at_option(line);
    }
  }

  void look_at_option(const std::string& line) {
    Setting setting = setting_of(line);
    std::ranges::replace(setting.name, '-', '_');
    if (setting.name.starts_with("loose_")) setting.name.erase(0, 6);
    if (!setting.value.empty() &&
        (setting.name.find("ssl_") != std::string::npos || setting.name.ends_with("_key_path")))
      note(beside(data_ + "/", setting.value));
  }

  const MemberConfig& config_;
  const std::string data_, dir_;
  std::set<std::string> read_, found_;
};

/// The directories that were set aside, the last one first.
std::vector<std::string> asides(const MemberConfig& c) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator it(c.data_home(), error), end; !error && it != end; it.increment(error))
    if (it->path().string().starts_with(c.beside(".replaced-"))) found.push_back(it->path().string());
  std::ranges::sort(found, std::greater());
  return found;
}

/// Where the member's data is, or was last: but for `to`, which is to become it.
std::vector<std::string> places(const MemberConfig& c, const std::string& to) {
  auto all = asides(c);
  all.insert(all.begin(), c.beside(""));
  std::erase(all, to);
  return all;
}

// ---------------------------------------------------------------- from one directory into another

/// Between two directories of the server's. Root's own rights do no harm here: a name is linked and removed from open
/// directories, and no link is followed.
class Exchange {
 public:
  static Result<Exchange> open(const MemberConfig& config, const std::string& from, const std::string& to) {
    return Exchange(config, TRY(sys::open_last_directory(from)), TRY(sys::open_last_directory(to)));
  }

  Status remove(const std::string& name) const {
    const sys::Fd folder = sys::open_beneath(to_.get(), folder_of(name), O_PATH | O_DIRECTORY);
    if (!folder) return errno == ENOENT ? Status() : fail(sys::errno_error(errno, "open " + name));
    if (::unlinkat(folder.get(), last_of(name).c_str(), 0) != 0 && errno != ENOENT)
      return fail(sys::errno_error(errno, "remove " + name));
    return {};
  }

  Result<bool> put(std::string name) const {
    if (name.ends_with('/')) {
      name.pop_back();
      TRY(make_folder(name));
      return false;
    }
    const sys::Fd from = sys::open_beneath(from_.get(), folder_of(name), O_PATH | O_DIRECTORY);
    if (!from) return fail(sys::errno_error(errno, "open " + name));
    const sys::Fd to = TRY(make_folder(folder_of(name)));
    const std::string last = last_of(name);
    struct stat is{}, was{};
    if (::fstatat(from.get(), last.c_str(), &is, AT_SYMLINK_NOFOLLOW) != 0)
      return fail(sys::errno_error(errno, "stat " + name));
    if (::fstatat(to.get(), last.c_str(), &was, AT_SYMLINK_NOFOLLOW) == 0 && is.st_ino == was.st_ino &&
        is.st_dev == was.st_dev)
      return false;
    TRY_VOID(sys::remove_tree_at(to.get(), last));
    if (::linkat(from.get(), last.c_str(), to.get(), last.c_str(), 0) != 0)
      TRY_VOID(copy(from.get(), to.get(), last, is).context(name));
    return true;
  }

 private:
  Exchange(const MemberConfig& config, sys::Fd from, sys::Fd to)
      : config_(config), from_(std::move(from)), to_(std::move(to)) {}

  /// A directory in the copy, as it is in the other one.
  Result<sys::Fd> make_folder(const std::string& name) const {
    for (size_t end = name.find('/'); !name.empty(); end = name.find('/', end + 1)) {
      const std::string one = name.substr(0, end);
      const sys::Fd here = sys::open_beneath(from_.get(), one, O_PATH | O_DIRECTORY);
      const sys::Fd above = sys::open_beneath(to_.get(), folder_of(one), O_PATH | O_DIRECTORY);
      struct stat info{};
      if (!here || !above || ::fstat(here.get(), &info) != 0) return fail(sys::errno_error(errno, "open " + one));
      const sys::ActAs as_server(server_identity(config_));
      if (::mkdirat(above.get(), last_of(one).c_str(), 0700) == 0) {
        const sys::Fd made = sys::open_at(above.get(), last_of(one), O_RDONLY | O_DIRECTORY);
        if (!made || ::fchmod(made.get(), info.st_mode & 0777) != 0)
          return fail(sys::errno_error(errno, "make " + one));
      } else if (errno != EEXIST) {
        return fail(sys::errno_error(errno, "make " + one));
      }
      if (end == std::string::npos) break;
    }
    sys::Fd folder = sys::open_beneath(to_.get(), name, O_PATH | O_DIRECTORY);
    if (!folder) return fail(sys::errno_error(errno, "open " + name));
    return folder;
  }

  /// Where there are no hard links, or not for us. What was another's is the server's own then, and no one else's.
  Status copy(int from, int to, const std::string& name, const struct stat& info) const {
    const sys::ActAs as_server(server_identity(config_));
    if (S_ISLNK(info.st_mode)) {
      std::string target(static_cast<size_t>(std::max<off_t>(info.st_size, 1)) + 1, '\0');
      const ssize_t size = ::readlinkat(from, name.c_str(), target.data(), target.size());
      if (size < 0) return fail(sys::errno_error(errno, "read link"));
      target.resize(static_cast<size_t>(size));
      if (::symlinkat(target.c_str(), to, name.c_str()) != 0) return fail(sys::errno_error(errno, "make link"));
      return {};
    }
    const sys::Fd source = sys::open_at(from, name, O_RDONLY | O_NONBLOCK);
    struct stat is{};
    if (!source || ::fstat(source.get(), &is) != 0) return fail(sys::errno_error(errno, "open"));
    if (!S_ISREG(is.st_mode)) return {};
    const sys::Fd target = sys::open_at(to, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (!target) return fail(sys::errno_error(errno, "make"));
    Buffer piece(64 << 10);
    for (;;) {
      const size_t size = TRY(sys::read_full(source.get(), MutableByteSpan(piece.data(), piece.size())));
      if (size == 0) break;
      TRY_VOID(sys::write_all(target.get(), piece.span().first(size)));
    }
    const mode_t mode = is.st_uid == config_.uid ? is.st_mode & 0777 : is.st_mode & 0700;
    if (::fchmod(target.get(), mode) != 0) return fail(sys::errno_error(errno, "chmod"));
    return {};
  }

  const MemberConfig& config_;
  sys::Fd from_, to_;
};

/// Where an old restore was to stop is no place for a standby to stop at.
Status forget_recovery_target(const MemberConfig& c, const std::string& to) {
  const sys::ActAs as_server(server_identity(c));
  const auto text = engine::stored::read_small(to + "/postgresql.auto.conf");
  std::error_code error;
  if (!text || !fs::exists(to + "/standby.signal", error)) return {};
  std::string kept;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);)
    if (const std::string name = setting_of(line).name;
        !name.starts_with("recovery_target") || name == "recovery_target_timeline")
      kept += line + "\n";
  if (kept.size() >= text->size()) return {};
  return sys::publish_file(to + "/postgresql.auto.conf", as_bytes(kept), 0600);
}

}  // namespace

std::vector<std::string> own_files(const MemberConfig& config, const std::string& dir) {
  if (!config.existing) return {};
  const sys::ActAs as_server(server_identity(config));
  return Search(config, dir).run();
}

Result<bool> keep_own_files(const MemberConfig& config, const std::string& to) {
  if (!config.existing) return false;
  for (const auto& from : places(config, to)) {
    const auto ours = own_files(config, from);
    if (ours.empty()) continue;
    // The directories' own names may be the server's to change, and lead to what is root's.
    const sys::ActAs as_owner(beside_identity(config));
    const auto exchange = TRY(Exchange::open(config, from, to));
    bool changed = false;
    for (const auto& name : own_files(config, to)) {
      if (name.ends_with('/') || std::ranges::find(ours, name) != ours.end()) continue;
      TRY_VOID(exchange.remove(name));
      changed = true;
    }
    for (const auto& name : ours) changed = TRY(exchange.put(name).context("keeping " + from + "/" + name)) || changed;
    if (changed && config.engine == Engine::postgres) TRY_VOID(forget_recovery_target(config, to));
    return changed;
  }
  return false;
}

std::optional<Look> look_of_data(const MemberConfig& config) {
  if (!config.existing) return std::nullopt;
  for (const auto& place : places(config, {})) {
    struct stat info{};
    if (::lstat(place.c_str(), &info) == 0 && S_ISDIR(info.st_mode))
      return Look{info.st_uid, info.st_gid, info.st_mode & 0777};
  }
  return std::nullopt;
}

Status give_look(const MemberConfig& config, const std::string& dir, const Look& look) {
  const auto identity = beside_identity(config);
  const sys::ActAs as_owner(identity);
  const sys::Fd fd = TRY(sys::open_last_directory(dir));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail(sys::errno_error(errno, "stat " + dir));
  // The server's user may not be able to give it to that group: no reason to be without the data.
  if ((info.st_uid != look.uid || info.st_gid != look.gid) && ::fchown(fd.get(), look.uid, look.gid) != 0 && !identity)
    return fail(sys::errno_error(errno, "chown " + dir));
  if ((info.st_mode & 0777) != look.mode && ::fchmod(fd.get(), look.mode) != 0)
    return fail(sys::errno_error(errno, "chmod " + dir));
  return {};
}

}  // namespace holdfast::agent
