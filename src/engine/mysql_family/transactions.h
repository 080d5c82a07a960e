// InnoDB's transactions of a MariaDB or MySQL server, and the sessions they are of.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/facts.h"
#include "sql/rows.h"

namespace holdfast::engine::mysql_family {

/// Asks one statement; nullopt when it was refused or failed, and what it was about is noted as unknown under `name`.
using Ask = std::function<std::optional<sql::Rows>(const std::string& name, const std::string& statement)>;

struct Transaction {
  std::string id;
  uint64_t session = 0;  ///< 0: prepared, and its session is gone
  double seconds = 0;    ///< since it began
  bool waits = false;    ///< for a row that another one has locked
};

/// All of them, from information_schema.INNODB_TRX; where that cannot be shown (MySQL error 3854: a statement with a
/// character that its column cannot hold), from the text of SHOW ENGINE INNODB STATUS. nullopt: the account may see
/// neither.
std::optional<std::vector<Transaction>> read_transactions(const Ask& quietly, const Ask& ask);

/// The section TRANSACTIONS of SHOW ENGINE INNODB STATUS. Pure.
std::vector<Transaction> parse_innodb_status(std::string_view text);

/// Into facts.open_transactions those that nobody works on: prepared, or of a session that sleeps. `processes`: SHOW
/// PROCESSLIST.
void take_open_transactions(cluster::MemberFacts& facts, const std::vector<Transaction>& transactions,
                            const sql::Rows& processes);

}  // namespace holdfast::engine::mysql_family
