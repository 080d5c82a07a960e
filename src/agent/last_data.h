// What the agent remembers of the data it last saw: so that nothing, where data was, is not taken for an empty member.
//
// <dir>/last-data.json, beside the data directory and so not on a volume that is mounted there:
//   {"device": 2049, "filesystem": "a1b2...", "mounted": true, "lineage": "7412...", "seen": "2026-11-21T14:56:21Z"}
#pragma once

#include <string>

#include "agent/config.h"
#include "base/result.h"

namespace holdfast::agent {

/// Notes where the data directory is now, and whose data is in it. Durable. Nothing when there is none.
Status remember_data(const MemberConfig& config);
/// Whether anything was noted.
bool remembers_data(const MemberConfig& config);

/// Where the data directory is empty or missing: a sentence on the data that was seen there, on another volume than
/// what is there now. "" when nothing was noted, or the volume is the same one: then the data was removed.
std::string data_elsewhere(const MemberConfig& config);

}  // namespace holdfast::agent
