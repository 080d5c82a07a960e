// Who we are to the servers of a cluster: what spec.credentials says, with what it names read, and how to reach a
// member with it.
//
//   nothing, or a user alone          no password: over a unix socket the server asks the kernel who connects
//                                     (unix_socket, auth_socket, peer). As root we connect as the unix user that is
//                                     called as the account, and PostgreSQL's programs run as that user
//   user and passwordFile/passwordEnv that account
//   optionFile, pgpassFile            the account that the clients' own file says; without a password in it as above
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cluster/types.h"
#include "engine/client_files.h"
#include "sql/rows.h"

namespace holdfast::engine {

using EnvironmentLookup = std::function<std::optional<std::string>(const std::string&)>;

struct Login {
  std::string user;  ///< "" = the one of the line of `pgpass` that fits the member
  Secret password;
  std::string socket;  ///< of an option file: the socket of members that say no address
  std::vector<PgpassLine> pgpass;
};

/// Reads the files and variables that are named. "config.credentials" (usage) when one of them cannot be had, or holds
/// a password and is open to every user of this machine.
Result<Login> cluster_login(const cluster::DatabaseCluster& cluster, const EnvironmentLookup& env);

/// How to reach one member; the socket is used when it is there, host and port otherwise. Asks the system who the
/// account's unix user is.
sql::Target member_target(const cluster::DatabaseCluster& cluster, const cluster::Member& member, const Login& login);

}  // namespace holdfast::engine
