// Who is who on a lab's hosts: a certificate authority of the lab's own, a certificate for the agents of each host and
// one for those who operate the lab. Files below <state>/lab/pki, the keys for root alone.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "cluster/types.h"
#include "lab/layout.h"

namespace holdfast::lab {

/// The operator's, as the resources of the lab's clusters name it.
cluster::AgentTls operator_files(const Layout& layout);
/// Those of the agents on a host.
cluster::AgentTls agent_files(const Layout& layout, int host);

/// Makes what is missing for these hosts (number -> address), and replaces what was issued for another address or is
/// over. The authority stays until remove_host_certificates().
Status make_host_certificates(const Layout& layout, const std::map<int, std::string>& addresses);
/// Removes all of them, and the authority. Fine when there are none.
Status remove_host_certificates(const Layout& layout);

}  // namespace holdfast::lab
