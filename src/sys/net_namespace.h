// Network namespaces by name: files under /run/netns, as `ip netns` makes and lists them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sys/file.h"

namespace holdfast::sys {

inline constexpr const char* kNetNamespaces = "/run/netns";

/// For Command::net_namespace and in_net_namespace(). "sys.no_namespace" (failed) when there is none of that name.
Result<Fd> open_net_namespace(const std::string& name);
/// Names that begin with `prefix`, in no order. Also half-made ones: a name that cannot be opened.
std::vector<std::string> net_namespaces(const std::string& prefix);

/// Runs `work` on a thread of its own inside the namespace and returns when it is done; sockets that it makes there
/// stay there. Children that it starts are in this process's namespace, unless Command::net_namespace says otherwise.
/// Needs root.
Status in_net_namespace(int fd, const std::function<Status()>& work);

/// Whether this process may make namespaces and enter them: root, and not in a container that forbids it. Tries it.
bool may_make_net_namespaces();

}  // namespace holdfast::sys
