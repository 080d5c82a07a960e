#include "provider/agent_call.h"

#include "agent/client.h"

namespace holdfast::provider {

Result<codec::Value> ask_agent(const cluster::Member& member, const std::string& op, codec::Value arguments,
                               Deadline deadline, std::stop_token stop) {
  if (member.agent_socket.empty())
    return fail(ErrorClass::refused, "provider.external", member.name.str() + " has no agent");
  arguments.set("timeoutSeconds", deadline.left().count() / 1000 + 1);
  auto client = TRY(agent::Client::connect(member.agent_socket, deadline.at_most(std::chrono::seconds(10)))
                        .context(member.name.str()));
  return client.call(op, std::move(arguments), deadline, std::move(stop)).context(member.name.str());
}

}  // namespace holdfast::provider
