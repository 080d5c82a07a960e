#include "provider/divergence.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "agent/errant_log.h"
#include "engine/divergence.h"
#include "engine/programs.h"
#include "provider/errant_log.h"
#include "provider/member_access.h"
#include "sys/beneath.h"
#include "sys/file.h"

namespace holdfast::provider {

namespace fs = std::filesystem;

namespace {

/// For finding the transactions in a member's logs.
constexpr std::chrono::hours kSearch{1};

/// Absolute, symbolic links resolved, no slash at the end.
std::string plain_path(const std::string& dir) {
  std::error_code error;
  auto path = fs::weakly_canonical(fs::absolute(dir, error), error);
  if (error) path = fs::absolute(dir, error).lexically_normal();
  std::string text = path.string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

std::unexpected<Error> not_empty(const std::string& dir) {
  return fail(ErrorClass::refused, "divergence.not_empty",
              dir + " is not empty: an export is never mixed with other files",
              "name a folder that does not exist yet");
}

/// A folder beside the wanted one, removed unless it was published.
class Staging {
 public:
  static Result<Staging> make(const std::string& dir) {
    std::string pattern = dir + ".partial-XXXXXX";
    if (!::mkdtemp(pattern.data())) return fail(sys::errno_error(errno, "make a folder beside " + dir));
    return Staging(std::move(pattern));
  }
  Staging(Staging&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  Staging& operator=(Staging&&) = delete;
  ~Staging() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  Status publish(const std::string& dir) {
    for (const auto& entry : fs::recursive_directory_iterator(path_)) {
      if (entry.is_directory()) continue;
      auto fd = TRY(sys::open_file(entry.path().string(), O_RDONLY));
      if (::fsync(fd.get()) != 0) return fail(sys::errno_error(errno, "fsync " + entry.path().string()));
    }
    TRY_VOID(sys::sync_directory(path_));
    // Over an empty folder, too; one that was filled meanwhile is ENOTEMPTY.
    if (::rename(path_.c_str(), dir.c_str()) != 0) {
      if (errno == ENOTEMPTY || errno == EEXIST) return not_empty(dir);
      return fail(sys::errno_error(errno, "rename " + path_ + " to " + dir));
    }
    path_.clear();
    return sys::sync_directory(fs::path(dir).parent_path().string());
  }

 private:
  explicit Staging(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

Result<engine::DivergenceFiles> export_member(const cluster::TriageReport& report, MemberAccess& member,
                                              const cluster::Errant& errant, const std::string& folder,
                                              const std::stop_token& stop) {
  engine::DivergenceOptions options;
  options.engine = report.cluster.engine;
  options.member = member.member().name.str();
  if (const auto* seen = report.find(options.member))
    options.postgres_major = engine::postgres_major(seen->facts.version);
  options.cluster = report.cluster.full_name();
  options.stop = stop;
  const std::string logs = folder + "/" + engine::divergence_log(options);
  TRY_VOID(sys::make_directories(logs, 0700));
  ErrantLogRequest request;
  request.transactions = errant.transactions;
  request.limits = {.most = agent::kMostErrant, .most_records = agent::kMostRecords};
  request.deadline = Deadline::in(kSearch);
  auto log = member.files().errant_log(request, logs, stop);
  if (!log) {
    if (log.error().error_class != ErrorClass::unavailable && log.error().id != "provider.external")
      return fail(std::move(log).error());
    engine::ErrantLog unseen;
    unseen.list.errant = errant;
    unseen.list.errant.unseen = log.error().to_string();
    unseen.folder = logs;
    log = std::move(unseen);
    TRY_VOID(sys::remove_tree(logs));  // of a log that was cut off nothing is kept
  }
  log->list.errant.against = errant.against;
  return engine::write_divergence(*log, options, folder);
}

}  // namespace

Status check_export_folder(const std::string& dir) {
  const std::string path = plain_path(dir);
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return fail(sys::errno_error(errno, path));
  }
  if (!S_ISDIR(info.st_mode))
    return fail(ErrorClass::refused, "divergence.in_the_way", path + " exists and is not a folder",
                "name a folder that does not exist yet");
  std::error_code error;
  const bool empty = fs::is_empty(path, error);
  if (error) return fail(sys::errno_error(error.value(), "list " + path));
  if (!empty) return not_empty(path);
  return {};
}

Result<std::vector<ExportedMember>> export_divergence(const cluster::TriageReport& report, const std::string& dir,
                                                      std::stop_token stop) {
  std::vector<ExportedMember> exported;
  TRY_VOID(check_export_folder(dir));
  std::optional<Staging> staging;
  const ClusterMembers members(report.cluster);
  const std::string path = plain_path(dir);
  for (const auto& m : report.members) {
    auto* access = members.find(m.facts.member.str());
    if (!m.errant.any() || !access) continue;
    if (!staging) {
      TRY_VOID(sys::make_directories(fs::path(path).parent_path().string(), 0755));
      staging.emplace(TRY(Staging::make(path)));
    }
    auto written = export_member(report, *access, m.errant, staging->path(), stop);
    if (!written) return fail(std::move(written).error().with_context("exporting " + m.facts.member.str()));
    exported.push_back(
        {m.facts.member, std::move(written->errant), std::move(written->files), std::move(written->not_written)});
  }
  if (staging) TRY_VOID(staging->publish(path));
  return exported;
}

}  // namespace holdfast::provider
