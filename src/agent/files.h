// The files of a member that somebody may read through its agent: logs and small state files, by name, never by path.
#pragma once

#include <string>
#include <vector>

#include "agent/config.h"
#include "base/result.h"
#include "codec/value.h"

namespace holdfast::agent {

/// {name, size} of those that exist.
codec::Value list_files(const MemberConfig& config);
/// A part of one: `tail` > 0 gives its last bytes, otherwise from `offset`; at most `limit` (<= 1 MiB) bytes.
/// {name, size, offset, nextOffset, text}; bytes that are no UTF-8 are replaced. "agent.no_file" lists what there is.
Result<codec::Value> read_named_file(const MemberConfig& config, const std::string& name, uint64_t offset,
                                     uint64_t limit, uint64_t tail);

}  // namespace holdfast::agent
