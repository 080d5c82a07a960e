#include <cstdlib>

#include "engine/binlog/transactions.h"

// Any bytes: the scan ends, counts nothing beyond the file, and says trouble or a position that prints and reads back.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  using namespace holdfast::engine::binlog;
  for (const bool relay : {false, true}) {
    MemorySource source(ByteSpan(data, size));
    ScanOptions options;
    options.relay = relay;
    std::vector<LoggedTransaction> transactions;
    std::optional<Format> format;
    options.on_group = [&](const Group& group, const Format& of) {
      if (group.end <= group.offset || group.end > size) std::abort();
      format = of;
      LoggedTransaction transaction;
      transaction.offset = group.offset;
      transaction.end = group.end;
      transactions.push_back(std::move(transaction));
    };
    const Scan scan = scan_log(source, options);
    if (scan.valid_end > size || scan.groups != transactions.size()) std::abort();
    if ((scan.end == Scan::End::trouble) == scan.trouble.empty()) std::abort();
    for (auto& transaction : transactions) look_into(source, *format, transaction);
    for (const auto& gtid : scan.added.mariadb())
      if (parse_mariadb_gtid(gtid.to_string()) != gtid) std::abort();
    uint64_t previous = 0;
    const MysqlSource* of = nullptr;
    const auto intervals = scan.at_start.mysql();
    for (const auto& interval : intervals) {
      if (of && *of == interval.source && interval.first <= previous + 1) std::abort();
      if (interval.first == 0 || interval.last < interval.first) std::abort();
      previous = interval.last;
      of = &interval.source;
    }
  }
  return 0;
}
