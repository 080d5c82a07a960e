// Commands of the lab: real clusters as local processes.
#include "cli/command_table.h"

namespace holdfast::cli {

std::vector<Command> lab_commands() {
  return {};
}

}  // namespace holdfast::cli
