// Which right an account lacks, where a server refused what triage asked: a fact that is unknown says how to know it.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "engine/observe.h"
#include "sql/rows.h"

namespace holdfast::engine {

/// Asks one statement in the session in which the others were refused.
using AskAgain = std::function<Result<sql::Rows>(const std::string& statement)>;

/// Into facts.missing_rights what the account lacks of the role observe (engine/role_accounts.h) and was `refused` for,
/// and into the readings of those questions. PostgreSQL says which rights these are, and all others of the role that
/// are missing. Asks once, and nothing where all that was refused is beyond that role.
void note_missing_rights(cluster::Engine engine, cluster::MemberFacts& facts, const std::vector<Refused>& refused,
                         const AskAgain& ask);

/// Notes a reading that is unknown because its question failed with `error`, later and in another session; where that
/// was for want of a right, `target` is asked which.
void note_refused(cluster::Engine engine, cluster::MemberFacts& facts, const std::string& name, const Error& error,
                  const sql::Target& target, Deadline deadline, const std::stop_token& stop);

}  // namespace holdfast::engine
