// Cuts a dump of MariaDB or MySQL into its statements as it passes by, without their delimiters.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/dump_scan_dialect.h"

namespace holdfast::backup {

class MysqlStatements {
 public:
  /// `take` gets each statement, with the blanks and comments before it; after its first failure nothing.
  using Take = std::function<Status(std::string_view statement)>;
  explicit MysqlStatements(Take take);

  /// The next bytes of the dump. The first failure of `take`.
  Status feed(std::string_view bytes);

 private:
  const Take take_;
  std::unique_ptr<engine::DialectScan> scan_;
  std::string buffer_;  ///< from the end of the last statement on
  uint64_t buffer_at_ = 0, done_ = 0;
  Status status_;
};

}  // namespace holdfast::backup
