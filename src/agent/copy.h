// Physical copies of a running member, made into a data directory of ours: what a rebuild of a broken member needs.
//
// Everything is read from the donor while it serves; nothing is changed there but what ends with the copy (a base
// backup's checkpoint, a plug-in that was not loaded, a slot), and that is journaled in <dir>/donor-undo.<donor>.json
// first, so that it is undone also after a crash of this agent (undo_donor_changes).
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/config.h"
#include "agent/progress.h"
#include "base/deadline.h"
#include "base/result.h"
#include "codec/value.h"
#include "sql/mariadb.h"
#include "sql/rows.h"
#include "sys/process.h"

namespace holdfast::agent {

struct Donor {
  MemberConfig config;  ///< of one on another host: only what names it
  sql::Target socket;   ///< administrator
  std::string data_dir;
  bool remote = false;  ///< its files are not within reach: what is copied comes from its agent
  uint64_t bytes = 0;   ///< what a copy of it takes on disk, logs that are not copied left out
};

/// Another member of the same cluster: found beside our own directory, or asked for at its agent. Refusals:
/// "agent.donor" (no such member, this one itself, another engine or cluster, not running, data in places a copy would
/// not reach).
Result<Donor> find_donor(const MemberConfig& member, const std::string& name, Deadline deadline, std::stop_token stop);

/// The same of a member of this machine, by its own configuration.
Result<Donor> describe_donor(MemberConfig config, Deadline deadline, std::stop_token stop);

/// Is there room for `needed` bytes and `reserve` more on the volume of config.dir? "agent.no_space" (refused).
Status check_space(const MemberConfig& config, uint64_t needed, uint64_t reserve);

struct CopyJob {
  const MemberConfig& config;  ///< data_dir() is empty and ours to fill
  const Donor& donor;
  Progress& progress;
  Deadline deadline;
  std::stop_token stop;
  uint64_t rate = 0;  ///< bytes a second that are read from the donor; 0 = as many as come
};

/// Fills data_dir() and returns what it is a copy of: {"position", "lineage", "bytes", ...}; see agent.h.
Result<codec::Value> copy_from_donor(const CopyJob& job);

/// PostgreSQL: brings the stopped data_dir() back onto the donor's timeline: {rewound, fromTimeline, toTimeline}.
Result<codec::Value> rewind_to_donor(const CopyJob& job);
/// PostgreSQL: fills a side directory with a copy of the member's own stopped data directory `from`, rewound onto the
/// donor: the same fields as copy_from_donor(). "agent.rewind" where it cannot be rewound, or would not get far
/// with the WAL that is left; what was made is to be thrown away then.
Result<codec::Value> copy_rewound(const CopyJob& job, const std::string& from);

/// Undoes what a crashed copy left changed on its donor; fine when there is nothing. An error leaves the note in place.
Status undo_donor_changes(const MemberConfig& config, Deadline deadline, std::stop_token stop);
/// Whether there is something to undo, and a donor of it answers now.
bool can_undo_donor_changes(const MemberConfig& config, Deadline deadline, const std::stop_token& stop);

namespace detail {

Result<codec::Value> copy_mariadb(const CopyJob& job);
Result<codec::Value> copy_mysql(const CopyJob& job);
Result<codec::Value> copy_postgres(const CopyJob& job);

/// Adds one note of what will be changed on the donor; durable when it returns. Field values: see donor_undo.cpp.
Status note_donor_change(const CopyJob& job, const std::string& what, const codec::Value& value);

/// PostgreSQL: the member's own slot on `target`, holding WAL from now on. True when it was made here; one that has
/// lost its WAL is made anew.
Result<bool> hold_wal(const CopyJob& job, const sql::Target& target);

/// What was noted so far stays on the donor: the new member needs it.
Status keep_donor_changes(const CopyJob& job);

/// mariadb-backup and mbstream: how many files at once.
std::string copy_threads();
/// mariadb-backup: through the page cache, where the kernel reads ahead and writes behind: by default each block waits
/// for the disk twice, and a copy of one big table takes half as long again to twice as long.
inline constexpr const char* kThroughPageCache = "--innodb-flush-method=fsync";

/// Runs a program, a child that dies with us; what it says goes to <dir>/log/copy.log, what it writes counts as
/// progress.
Status run_logged(const CopyJob& job, sys::Command command);

/// A server of our own on job.config's data directory (which may be another than the member's), reachable by a socket
/// of its own only, for as long as `use` runs; then stopped in order, or killed when its data is not kept.
enum class Afterwards { stop, kill };
Status with_private_server(const CopyJob& job, const MemberConfig& config, Afterwards afterwards,
                           const std::function<Status(sql::MariadbConnection&)>& use);

/// The administrator of a server of `config`, over its socket.
Result<sql::Target> admin_target(const MemberConfig& config);
/// A file with a password in etc_dir() that `reader`'s user can read; unlinked with the object.
class SecretFile {
 public:
  static Result<SecretFile> create(const MemberConfig& config, const MemberConfig& reader, const std::string& name,
                                   const Secret& body);
  SecretFile(SecretFile&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  SecretFile& operator=(SecretFile&&) = delete;
  ~SecretFile();
  const std::string& path() const { return path_; }

 private:
  explicit SecretFile(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// "db/t.ibd", the files of a copy that no server needs: removed.
void remove_files(const MemberConfig& config, std::initializer_list<const char*> names);
/// What a directory takes, counted as the server's user.
uint64_t bytes_on_disk(const MemberConfig& config, const std::string& path);

}  // namespace detail

}  // namespace holdfast::agent
