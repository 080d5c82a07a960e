#include "engine/mysql_family/lost_logs.h"

namespace holdfast::engine::mysql_family {

void look_for_lost_logs(cluster::MemberFacts& facts, const Ask& if_allowed) {
  const auto rows = if_allowed("binary logs", "SHOW BINARY LOGS");
  for (size_t i = 0; rows && i + 1 < rows->rows.size(); ++i)
    if (rows->text("File_size", i) == "0") facts.lost_logs.push_back(rows->text("Log_name", i));
}

}  // namespace holdfast::engine::mysql_family
