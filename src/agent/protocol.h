// The requests that an agent answers, as data: who may ask each, whether it changes anything, since which version of
// the protocol it is there. The agent, its clients and docs/reference/agent-protocol.md all go by this table.
//
// Each request is one line of JSON, each answer one line:
//   {"op":"status","protocol":3}             -> {"ok":true,"protocol":3, ...}
//   {"op":"nonsense"}                        -> {"ok":false,"error":{"class","id","message","hint"},"protocol":3}
// A connection may carry many requests, one after another. Unknown arguments are ignored, so requests can grow. After
// the answer to a request that `streams`, the connection carries the bytes it asked for, and nothing else any more.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/value.h"

namespace holdfast::agent {

/// What this program speaks. An agent answers requests of older clients; a client does not send what its agent is too
/// old for ("agent.too_old").
inline constexpr int kProtocol = 3;
/// Agents that do not say which version they speak.
inline constexpr int kFirstProtocol = 1;

enum class Effect {
  looks,    ///< changes nothing
  changes,  ///< needs the epoch of an operation: "agent.no_epoch" (refused) without
  own,      ///< concerns the agent itself or its connection, not its member
};

/// Whom a request is for, by the role in the caller's certificate (net/tls_stream.h). On the unix socket the agent's
/// own user and root may ask everything.
enum class Right {
  observe,  ///< roles observe and operate
  operate,  ///< role operate
  copy,     ///< roles operate and agent: another member's agent that makes a copy of this one
};

struct RequestKind {
  std::string_view name;
  Effect effect;
  Right right;
  int since;               ///< version of the protocol
  bool streams;            ///< bytes follow the answer
  std::string_view takes;  ///< arguments beside epoch and timeoutSeconds
  std::string_view gives;  ///< members of the answer
  std::string_view what;   ///< a sentence
};

/// In the order of the documentation.
std::span<const RequestKind> request_table();
/// nullptr: there is none of that name.
const RequestKind* find_request(std::string_view name);

std::string_view effect_name(Effect effect);
std::string_view right_name(Right right);

/// docs/reference/agent-protocol.md
std::string protocol_page();

}  // namespace holdfast::agent
