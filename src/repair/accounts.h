// Whether members can log in where they are to follow, before anything is done for it.
#pragma once

#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "operation/plan.h"
#include "provider/member_access.h"

namespace holdfast::repair {

struct AccountChecks {
  std::map<std::string, Error> refused;  ///< member -> why
  std::vector<std::string> unchecked;    ///< sentences: whose account was not tried, and why
};

/// MariaDB and MySQL: each member's agent logs in to the server that the member is to follow by this plan, from the
/// member's host, with the account and the TLS settings it would follow with. Refused are only those that are
/// definitely turned away: a server that does not answer proves nothing against an account.
AccountChecks check_accounts(const provider::ClusterMembers& members, const operation::Plan& plan,
                             std::stop_token stop);

/// "repair.replication_account" (refused): `source` turns `user` away, or gives it no logs; the hint says how it is
/// made.
Error account_refusal(const std::string& member, const std::string& source, const std::string& user,
                      const std::string& why, const std::string& retry);

}  // namespace holdfast::repair
