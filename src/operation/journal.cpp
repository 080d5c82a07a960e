#include "operation/journal.h"

#include <fmt/format.h>

#include <chrono>
#include <ctime>

#include "codec/hex.h"
#include "crypto/random.h"

namespace holdfast::operation {

namespace {

using Clock = std::chrono::system_clock;

std::string utc(const char* format, Clock::time_point at) {
  const std::time_t now = Clock::to_time_t(at);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[40];
  return {text, std::strftime(text, sizeof text, format, &parts)};
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

Journal::Journal(std::string id, Plan plan)
    : id_(std::move(id)), plan_(std::move(plan)), chain_(chain_start(plan_hash(plan_))) {}

Journal::Journal(std::string id, Plan plan, JournalText there)
    : id_(std::move(id)), plan_(std::move(plan)), records_(std::move(there.records)), chain_(std::move(there.chain)) {}

Status Journal::append(RecordType type, std::string_view step, codec::Value data, const Error* error) {
  const auto unwritable = [&](std::string why) {
    broken_ = true;
    return fail(ErrorClass::needs_operator, "operation.journal_unwritable",
                fmt::format("the journal of operation {} cannot be written, so nothing more was done: {}", id_, why),
                fmt::format("make {} writable (space, mode, disk), then: holdfast operations resume {}", place(), id_));
  };
  if (broken_) return unwritable("an earlier record could not be written");
  Record record{records_.size() + 1, utc_now(), type, std::string(step), std::move(data), std::nullopt};
  if (error) record.error = *error;
  Line line = print_line(record, chain_);
  if (auto written = write(line.text); !written) return unwritable(written.error().message);
  chain_ = std::move(line.chain);
  records_.push_back(std::move(record));
  return {};
}

StoredOperation read_operation(std::string id, const OperationTexts& texts) {
  StoredOperation stored;
  stored.id = std::move(id);
  if (texts.abandonment) {
    stored.abandonment = codec::Value::object({{"time", ""}, {"owner", codec::Value()}});
    if (auto document = codec::parse_value(*texts.abandonment); document && document->is_object())
      stored.abandonment = *document;
  }
  if (!texts.plan) {
    stored.damage = texts.plan.error().message;
    return stored;
  }
  const auto document = codec::parse_value(*texts.plan);
  auto plan = document ? parse_plan(*document) : Result<Plan>(fail(document.error()));
  if (!plan) {
    stored.damage = fmt::format("plan.json: {}", plan.error().message);
    return stored;
  }
  stored.plan = std::move(*plan);
  if (!texts.journal) {
    stored.damage = texts.journal.error().message;
    return stored;
  }
  JournalText text = read_journal_text(*texts.journal, plan_hash(*stored.plan));
  stored.records = std::move(text.records);
  stored.torn = text.torn;
  stored.damage = text.damage;
  if (stored.damage.empty() && stored.records.empty()) stored.damage = "its first record is gone";
  return stored;
}

Status check_usable(const StoredOperation& stored) {
  if (!stored.abandonment.is_null())
    return fail(ErrorClass::refused, "operation.over", fmt::format("operation {} was abandoned", stored.id));
  if (stored.damage.empty()) return {};
  return fail(ErrorClass::needs_operator, "operation.journal_damaged",
              fmt::format("the journal of operation {} is damaged: {}", stored.id, stored.damage),
              fmt::format("look at the cluster yourself, put it right, then close the operation: holdfast operations "
                          "abandon {}",
                          stored.id));
}

std::string plan_json(const Plan& plan) {
  return codec::to_json(plan_value(plan), 2) + "\n";
}

std::string abandonment_json(const codec::Value& owner) {
  return codec::to_json(codec::Value::object({{"time", utc_now()}, {"owner", owner}}), 2) + "\n";
}

}  // namespace holdfast::operation
