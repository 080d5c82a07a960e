#include "operation/file_journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "operation/folders.h"
#include "sys/write_at.h"

namespace holdfast::operation {

namespace {

constexpr const char* kPlanFile = "plan.json";
constexpr const char* kJournalFile = "journal.jsonl";
constexpr const char* kAbandonedFile = "abandoned.json";
/// Set aside when a journal is made, so that a full disk is found before anything is done and not between two steps.
constexpr off_t kReserve = 256 << 10;

void remove_all(const std::string& path) {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

/// Beside the cluster's lock, whose file somebody may remove: a journal never has two writers.
Status lock(int fd, const std::string& id) {
  if (sys::lock_file(fd)) return {};
  return fail(ErrorClass::conflict, "operation.locked", fmt::format("another process works on operation {}", id),
              "holdfast operations show " + id);
}

Status reserve(int fd, const std::string& path) {
  if (::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, kReserve) == 0) return {};
  if (errno == ENOSPC || errno == EDQUOT) return fail(sys::errno_error(errno, "reserve space for " + path));
  return {};  // a file system without reservations
}

}  // namespace

FileJournal::FileJournal(const std::string& folder, std::string id, Plan plan)
    : Journal(std::move(id), std::move(plan)), path_(folder + "/" + kJournalFile) {}

FileJournal::FileJournal(const std::string& folder, std::string id, Plan plan, JournalText there, sys::Fd fd,
                         uint64_t size)
    : Journal(std::move(id), std::move(plan), std::move(there)),
      path_(folder + "/" + kJournalFile),
      fd_(std::move(fd)),
      size_(size) {}

Result<std::unique_ptr<FileJournal>> FileJournal::create(const std::string& folder, const std::string& staging,
                                                         const std::string& id, const Plan& plan,
                                                         codec::Value begun_data) {
  std::unique_ptr<FileJournal> journal(new FileJournal(folder, id, plan));
  const std::string above = std::filesystem::path(folder).parent_path();
  const auto make = [&]() -> Status {
    TRY_VOID(make_durable_folder(above));
    remove_all(staging);  // the cluster's lock is held, so what is there is a dead process's
    TRY_VOID(sys::make_directories(staging));
    TRY_VOID(sys::publish_file(staging + "/" + kPlanFile, as_bytes(plan_json(plan)), 0600));
    const std::string file = staging + "/" + kJournalFile;
    journal->fd_ = TRY(sys::open_file(file, O_RDWR | O_CREAT | O_EXCL, 0600));
    TRY_VOID(lock(journal->fd_.get(), id));
    TRY_VOID(reserve(journal->fd_.get(), file));
    TRY_VOID(journal->append(RecordType::begun, {}, std::move(begun_data)));
    TRY_VOID(sys::sync_directory(staging));
    if (::rename(staging.c_str(), folder.c_str()) != 0) return fail(sys::errno_error(errno, "rename to " + folder));
    return sys::sync_directory(above);
  };
  auto made = make();
  if (made) return journal;
  remove_all(staging);
  remove_all(folder);
  Error error = std::move(made).error();
  if (error.error_class == ErrorClass::needs_operator) error.error_class = ErrorClass::unavailable;
  return fail(std::move(error).with_context("beginning an operation; nothing was changed"));
}

Result<std::unique_ptr<FileJournal>> FileJournal::open(const std::string& folder, StoredOperation stored) {
  TRY_VOID(check_usable(stored));
  const std::string path = folder + "/" + kJournalFile;
  sys::Fd fd = TRY(sys::open_file(path, O_RDWR));
  TRY_VOID(lock(fd.get(), stored.id));
  const Buffer bytes = TRY(sys::read_file(path));
  JournalText text = read_journal_text(as_text(bytes), plan_hash(*stored.plan));
  stored.damage = text.damage;
  TRY_VOID(check_usable(stored));
  uint64_t size = text.good_bytes;
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return fail(sys::errno_error(errno, "cut " + path));
  if (text.newline_missing) {
    TRY_VOID(sys::write_at(fd.get(), as_bytes("\n"), size));
    size += 1;
  }
  TRY_VOID(reserve(fd.get(), path));
  // Also when nothing was cut: what was read may so far be in memory only, and is going to be acted upon.
  if (::fdatasync(fd.get()) != 0) return fail(sys::errno_error(errno, "fdatasync " + path));
  return std::unique_ptr<FileJournal>(
      new FileJournal(folder, std::move(stored.id), std::move(*stored.plan), std::move(text), std::move(fd), size));
}

Status FileJournal::write(std::string_view line) {
  if (auto written = sys::write_at(fd_.get(), as_bytes(line), size_); !written) {
    (void)!::ftruncate(fd_.get(), static_cast<off_t>(size_));
    return written;
  }
  if (::fdatasync(fd_.get()) != 0) return fail(sys::errno_error(errno, "fdatasync"));
  size_ += line.size();
  return {};
}

OperationTexts FileJournal::read(const std::string& folder) {
  const auto text = [&](const char* name) -> Result<std::string> {
    const Buffer bytes = TRY(sys::read_file(folder + "/" + name));
    return std::string(as_text(bytes));
  };
  OperationTexts texts{text(kPlanFile), text(kJournalFile), std::nullopt};
  struct stat info{};
  if (::stat((folder + "/" + kAbandonedFile).c_str(), &info) == 0)
    texts.abandonment = text(kAbandonedFile).value_or("");
  return texts;
}

Status FileJournal::abandon(const std::string& folder, const codec::Value& owner) {
  return sys::publish_file(folder + "/" + kAbandonedFile, as_bytes(abandonment_json(owner)), 0600);
}

}  // namespace holdfast::operation
