// The network as this machine sees it: its own addresses, and where names lead.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/deadline.h"

namespace holdfast::sys {

/// One network stack: what shares it shares a loopback and all addresses.
struct NetworkStack {
  std::string id;                      ///< of the kernel's run and its network namespace; "" = not known
  std::string hostname;                ///< "" = not known
  std::vector<std::string> addresses;  ///< of all interfaces, as inet_ntop() writes them; empty = not known
};

/// Of this process. `server` > 0: of that process, too; nothing is known where it has another one.
NetworkStack own_network(pid_t server = 0);

/// Addresses of names. Each is asked for in a thread of its own, so that a name server that is silent holds nobody up;
/// what came of it, also that there is none, is remembered for a while. Thread-safe.
class NameLookup {
 public:
  /// All addresses of a name, as inet_ntop() writes them; may take as long as it likes.
  using Resolver = std::function<std::vector<std::string>(const std::string&)>;
  using Answers = std::map<std::string, std::vector<std::string>>;

  explicit NameLookup(Resolver resolver = system_resolver,
                      std::chrono::milliseconds remembered = std::chrono::seconds(20));
  /// The one that the whole process shares, with the system's resolver.
  static NameLookup& shared();

  /// Begins to ask for those that are not known, and returns at once.
  void ask(const std::set<std::string>& names);
  /// Asks, and waits until all are known or the deadline has passed. A name without an address, or that is not known by
  /// then, is not in the answers.
  Answers answers(const std::set<std::string>& names, Deadline deadline);

 private:
  static std::vector<std::string> system_resolver(const std::string& name);
  struct State;
  std::shared_ptr<State> state_;  ///< shared with threads that still ask
  const std::chrono::milliseconds remembered_;
};

}  // namespace holdfast::sys
