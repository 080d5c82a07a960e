#include "engine/errant.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "engine/binlog/transactions.h"
#include "engine/postgres/errant.h"
#include "sys/act_as.h"

namespace holdfast::engine {

using binlog::LoggedTransaction;
using binlog::TransactionKind;
using binlog::WantedGtids;
using cluster::ErrantClass;

namespace {

ErrantClass class_of(const LoggedTransaction& transaction, const std::set<std::string>& heartbeat) {
  switch (transaction.kind) {
    case TransactionKind::rows:
      return binlog::changes_only(transaction, heartbeat) ? ErrantClass::heartbeat : ErrantClass::user_data;
    case TransactionKind::statement:
      return ErrantClass::user_data;
    case TransactionKind::ddl:
      return ErrantClass::ddl;
    case TransactionKind::account:
      return ErrantClass::account;
    case TransactionKind::empty:
      return ErrantClass::empty;
    case TransactionKind::unknown:
      break;
  }
  return ErrantClass::unknown;
}

WantedGtids wanted_of(const cluster::ErrantNames& names) {
  WantedGtids wanted;
  for (const auto& range : names.ranges)
    wanted.ranges.push_back({range.domain, range.server, range.after_seq, range.up_to_seq});
  for (const auto& source : names.set.sources()) {
    binlog::MysqlSource key;
    if (const auto uuid = binlog::parse_uuid(source.uuid.to_string())) key.uuid = *uuid;
    key.tag = source.tag;
    for (const auto& interval : source.intervals) wanted.mysql.push_back({key, interval.first, interval.last});
  }
  return wanted;
}

std::string text_of(const WantedGtids& missing) {
  std::vector<std::string> parts;
  for (const auto& range : missing.ranges)
    parts.push_back(position::MissingRange{range.domain, range.server, range.after, range.up_to}.to_string());
  for (const auto& interval : missing.mysql) {
    std::string source = interval.source.uuid_text();
    if (!interval.source.tag.empty()) source += ":" + interval.source.tag;
    parts.push_back(interval.first == interval.last ? fmt::format("{}:{}", source, interval.first)
                                                    : fmt::format("{}:{}-{}", source, interval.first, interval.last));
  }
  return fmt::format("{}", fmt::join(parts, ","));
}

ErrantTransaction described(const LoggedTransaction& from, ErrantClass kind) {
  ErrantTransaction to;
  to.id = from.gtid;
  to.time = from.timestamp;
  to.kind = kind;
  to.tables.assign(from.tables.begin(), from.tables.end());
  to.verbs.assign(from.verbs.begin(), from.verbs.end());
  to.size = from.size();
  to.file = from.file;
  to.offset = from.offset;
  to.end = from.end;
  return to;
}

/// What was received and waits in the relay logs counts as the member's own. Ranges are searched whole, since nobody
/// knows where the binary log ends and the relay log goes on.
void add_received(binlog::TransactionList& list, const ErrantSearch& search, const WantedGtids& wanted,
                  binlog::ReadOptions options) {
  options.base = search.relay_base;
  WantedGtids rest;
  rest.mysql = list.missing.mysql;
  if (!list.missing.ranges.empty()) rest.ranges = wanted.ranges;
  auto relay = binlog::find_transactions(search.data_dir, rest, options, search.most, binlog::LogKind::relay);
  std::set<std::string> known, new_ones;
  for (const auto& transaction : list.found) known.insert(transaction.gtid);
  for (auto& transaction : relay.found) {
    if (!known.insert(transaction.gtid).second) continue;
    new_ones.insert(transaction.gtid);
    ++list.matched;
    list.found.push_back(std::move(transaction));
  }
  list.cut_short = list.cut_short || relay.cut_short;
  list.missing.mysql = relay.missing.mysql;
  std::erase_if(list.missing.ranges, [&](const binlog::MariadbRange& range) {
    return range.after + 1 == range.up_to &&
           new_ones.contains(binlog::MariadbGtid{range.domain, range.server, range.up_to}.to_string());
  });
}

void find_in_binlogs(ErrantList& result, const ErrantSearch& search, const cluster::ErrantNames& names) {
  cluster::Errant& errant = result.errant;
  const WantedGtids wanted = wanted_of(names);
  binlog::ReadOptions options;
  options.base = search.log_base;
  options.deadline = search.deadline;
  options.stop = search.stop;
  auto list = binlog::find_transactions(search.data_dir, wanted, options, search.most);
  if (!list.missing.empty() && !search.deadline.passed()) add_received(list, search, wanted, options);
  for (const auto& transaction : list.found) {
    const auto kind = class_of(transaction, search.heartbeat_tables);
    auto& group = errant.classes[kind];
    ++group.count;
    group.tables.insert(transaction.tables.begin(), transaction.tables.end());
    group.verbs.insert(transaction.verbs.begin(), transaction.verbs.end());
    result.list.push_back(described(transaction, kind));
  }
  result.cut_short = list.cut_short;
  if (!list.unknown.empty())
    errant.unseen = list.unknown;
  else if (!list.missing.empty())
    errant.unseen = "in none of its log files that are left: " + text_of(list.missing);
  else if (list.cut_short)
    errant.unseen = fmt::format("only {} of {} were looked into", list.found.size(), list.matched);
  uint64_t total = list.matched;
  if (search.engine == cluster::Engine::mysql) {
    errant.exact = true;
    total = names.set.count();
  } else if (list.unknown.empty() && list.missing.empty()) {
    errant.exact = true;
    if (!list.cut_short) {
      std::vector<std::string> gtids;
      for (const auto& transaction : list.found) gtids.push_back(transaction.gtid);
      errant.transactions = join_mariadb_gtids(std::move(gtids));
    }
  } else {
    total = 0;
    for (const auto& range : names.ranges) total += range.up_to_seq - range.after_seq;
  }
  errant.count = total;
  if (total > list.found.size() && errant.exact)
    errant.classes[ErrantClass::unknown].count += total - list.found.size();
}

}  // namespace

std::string join_mariadb_gtids(std::vector<std::string> gtids) {
  std::vector<binlog::MariadbGtid> all;
  for (const auto& text : gtids)
    if (const auto gtid = binlog::parse_mariadb_gtid(text)) all.push_back(*gtid);
  std::ranges::sort(all);
  std::vector<std::string> parts;
  for (size_t i = 0; i < all.size();) {
    size_t j = i + 1;
    while (j < all.size() && all[j].domain == all[i].domain && all[j].server == all[i].server &&
           all[j].sequence <= all[j - 1].sequence + 1)
      ++j;
    parts.push_back(all[j - 1].sequence == all[i].sequence ? all[i].to_string()
                                                           : all[i].to_string() + ".." + all[j - 1].to_string());
    i = j;
  }
  return fmt::format("{}", fmt::join(parts, ","));
}

ErrantList find_errant(const ErrantSearch& search) {
  const sys::ActAs as_owner(sys::owner_of(search.data_dir));
  ErrantList result;
  result.errant.transactions = search.transactions;
  const auto names = cluster::parse_errant(search.engine, search.transactions);
  if (search.engine == cluster::Engine::galera) {
    result.errant.unseen = "write sets are not kept by their number";
    return result;
  }
  if (!names) {
    result.errant.unseen = names.error().message;
    return result;
  }
  result.errant.looked_at = true;
  if (search.engine == cluster::Engine::postgres)
    postgres::find_errant_in_wal(result, search, names->wal);
  else
    find_in_binlogs(result, search, *names);
  return result;
}

}  // namespace holdfast::engine
