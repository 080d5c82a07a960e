#include "engine/missing_rights.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/role_accounts.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"

namespace holdfast::engine {

using cluster::Engine;
using cluster::MemberFacts;
using cluster::MissingRight;

namespace {

constexpr std::string_view kRole = "ROLE ", kFunction = "EXECUTE ON FUNCTION ";

bool serves(const ObserveRight& right, const std::string& question) {
  return std::ranges::find(right.questions, question) != right.questions.end();
}

/// Who asks, as a statement has it: the account that the server took us for.
std::string account_of(Engine engine, const std::string& named) {
  if (engine == Engine::postgres) return sql::quote_postgres_name(named);
  const size_t at = named.rfind('@');
  return sql::quote_mysql(named.substr(0, at)) + "@" +
         sql::quote_mysql(at == std::string::npos ? "%" : named.substr(at + 1));
}

/// PostgreSQL: an expression that is true where the session has it.
std::string held(const ObserveRight& right) {
  const std::string_view name = right.right;
  if (name.starts_with(kRole))
    return fmt::format("pg_has_role(current_user, {}, 'USAGE')", sql::quote_postgres(name.substr(kRole.size())));
  return fmt::format("has_function_privilege(current_user, {}, 'EXECUTE')",
                     sql::quote_postgres(name.substr(kFunction.size())));
}

std::string lack_text(const std::vector<std::string>& rights, const std::string& account) {
  return fmt::format(" (the account {} lacks {})", account, fmt::join(rights, ", "));
}

MissingRight& missing(MemberFacts& facts, const ObserveRight& right, const std::string& account) {
  const auto known = std::ranges::find(facts.missing_rights, right.right, &MissingRight::right);
  if (known != facts.missing_rights.end()) return *known;
  facts.missing_rights.push_back({account, right.right, right.grant, {}});
  return facts.missing_rights.back();
}

/// Puts the question to each of the rights that it lacked; the words for its reading, or "".
std::string blame(MemberFacts& facts, const std::vector<ObserveRight>& lacking, const std::string& account,
                  const std::string& question) {
  std::vector<std::string> rights;
  for (const auto& right : lacking) {
    if (!serves(right, question)) continue;
    auto& unknown = missing(facts, right, account).unknown;
    if (std::ranges::find(unknown, question) == unknown.end()) unknown.push_back(question);
    rights.push_back(right.right);
  }
  return rights.empty() ? "" : lack_text(rights, account);
}

}  // namespace

void note_missing_rights(Engine engine, MemberFacts& facts, const std::vector<Refused>& refused, const AskAgain& ask) {
  const auto of_role = [&](const Refused& one) {
    return std::ranges::any_of(rights_to_observe(engine, ""),
                               [&](const ObserveRight& right) { return serves(right, one.name); });
  };
  if (std::ranges::none_of(refused, of_role)) return;
  // Rights of servers too old to be known have other names.
  if (!role_account(engine, facts.version, AccountRole::observe, "", "")) return;

  std::string question =
      engine == Engine::postgres ? "SELECT current_user AS account" : "SELECT CURRENT_USER() AS account";
  auto rights = rights_to_observe(engine, "");
  if (engine == Engine::postgres)
    for (size_t i = 0; i < rights.size(); ++i) question += fmt::format(", {} AS r{}", held(rights[i]), i);
  const auto answer = ask(question);
  const std::string account = account_of(engine, answer ? answer->text("account") : facts.account);
  rights = rights_to_observe(engine, account);
  if (engine == Engine::postgres && answer) {
    std::vector<ObserveRight> lacking;
    for (size_t i = 0; i < rights.size(); ++i)
      if (answer->text(fmt::format("r{}", i)) == "f") lacking.push_back(rights[i]);
    rights = std::move(lacking);
  }
  for (const auto& one : refused) {
    const std::string text = blame(facts, rights, account, one.name);
    if (text.empty()) continue;
    bool noted = false;
    for (auto& reading : facts.readings) {
      noted = noted || reading.name == one.name;
      if (reading.name == one.name && reading.unknown == one.message) reading.unknown += text;
    }
    if (!noted) note_unknown(facts, one.name, "SQL", one.message + text);
  }
  // One that it was not asked for yet is granted in the same go.
  if (engine == Engine::postgres && answer && !facts.missing_rights.empty())
    for (const auto& right : rights) missing(facts, right, account);
}

void note_refused(Engine engine, MemberFacts& facts, const std::string& name, const Error& error,
                  const sql::Target& target, Deadline deadline, const std::stop_token& stop) {
  note_unknown(facts, name, "SQL", error.message);
  if (!lacks_right(error)) return;
  note_missing_rights(engine, facts, {{name, error.message}}, [&](const std::string& statement) -> Result<sql::Rows> {
    if (engine == Engine::postgres) {
      auto session = TRY(sql::PostgresConnection::connect(target, deadline, stop));
      return session.query(statement, deadline, stop);
    }
    auto session = TRY(sql::MariadbConnection::connect(target, deadline, stop));
    return session.query(statement, deadline, stop);
  });
}

}  // namespace holdfast::engine
