#include "sys/net_namespace.h"

#include <fcntl.h>
#include <sched.h>

#include <filesystem>
#include <thread>

namespace holdfast::sys {

Result<Fd> open_net_namespace(const std::string& name) {
  auto fd = open_file(std::string(kNetNamespaces) + "/" + name, O_RDONLY);
  if (fd) return fd;
  return fail(ErrorClass::failed, "sys.no_namespace", "there is no network namespace " + name);
}

std::vector<std::string> net_namespaces(const std::string& prefix) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(kNetNamespaces, error), end; !error && it != end; it.increment(error))
    if (std::string name = it->path().filename().string(); name.starts_with(prefix)) names.push_back(std::move(name));
  return names;
}

Status in_net_namespace(int fd, const std::function<Status()>& work) {
  Status result;
  // The namespace belongs to the thread, and goes with it: the caller's own is never changed.
  std::thread([&] {
    if (::setns(fd, CLONE_NEWNET) != 0) {
      result = fail(errno_error(errno, "enter a network namespace"));
    } else {
      result = work();
    }
  }).join();
  return result;
}

bool may_make_net_namespaces() {
  bool made = false;
  std::thread([&] { made = ::unshare(CLONE_NEWNET) == 0; }).join();
  return made;
}

}  // namespace holdfast::sys
