// Records of a journal and the lines they are written as. Pure.
//
//   {"chain":"<32 hex
//   digits>","record":{"seq":3,"time":"...","type":"step_started","step":"...","data":...,"error":...}}
//
// chain = first half of SHA-256(chain of the line before, newline, text of the record). The first line's predecessor is
// the hash of the plan: a journal belongs to its plan, and no line can be changed, dropped, swapped or put in unseen.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/result.h"
#include "codec/value.h"

namespace holdfast::operation {

enum class RecordType {
  begun,              ///< the operation exists; data {owner, epoch, acceptances}
  resumed,            ///< somebody took it up again; data {owner, epoch}
  step_started,       ///< data = what look_before() found; the action may begin once this is durable
  step_progress,      ///< data = what the handler wants to know after a crash
  step_done,          ///< data = what the step made; proved
  step_failed,        ///< error; data {reached}
  undo_begun,         ///< from here on the direction is back; data {reason: failed | interrupted | asked}
  step_undo_started,  ///< the undo may begin once this is durable
  step_undone,        ///<
  step_undo_failed,   ///< error
  stopped,            ///< left unfinished on purpose or for want of a way on; error
  done,               ///< the end: all steps done
  undone,             ///< the end: taken back because somebody asked or stopped it
  failed,             ///< the end: a step failed, all before it taken back
};
std::string_view record_type_name(RecordType type);
std::optional<RecordType> parse_record_type(std::string_view name);

struct Record {
  uint64_t seq = 0;  ///< 1, 2, 3, ...
  std::string time;  ///< UTC; for display only
  RecordType type = RecordType::begun;
  std::string step;
  codec::Value data;
  std::optional<Error> error;
};

codec::Value record_value(const Record& record);
codec::Value error_document(const Error& error);

/// What is chained before the first line.
std::string chain_start(std::string_view plan_hash);

struct Line {
  std::string text;   ///< with its newline
  std::string chain;  ///< what the next line is chained to
};
Line print_line(const Record& record, std::string_view previous_chain);

/// A journal's bytes, understood.
struct JournalText {
  std::vector<Record> records;
  std::string chain;             ///< of the last record
  uint64_t good_bytes = 0;       ///< length up to the end of the last good line
  bool newline_missing = false;  ///< the last good line has lost nothing but its newline
  bool torn = false;             ///< what follows is a write that power loss cut short: nobody acted upon it
  std::string damage;            ///< not empty: something was changed after it was written; where and what
};
/// A tail counts as torn only if it looks as an interrupted append looks: it ends without newline, or holds a run of
/// zero bytes. Anything else that does not fit is damage, also in the last line: it may have been acted upon.
JournalText read_journal_text(std::string_view bytes, std::string_view plan_hash);

}  // namespace holdfast::operation
