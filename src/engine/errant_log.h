// Errant transactions with their bytes: read where the member's files are, by its agent, and made into files of our own
// by who asked. Between the two go items and bytes, in this order; bytes belong to the item before them:
//
//   {errant, cutShort, systemIdentifier}                what find_errant() says; the last of PostgreSQL
//   {file, received, head, transactions[]}, then bytes  MariaDB, MySQL: a log file with some of them; as bytes a log of
//                                                       nothing else: a head that long, then the transactions
//   {transactions[]}, then bytes                        more of the same file; PostgreSQL: commits, without bytes
//   {records[]}                                         PostgreSQL: of the log after the fork, if asked for
//   {span}                                              one of its pieces, and how far it was read
//   {segment}, then bytes                               a WAL segment or history file
//
// What receives them believes none of it: names lead nowhere, counts have limits, bytes are those that were announced.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "codec/value.h"
#include "engine/errant.h"
#include "engine/stored/window.h"
#include "sys/file.h"

namespace holdfast::engine {

/// One thread's. What it refuses ends the reading.
class ErrantLogSink {
 public:
  virtual ~ErrantLogSink() = default;
  virtual Status item(const codec::Value& item) = 0;
  virtual Status bytes(ByteSpan bytes) = 0;
};

struct ErrantLogOptions {
  bool altered = false;     ///< MySQL: looks whether their tables were altered afterwards
  size_t most_records = 0;  ///< PostgreSQL: records told
};

/// Reads the member's directory only; strictly reading. Gives {altered, recordsCutShort}: "" or what was altered.
/// Memory: `search.most` transactions, and a megabyte.
Result<codec::Value> read_errant_log(const ErrantSearch& search, const ErrantLogOptions& options, ErrantLogSink& to);

/// A log of nothing but some of a member's transactions.
struct LogPiece {
  std::string path;
  bool received = false;     ///< they were in a relay log
  size_t first = 0;          ///< of ErrantLog::list
  std::vector<uint64_t> at;  ///< where each of them begins in the piece
};

struct ErrantLog {
  ErrantList list;               ///< files and offsets are those of the member
  std::string folder;            ///< what follows is in there
  std::vector<LogPiece> pieces;  ///< MariaDB, MySQL
  std::string altered;
  // PostgreSQL
  std::string system_identifier;  ///< "" = its log could not be opened
  codec::Value records{codec::Value::List()}, spans{codec::Value::List()};
  bool records_cut_short = false;
  std::vector<std::string> segments;
};

/// Makes files of what comes, 0600, in a folder that exists and is ours. Errors: "divergence.log" for what does not fit
/// together or goes beyond the limits; "adopt.unfit" (refused) for more than `most_bytes` of transactions.
class ErrantLogFiles : public ErrantLogSink {
 public:
  struct Limits {
    size_t most = 0, most_records = 0;
    uint64_t most_bytes = UINT64_MAX;
  };
  ErrantLogFiles(cluster::Engine engine, std::string folder, const Limits& limits);
  Status item(const codec::Value& item) override;
  Status bytes(ByteSpan bytes) override;
  /// With what the reading gave.
  Result<ErrantLog> finish(const codec::Value& result) &&;

 private:
  Status add_transactions(const codec::Value& item);
  Status open(const std::string& path);

  const cluster::Engine engine_;
  const Limits limits_;
  ErrantLog log_;
  sys::Fd file_;
  uint64_t left_ = 0;     ///< bytes that were announced and have not come
  uint64_t end_ = 0;      ///< of the piece, when they have
  uint64_t total_ = 0;    ///< of all transactions
  std::string own_file_;  ///< the member's, of the piece
};

namespace detail {
codec::Value transaction_value(const ErrantTransaction& transaction);
Status read_errant_wal(const ErrantSearch& search, const ErrantList& list, const ErrantLogOptions& options,
                       ErrantLogSink& to, codec::Value& result);
/// Bytes of an open file from `at` to `end`; "divergence.log" when it ends before.
Status send_bytes(stored::Source& from, uint64_t at, uint64_t end, const std::stop_token& stop, ErrantLogSink& to);
}  // namespace detail

}  // namespace holdfast::engine
