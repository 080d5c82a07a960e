#include "backup/mysql_statements.h"

namespace holdfast::backup {

MysqlStatements::MysqlStatements(Take take) : take_(std::move(take)), scan_(engine::mysql_dump_scan()) {
  scan_->on_statement = [this](const engine::StatementSpan& span) {
    if (!status_) return;
    const size_t from = span.begin - buffer_at_, size = span.end - span.begin - span.delimiter;
    status_ = take_(std::string_view(buffer_).substr(from, size));
    done_ = span.end;
  };
}

Status MysqlStatements::feed(std::string_view bytes) {
  buffer_.append(bytes);
  scan_->feed(bytes);
  if (scan_->between_statements()) done_ = buffer_at_ + buffer_.size();
  buffer_.erase(0, done_ - buffer_at_);
  buffer_at_ = done_;
  return status_;
}

}  // namespace holdfast::backup
