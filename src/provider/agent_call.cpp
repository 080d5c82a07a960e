#include "provider/agent_call.h"

namespace holdfast::provider {

Result<agent::Client> connect_agent(const cluster::Member& member, Deadline deadline, std::stop_token stop) {
  return agent::Client::connect(TRY(agent::Address::of(member)), deadline, std::move(stop));
}

Result<codec::Value> ask_agent(const cluster::Member& member, const std::string& op, codec::Value arguments,
                               Deadline deadline, std::stop_token stop) {
  if (arguments.find("timeoutSeconds") == nullptr) arguments.set("timeoutSeconds", deadline.left().count() / 1000 + 1);
  auto client = TRY(connect_agent(member, deadline.at_most(std::chrono::seconds(10)), stop).context(member.name.str()));
  return client.call(op, std::move(arguments), deadline, std::move(stop)).context(member.name.str());
}

}  // namespace holdfast::provider
