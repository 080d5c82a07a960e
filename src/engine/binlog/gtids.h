// What a binary log says was committed, collected transaction by transaction. A collector only: what it found is
// compared in the position module. MySQL's intervals are kept in trees here, since a position::GtidSet is built in time
// linear in its size, and a log adds its transactions one by one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/binlog/event.h"
#include "position/gtid_vector.h"

namespace holdfast::engine::binlog {

struct MysqlInterval {
  MysqlSource source;
  uint64_t first = 0, last = 0;  ///< both included
  bool operator==(const MysqlInterval&) const = default;
};

class Gtids {
 public:
  Gtids() = default;
  Gtids(const Gtids& other) : state_(other.state_), sources_(other.sources_) {}
  Gtids(Gtids&& other) noexcept { swap(other); }
  Gtids& operator=(Gtids other) noexcept {
    swap(other);
    return *this;
  }
  ~Gtids() = default;

  /// MariaDB: the newest of its domain and server, and the last of its domain.
  void add(const MariadbGtid& gtid);
  void add(const MysqlGtid& gtid) { add({gtid.source, gtid.number, gtid.number}); }
  void add(const MysqlInterval& interval);
  void add(const GroupStart& start);

  /// Body of a MariaDB GTID list event (without checksum). False (and nothing usable added) when it makes no sense.
  bool add_mariadb_list(ByteSpan body);
  /// Body of a Previous_gtids event, with or without tags.
  bool add_previous_gtids(ByteSpan body);

  bool empty() const { return state_.empty() && sources_.empty(); }
  /// By domain, by server; the last of each domain stands last of it.
  std::vector<MariadbGtid> mariadb() const;
  /// By uuid and tag, ascending, joined.
  std::vector<MysqlInterval> mysql() const;
  bool contains(const MysqlGtid& gtid) const;
  /// MariaDB: it, or a later one of the same domain and server.
  bool covers(const MariadbGtid& gtid) const;

  /// "0-1-5,0-2-7" as @@gtid_binlog_state, or "uuid:1-5:8,\nuuid:tag:1" as @@gtid_executed.
  std::string text() const;
  /// MariaDB: only the last of each domain, as @@gtid_binlog_pos. MySQL: the same as text().
  std::string position_text() const;

 private:
  position::GtidState state_;                      // MariaDB
  using Intervals = std::map<uint64_t, uint64_t>;  // first -> last
  std::map<MysqlSource, Intervals> sources_;
  std::pair<const MysqlSource, Intervals>* recent_ = nullptr;  // in sources_: where the last one was added

  void swap(Gtids& other) noexcept {
    std::swap(state_, other.state_);
    sources_.swap(other.sources_);
    std::swap(recent_, other.recent_);
  }
};

}  // namespace holdfast::engine::binlog
