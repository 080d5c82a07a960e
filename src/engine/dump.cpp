#include "engine/dump.h"

namespace holdfast::engine {

using cluster::Engine;

Result<std::unique_ptr<DumpStream>> open_dump(const DumpRequest& request, std::stop_token stop) {
  switch (request.engine) {
    case Engine::mariadb:
    case Engine::galera:
      return open_mariadb_dump(request, std::move(stop));
    case Engine::mysql:
      return open_mysql_dump(request, std::move(stop));
    case Engine::postgres:
      return open_postgres_dump(request, std::move(stop));
  }
  return fail(ErrorClass::bug, "engine.unknown", "unknown engine");
}

std::string dump_file_name(Engine engine) {
  return engine == Engine::postgres ? "pgdumpall.sql" : "mysqldump.sql";
}

DumpFlavour dump_flavour(Engine engine) {
  return engine == Engine::postgres ? DumpFlavour::postgres : DumpFlavour::mysql;
}

}  // namespace holdfast::engine
