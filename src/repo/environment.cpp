#include "repo/environment.h"

#include <pwd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>

namespace holdfast::repo {

Environment Environment::of_process() {
  Environment environment;
  utsname name{};
  if (::uname(&name) == 0) environment.host = name.nodename;
  environment.uid = ::getuid();
  environment.gid = ::getgid();
  environment.pid = ::getpid();
  char memory[4096];
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(environment.uid, &entry, memory, sizeof memory, &found) == 0 && found)
    environment.user = found->pw_name;
  return environment;
}

Timestamp now() {
  timespec at{};
  ::clock_gettime(CLOCK_REALTIME, &at);
  tm local{};
  ::localtime_r(&at.tv_sec, &local);
  return {at.tv_sec, static_cast<int32_t>(at.tv_nsec), static_cast<int32_t>(local.tm_gmtoff)};
}

}  // namespace holdfast::repo
