#include "engine/observe.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "engine/mysql_family_observe.h"
#include "engine/postgres/observe.h"

namespace holdfast::engine {

using cluster::Reach;

void note_failure(cluster::MemberFacts& facts, const Error& error) {
  if (facts.error.empty()) facts.error = error.message;
  if (facts.reach == Reach::reachable && error.id == "sql.error") return;  // one question failed, the member serves
  if (facts.reach == Reach::timeout) return;  // its connection is given up then, and all that follows finds it lost
  if (error.id == "sql.timeout" || error.id == "sys.interrupted")
    facts.reach = Reach::timeout;
  else if (error.id == "sql.denied" || error.id == "sql.tls" || error.id == "sql.plain_text")
    facts.reach = Reach::denied;
  else if (error.id == "sql.unreachable" || error.id == "sql.lost")
    facts.reach = Reach::unreachable;
  else
    facts.reach = Reach::failed;
}

bool lacks_right(const Error& error) {
  if (error.id != "sql.error") return false;
  const std::string code = sql::error_code(error);
  // Of a table, of a column, of the server, of a routine; PostgreSQL: insufficient_privilege.
  return code == "1142" || code == "1143" || code == "1227" || code == "1370" || code == "42501";
}

int64_t reading_clock() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void note(cluster::MemberFacts& facts, std::string name, std::string value, std::string source) {
  facts.readings.push_back({std::move(name), std::move(value), std::move(source), {}, reading_clock()});
}

void note_unknown(cluster::MemberFacts& facts, std::string name, std::string source, std::string why) {
  facts.readings.push_back({std::move(name), {}, std::move(source), std::move(why), reading_clock()});
}

void Settings::add(const sql::Rows& rows) {
  for (const auto& row : rows.rows) {
    if (row.size() < 2 || !row[0]) continue;
    std::string name = *row[0];
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    values_[std::move(name)] = row[1].value_or("");
  }
}

std::optional<std::string> Settings::find(const std::string& name) const {
  auto found = values_.find(name);
  return found == values_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<bool> Settings::flag(const std::string& name) const {
  const std::string value = text(name);
  if (value == "ON" || value == "1" || value == "YES" || value == "Yes" || value == "on") return true;
  if (value == "OFF" || value == "0" || value == "NO" || value == "No" || value == "off") return false;
  return std::nullopt;
}

std::optional<int64_t> Settings::number(const std::string& name) const {
  const std::string value = text(name);
  int64_t number = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (value.empty() || error != std::errc() || end != value.data() + value.size()) return std::nullopt;
  return number;
}

cluster::MemberFacts observe(cluster::Engine engine, const cluster::Member& member, const sql::Target& target,
                             Deadline deadline, std::stop_token stop, sql::KeptPostgres* kept) {
  cluster::MemberFacts facts;
  facts.member = member.name;
  facts.address = member.host.empty() ? target.socket : fmt::format("{}:{}", member.host, member.port);
  facts.account = target.user;
  if (engine == cluster::Engine::postgres)
    postgres::observe(facts, target, deadline, std::move(stop), kept);
  else
    observe_mysql_family(engine, facts, target, deadline, std::move(stop));
  return facts;
}

void observe_position(cluster::Engine engine, cluster::MemberFacts& facts, const sql::Target& target, Deadline deadline,
                      std::stop_token stop, sql::KeptPostgres* kept) {
  if (engine == cluster::Engine::postgres)
    postgres::observe_position(facts, target, deadline, std::move(stop), kept);
  else
    observe_mysql_family_position(engine, facts, target, deadline, std::move(stop));
}

void observe_size(cluster::Engine engine, cluster::MemberFacts& facts, const sql::Target& target, Deadline deadline,
                  std::stop_token stop, sql::KeptPostgres* kept) {
  if (engine == cluster::Engine::postgres) postgres::observe_size(facts, target, deadline, std::move(stop), kept);
}

}  // namespace holdfast::engine
