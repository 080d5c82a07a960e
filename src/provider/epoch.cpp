#include "provider/epoch.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <vector>

#include "provider/member_access.h"

namespace holdfast::provider {

using codec::Value;

namespace {

/// Each agent's answer, in the members' order; nothing for members without one.
std::vector<std::optional<Result<Value>>> ask_all(const ClusterMembers& members, const std::string& op,
                                                  const Value& arguments, std::chrono::milliseconds limit,
                                                  const std::stop_token& stop) {
  std::vector<std::optional<Result<Value>>> answers(members.size());
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < members.size(); ++i) {
    if (!members[i].supervised()) continue;
    threads.emplace_back([&, i] { answers[i] = members[i].request(op, arguments, Deadline::in(limit), stop); });
  }
  threads.clear();
  return answers;
}

}  // namespace

uint64_t highest_epoch(const ClusterMembers& members, std::chrono::milliseconds limit, std::stop_token stop) {
  uint64_t highest = 0;
  for (const auto& answer : ask_all(members, "status", Value::object(), limit, stop))
    if (answer && *answer) highest = std::max(highest, (**answer)["epoch"].unsigned_integer());
  return highest;
}

Status fence_members(const ClusterMembers& members, uint64_t epoch, std::chrono::milliseconds limit,
                     std::stop_token stop) {
  for (auto& answer : ask_all(members, "fence", Value::object({{"epoch", epoch}}), limit, stop)) {
    if (!answer || *answer) continue;
    Error& error = answer->error();
    const bool silent = error.id == "agent.unreachable" || error.id == "agent.gone" || error.id == "sys.timeout" ||
                        error.error_class == ErrorClass::unavailable;
    const bool too_old = error.id == "agent.request";  // an agent of before: it compares nothing
    if (!silent && !too_old) return fail(std::move(error));
  }
  return {};
}

}  // namespace holdfast::provider
