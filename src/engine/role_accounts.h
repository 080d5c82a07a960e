// Accounts with no more rights than their work takes: which rights an account needs to observe, to operate, to
// replicate or to back up, for each engine and version, and the statements that make it. Pure.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "cluster/types.h"

namespace holdfast::engine {

/// observe: triage, status, discover. operate: what a repair does by SQL, and all of observe. replicate: a replica or
/// standby that logs in to its source. backup: dumps.
enum class AccountRole { observe, operate, replicate, backup };
std::string_view account_role_name(AccountRole role);
std::optional<AccountRole> parse_account_role(std::string_view name);
const std::vector<AccountRole>& account_roles();

/// Where the password stands in a statement that takes one.
inline constexpr std::string_view kPasswordPlace = "'PASSWORD'";

struct AccountStatement {
  std::string sql;              ///< without the semicolon
  std::string what_for;         ///< a few words
  bool takes_password = false;  ///< has kPasswordPlace once
  /// PostgreSQL: a query whose rows are the statements, for what only the server knows (psql: \gexec).
  bool generates = false;
  /// PostgreSQL: in every database that can be connected to; else in that of the login, `postgres`.
  bool each_database = false;
};

struct RoleAccount {
  AccountRole role = AccountRole::observe;
  std::string name;
  std::string host;  ///< MariaDB, MySQL: from where it may log in; PostgreSQL has pg_hba.conf for that
  std::vector<AccountStatement> statements;  ///< the first one makes the account
  /// What it holds once they have run, as rights_of_grants() and the PostgreSQL catalogue name them.
  std::set<std::string> rights;
  /// What an administrator is shown or can do, and this account is not: sentences.
  std::vector<std::string> limits;
};

/// A right of the role observe, and what triage does not know without it.
struct ObserveRight {
  std::string right;                   ///< as RoleAccount::rights has it
  std::string grant;                   ///< the statement that gives it
  std::vector<std::string> questions;  ///< names of the readings that a server refuses without it
};
/// Those without which a server refuses a question. `account`: as the server names it, quoted for a statement.
std::vector<ObserveRight> rights_to_observe(cluster::Engine engine, const std::string& account);

/// "holdfast_observe"
std::string default_account_name(AccountRole role);

/// `version`: as the server says it ("10.11.19-MariaDB", "9.7.4", "15.13"); "" = the oldest that is supported.
/// Errors: "accounts.version" (refused) for one that is older than MariaDB 10.5, MySQL 8.0 or PostgreSQL 14.
Result<RoleAccount> role_account(cluster::Engine engine, std::string_view version, AccountRole role,
                                 const std::string& name, const std::string& host);

/// The statement with this password in it.
Secret with_password(cluster::Engine engine, const AccountStatement& statement, const Secret& password);

/// MariaDB, MySQL: "PROCESS ON *.*" for each privilege of lines of SHOW GRANTS; USAGE is none. A line that grants a
/// role is "ROLE `name`", WITH GRANT OPTION is "GRANT OPTION ON ...".
std::set<std::string> rights_of_grants(const std::vector<std::string>& lines);

}  // namespace holdfast::engine
