#include "sys/user.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

namespace holdfast::sys {

Result<Identity> find_user(const std::string& name) {
  std::string buffer(16 << 10, '\0');
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found)
    return fail(ErrorClass::refused, "sys.no_user", fmt::format("there is no user {}", name));
  Identity identity{found->pw_uid, found->pw_gid, {}};
  int count = 64;
  identity.groups.resize(64);
  while (::getgrouplist(name.c_str(), found->pw_gid, identity.groups.data(), &count) < 0) {
    identity.groups.resize(static_cast<size_t>(count));  // so many there are
  }
  identity.groups.resize(static_cast<size_t>(count));
  return identity;
}

Result<std::string> own_user_name() {
  std::string buffer(16 << 10, '\0');
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found)
    return fail(ErrorClass::refused, "sys.no_user", fmt::format("user {} has no name here", ::geteuid()));
  return std::string(found->pw_name);
}

}  // namespace holdfast::sys
