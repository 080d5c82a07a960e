// Members whose table files lack pages.
#pragma once

#include <chrono>
#include <stop_token>
#include <vector>

#include "cluster/facts.h"

namespace holdfast::provider {

/// PostgreSQL: compares the table files of each standby with those of the `writer` it follows, and puts the pages that
/// one of both lacks for certain into its cut_files; files_compared tells whether it could be done for a standby. Never
/// for longer than `per_member`.
void look_for_cut_files(const cluster::DatabaseCluster& cluster, std::vector<cluster::MemberFacts>& facts,
                        size_t writer, std::chrono::milliseconds per_member, const std::stop_token& stop);

}  // namespace holdfast::provider
