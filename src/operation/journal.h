// The journal of one operation: its plan, then records. A record is durable when append() returns; only then may what
// it announces be done. Made and opened by an OperationStore, which keeps three texts of each operation: the plan, the
// lines of the journal (record.h), and the note of a person who closed it.
//
// One thread at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "operation/plan.h"
#include "operation/record.h"

namespace holdfast::operation {

/// "20261121T213018Z-0fa3c": the UTC time to the second; as hexadecimal digits, 3 of its milliseconds, so that ids sort
/// by age, and 2 random ones.
std::string new_operation_id();
/// "2026-11-21T21:30:18Z"
std::string utc_now();

class Journal {
 public:
  virtual ~Journal() = default;
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  const std::string& id() const { return id_; }
  const Plan& plan() const { return plan_; }
  const std::vector<Record>& records() const { return records_; }

  /// Durable on return. After a failure ("operation.journal_unwritable", needs_operator) every later append fails too:
  /// what cannot be written down must not be done.
  Status append(RecordType type, std::string_view step = {}, codec::Value data = {}, const Error* error = nullptr);

 protected:
  /// Of a new operation.
  Journal(std::string id, Plan plan);
  /// Goes on after what is there already.
  Journal(std::string id, Plan plan, JournalText there);

 private:
  /// Puts a line, with its newline, after the last one, durably. An error leaves nothing of it, as far as can be had.
  virtual Status write(std::string_view line) = 0;
  /// What has to be made writable when that fails, for a person.
  virtual std::string place() const = 0;

  const std::string id_;
  const Plan plan_;
  std::vector<Record> records_;
  std::string chain_;
  bool broken_ = false;
};

/// What is known of an operation, for looking at.
struct StoredOperation {
  std::string id;
  std::optional<Plan> plan;  ///< always there when nothing is damaged
  std::vector<Record> records;
  bool torn = false;
  std::string damage;        ///< not empty: why it cannot be used
  codec::Value abandonment;  ///< {time, owner} if a person closed it, whatever it had reached
};

/// What a store keeps of an operation. A part that cannot be read is an error, and damage of the operation.
struct OperationTexts {
  Result<std::string> plan, journal;
  std::optional<std::string> abandonment;
};
/// What they say.
StoredOperation read_operation(std::string id, const OperationTexts& texts);

/// Why it cannot be gone on with: "operation.over" (refused) when it was abandoned, "operation.journal_damaged"
/// (needs_operator).
Status check_usable(const StoredOperation& stored);

/// The texts of a plan and of an abandonment now.
std::string plan_json(const Plan& plan);
std::string abandonment_json(const codec::Value& owner);

}  // namespace holdfast::operation
