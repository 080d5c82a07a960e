#include "operation/record.h"

#include <fmt/format.h>

#include <array>

#include "codec/hex.h"
#include "crypto/sha256.h"
#include "operation/fields.h"

namespace holdfast::operation {

using codec::Value;

namespace {

constexpr size_t kChainDigits = 32;
constexpr std::string_view kOpen = "{\"chain\":\"";
constexpr std::string_view kMiddle = "\",\"record\":";

constexpr std::array<std::pair<RecordType, std::string_view>, 14> kNames = {{
    {RecordType::begun, "begun"},
    {RecordType::resumed, "resumed"},
    {RecordType::step_started, "step_started"},
    {RecordType::step_progress, "step_progress"},
    {RecordType::step_done, "step_done"},
    {RecordType::step_failed, "step_failed"},
    {RecordType::undo_begun, "undo_begun"},
    {RecordType::step_undo_started, "step_undo_started"},
    {RecordType::step_undone, "step_undone"},
    {RecordType::step_undo_failed, "step_undo_failed"},
    {RecordType::stopped, "stopped"},
    {RecordType::done, "done"},
    {RecordType::undone, "undone"},
    {RecordType::failed, "failed"},
}};

std::string chain_of(std::string_view previous, std::string_view text) {
  std::string whole(previous);
  whole += '\n';
  whole += text;
  return codec::to_hex(crypto::sha256(as_bytes(whole))).substr(0, kChainDigits);
}

std::optional<ErrorClass> parse_class(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(ErrorClass::interrupted); ++i) {
    if (error_class_name(static_cast<ErrorClass>(i)) == name) return static_cast<ErrorClass>(i);
  }
  return std::nullopt;
}

Result<Record> parse_record(const Value& document) {
  Fields fields(document, "record");
  Record record;
  record.seq = fields.number("seq");
  record.time = fields.text("time");
  const auto type = parse_record_type(fields.text("type"));
  if (!type) return fail(ErrorClass::failed, "operation.record", "it is of an unknown type");
  record.type = *type;
  record.step = fields.text("step");
  record.data = fields.any("data");
  const Value& error = fields.any("error");
  TRY_VOID(fields.end());
  if (!error.is_null()) {
    Fields inner(error, "error");
    Error made;
    const auto error_class = parse_class(inner.text("class"));
    made.error_class = error_class.value_or(ErrorClass::bug);
    made.id = inner.text("id");
    made.message = inner.text("message");
    made.hint = inner.text("hint");
    TRY_VOID(inner.end());
    record.error = std::move(made);
  }
  return record;
}

/// The record of a line without its newline, if it is chained to `previous` and numbered `seq`.
std::optional<Record> parse_line(std::string_view line, std::string_view previous, uint64_t seq, std::string& chain) {
  const size_t head = kOpen.size() + kChainDigits + kMiddle.size();
  if (line.size() < head + 3 || !line.starts_with(kOpen) || !line.ends_with('}')) return std::nullopt;
  if (line.substr(kOpen.size() + kChainDigits, kMiddle.size()) != kMiddle) return std::nullopt;
  const std::string_view text = line.substr(head, line.size() - head - 1);
  chain = chain_of(previous, text);
  if (line.substr(kOpen.size(), kChainDigits) != chain) return std::nullopt;
  const auto document = codec::parse_value(text);
  if (!document) return std::nullopt;
  auto record = parse_record(*document);
  if (!record || record->seq != seq) return std::nullopt;
  return std::move(*record);
}

/// Eight zero bytes in a row: pages that were allocated and never written. No single flipped bit makes them.
bool has_hole(std::string_view bytes) {
  return bytes.find(std::string_view("\0\0\0\0\0\0\0\0", 8)) != std::string_view::npos ||
         (!bytes.empty() && bytes.find_first_not_of('\0') == std::string_view::npos);
}

}  // namespace

std::string_view record_type_name(RecordType type) {
  for (const auto& [known, name] : kNames) {
    if (known == type) return name;
  }
  return "?";
}

std::optional<RecordType> parse_record_type(std::string_view name) {
  for (const auto& [type, known] : kNames) {
    if (known == name) return type;
  }
  return std::nullopt;
}

Value error_document(const Error& error) {
  return Value::object({{"class", error_class_name(error.error_class)},
                        {"id", error.id},
                        {"message", error.to_string()},
                        {"hint", error.hint}});
}

Value record_value(const Record& record) {
  return Value::object({{"seq", record.seq},
                        {"time", record.time},
                        {"type", record_type_name(record.type)},
                        {"step", record.step},
                        {"data", record.data},
                        {"error", record.error ? error_document(*record.error) : Value()}});
}

std::string chain_start(std::string_view plan_hash) {
  return std::string(plan_hash);
}

Line print_line(const Record& record, std::string_view previous_chain) {
  const std::string text = codec::to_json(record_value(record));
  Line line;
  line.chain = chain_of(previous_chain, text);
  line.text = fmt::format("{}{}{}{}}}\n", kOpen, line.chain, kMiddle, text);
  return line;
}

JournalText read_journal_text(std::string_view bytes, std::string_view plan_hash) {
  JournalText journal;
  journal.chain = chain_start(plan_hash);
  while (journal.good_bytes < bytes.size()) {
    const std::string_view rest = bytes.substr(journal.good_bytes);
    const size_t newline = rest.find('\n');
    const bool whole = newline != std::string_view::npos;
    const std::string_view line = whole ? rest.substr(0, newline) : rest;
    const uint64_t seq = journal.records.size() + 1;
    std::string chain;
    if (auto record = parse_line(line, journal.chain, seq, chain)) {
      journal.records.push_back(std::move(*record));
      journal.chain = chain;
      journal.good_bytes += line.size() + (whole ? 1 : 0);
      journal.newline_missing = !whole;
      continue;
    }
    const auto damaged = [&](std::string_view what) {
      journal.damage = fmt::format("record {} (at byte {}) {}", seq, journal.good_bytes, what);
      return journal;
    };
    if (journal.newline_missing) return damaged("does not begin on a line of its own");
    // One byte in the place of the newline, behind a good record, is a change and not a cut.
    if (!whole && parse_line(line.substr(0, line.size() - 1), journal.chain, seq, chain))
      return damaged("is followed by something that is not a newline");
    if (!whole || has_hole(rest)) {
      journal.torn = true;
      return journal;
    }
    return damaged("is not what was written");
  }
  return journal;
}

}  // namespace holdfast::operation
