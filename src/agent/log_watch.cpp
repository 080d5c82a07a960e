#include "agent/log_watch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/server_files.h"
#include "agent/unit.h"
#include "cluster/server_log.h"
#include "sys/file.h"

namespace holdfast::agent {

namespace {

constexpr off_t kMost = 4 << 20;

}  // namespace

void LogWatch::tell(cluster::MemberFacts& facts, const MemberConfig& config) {
  if (config.log_file().empty() && config.is_by_unit()) {
    std::lock_guard lock(mutex_);
    const auto part = unit_journal(config.existing->unit, cursor_, Deadline::in(std::chrono::seconds(2)));
    cursor_ = part.cursor;
    read(part.text);
    facts.runtime.damage_logged = line_;
    return;
  }
  // The server's user owns the folder: no link may lead a root agent elsewhere, no fifo may hold it.
  const sys::ActAs as_server(server_identity(config));
  auto fd = sys::open_file(config.log_file(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct stat info{};
  if (!fd || ::fstat(fd->get(), &info) != 0 || !S_ISREG(info.st_mode)) return;
  std::lock_guard lock(mutex_);
  if (info.st_ino != file_ || info.st_size < read_to_) {
    file_ = info.st_ino;
    read_to_ = 0;
    line_.clear();
  }
  const off_t from = std::max(read_to_, info.st_size - kMost);
  std::string text(static_cast<size_t>(info.st_size - from), '\0');
  const ssize_t got = ::pread(fd->get(), text.data(), text.size(), from);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  text.resize(text.rfind('\n') + 1);  // npos + 1 = 0: a line that is being written is read when it is whole
  read_to_ = from + static_cast<off_t>(text.size());
  read(text);
  facts.runtime.damage_logged = line_;
}

void LogWatch::read(const std::string& text) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    if (cluster::begins_run(line)) line_.clear();
    if (cluster::met_damage(line)) line_ = line;
    at = end + 1;
  }
}

}  // namespace holdfast::agent
