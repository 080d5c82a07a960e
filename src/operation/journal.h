// The journal of one operation, <state-dir>/operations/<id>/: plan.json, then journal.jsonl, to which records are
// appended. A record is on the disk when append() returns; only then may what it announces be done.
//
// The folder appears under its name complete, with plan and first record, or not at all; so a folder that lacks one of
// them was damaged. One thread at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "operation/plan.h"
#include "operation/record.h"
#include "sys/file.h"

namespace holdfast::operation {

/// "20261121T213018Z-0fa3c": the UTC time to the second; as hexadecimal digits, 3 of its milliseconds, so that ids sort
/// by age, and 2 random ones.
std::string new_operation_id();
/// "2026-11-21T21:30:18Z"
std::string utc_now();

class Journal {
 public:
  /// Makes the folder of a new operation. On failure nothing of it stays. The caller holds the cluster's lock.
  static Result<Journal> create(const std::string& state_dir, const std::string& id, const Plan& plan,
                                codec::Value begun_data);
  /// Opens one to go on with it: cuts a torn tail, refuses damage ("operation.journal_damaged", needs_operator).
  static Result<Journal> open(const std::string& state_dir, const std::string& id);

  Journal(Journal&&) noexcept = default;
  Journal& operator=(Journal&&) noexcept = default;

  const std::string& id() const { return id_; }
  const Plan& plan() const { return plan_; }
  const std::vector<Record>& records() const { return records_; }

  /// Durable on return. After a failure ("operation.journal_unwritable", needs_operator) every later append fails too:
  /// what cannot be written down must not be done.
  Status append(RecordType type, std::string_view step = {}, codec::Value data = {}, const Error* error = nullptr);

 private:
  Journal() = default;
  std::string id_, path_;
  Plan plan_;
  std::vector<Record> records_;
  std::string chain_;
  uint64_t size_ = 0;
  sys::Fd fd_;
  bool broken_ = false;
};

/// What is in a folder, for looking at; changes nothing.
struct StoredOperation {
  std::string id;
  std::optional<Plan> plan;
  std::vector<Record> records;
  bool torn = false;
  std::string damage;        ///< not empty: why it cannot be used
  codec::Value abandonment;  ///< {time, owner} if a person closed it, whatever it had reached
};
/// "operation.not_found" (usage) if there is no such folder; damage is not an error here.
Result<StoredOperation> read_operation(const std::string& state_dir, const std::string& id);
/// Closes an operation, however damaged, by a durable file beside its journal. The caller holds the cluster's lock.
Status write_abandonment(const std::string& state_dir, const std::string& id, const codec::Value& owner);

}  // namespace holdfast::operation
