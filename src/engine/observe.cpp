#include "engine/observe.h"

#include <fmt/format.h>

#include "engine/galera/observe.h"
#include "engine/mariadb/observe.h"
#include "engine/mysql/observe.h"
#include "engine/postgres/observe.h"

namespace holdfast::engine {

using cluster::Reach;

void note_failure(cluster::MemberFacts& facts, const Error& error) {
  if (facts.error.empty()) facts.error = error.message;
  if (facts.reach == Reach::reachable && error.id == "sql.error") return;  // one question failed, the member serves
  if (error.id == "sql.timeout" || error.id == "sys.interrupted")
    facts.reach = Reach::timeout;
  else if (error.id == "sql.denied" || error.id == "sql.tls")
    facts.reach = Reach::denied;
  else if (error.id == "sql.unreachable" || error.id == "sql.lost")
    facts.reach = Reach::unreachable;
  else
    facts.reach = Reach::failed;
}

cluster::MemberFacts observe(cluster::Engine engine, const cluster::Member& member, const sql::Target& target,
                             Deadline deadline, std::stop_token stop) {
  cluster::MemberFacts facts;
  facts.member = member.name;
  facts.address = member.host.empty() ? member.socket : fmt::format("{}:{}", member.host, member.port);
  switch (engine) {
    case cluster::Engine::mariadb:
      mariadb::observe(facts, target, deadline, stop);
      break;
    case cluster::Engine::galera:
      galera::observe(facts, target, deadline, stop);
      break;
    case cluster::Engine::mysql:
      mysql::observe(facts, target, deadline, stop);
      break;
    case cluster::Engine::postgres:
      postgres::observe(facts, target, deadline, stop);
      break;
  }
  return facts;
}

}  // namespace holdfast::engine
