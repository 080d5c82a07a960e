// Members whose table files lack pages, or are gone.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <vector>

#include "engine/postgres/missing_pages.h"
#include "provider/member_access.h"
#include "sql/kept_postgres.h"

namespace holdfast::provider {

/// PostgreSQL: the sizes of a member's table files, by SQL; of each member, in the order of the cluster. Null where
/// they are not known.
using TableFiles = std::vector<std::shared_ptr<engine::postgres::TableFiles>>;

/// PostgreSQL: compares the table files of each standby with those of the `writer` it follows, and puts the pages that
/// one of both lacks for certain into its cut_files; files_compared tells whether it could be done for a standby. Never
/// for longer than `per_member`.
void look_for_cut_files(const ClusterMembers& members, std::vector<cluster::MemberFacts>& facts, size_t writer,
                        const TableFiles& files, std::chrono::milliseconds per_member, const std::stop_token& stop,
                        sql::KeptPostgres& kept);

/// MariaDB and Galera: which of tables_without_file should have one, into missing_files. Asks nothing when there are
/// none, as nearly always.
void look_for_missing_files(cluster::MemberFacts& facts, MemberAccess& member, std::chrono::milliseconds limit,
                            const std::stop_token& stop);

}  // namespace holdfast::provider
