// Users of this machine, by the system's own look-up (files, LDAP, ...). Thread-safe.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace holdfast::sys {

/// Who a program runs as. To become another one takes root.
struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  ///< supplementary groups; empty = none
};

/// User by name, with its primary and supplementary groups. "sys.no_user" when there is none.
Result<Identity> find_user(const std::string& name);

/// The name of the user this process acts as. "sys.no_user" where the system has none for its number.
Result<std::string> own_user_name();

}  // namespace holdfast::sys
