#include "agent/gtid_state.h"

#include <algorithm>

namespace holdfast::agent {

using position::GtidState;
using position::GtidVector;
using position::MariaGtid;

GtidState binlog_state_at(const GtidState& before, const GtidState& after, const GtidVector& at) {
  GtidState state;
  for (const MariaGtid& last : after.entries()) {
    const MariaGtid limit = at.of_domain(last.domain);
    MariaGtid entry = last;
    if (entry.seq > limit.seq) entry.seq = before.seq_of(entry.domain, entry.server);
    if (entry.seq > 0 && entry.seq <= limit.seq) state.record(entry);
  }
  for (const MariaGtid& last : at.entries()) state.record(last);
  return state;
}

}  // namespace holdfast::agent
