#include "agent/tree_stream.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <vector>

#include "agent/dir_users.h"
#include "agent/log_files.h"
#include "agent/server.h"
#include "agent/server_files.h"
#include "agent/wal_dir.h"
#include "agent/ways.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using codec::Value;
using std::chrono::minutes;

namespace {

constexpr minutes kIdle{5};
constexpr const char* kWal = "pg_wal";

class TreeSender {
 public:
  TreeSender(const MemberConfig& config, std::string root, net::Stream& stream, const std::stop_token& stop)
      : config_(config), root_(std::move(root)), stream_(stream), stop_(stop) {
    if (config.engine != cluster::Engine::postgres) return;
    const sys::ActAs as_server(server_identity(config));
    wal_ = wal_elsewhere(root_);
  }

  /// Looks below before anything is sent, so that what cannot be sent whole is refused.
  Status check() {
    for (const auto& file : TRY(logs_of(config_, root_))) logs_[file.substr(file.rfind('/') + 1)] = file;
    const sys::ActAs as_server(server_identity(config_));
    std::error_code ignored;
    for (const auto& [name, file] : logs_)
      if (fs::exists(fs::symlink_status(root_ + "/" + name, ignored)))
        return fail(
            ErrorClass::refused, "agent.data_elsewhere",
            fmt::format("{} is in {} and outside of it, as {}: a copy would lack one of them", name, root_, file),
            "keep a copy of it yourself, then repair with --no-escrow (the old directory stays)");
    std::error_code error;
    for (const std::string& top : wal_.empty() ? std::vector{root_} : std::vector{root_, wal_}) {
      for (fs::recursive_directory_iterator it(top, error), end; !error && it != end; it.increment(error))
        if (it->is_symlink(ignored) && fs::is_directory(it->path(), ignored) &&
            (wal_.empty() || it->path() != root_ + "/" + kWal))
          return fail(ErrorClass::refused, "agent.data_elsewhere",
                      it->path().string() + " leads out of the data directory: a copy would lack what is there",
                      "keep a copy of it yourself, then repair with --no-escrow (the old directory stays)");
      if (error) return fail(sys::errno_error(error.value(), "listing " + top));
    }
    return {};
  }

  Status send() {
    TRY_VOID(send_entry(""));
    std::vector<std::string> below = {""};
    while (!below.empty()) {
      const std::string folder = std::move(below.back());
      below.pop_back();
      for (const auto& name : TRY(names(folder))) {
        const std::string path = folder.empty() ? name : folder + "/" + name;
        if (TRY(send_entry(path)) == 'd') below.push_back(path);
      }
    }
    for (const auto& [name, file] : logs_) (void)TRY(send_entry(name));
    return {};
  }

 private:
  /// Where it lies: WAL and logs that are elsewhere are sent as if they lay in the data directory.
  std::string full(const std::string& path) const {
    if (path.empty()) return root_;
    if (const auto log = logs_.find(path); log != logs_.end()) return log->second;
    const bool below_wal = path == kWal || path.starts_with(std::string(kWal) + "/");
    return below_wal && !wal_.empty() ? wal_ + path.substr(std::string_view(kWal).size()) : root_ + "/" + path;
  }

  Result<std::vector<std::string>> names(const std::string& folder) const {
    const sys::ActAs as_server(server_identity(config_));
    std::vector<std::string> found;
    std::error_code error;
    for (fs::directory_iterator it(full(folder), error), end; !error && it != end; it.increment(error))
      found.push_back(it->path().filename().string());
    if (error) return fail(sys::errno_error(error.value(), "listing " + full(folder)));
    std::ranges::sort(found);
    return found;
  }

  Status frame(char letter, ByteSpan bytes) {
    Buffer whole(bytes.size() + 1);
    whole.data()[0] = static_cast<uint8_t>(letter);
    std::ranges::copy(bytes, whole.data() + 1);
    return write_frame(stream_, {whole.data(), whole.size()}, Deadline::in(kIdle), stop_);
  }

