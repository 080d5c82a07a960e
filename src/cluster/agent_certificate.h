// A certificate without which an agent on another host cannot be asked: its own, its authority's, or the caller's.
#pragma once

#include <string>
#include <vector>

namespace holdfast::cluster {

struct AgentCertificate {
  enum class Of { agent, authority, caller };
  Of of = Of::agent;
  std::string name;                ///< of the host or caller; of an authority its subject
  std::vector<std::string> names;  ///< agent: all names and addresses by which it is called
  std::string role;                ///< caller: "operate"
  std::string until;               ///< "2026-12-01T10:00:00Z"
  double seconds_left = 0;         ///< by our clock; negative: it has expired
  double seconds_valid = 0;        ///< from its first moment to its last
};

}  // namespace holdfast::cluster
