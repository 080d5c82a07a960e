// Errant transactions with their bytes (engine/errant_log.h) as a stream of frames: each begins with a letter, N for an
// item (JSON), M for the first parts of one that does not fit a frame, D for bytes.
#pragma once

#include <stop_token>

#include "agent/config.h"
#include "agent/frames.h"
#include "base/deadline.h"
#include "engine/errant_log.h"

namespace holdfast::agent {

/// Transactions that one request gives at most; those beyond are counted.
inline constexpr size_t kMostErrant = 200'000;
/// PostgreSQL: records of the log.
inline constexpr size_t kMostRecords = 1'000'000;

/// Searches the member's logs until the deadline, then answers, then sends what was found. "cli.interrupted" when who
/// asked has gone.
Status serve_errant_log(const MemberConfig& config, const codec::Value& request, net::Stream& stream, bool& answered,
                        Deadline deadline, const std::stop_token& stop);

/// What a request of that kind, or for a list, asks of this member.
engine::ErrantSearch errant_search(const MemberConfig& config, const codec::Value& request);

/// Hands what such a stream carries to `to`; the result it ended with. "agent.frame" (failed) for anything else.
Result<codec::Value> receive_errant_log(net::Stream& stream, engine::ErrantLogSink& to, const std::stop_token& stop);

}  // namespace holdfast::agent
