#include "engine/page_check.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <tuple>
#include <utility>

#include "engine/pages/table_files.h"
#include "engine/stored/files.h"

namespace holdfast::engine {

namespace {

using pages::TableFile;
using pages::TableFiles;
using pages::Verdict;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr size_t kBlock = 1 << 20;
/// A page is bad when this many readings after the first show the same wrong content: 50, 100, 150, 200 and 250 ms
/// apart. A writer that the kernel holds back in the middle of a page waits for 200 ms at a time.
constexpr int kSameReadings = 5;
constexpr int kMaxReadings = 12;  ///< of a page that keeps changing and is never right: given up
constexpr milliseconds kFirstPause{50};

Result<std::unique_ptr<TableFiles>> table_files(cluster::Engine engine, const std::string& data_dir) {
  if (engine == cluster::Engine::postgres) return pages::postgres_table_files(data_dir);
  return pages::innodb_table_files(data_dir);
}

uint64_t size_of(int fd) {
  struct stat state;
  return ::fstat(fd, &state) == 0 ? static_cast<uint64_t>(state.st_size) : 0;
}

/// One page, read again from the disk: what is wrong there (its content; of a missing page, the first page and the
/// file's size), or nothing when nothing is.
std::optional<Buffer> wrong_content(const TableFiles& files, const std::string& data_dir, const BadPage& page) {
  const auto fd = stored::open_regular(data_dir + "/" + page.file);
  if (!fd) return std::nullopt;
  // Clean pages only leave the cache; nothing is lost. What a direct write passed by would otherwise be read forever.
  ::posix_fadvise(fd->get(), 0, kBlock / 16, POSIX_FADV_DONTNEED);
  const auto format = files.format_of(fd->get(), page.file);
  if (!format) return std::nullopt;
  const size_t size = format->page_size;
  const auto at = static_cast<off_t>(page.page * size);
  ::posix_fadvise(fd->get(), at, static_cast<off_t>(size), POSIX_FADV_DONTNEED);
  Buffer content(size);
  if (pages::read_at(fd->get(), {content.data(), size}, page.page * size) == size) {
    if (format->judge(content, page.page) != Verdict::bad) return std::nullopt;
    return content;
  }
  const uint64_t file_size = size_of(fd->get());  // after the first page was read: a server lets the file grow first
  if (page.page >= format->expected_pages || file_size >= (page.page + 1) * size) return std::nullopt;
  if (pages::read_at(fd->get(), {content.data(), size}, 0) != size) content.clear();
  content.append(ByteSpan(reinterpret_cast<const uint8_t*>(&file_size), sizeof file_size));
  return content;
}

/// Pages that were wrong once, until it is certain what they are.
class Suspects {
 public:
  Suspects(const TableFiles& files, const std::string& data_dir) : files_(files), data_dir_(data_dir) {}

  bool room() const { return bad_.size() + left_.size() < kMaxBadPages; }
  bool any() const { return !left_.empty(); }
  void add(BadPage page, Buffer content) { left_.push_back({std::move(page), std::move(content), Clock::now()}); }

  /// Reads those whose time has come.
  void look() {
    std::erase_if(left_, [&](Suspect& suspect) {
      if (Clock::now() < suspect.next) return false;
      auto now = wrong_content(files_, data_dir_, suspect.page);
      if (!now) return true;
      const bool same =
          now->size() == suspect.content.size() && std::memcmp(now->data(), suspect.content.data(), now->size()) == 0;
      suspect.same = same ? suspect.same + 1 : 0;
      suspect.content = std::move(*now);
      if (suspect.same == kSameReadings) bad_.push_back(suspect.page);
      if (suspect.same == kSameReadings || ++suspect.readings == kMaxReadings) return true;
      suspect.next = Clock::now() + kFirstPause * (suspect.same + 1);
      return false;
    });
  }
  void pause(const Deadline& deadline) const {
    std::this_thread::sleep_for(std::min(deadline.left(), milliseconds(10)));
  }
  std::vector<BadPage> take_bad() {
    const auto key = [](const BadPage& page) { return std::tie(page.file, page.page); };
    std::ranges::sort(bad_, [&](const BadPage& a, const BadPage& b) { return key(a) < key(b); });
    return std::move(bad_);
  }

 private:
  struct Suspect {
    BadPage page;
    Buffer content;
    Clock::time_point next;
    int same = 0, readings = 0;
    Suspect(BadPage p, Buffer c, Clock::time_point now)
        : page(std::move(p)), content(std::move(c)), next(now + kFirstPause) {}
  };
  const TableFiles& files_;
  const std::string& data_dir_;
  std::vector<Suspect> left_;
  std::vector<BadPage> bad_;
};

/// A file of a table, page by page.
class OpenTable {
 public:
  OpenTable(const TableFiles& files, const std::string& data_dir, const std::string& name) {
    if (auto fd = stored::open_regular(data_dir + "/" + name)) fd_ = std::move(*fd);
    if (fd_) format_ = files.format_of(fd_.get(), name);
  }
  size_t page_size() const { return format_ ? format_->page_size : 1; }
  /// False also where there is no such page.
  bool empty(uint64_t page) const {
    if (!format_) return false;
    Buffer content(format_->page_size);
    return pages::read_at(fd_.get(), {content.data(), content.size()}, page * content.size()) == content.size() &&
           format_->judge(content, page) == Verdict::empty;
  }

 private:
  sys::Fd fd_;
  std::unique_ptr<pages::Format> format_;
};

void keep_longest(std::vector<cluster::PageRun>& runs, size_t count) {
  std::ranges::stable_sort(runs, std::greater(), &cluster::PageRun::pages);
  if (runs.size() > count) runs.resize(count);
}

class Scan {
 public:
  Scan(const TableFiles& files, const std::string& data_dir, Deadline deadline, const std::stop_token& stop)
      : files_(files), data_dir_(data_dir), deadline_(deadline), stop_(stop), suspects_(files, data_dir) {}

