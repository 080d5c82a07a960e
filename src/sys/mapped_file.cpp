#include "sys/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <mutex>

#include "sys/file.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

namespace holdfast::sys {
namespace {

// Read once before any handler can need it; 4 KiB on x86, up to 64 KiB elsewhere.
const size_t kPage = static_cast<size_t>(::sysconf(_SC_PAGESIZE));

// Mappings the signal handler may repair. Only atomics: a handler cannot take locks.
struct Slot {
  std::atomic<uintptr_t> begin{0};
  std::atomic<uintptr_t> end{0};
  std::atomic<bool> failed{false};
  std::atomic<bool> used{false};
};
Slot g_slots[64];

void on_bus_error(int, siginfo_t* info, void*) {
  const auto at = reinterpret_cast<uintptr_t>(info->si_addr);
  for (Slot& slot : g_slots) {
    if (at < slot.begin.load() || at >= slot.end.load()) continue;
    char* page = static_cast<char*>(info->si_addr) - at % kPage;
    if (::mmap(page, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) break;
    slot.failed = true;
    return;
  }
  ::signal(SIGBUS, SIG_DFL);  // not ours: the instruction runs again and ends the process
}

void install_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action{};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGBUS, &action, nullptr);
  });
}

// The pages a range begins in and goes through; the page it ends in only with `with_last`.
void advise(ByteSpan range, int advice, bool with_last) {
  const auto at = reinterpret_cast<uintptr_t>(range.data());
  const uint8_t* begin = range.data() - at % kPage;
  const uint8_t* end = range.data() + range.size();
  if (!with_last) end -= (at + range.size()) % kPage;
  if (begin < end) (void)::madvise(const_cast<uint8_t*>(begin), static_cast<size_t>(end - begin), advice);
}

}  // namespace

Result<MappedFile> MappedFile::map(int fd) {
  const auto unfit = [](const char* why) { return fail(ErrorClass::refused, "sys.not_mappable", why); };
  struct stat info{};
  if (::fstat(fd, &info) != 0) return fail(errno_error(errno, "stat"));
  const off_t position = ::lseek(fd, 0, SEEK_CUR);
  if (!S_ISREG(info.st_mode) || position < 0 || position >= info.st_size) return unfit("not a regular file with data");
  Fd own(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!own) return fail(errno_error(errno, "dup"));
  install_handler();
  MappedFile file;
  for (int i = 0; i < static_cast<int>(std::size(g_slots)) && file.slot_ < 0; ++i) {
    if (!g_slots[i].used.exchange(true)) file.slot_ = i;
  }
  if (file.slot_ < 0) return unfit("too many files are mapped");
  const off_t start = position & ~static_cast<off_t>(kPage - 1);
  file.length_ = static_cast<size_t>(info.st_size - start);
  void* base = ::mmap(nullptr, file.length_, PROT_READ, MAP_PRIVATE, fd, start);
  if (base == MAP_FAILED) return fail(errno_error(errno, "mmap"));
  file.base_ = base;
  file.fd_ = std::move(own);
  file.file_end_ = static_cast<uint64_t>(info.st_size);
  Slot& slot = g_slots[file.slot_];
  slot.failed = false;
  slot.begin = reinterpret_cast<uintptr_t>(base);  // before the end: a slot half set up must cover nothing
  slot.end = reinterpret_cast<uintptr_t>(base) + (file.length_ + kPage - 1) / kPage * kPage;
  file.bytes_ =
      ByteSpan(static_cast<const uint8_t*>(base), file.length_).subspan(static_cast<size_t>(position - start));
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : base_(other.base_),
      length_(other.length_),
      bytes_(other.bytes_),
      slot_(other.slot_),
      fd_(std::move(other.fd_)),
      file_end_(other.file_end_) {
  other.base_ = nullptr;
  other.slot_ = -1;
}

MappedFile::~MappedFile() {
  if (slot_ >= 0) {
    g_slots[slot_].end = 0;
    g_slots[slot_].begin = 0;
  }
  if (base_) ::munmap(base_, length_);
  if (slot_ >= 0) g_slots[slot_].used = false;
}

bool MappedFile::failed() const {
  if (g_slots[slot_].failed.load()) return true;
  // Where the new end lies in the old last page, the rest of that page reads as zeros without any fault.
  struct stat info{};
  return ::fstat(fd_.get(), &info) != 0 || static_cast<uint64_t>(info.st_size) < file_end_;
}

void MappedFile::will_need(ByteSpan range) {
  advise(range, MADV_WILLNEED, true);
}
void MappedFile::need_now(ByteSpan range) {
  advise(range, MADV_POPULATE_READ, true);
}
void MappedFile::release(ByteSpan range) {
  advise(range, MADV_DONTNEED, false);
}

}  // namespace holdfast::sys
