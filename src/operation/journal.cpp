#include "operation/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <filesystem>

#include "codec/hex.h"
#include "crypto/random.h"
#include "operation/folders.h"
#include "sys/write_at.h"

namespace holdfast::operation {

namespace {

constexpr const char* kPlanFile = "plan.json";
constexpr const char* kJournalFile = "journal.jsonl";
constexpr const char* kAbandonedFile = "abandoned.json";
/// Set aside when a journal is made, so that a full disk is found before anything is done and not between two steps.
constexpr off_t kReserve = 256 << 10;

using Clock = std::chrono::system_clock;

std::string utc(const char* format, Clock::time_point at) {
  const std::time_t now = Clock::to_time_t(at);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[40];
  return {text, std::strftime(text, sizeof text, format, &parts)};
}

void remove_all(const std::string& path) {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

Error damaged(const std::string& id, const std::string& what) {
  return Error{ErrorClass::needs_operator,
               "operation.journal_damaged",
               fmt::format("the journal of operation {} is damaged: {}", id, what),
               fmt::format("look at the cluster yourself, put it right, then close the operation: holdfast operations "
                           "abandon {}",
                           id),
               {}};
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

std::string new_operation_id() {
  uint8_t random[1];
  crypto::fill_random(random);
  const auto now = Clock::now();
  const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  return utc("%Y%m%dT%H%M%SZ", now) + fmt::format("-{:03x}{}", milliseconds, codec::to_hex(random));
}

std::string utc_now() {
  return utc("%Y-%m-%dT%H:%M:%SZ", Clock::now());
}

Result<Journal> Journal::create(const std::string& state_dir, const std::string& id, const Plan& plan,
                                codec::Value begun_data) {
  const std::string folder = operations_folder(state_dir);
  const std::string staging = staging_folder_of(state_dir, plan.cluster);
  Journal journal;
  journal.id_ = id;
  journal.plan_ = plan;
  journal.chain_ = chain_start(plan_hash(plan));
  const auto make = [&]() -> Status {
    TRY_VOID(make_durable_folder(folder));
    remove_all(staging);  // the cluster's lock is held, so what is there is a dead process's
    TRY_VOID(sys::make_directories(staging));
    const std::string text = codec::to_json(plan_value(plan), 2) + "\n";
    TRY_VOID(sys::publish_file(staging + "/" + kPlanFile, as_bytes(text), 0600));
    const std::string file = staging + "/" + kJournalFile;
    journal.fd_ = TRY(sys::open_file(file, O_RDWR | O_CREAT | O_EXCL, 0600));
    TRY_VOID(lock(journal.fd_.get(), id));
    TRY_VOID(reserve(journal.fd_.get(), file));
    TRY_VOID(journal.append(RecordType::begun, {}, std::move(begun_data)));
    TRY_VOID(sys::sync_directory(staging));
    if (::rename(staging.c_str(), (folder + "/" + id).c_str()) != 0)
      return fail(sys::errno_error(errno, "rename to " + folder + "/" + id));
    return sys::sync_directory(folder);
  };
  auto made = make();
  if (!made) {
    remove_all(staging);
    remove_all(folder + "/" + id);
    Error error = std::move(made).error();
    if (error.error_class == ErrorClass::needs_operator) error.error_class = ErrorClass::unavailable;
    return fail(std::move(error).with_context("beginning an operation; nothing was changed"));
  }
  journal.path_ = folder + "/" + id + "/" + kJournalFile;
  return journal;
}

Result<Journal> Journal::open(const std::string& state_dir, const std::string& id) {
  StoredOperation stored = TRY(read_operation(state_dir, id));
  if (!stored.abandonment.is_null())
    return fail(ErrorClass::refused, "operation.over", fmt::format("operation {} was abandoned", id));
  if (!stored.damage.empty()) return fail(damaged(id, stored.damage));
  Journal journal;
  journal.id_ = id;
  journal.plan_ = std::move(*stored.plan);
  journal.path_ = operations_folder(state_dir) + "/" + id + "/" + kJournalFile;
  journal.fd_ = TRY(sys::open_file(journal.path_, O_RDWR));
  TRY_VOID(lock(journal.fd_.get(), id));
  const Buffer bytes = TRY(sys::read_file(journal.path_));
  JournalText text = read_journal_text(as_text(bytes), plan_hash(journal.plan_));
  if (!text.damage.empty()) return fail(damaged(id, text.damage));
  journal.size_ = text.good_bytes;
  if (::ftruncate(journal.fd_.get(), static_cast<off_t>(text.good_bytes)) != 0)
    return fail(sys::errno_error(errno, "cut " + journal.path_));
  if (text.newline_missing) {
    TRY_VOID(sys::write_at(journal.fd_.get(), as_bytes("\n"), journal.size_));
    journal.size_ += 1;
  }
  TRY_VOID(reserve(journal.fd_.get(), journal.path_));
  // Also when nothing was cut: what was read may so far be in memory only, and is going to be acted upon.
  if (::fdatasync(journal.fd_.get()) != 0) return fail(sys::errno_error(errno, "fdatasync " + journal.path_));
  journal.records_ = std::move(text.records);
  journal.chain_ = text.chain;
  return journal;
}

Status Journal::append(RecordType type, std::string_view step, codec::Value data, const Error* error) {
  const auto unwritable = [&](std::string why) {
    broken_ = true;
    return fail(ErrorClass::needs_operator, "operation.journal_unwritable",
                fmt::format("the journal of operation {} cannot be written, so nothing more was done: {}", id_, why),
                fmt::format("make {} writable (space, mode, disk), then: holdfast operations resume {}", path_, id_));
  };
  if (broken_) return unwritable("an earlier record could not be written");
  Record record{records_.size() + 1, utc_now(), type, std::string(step), std::move(data), std::nullopt};
  if (error) record.error = *error;
  const Line line = print_line(record, chain_);
  if (auto written = sys::write_at(fd_.get(), as_bytes(line.text), size_); !written) {
    (void)!::ftruncate(fd_.get(), static_cast<off_t>(size_));
    return unwritable(written.error().message);
  }
  if (::fdatasync(fd_.get()) != 0) return unwritable(sys::errno_error(errno, "fdatasync").message);
  size_ += line.text.size();
  chain_ = line.chain;
  records_.push_back(std::move(record));
  return {};
}

Result<StoredOperation> read_operation(const std::string& state_dir, const std::string& id) {
  const std::string folder = operations_folder(state_dir) + "/" + id;
  struct stat info{};
  if (id.empty() || id.find('/') != std::string::npos || id.starts_with('.') || ::stat(folder.c_str(), &info) != 0)
    return fail(ErrorClass::usage, "operation.not_found", fmt::format("there is no operation {}", id),
                "holdfast operations list");
  StoredOperation stored;
  stored.id = id;
  const auto read = [&](const char* name) -> Result<std::string> {
    const Buffer bytes = TRY(sys::read_file(folder + "/" + name));
    return std::string(as_text(bytes));
  };
  if (::stat((folder + "/" + kAbandonedFile).c_str(), &info) == 0) {
    stored.abandonment = codec::Value::object({{"time", ""}, {"owner", codec::Value()}});
    if (const auto text = read(kAbandonedFile)) {
      if (auto document = codec::parse_value(*text); document && document->is_object()) stored.abandonment = *document;
    }
  }
  const auto plan_text = read(kPlanFile);
  if (!plan_text) {
    stored.damage = plan_text.error().message;
    return stored;
  }
  const auto document = codec::parse_value(*plan_text);
  auto plan = document ? parse_plan(*document) : Result<Plan>(fail(document.error()));
  if (!plan) {
    stored.damage = fmt::format("{}: {}", kPlanFile, plan.error().message);
    return stored;
  }
  stored.plan = std::move(*plan);
  const auto bytes = read(kJournalFile);
  if (!bytes) {
    stored.damage = bytes.error().message;
    return stored;
  }
  JournalText text = read_journal_text(*bytes, plan_hash(*stored.plan));
  stored.records = std::move(text.records);
  stored.torn = text.torn;
  stored.damage = text.damage;
  if (stored.damage.empty() && stored.records.empty()) stored.damage = "its first record is gone";
  return stored;
}

Status write_abandonment(const std::string& state_dir, const std::string& id, const codec::Value& owner) {
  const auto document = codec::Value::object({{"time", utc_now()}, {"owner", owner}});
  return sys::publish_file(operations_folder(state_dir) + "/" + id + "/" + kAbandonedFile,
                           as_bytes(codec::to_json(document, 2) + "\n"), 0600);
}

}  // namespace holdfast::operation
