#include "engine/postgres/wal_record.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/binlog/event.h"

namespace holdfast::engine::postgres {

using binlog::Reader;

namespace {

constexpr size_t kRecordHeader = 24;
constexpr uint8_t kMainShort = 255, kMainLong = 254, kOrigin = 253, kTopLevelXid = 252, kMostBlocks = 32;
constexpr uint8_t kHasImage = 0x10, kSameRelation = 0x80;
constexpr uint16_t kMagic15 = 0xd110, kMagic18 = 0xd118;

constexpr uint8_t kCommit = 0x00, kAbort = 0x20, kCommitPrepared = 0x30, kXactMask = 0x70, kHasInfo = 0x80;
constexpr uint32_t kDatabase = 1, kSubtransactions = 2, kRelations = 4, kInvalidations = 8, kTwoPhase = 16,
                   kDroppedStats = 256;
constexpr int64_t kEpoch2000 = 946'684'800'000'000;

constexpr const char* kManagers[] = {"XLOG",       "Transaction",   "Storage", "CLOG",     "Database",
                                     "Tablespace", "MultiXact",     "RelMap",  "Standby",  "Heap2",
                                     "Heap",       "Btree",         "Hash",    "Gin",      "Gist",
                                     "Sequence",   "SPGist",        "BRIN",    "CommitTs", "ReplicationOrigin",
                                     "Generic",    "LogicalMessage"};

const char* operation_of(const WalRecord& record) {
  const uint8_t operation = record.info & 0x70;
  if (record.is(WalManager::heap)) {
    constexpr const char* kNames[] = {"INSERT",     "DELETE",  "UPDATE", "TRUNCATE",
                                      "HOT_UPDATE", "CONFIRM", "LOCK",   "INPLACE"};
    return kNames[operation >> 4];
  }
  if (record.is(WalManager::heap2)) return operation == 0x50 ? "MULTI_INSERT" : operation == 0x40 ? "VISIBLE" : "";
  if (record.is(WalManager::transaction)) {
    constexpr const char* kNames[] = {"COMMIT",         "PREPARE",    "ABORT",        "COMMIT_PREPARED",
                                      "ABORT_PREPARED", "ASSIGNMENT", "INVALIDATION", ""};
    return kNames[operation >> 4];
  }
  if (record.is(WalManager::xlog)) {
    constexpr const char* kNames[] = {
        "CHECKPOINT_SHUTDOWN", "CHECKPOINT_ONLINE", "NOOP",       "NEXTOID",         "SWITCH",       "BACKUP_END",
        "PARAMETER_CHANGE",    "RESTORE_POINT",     "FPW_CHANGE", "END_OF_RECOVERY", "FPI_FOR_HINT", "FPI"};
    const size_t index = record.info >> 4;
    return index < std::size(kNames) ? kNames[index] : "";
  }
  return "";
}

/// Reads the parts of a commit or abort up to where they end for us.
struct XactParts {
  std::vector<uint32_t> subtransactions;
  std::optional<uint32_t> prepared;
};
std::optional<XactParts> read_parts(const WalRecord& record, Reader& reader, size_t stats_item) {
  XactParts parts;
  const uint32_t info = record.info & kHasInfo ? static_cast<uint32_t>(reader.fixed(4)) : 0;
  if (info & kDatabase) reader.take(8);
  if (info & kSubtransactions) {
    const uint64_t count = reader.fixed(4);
    if (count > reader.left() / 4) return std::nullopt;
    for (uint64_t i = 0; i < count; ++i) parts.subtransactions.push_back(static_cast<uint32_t>(reader.fixed(4)));
  }
  if (info & kRelations) reader.take(reader.fixed(4) * 12);
  if (info & kDroppedStats) reader.take(reader.fixed(4) * stats_item);
  if (info & kInvalidations) reader.take(reader.fixed(4) * 16);
  if (info & kTwoPhase) parts.prepared = static_cast<uint32_t>(reader.fixed(4));
  return reader.ok() ? std::optional(std::move(parts)) : std::nullopt;
}

}  // namespace

std::string Relation::to_string() const {
  return fmt::format("{}/{}/{}", tablespace, database, number);
}

bool WalRecord::changes_rows() const {
  const uint8_t operation = info & 0x70;
  if (is(WalManager::heap)) return operation < 0x50;  // behind: CONFIRM, LOCK, INPLACE (what VACUUM notes)
  return (is(WalManager::heap2) && operation == 0x50) || is(WalManager::sequence);
}

std::optional<WalRecord> parse_wal_record(const WalItem& item) {
  if (item.bytes.size() < kRecordHeader) return std::nullopt;
  WalRecord record;
  Reader reader(item.bytes);
  reader.take(4);
  record.xid = static_cast<uint32_t>(reader.fixed(4));
  reader.take(8);
  record.info = static_cast<uint8_t>(reader.fixed(1));
  record.manager = static_cast<uint8_t>(reader.fixed(1));
  reader.take(6);
  uint64_t main = 0, data = 0;
  Relation relation;
  // The headers come first, then the data of all: they end where what is left is what they announced.
  while (reader.left() > data + main) {
    const auto id = static_cast<uint8_t>(reader.fixed(1));
    if (id == kMainShort) {
      main = reader.fixed(1);
      break;
    }
    if (id == kMainLong) {
      main = reader.fixed(4);
      break;
    }
    if (id == kOrigin) {
      reader.take(2);
    } else if (id == kTopLevelXid) {
      reader.take(4);
    } else if (id <= kMostBlocks) {
      const auto flags = static_cast<uint8_t>(reader.fixed(1));
      data += reader.fixed(2);
      if (flags & kHasImage) {
        data += reader.fixed(2);
        reader.take(2);
        const auto image = static_cast<uint8_t>(reader.fixed(1));
        const uint8_t compressed = item.magic >= kMagic15 ? 0x1c : 0x02;
        if ((image & 0x01) && (image & compressed)) reader.take(2);
      }
      if (!(flags & kSameRelation)) {
        relation.tablespace = static_cast<uint32_t>(reader.fixed(4));
        relation.database = static_cast<uint32_t>(reader.fixed(4));
        relation.number = static_cast<uint32_t>(reader.fixed(4));
      }
      reader.take(4);
      if (std::ranges::find(record.relations, relation) == record.relations.end()) record.relations.push_back(relation);
    } else {
      return std::nullopt;
    }
    if (!reader.ok()) return std::nullopt;
  }
  reader.take(data);
  record.main = reader.take(main);
  return reader.ok() ? std::optional(std::move(record)) : std::nullopt;
}

std::string wal_record_name(const WalRecord& record) {
  std::string name =
      record.manager < std::size(kManagers) ? kManagers[record.manager] : fmt::format("custom{:03}", record.manager);
  const char* operation = operation_of(record);
  return *operation ? name + " " + operation : name;
}

std::optional<WalCommit> parse_commit(const WalRecord& record, uint16_t magic, bool& damaged) {
  damaged = false;
  const uint8_t operation = record.info & kXactMask;
  if (!record.is(WalManager::transaction) || (operation != kCommit && operation != kCommitPrepared))
    return std::nullopt;
  Reader reader(record.main);
  WalCommit commit;
  commit.time_us = static_cast<int64_t>(reader.fixed(8)) + kEpoch2000;
  auto parts = read_parts(record, reader, magic >= kMagic18 ? 16 : 12);
  if (!parts) {
    damaged = true;
    return std::nullopt;
  }
  commit.xid = parts->prepared.value_or(record.xid);
  commit.subtransactions = std::move(parts->subtransactions);
  return commit;
}

std::vector<uint32_t> parse_abort(const WalRecord& record) {
  if (!record.is(WalManager::transaction) || (record.info & kXactMask) != kAbort) return {};
  Reader reader(record.main);
  reader.take(8);
  auto parts = read_parts(record, reader, 12);
  std::vector<uint32_t> all = parts ? std::move(parts->subtransactions) : std::vector<uint32_t>();
  all.push_back(record.xid);
  return all;
}

}  // namespace holdfast::engine::postgres