  /// Its type; 0 for what is left out.
  Result<char> send_entry(const std::string& path) {
    TreeEntry entry;
    struct stat info{};
    sys::Fd file;
    {
      const sys::ActAs as_server(server_identity(config_));
      if (::lstat(full(path).c_str(), &info) != 0) return fail(sys::errno_error(errno, "reading " + full(path)));
      if (S_ISLNK(info.st_mode)) entry.target = TRY(link_target(full(path)));
      if (S_ISREG(info.st_mode)) {
        file = TRY(sys::open_file(full(path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
        if (::fstat(file.get(), &info) != 0) return fail(sys::errno_error(errno, "reading " + full(path)));
      }
    }
    entry.type = S_ISREG(info.st_mode)    ? 'f'
                 : S_ISDIR(info.st_mode)  ? 'd'
                 : S_ISLNK(info.st_mode)  ? 'l'
                 : S_ISFIFO(info.st_mode) ? 'p'
                                          : 0;
    if (!entry.type) return '\0';
    entry.path = path;
    entry.mode = info.st_mode & 07777;
    entry.uid = info.st_uid;
    entry.gid = info.st_gid;
    entry.user = user(info.st_uid);
    entry.group = group(info.st_gid);
    entry.mtime_seconds = info.st_mtim.tv_sec;
    entry.mtime_nanoseconds = info.st_mtim.tv_nsec;
    entry.ctime_seconds = info.st_ctim.tv_sec;
    entry.ctime_nanoseconds = info.st_ctim.tv_nsec;
    entry.inode = info.st_ino;
    entry.device = info.st_dev;
    entry.links = info.st_nlink;
    entry.size = static_cast<uint64_t>(info.st_size);
    TRY_VOID(frame('N', as_bytes(codec::to_json(entry_value(entry)))));
    if (file) TRY_VOID(send_content(file.get(), full(path)));
    return entry.type;
  }

  static Result<std::string> link_target(const std::string& path) {
    std::array<char, 4096> text{};
    const ssize_t n = ::readlink(path.c_str(), text.data(), text.size());
    if (n < 0) return fail(sys::errno_error(errno, "reading the link " + path));
    return std::string(text.data(), static_cast<size_t>(n));
  }

  Status send_content(int fd, const std::string& path) {
    Buffer bytes(kMostInFrame);
    bytes.data()[0] = 'D';
    for (;;) {
      const ssize_t n = ::read(fd, bytes.data() + 1, bytes.size() - 1);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail(sys::errno_error(errno, "reading " + path));
      if (n == 0) return {};
      TRY_VOID(write_frame(stream_, {bytes.data(), static_cast<size_t>(n) + 1}, Deadline::in(kIdle), stop_));
    }
  }

  const std::string& user(uid_t id) {
    auto [at, fresh] = users_.try_emplace(id);
    if (fresh)
      if (const passwd* known = ::getpwuid(id)) at->second = known->pw_name;
    return at->second;
  }
  const std::string& group(gid_t id) {
    auto [at, fresh] = groups_.try_emplace(id);
    if (fresh)
      if (const ::group* known = ::getgrgid(id)) at->second = known->gr_name;
    return at->second;
  }

  const MemberConfig& config_;
  const std::string root_;
  std::string wal_;                          ///< where pg_wal leads, where it is a link
  std::map<std::string, std::string> logs_;  ///< that are elsewhere: full paths by name
  net::Stream& stream_;
  const std::stop_token& stop_;
  std::map<uid_t, std::string> users_;
  std::map<gid_t, std::string> groups_;
};

/// Which directory is meant; see serve_tree().
Result<std::string> allowed_directory(const MemberConfig& config, bool running, const std::string& directory) {
  if (directory.empty() || directory == config.data_dir()) {
    if (running) return fail(running_error());
    TRY_VOID(check_unused(config.data_dir()));
    return config.data_dir();
  }
  const Value known = TRY(directories_value(config));
  for (const auto& path : known["replaced"].items())
    if (path.text() == directory) return directory;
  return fail(ErrorClass::refused, "agent.directory", directory + " is not a data directory of " + config.member);
}

}  // namespace

Status serve_tree(const MemberConfig& config, bool running, const std::string& directory, net::Stream& stream,
                  bool& answered, Deadline deadline, const std::stop_token& stop) {
  TreeSender sender(config, TRY(allowed_directory(config, running, directory)), stream, stop);
  TRY_VOID(sender.check());
  answered = true;
  TRY_VOID(stream.write_all(as_bytes(std::string_view("{\"ok\":true}\n")), deadline, stop));
  auto sent = sender.send();
  if (sent) return write_end(stream, Value::object({{"ok", true}}), Deadline::in(kIdle), stop);
  return write_end(stream, Value::object({{"ok", false}, {"error", error_value(sent.error())}}), Deadline::in(kIdle),
                   stop);
}

Value entry_value(const TreeEntry& e) {
  return Value::object({{"path", e.path},
                        {"type", std::string(1, e.type)},
                        {"mode", e.mode},
                        {"uid", e.uid},
                        {"gid", e.gid},
                        {"user", e.user},
                        {"group", e.group},
                        {"mtime", e.mtime_seconds},
                        {"mtimeNanoseconds", e.mtime_nanoseconds},
                        {"ctime", e.ctime_seconds},
                        {"ctimeNanoseconds", e.ctime_nanoseconds},
                        {"inode", e.inode},
                        {"device", e.device},
                        {"links", e.links},
                        {"size", e.size},
                        {"target", e.target}});
}

Result<TreeEntry> entry_from(const Value& v) {
  TreeEntry e;
  e.path = v["path"].text();
  const std::string type = v["type"].text();
  e.type = type.empty() ? 0 : type[0];
  for (size_t from = 0; !e.path.empty();) {
    const size_t end = std::min(e.path.find('/', from), e.path.size());
    const std::string part = e.path.substr(from, end - from);
    if (part.empty() || part == "." || part == ".." || part.find('\0') != part.npos)
      return fail(ErrorClass::failed, "agent.tree", "the agent sent a path that leads elsewhere: " + e.path);
    if (end == e.path.size()) break;
    from = end + 1;
  }
  e.mode = static_cast<uint32_t>(v["mode"].integer()) & 07777;
  e.uid = static_cast<uint32_t>(v["uid"].integer());
  e.gid = static_cast<uint32_t>(v["gid"].integer());
  e.user = v["user"].text();
  e.group = v["group"].text();
  e.mtime_seconds = v["mtime"].integer();
  e.mtime_nanoseconds = v["mtimeNanoseconds"].integer();
  e.ctime_seconds = v["ctime"].integer();
  e.ctime_nanoseconds = v["ctimeNanoseconds"].integer();
  e.inode = v["inode"].unsigned_integer();
  e.device = v["device"].unsigned_integer();
  e.links = v["links"].unsigned_integer();
  e.size = v["size"].unsigned_integer();
  e.target = v["target"].text();
  return e;
}

}  // namespace holdfast::agent
