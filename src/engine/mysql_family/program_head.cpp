#include "engine/mysql_family/program_head.h"

namespace holdfast::engine {

bool is_program_head(std::string_view text) {
  return text.find("\n-- Current Database: ") != std::string_view::npos;
}

std::string with_loading_modes(std::string head) {
  constexpr std::string_view kProgram = "SQL_MODE='NO_AUTO_VALUE_ON_ZERO'";
  const size_t at = head.find(kProgram);
  if (at != std::string::npos) head.replace(at, kProgram.size(), "SQL_MODE='" + std::string(kLoadingModes) + "'");
  return head;
}

}  // namespace holdfast::engine
