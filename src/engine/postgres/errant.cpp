#include "engine/postgres/errant.h"

#include <fmt/format.h>

#include <unordered_map>

#include "engine/stored/files.h"

namespace holdfast::engine::postgres {

using cluster::ErrantClass;

namespace {

constexpr size_t kMostRelations = 100;

/// What one (sub)transaction did so far.
struct Work {
  std::set<Relation> relations;
  uint64_t bytes = 0;
  bool user = false, catalog = false, accounts = false;

  void merge(Work&& other) {
    for (const auto& relation : other.relations)
      if (relations.size() < kMostRelations) relations.insert(relation);
    bytes += other.bytes;
    user = user || other.user;
    catalog = catalog || other.catalog;
    accounts = accounts || other.accounts;
  }
  ErrantClass kind() const {
    return user       ? ErrantClass::user_data
           : catalog  ? ErrantClass::ddl
           : accounts ? ErrantClass::account
                      : ErrantClass::empty;
  }
};

/// pg_statistic with its toast table, pg_statistic_ext_data: ANALYZE writes them, by itself too.
bool is_statistics(const Relation& relation) {
  return relation.number == 2619 || relation.number == 2840 || relation.number == 3429;
}
/// Shared catalogs are in tablespace 1664: pg_authid, pg_auth_members, pg_db_role_setting, and pg_shdepend, which goes
/// with any of them.
bool is_accounts(const Relation& relation) {
  constexpr uint32_t kGlobal = 1664;
  return relation.tablespace == kGlobal &&
         (relation.number == 1260 || relation.number == 1261 || relation.number == 2964 || relation.number == 1214);
}

void note(Work& work, const WalRecord& record) {
  if (!record.changes_rows()) return;
  for (const auto& relation : record.relations) {
    if (work.relations.size() < kMostRelations) work.relations.insert(relation);
    if (is_statistics(relation)) continue;
    (is_accounts(relation) ? work.accounts : relation.is_catalog() ? work.catalog : work.user) = true;
  }
}

}  // namespace

Result<WalAccess> open_wal(const std::string& data_dir, Deadline deadline, std::stop_token stop) {
  WalAccess access;
  access.control = TRY(read_control(data_dir));
  access.options.standby = stored::presence(data_dir + "/standby.signal") == stored::Presence::present ||
                           stored::presence(data_dir + "/recovery.signal") == stored::Presence::present;
  access.options.deadline = deadline;
  access.options.stop = std::move(stop);
  return access;
}

void find_errant_in_wal(ErrantList& result, const ErrantSearch& search, const std::vector<cluster::WalSpan>& spans) {
  cluster::Errant& errant = result.errant;
  auto access = open_wal(search.data_dir, search.deadline, search.stop);
  if (!access) {
    errant.unseen = access.error().message;
    return;
  }
  std::unordered_map<uint32_t, Work> open;
  uint64_t unreadable = 0;
  const auto on_record = [&](const WalItem& item) {
    const auto record = parse_wal_record(item);
    if (!record) {
      ++unreadable;
      ++errant.wal_records["unreadable"];
      return;
    }
    ++errant.wal_records[wal_record_name(*record)];
    if (record->xid != 0) {
      Work& work = open[record->xid];
      work.bytes += item.bytes.size();
      note(work, *record);
    }
    for (uint32_t xid : parse_abort(*record)) open.erase(xid);
    bool damaged = false;
    const auto commit = parse_commit(*record, item.magic, damaged);
    unreadable += damaged;
    if (!commit && !damaged) return;
    ErrantTransaction transaction;
    transaction.id = fmt::format("xid {}", commit ? commit->xid : record->xid);
    Work work;
    const auto take = [&](uint32_t xid) {
      if (auto node = open.extract(xid)) work.merge(std::move(node.mapped()));
    };
    if (commit)
      for (uint32_t xid : commit->subtransactions) take(xid);
    take(commit ? commit->xid : record->xid);
    transaction.kind = damaged ? ErrantClass::unknown : work.kind();
    transaction.time = commit ? static_cast<double>(commit->time_us) / 1e6 : 0;
    transaction.size = work.bytes;
    // Of user data the catalogs that go with it say nothing.
    for (const auto& relation : work.relations)
      if (transaction.kind != ErrantClass::user_data || !relation.is_catalog())
        transaction.tables.push_back(relation.to_string());
    const uint32_t segment_size = access->control.wal_segment_size;
    transaction.file = fmt::format("{}/pg_wal/{}", search.data_dir,
                                   segment_file_name({item.timeline, item.start / segment_size}, segment_size));
    transaction.offset = item.start;
    transaction.end = item.end;
    ++errant.count;
    auto& group = errant.classes[transaction.kind];
    ++group.count;
    if (group.tables.size() < kMostRelations) group.tables.insert(transaction.tables.begin(), transaction.tables.end());
    if (result.list.size() < search.most)
      result.list.push_back(std::move(transaction));
    else
      result.cut_short = true;
  };
  for (const auto& span : spans) {
    const WalPiece piece{span.from.value, span.to.value};
    const auto walk = walk_wal(search.data_dir, access->control, piece, on_record, access->options);
    errant.wal_bytes += walk.end - piece.from;
    if (!walk.unknown.empty()) {
      errant.unseen = fmt::format("the log from {} to {} was read up to {} only: {}", lsn_text(piece.from),
                                  lsn_text(piece.to), lsn_text(walk.end), walk.unknown);
      return;
    }
  }
  if (unreadable > 0) errant.unseen = fmt::format("{} records could not be read", unreadable);
  errant.exact = unreadable == 0;
}

}  // namespace holdfast::engine::postgres
