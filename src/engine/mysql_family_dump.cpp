#include "engine/mysql_family_dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/mysql_family/no_rows.h"
#include "engine/mysql_family/program_head.h"
#include "engine/mysql_family/statements.h"
#include "engine/mysql_family/unreadable.h"
#include "engine/row_checksum.h"

namespace holdfast::engine {

namespace {

/// They are written for a session of ours, and a client brings what its server or its options say.
OwnStatements in_own_session(OwnStatements own) {
  for (auto* part : {&own.before, &own.after})
    if (!part->empty()) part->insert(0, own_settings());
  return own;
}

}  // namespace

MysqlFamilyDump::MysqlFamilyDump(DumpRequest request, sql::MariadbConnection connection, PrivateFile options,
                                 Producer producer, DumpInfo info, OwnStatements own)
    : request_(std::move(request)),
      connection_(std::move(connection)),
      info_(std::move(info)),
      options_(std::move(options)),
      producer_(std::move(producer)),
      frame_(in_own_session(std::move(own))) {}

Result<size_t> MysqlFamilyDump::next(MutableByteSpan into) {
  while (true) {
    if (const size_t ready = frame_.take(into)) return ready;
    switch (stage_) {
      case Stage::program: {
        // A reader asks for the rest of its block, which may be a few bytes.
        const bool small = into.size() <= FramedOutput::kHeld;
        if (small) scratch_.resize(64 << 10);
        const MutableByteSpan room = small ? MutableByteSpan(scratch_) : into;
        const size_t held = frame_.begin(room);
        const size_t got = TRY(program(room.subspan(held)));
        if (got > 0) {
          const size_t out = frame_.end(room, held + got);
          if (out > 0 && !small) return out;
          if (out > 0) frame_.keep({room.data(), out});
          break;
        }
        if (!frame_.close()) return incomplete();
        stage_ = exact_ ? Stage::rows : Stage::after;
        if (exact_) exact_->start();
        break;
      }
      case Stage::rows: {
        std::string text = TRY(exact_->next(stop_));
        if (text.empty()) {
          info_.notes.insert(info_.notes.end(), exact_->notes().begin(), exact_->notes().end());
          stage_ = Stage::after;
        }
        frame_.put(std::move(text));
        break;
      }
      case Stage::after:
        frame_.finish();
        stage_ = Stage::ended;
        break;
      case Stage::ended:
        return 0;
    }
  }
}

Result<size_t> MysqlFamilyDump::program(MutableByteSpan into) {
  if (head_at_ < head_.size()) {
    const size_t size = std::min(into.size(), head_.size() - head_at_);
    std::memcpy(into.data(), head_.data() + head_at_, size);
    head_at_ += size;
    return size;
  }
  return producer_.read(into);
}

Status MysqlFamilyDump::start(ExactDump exact, std::stop_token stop) {
  stop_ = std::move(stop);
  constexpr size_t kMost = 1 << 20;  // a GTID set may be long
  std::vector<uint8_t> block(64 << 10);
  while (head_.size() < kMost && !is_program_head(head_)) {
    const size_t got = TRY(producer_.read(block));
    if (got == 0) break;
    head_ += as_text({block.data(), got});
  }
  head_ = with_loading_modes(std::move(head_));
  listed_ = std::move(exact.listed);
  if (!exact.twin) return {};
  TRY_VOID(exact.twin->release());
  if (exact.checksums) start_checksums(exact.twin->take(), exact.history);
  if (!exact.tables.empty()) exact_ = std::make_unique<ExactRows>(exact.twin->take(), std::move(exact.tables));
  return {};
}

void MysqlFamilyDump::start_checksums(sql::MariadbConnection session, HistoryPlan history) {
  auto work = [engine = request_.engine, history = std::move(history),
               held = std::make_shared<sql::MariadbConnection>(std::move(session))](
                  const std::stop_token& stop) -> Result<ChecksumResults> {
    const AskSession ask = [&](const std::string& statement, const std::stop_token& asked) {
      return held->query(statement, Deadline::in(std::chrono::hours(24 * 7)), asked);
    };
    TRY(ask(session_settings(engine), stop));
    const auto with_history = [&](const TableName& name) {
      return history.dumped && !history.by_transaction.contains(name);
    };
    return take_checksums(TRY(mysql_checksum_shapes(engine, ask, with_history, stop)), ask, stop);
  };
  checksums_ = std::make_unique<BackgroundChecksums>(std::move(work));
}

Result<size_t> MysqlFamilyDump::read(MutableByteSpan into) {
  const size_t got = TRY(next(into));
  if (got > 0) {
    scanner_.feed({into.data(), got});
    return got;
  }
  if (done_) return 0;
  if (!scanner_.complete()) return incomplete();
  info_.counts = scanner_.counts();
  TRY_VOID(check_tables());
  for (const auto& table : scanner_.too_large()) {
    info_.notes.push_back(
        {"row.too_large", table.text(),
         fmt::format("a row of {} takes a statement of more than 1 GiB, which no server accepts: it is "
                     "in the backup, but cannot be loaded",
                     table.text())});
  }
  for (const auto& table : scanner_.unknown_options()) {
    info_.notes.push_back(
        {"table.options", table.text(),
         fmt::format("options of {} that its storage engine does not know (sql_mode IGNORE_BAD_TABLE_OPTIONS) are "
                     "comments in the dump: a restore leaves them out",
                     table.text())});
  }
  if (checksums_) info_.checksums = TRY(checksums_->finish(stop_));
  TRY_VOID(settle());
  done_ = true;
  return 0;
}

Status MysqlFamilyDump::check_tables() {
  const auto missing = not_dumped(listed_, TRY(list_tables(connection_, stop_)), info_.counts.table_rows);
  if (missing.empty()) return {};
  return fail(ErrorClass::failed, "engine.dump_incomplete",
              fmt::format("the dump of {} lacks table {}{}", request_.member, missing.front().text(),
                          missing.size() > 1 ? fmt::format(" and {} more", missing.size() - 1) : ""),
              "dump this table by hand, and report its name and definition as a defect of holdfast");
}

std::unexpected<Error> MysqlFamilyDump::incomplete() const {
  return fail(ErrorClass::failed, "engine.dump_incomplete",
              fmt::format("the dump of {} ends without \"-- Dump completed\"", request_.member), kDumpIncompleteHint);
}

std::string MysqlFamilyDump::noted(std::string_view before, std::string_view after) const {
  const std::string& lines = scanner_.position_lines();
  size_t at = lines.rfind(before);
  if (at == std::string::npos) return "";
  at += before.size();
  const size_t end = lines.find(after, at);
  return end == std::string::npos ? "" : lines.substr(at, end - at);
}

void MysqlFamilyDump::settle_between(std::string to) {
  info_.position_to = std::move(to);
  info_.position = info_.position_from;
  info_.position_exact = info_.position_from == info_.position_to;
}

Result<std::string> dump_tool_version(const std::string& program, std::stop_token stop) {
  const auto version =
      TRY(sys::run_ok({.argv = {program, "--no-defaults", "--version"}}, Deadline::in(std::chrono::seconds(20)), stop));
  return version.out.substr(0, version.out.find('\n'));
}

Status look_at_tables(sql::MariadbConnection& connection, DumpInfo& info, OwnStatements& own, sys::Command& command,
                      std::stop_token stop) {
  info.uncounted = TRY(tables_without_rows(connection, stop));
  auto unreadable = TRY(find_unreadable(connection, stop));
  own.after += unreadable.after;
  for (const auto& name : unreadable.ignore) command.argv.push_back("--ignore-table=" + name);
  info.notes.insert(info.notes.end(), unreadable.notes.begin(), unreadable.notes.end());
  return {};
}

sys::Command dump_everything(const std::string& program, const PrivateFile& options) {
  sys::Command command;
  command.argv = {program,
                  "--defaults-file=" + options.path(),
                  "--all-databases",
                  "--single-transaction",
                  "--quick",
                  "--routines",
                  "--triggers",
                  "--skip-events",
                  "--hex-blob",
                  "--skip-dump-date",
                  "--default-character-set=utf8mb4",
                  "--max-allowed-packet=1G"};
  return command;
}

}  // namespace holdfast::engine