  PageCheck run() {
    std::vector<TableFile> list = files_.list();
    std::ranges::sort(list, [](const TableFile& a, const TableFile& b) {
      return std::tie(a.modified.tv_sec, a.modified.tv_nsec, b.name) >
             std::tie(b.modified.tv_sec, b.modified.tv_nsec, a.name);
    });
    for (const TableFile& file : list) check_.of_bytes += file.size;
    bool whole = true;
    for (const TableFile& file : list) {
      whole = one(file);
      if (!whole) break;
    }
    while (whole && suspects_.any()) {
      suspects_.look();
      if (suspects_.any()) suspects_.pause(deadline_);
      whole = !suspects_.any() || !over();
    }
    check_.complete = whole;
    keep_longest(check_.empty, kMaxEmptyRuns);
    check_.bad = suspects_.take_bad();
    return std::move(check_);
  }

 private:
  bool over() const { return stop_.stop_requested() || deadline_.passed(); }

  /// A page that should be looked at again. False: no more can be told, or the time is over.
  bool suspect(const std::string& file, uint64_t page, ByteSpan content) {
    while (!suspects_.room()) {
      if (!suspects_.any() || over()) return false;
      suspects_.look();
      if (!suspects_.room()) suspects_.pause(deadline_);
    }
    suspects_.add({file, page}, Buffer::copy_of(content));
    return true;
  }

  void empty(cluster::PageRun run) {
    check_.empty.push_back(std::move(run));
    if (check_.empty.size() == 16 * kMaxEmptyRuns) keep_longest(check_.empty, kMaxEmptyRuns);
  }

  /// False: the check ends here.
  bool one(const TableFile& file) {
    if (over()) return false;
    const auto fd = stored::open_regular(data_dir_ + "/" + file.name);
    const auto format = fd ? files_.format_of(fd->get(), file.name) : nullptr;
    if (!format) {
      check_.of_bytes -= file.size;
      return true;
    }
    ++check_.files;
    ::posix_fadvise(fd->get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    const size_t size = format->page_size;
    uint64_t page = 0, read = 0;
    cluster::PageRun run{.file = file.name};
    for (size_t got = kBlock; got == kBlock; read += got) {
      if (over()) return false;
      suspects_.look();
      got = pages::read_at(fd->get(), {block_.data(), kBlock}, page * size);
      check_.bytes += got;
      for (size_t at = 0; at + size <= got; at += size, ++page) {
        const Verdict verdict = format->judge(block_.span(at, size), page);
        check_.pages += verdict != Verdict::unknown;
        if (verdict == Verdict::empty) {
          if (run.pages++ == 0) run.first = page;
        } else if (run.pages > 0) {
          empty(std::exchange(run, {.file = file.name}));
        }
        if (verdict == Verdict::bad && !suspect(file.name, page, block_.span(at, size))) return false;
      }
    }
    check_.of_bytes += read - file.size;  // grown or shrunk since the list was made
    if (run.pages > 0) empty(std::move(run));
    if (format->tells_empty) check_.ends[file.name] = page * size;
    if (page < format->expected_pages && !suspect(file.name, page, {})) return false;
    return true;
  }

  const TableFiles& files_;
  const std::string& data_dir_;
  const Deadline deadline_;
  const std::stop_token& stop_;
  Suspects suspects_;
  PageCheck check_;
  Buffer block_{kBlock};
};

}  // namespace

Result<PageCheck> check_pages(cluster::Engine engine, const std::string& data_dir, Deadline deadline,
                              std::stop_token stop) {
  const auto files = TRY(table_files(engine, data_dir));
  return Scan(*files, data_dir, deadline, stop).run();
}

std::vector<BadPage> still_bad(cluster::Engine engine, const std::string& data_dir, const std::vector<BadPage>& pages) {
  const auto files = table_files(engine, data_dir);
  if (!files) return {};
  std::vector<BadPage> bad;
  for (size_t done = 0; done < pages.size();) {
    Suspects suspects(**files, data_dir);
    for (; done < pages.size() && suspects.room(); ++done)
      if (auto content = wrong_content(**files, data_dir, pages[done])) suspects.add(pages[done], std::move(*content));
    while (suspects.any()) {
      suspects.look();
      if (suspects.any()) suspects.pause(Deadline::never());
    }
    std::ranges::move(suspects.take_bad(), std::back_inserter(bad));
  }
  return bad;
}

std::vector<cluster::PageRun> empty_now(cluster::Engine engine, const std::string& data_dir, const PageCheck& check) {
  constexpr uint64_t kMostOfARun = 1024;
  const auto files = table_files(engine, data_dir);
  if (!files) return {};
  std::vector<cluster::PageRun> now, grown;
  for (const cluster::PageRun& run : check.empty) {
    const OpenTable table(**files, data_dir, run.file);
    if (table.empty(run.first) || table.empty(run.first + run.pages - 1)) now.push_back(run);
  }
  for (const auto& [name, end] : check.ends) {
    const auto file = pages::table_file(data_dir, name);
    if (!file || file->size <= end) continue;
    const OpenTable table(**files, data_dir, name);
    cluster::PageRun run{name, end / table.page_size(), 0};
    while (run.pages < kMostOfARun && table.empty(run.first + run.pages)) ++run.pages;
    if (run.pages > 0) grown.push_back(std::move(run));
  }
  keep_longest(grown, kMaxEmptyRuns);
  std::ranges::move(grown, std::back_inserter(now));
  return now;
}

}  // namespace holdfast::engine
