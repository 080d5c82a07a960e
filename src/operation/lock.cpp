#include "operation/lock.h"

#include <fmt/format.h>
#include <unistd.h>

#include "operation/journal.h"
#include "sys/any_process.h"

namespace holdfast::operation {

using codec::Value;

Value owner_value(const LockOwner& owner) {
  return Value::object({{"host", owner.host},
                        {"pid", owner.pid},
                        {"processStart", owner.process_start},
                        {"operation", owner.operation},
                        {"verb", owner.verb},
                        {"since", owner.since}});
}

LockOwner parse_owner(std::string_view json) {
  LockOwner owner;
  const auto document = codec::parse_value(json);
  if (!document) return owner;
  owner.host = (*document)["host"].text();
  owner.pid = (*document)["pid"].integer();
  owner.process_start = (*document)["processStart"].unsigned_integer();
  owner.operation = (*document)["operation"].text();
  owner.verb = (*document)["verb"].text();
  owner.since = (*document)["since"].text();
  return owner;
}

LockOwner this_owner(std::string operation, std::string verb) {
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  return {host,     ::getpid(), sys::process_start_time(::getpid()).value_or(0), std::move(operation), std::move(verb),
          utc_now()};
}

Error locked(const ClusterKey& cluster, const LockOwner& owner) {
  const std::string operation = owner.operation.empty() ? "" : ", operation " + owner.operation;
  const std::string who = owner.host.empty() ? "another process"
                                             : fmt::format("{} (process {} on {}{}, since {})", owner.verb, owner.pid,
                                                           owner.host, operation, owner.since);
  return Error{ErrorClass::conflict,
               "operation.locked",
               fmt::format("{} is being changed by {}", cluster.name, who),
               owner.operation.empty() ? "holdfast operations list" : "holdfast operations show " + owner.operation,
               {}};
}

Error lock_lost(const std::string& why, std::string hint) {
  return Error{ErrorClass::conflict,
               "operation.lock_lost",
               "the lock of the cluster is no longer ours: " + why,
               std::move(hint),
               {}};
}

}  // namespace holdfast::operation
