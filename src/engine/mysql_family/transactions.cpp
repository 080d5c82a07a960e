#include "engine/mysql_family/transactions.h"

#include <cstdlib>
#include <map>

#include "engine/observe.h"

namespace holdfast::engine::mysql_family {

namespace {

uint64_t number_behind(std::string_view line, std::string_view words) {
  const size_t at = line.find(words);
  if (at == std::string_view::npos) return 0;
  return std::strtoull(std::string(line.substr(at + words.size(), 20)).c_str(), nullptr, 10);
}

}  // namespace

std::vector<Transaction> parse_innodb_status(std::string_view text) {
  // ---TRANSACTION 2871, ACTIVE 5 sec inserting
  // LOCK WAIT 2 lock struct(s), ...
  // MySQL thread id 12, OS thread handle 140, query id 99 localhost app updating     (MariaDB: "MariaDB thread id")
  constexpr std::string_view kBegin = "---TRANSACTION ";
  std::vector<Transaction> found;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (line.starts_with(kBegin)) {
      inside = line.find(", ACTIVE") != std::string_view::npos;
      if (!inside) continue;
      const std::string_view rest = line.substr(kBegin.size());
      Transaction one;
      one.id = std::string(rest.substr(0, rest.find(',')));
      const size_t active = line.find("ACTIVE");
      const size_t digit = line.find_first_of("0123456789", active);  // ACTIVE (PREPARED) 60 sec
      if (digit != std::string_view::npos)
        one.seconds = std::strtod(std::string(line.substr(digit, 20)).c_str(), nullptr);
      found.push_back(std::move(one));
    } else if (line.starts_with("----")) {
      inside = false;  // the next section, or what its lock waits for
    } else if (inside && line.starts_with("LOCK WAIT")) {
      found.back().waits = true;
    } else if (inside && found.back().session == 0 &&
               (line.starts_with("MySQL thread id ") || line.starts_with("MariaDB thread id "))) {
      found.back().session = number_behind(line, " thread id ");
      inside = false;  // statements follow, which may hold anything
    }
  }
  return found;
}

std::optional<std::vector<Transaction>> read_transactions(const Ask& quietly, const Ask& ask) {
  const std::string select =
      "SELECT trx_id AS id, trx_mysql_thread_id AS session, trx_state AS state, "
      "TIMESTAMPDIFF(SECOND, trx_started, NOW()) AS age FROM information_schema.INNODB_TRX "
      "WHERE trx_state <> 'ROLLING BACK'";
  std::vector<Transaction> found;
  if (const auto rows = quietly("transactions", select)) {
    for (size_t i = 0; i < rows->rows.size(); ++i)
      found.push_back({rows->text("id", i), std::strtoull(rows->text("session", i).c_str(), nullptr, 10),
                       std::strtod(rows->text("age", i).c_str(), nullptr), rows->text("state", i) == "LOCK WAIT"});
    return found;
  }
  const auto status = ask("transactions", "SHOW ENGINE INNODB STATUS");
  if (!status || status->empty()) return std::nullopt;
  return parse_innodb_status(status->text("Status"));
}

void take_open_transactions(cluster::MemberFacts& facts, const std::vector<Transaction>& transactions,
                            const sql::Rows& processes) {
  std::map<uint64_t, double> asleep;
  for (size_t i = 0; i < processes.rows.size(); ++i)
    if (processes.text("Command", i) == "Sleep")
      asleep[std::strtoull(processes.text("Id", i).c_str(), nullptr, 10)] =
          std::strtod(processes.text("Time", i).c_str(), nullptr);
  for (const auto& one : transactions) {
    if (one.session == 0)
      facts.open_transactions.push_back({one.id, true, one.seconds});
    else if (const auto found = asleep.find(one.session); found != asleep.end())
      facts.open_transactions.push_back({"of session " + std::to_string(one.session), false, found->second});
  }
  note(facts, "idle open transactions", std::to_string(facts.open_transactions.size()),
       "SQL information_schema.INNODB_TRX");
}

}  // namespace holdfast::engine::mysql_family
