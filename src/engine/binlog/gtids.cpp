#include "engine/binlog/gtids.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>

namespace holdfast::engine::binlog {

void Gtids::add(const MariadbGtid& gtid) {
  state_.record({gtid.domain, gtid.server, gtid.sequence});
}

void Gtids::add(const MysqlInterval& interval) {
  if (interval.first == 0 || interval.last < interval.first) return;
  if (!recent_ || recent_->first != interval.source) recent_ = &*sources_.try_emplace(interval.source).first;
  Intervals& all = recent_->second;
  if (!all.empty() && all.rbegin()->second + 1 == interval.first) {  // the next one, as nearly always
    all.rbegin()->second = interval.last;
    return;
  }
  uint64_t first = interval.first, last = interval.last;
  auto next = all.upper_bound(first);
  if (next != all.begin()) {
    auto before = std::prev(next);
    if (before->second + 1 >= first) {
      if (before->second >= last) return;
      before->second = last;
      first = before->first;
    }
  }
  while (next != all.end() && next->first <= last + 1) {
    if (next->second > last) last = next->second;
    next = all.erase(next);
  }
  all[first] = last;
}

void Gtids::add(const GroupStart& start) {
  if (start.mariadb) add(*start.mariadb);
  if (start.mysql) add(*start.mysql);
}

bool Gtids::add_mariadb_list(ByteSpan body) {
  Reader reader(body);
  const uint64_t count = reader.fixed(4) & 0x0fffffff;
  if (!reader.ok() || reader.left() < count * 16) return false;
  for (uint64_t i = 0; i < count; ++i) {
    MariadbGtid gtid;
    gtid.domain = static_cast<uint32_t>(reader.fixed(4));
    gtid.server = static_cast<uint32_t>(reader.fixed(4));
    gtid.sequence = reader.fixed(8);
    if (gtid.sequence == 0) return false;
    add(gtid);
  }
  return reader.left() < 16;  // an empty list is padded
}

bool Gtids::add_previous_gtids(ByteSpan body) {
  Reader reader(body);
  const uint64_t head = reader.fixed(8);
  // With tags: format 1 in the first and the last byte, the number of sources between. Without: the plain number.
  const bool tagged = (head >> 56) == 1 && (head & 0xff) == 1;
  if (!tagged && (head >> 56) != 0) return false;
  const uint64_t count = tagged ? head << 8 >> 16 : head;
  if (!reader.ok() || count > reader.left() / 16) return false;
  for (uint64_t i = 0; i < count; ++i) {
    MysqlInterval interval;
    const ByteSpan uuid = reader.take(16);
    if (!reader.ok()) return false;
    std::memcpy(interval.source.uuid.data(), uuid.data(), 16);
    if (tagged) {
      const uint64_t length = reader.variable();
      if (length > 32) return false;
      interval.source.tag = std::string(as_text(reader.take(length)));
    }
    const uint64_t intervals = reader.fixed(8);
    if (!reader.ok() || intervals > reader.left() / 16) return false;
    uint64_t previous = 0;
    for (uint64_t k = 0; k < intervals; ++k) {
      interval.first = reader.fixed(8);
      const uint64_t behind = reader.fixed(8);
      if (interval.first <= previous || behind <= interval.first ||
          behind > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
        return false;
      interval.last = behind - 1;
      previous = behind - 1;
      add(interval);
    }
  }
  return reader.ok() && reader.left() == 0;
}

std::vector<MariadbGtid> Gtids::mariadb() const {
  std::vector<MariadbGtid> result;
  for (const auto& entry : state_.entries()) result.push_back({entry.domain, entry.server, entry.seq});
  return result;
}

std::vector<MysqlInterval> Gtids::mysql() const {
  std::vector<MysqlInterval> result;
  for (const auto& [source, intervals] : sources_)
    for (const auto& [first, last] : intervals) result.push_back({source, first, last});
  return result;
}

bool Gtids::contains(const MysqlGtid& gtid) const {
  const auto source = sources_.find(gtid.source);
  if (source == sources_.end()) return false;
  const auto next = source->second.upper_bound(gtid.number);
  return next != source->second.begin() && std::prev(next)->second >= gtid.number;
}

bool Gtids::covers(const MariadbGtid& gtid) const {
  return state_.contains({gtid.domain, gtid.server, gtid.sequence});
}

std::string Gtids::text() const {
  std::string text = state_.to_string();
  const std::array<uint8_t, 16>* uuid = nullptr;
  for (const auto& [source, intervals] : sources_) {
    if (intervals.empty()) continue;
    if (!uuid || *uuid != source.uuid) text += (text.empty() ? "" : ",\n") + source.uuid_text();
    uuid = &source.uuid;
    if (!source.tag.empty()) text += ":" + source.tag;
    for (const auto& [first, last] : intervals)
      text += first == last ? fmt::format(":{}", first) : fmt::format(":{}-{}", first, last);
  }
  return text;
}

std::string Gtids::position_text() const {
  return state_.empty() ? text() : state_.last().to_string();
}

}  // namespace holdfast::engine::binlog
