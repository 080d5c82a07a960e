// A journal as a file, <state-dir>/operations/<id>/journal.jsonl, beside its plan.json. Used by FileOperationStore
// only.
//
// The folder appears under its name complete, with plan and first record, or not at all; so a folder that lacks one of
// them was damaged.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "operation/journal.h"
#include "sys/file.h"

namespace holdfast::operation {

class FileJournal final : public Journal {
 public:
  /// Makes `folder` by way of `staging`, whose parent is its own too. On failure neither stays.
  static Result<std::unique_ptr<FileJournal>> create(const std::string& folder, const std::string& staging,
                                                     const std::string& id, const Plan& plan, codec::Value begun_data);
  /// `stored` is what was read of it without a lock; its records may be more by now.
  static Result<std::unique_ptr<FileJournal>> open(const std::string& folder, StoredOperation stored);

  /// The three files, as far as they can be read.
  static OperationTexts read(const std::string& folder);
  static Status abandon(const std::string& folder, const codec::Value& owner);

 private:
  FileJournal(const std::string& folder, std::string id, Plan plan);
  FileJournal(const std::string& folder, std::string id, Plan plan, JournalText there, sys::Fd fd, uint64_t size);
  Status write(std::string_view line) override;
  std::string place() const override { return path_; }

  const std::string path_;
  sys::Fd fd_;
  uint64_t size_ = 0;
};

}  // namespace holdfast::operation
