#include "backup/memory_tables.h"

#include <fmt/format.h>

#include "backup/replay.h"
#include "sys/file.h"

namespace holdfast::backup {

using cluster::Engine;

Result<engine::MemoryTables> take_memory_tables(Engine engine, const sql::Target& target, std::stop_token stop) {
  if (engine == Engine::postgres) return engine::MemoryTables{};
  auto connection = TRY(sql::MariadbConnection::connect(target, Deadline::in(std::chrono::seconds(30)), stop));
  return engine::read_memory_tables(connection, stop);
}

Status load_memory_tables(Engine engine, std::vector<std::unique_ptr<engine::MemberControl>>& members,
                          const engine::MemoryTables& memory, const Say& say, std::stop_token stop) {
  if (memory.statements.empty()) return {};
  const bool galera = engine == Engine::galera;
  const size_t count = galera ? members.size() : 1;
  for (size_t i = 0; i < count; ++i) {
    const auto& setup = members[i]->setup();
    TRY_VOID(
        replay_statements(engine, setup.socket, (galera ? "SET SESSION wsrep_on=OFF;\n" : "") + memory.statements, stop)
            .context("loading the rows of MEMORY tables into " + setup.name));
    if (say) say(fmt::format("{}: loaded {} rows of {} MEMORY tables", setup.name, memory.rows, memory.tables));
  }
  return {};
}

Result<std::string> leave_memory_tables(const engine::MemberSetup& setup, const engine::MemoryTables& memory) {
  if (memory.statements.empty()) return "";
  const std::string path = setup.data_dir.substr(0, setup.data_dir.rfind('/')) + "/memory-tables.sql";
  TRY_VOID(sys::publish_file(path, as_bytes(memory.statements), 0600));
  return path;
}

}  // namespace holdfast::backup
