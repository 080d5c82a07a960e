// Whether members can sign in where they are to follow, before anything is done for it.
#pragma once

#include <map>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "cluster/types.h"
#include "operation/plan.h"

namespace holdfast::repair {

/// Member -> why. MariaDB and MySQL: signs in to the server that each member is to follow by this plan, from here and
/// as the replication account the member's agent has. Only those that are definitely turned away are in the answer: a
/// server that does not answer proves nothing against an account.
std::map<std::string, Error> refused_accounts(const cluster::DatabaseCluster& cluster, const operation::Plan& plan,
                                              std::stop_token stop);

/// "repair.replication_account" (refused): `source` turns `user` away, or gives it no logs; the hint says how it is
/// made.
Error account_refusal(const std::string& member, const std::string& source, const std::string& user,
                      const std::string& why, const std::string& retry);

}  // namespace holdfast::repair
