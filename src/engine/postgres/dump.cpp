// A dump of a whole PostgreSQL cluster at one point.
//
// pg_dumpall gives each database its own moment. Here one snapshot per database is exported first, all at the same
// point: on a standby while replay is paused (for milliseconds; the point is then the replay position, exactly), on a
// primary by taking them in one go until all are equal, which needs a moment without a commit. Then pg_dumpall writes
// the roles and pg_dump each database from its snapshot; the parts are joined the way pg_dumpall joins them, so psql
// restores the file; between them stand statements of our own (dump_statements.h).
//
// A session for each database is held from the moment of the snapshots on. Where the server has too few of them left,
// the databases are dumped in groups, each at a point of its own.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "engine/dump.h"
#include "engine/postgres/dump_notes.h"
#include "engine/postgres/dump_statements.h"
#include "engine/private_files.h"
#include "engine/producer.h"
#include "engine/programs.h"
#include "engine/row_checksum.h"
#include "engine/table_checksums.h"
#include "sql/postgres.h"
#include "sql/transport.h"

namespace holdfast::engine {
namespace {

using std::chrono::seconds;

constexpr int kAttempts = 50;
/// The one encoding of databases that no other is converted to.
constexpr std::string_view kUnconverted = "MULE_INTERNAL";

struct Session {
  std::string database;
  std::optional<sql::PostgresConnection> connection;  ///< holds the transaction that keeps the snapshot
  std::string snapshot;
  DataFrame frame;
  std::string encoding;               ///< of the database, and of its part of the dump: names there are in it
  std::vector<std::string> left_out;  ///< patterns of pg_dump: relations whose content cannot be read here
};

Deadline soon() {
  return Deadline::in(seconds(30));
}

// Resumes replay whatever happens between; a standby must not stay paused because a backup failed.
class ReplayPause {
 public:
  static Result<std::unique_ptr<ReplayPause>> begin(sql::PostgresConnection& connection, std::stop_token stop) {
    auto state = TRY(connection.query("SELECT pg_get_wal_replay_pause_state() AS s", soon(), stop));
    if (state.text("s") != "not paused") {
      return fail(ErrorClass::refused, "engine.replay_paused", "WAL replay is paused on this standby",
                  "SELECT pg_wal_replay_resume(), or name another member with -i");
    }
    TRY(connection.query("SELECT pg_wal_replay_pause()", soon(), stop));
    auto pause = std::unique_ptr<ReplayPause>(new ReplayPause(connection));
    const auto deadline = Deadline::in(seconds(20));
    while (true) {
      auto now = TRY(connection.query("SELECT pg_get_wal_replay_pause_state() AS s, pg_sleep(0.002)", soon(), stop));
      if (now.text("s") == "paused") return pause;
      if (deadline.passed()) {
        return fail(ErrorClass::unavailable, "engine.replay_pause", "WAL replay does not pause on this standby");
      }
    }
  }
  Status end() {
    if (!connection_) return {};
    auto* connection = std::exchange(connection_, nullptr);
    auto done = connection->query("SELECT pg_wal_replay_resume()", soon());
    if (!done) return fail(std::move(done).error());
    return {};
  }
  ~ReplayPause() { (void)end(); }

 private:
  explicit ReplayPause(sql::PostgresConnection& connection) : connection_(&connection) {}
  sql::PostgresConnection* connection_;
};

class PostgresDump : public DumpStream {
 public:
  PostgresDump(DumpRequest request, std::stop_token stop, PrivateFile passfile)
      : request_(std::move(request)), stop_(std::move(stop)), passfile_(std::move(passfile)) {}

  Status open() {
    sql::Target target = request_.target;
    target.database.clear();
    main_ = TRY(open_dump_session(target, stop_));
    home_ = main_->database();
    auto facts = TRY(main_->query(
        "SELECT current_setting('server_version') AS v, pg_is_in_recovery() AS r, "
        "(SELECT system_identifier FROM pg_control_system()) AS i, (SELECT timeline_id FROM "
        "pg_control_checkpoint()) AS t, EXISTS (SELECT FROM pg_database WHERE datname = 'postgres') AS usual",
        soon(), stop_));
    info_.server_version = facts.text("v");
    pg_dump_ = TRY(find_program(request_.engine, "pg_dump", postgres_major(info_.server_version)));
    auto version = TRY(sys::run_ok({.argv = {pg_dump_, "--version"}}, soon(), stop_));
    info_.tool_version = version.out.substr(0, version.out.find('\n'));
    info_.lineage = facts.text("i") + "/" + facts.text("t");
    const bool standby = facts.text("r") == "t";

    auto databases = TRY(
        main_->query("SELECT datname AS d FROM pg_database WHERE datallowconn AND datconnlimit <> -2 AND datname <> "
                     "'template0' ORDER BY (datname <> 'template1'), datname",
                     soon(), stop_));
    for (size_t i = 0; i < databases.rows.size(); ++i) databases_.push_back(databases.text("d", i));
    standby_ = standby;
    if (facts.text("usual") != "t")
      info_.notes.push_back(
          {"database.missing", "postgres", "the server has no database postgres; what is restored has an empty one"});
    TRY_VOID(note_server(*main_, standby, request_.primary, info_, stop_));
    settings_ = TRY(server_settings(*main_, stop_));
    return next_group();
  }

  Result<size_t> read(MutableByteSpan into) override {
    while (true) {
      if (!pending_.empty()) {
        const size_t part = std::min(pending_.size() - given_, into.size());
        std::copy_n(pending_.data() + given_, part, into.data());
        given_ += part;
        if (given_ == pending_.size()) {
          pending_.clear();
          given_ = 0;
        }
        scanner_.feed({into.data(), part});
        return part;
      }
      if (producer_) {
        auto got = producer_->read(into);
        if (!got) return fail(explained(std::move(got).error()));
        if (*got > 0) {
          pending_ = inserter_->feed(as_text({into.data(), *got}));
          continue;
        }
        if (checksums_) TRY_VOID(add_checksums());
        producer_.reset();
        pending_ = inserter_->feed("\n");
        inserter_.reset();
        sessions_[next_].connection.reset();
        ++next_;
        continue;
      }
      if (done_) return 0;
      if (next_ == sessions_.size() && begun_ < databases_.size()) TRY_VOID(next_group());
      if (!pending_.empty()) continue;
      if (next_ < sessions_.size()) {
        TRY_VOID(start_database());
        continue;
      }
      if (!ended_) {
        pending_ = "--\n-- PostgreSQL database cluster dump complete\n--\n\n";
        ended_ = true;
        continue;
      }
      if (!scanner_.complete()) {
        return fail(ErrorClass::failed, "engine.dump_incomplete",
                    fmt::format("the dump of {} is not complete", request_.member), kDumpIncompleteHint);
      }
      info_.counts = scanner_.counts();
      info_.settings = settings_;
      done_ = true;
    }
  }
  const DumpInfo& info() const override { return info_; }

 private:
  Status export_snapshots() {
    for (auto& session : sessions_) {
      TRY(session.connection->query("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", soon(), stop_));
      session.snapshot = TRY(session.connection->query("SELECT pg_export_snapshot() AS s", soon(), stop_)).text("s");
    }
    return {};
  }

  // What pg_dump leaves out, and what is to be told. That is text in UTF-8, but for names that are bytes of any
  // encoding.
  Status look_at(Session& session) {
    auto& connection = *session.connection;
    session.encoding = TRY(speak_own_encoding(connection, stop_));
    if (session.encoding != "SQL_ASCII" && session.encoding != kUnconverted)
      TRY(connection.query("SET client_encoding = 'UTF8'", soon(), stop_));
    TRY_VOID(note_database(connection, session.database, standby_, info_, stop_));
    TRY(speak_own_encoding(connection, stop_));
    if (standby_) session.left_out = TRY(unlogged_sequences(connection, stop_));
    session.frame = TRY(data_frame(connection, stop_));
    return {};
  }

  // Sessions for the databases that are next, as many as the server has places for, and their snapshots at one point.
  Status next_group() {
    const size_t first = begun_;
    auto places = TRY(main_->query(
        "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - "
        "(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS n",
        soon(), stop_));
    // Half of what is free is left to others; pg_dump and pg_dumpall take one more, one after the other.
    const auto free = std::strtoll(places.text("n").c_str(), nullptr, 10);
    const size_t most = static_cast<size_t>(std::max(1LL, free / 2));
    std::vector<Session> group;
    sql::Target target = request_.target;
    while (begun_ < databases_.size() && group.size() < most) {
      target.database = databases_[begun_];
      auto session = open_dump_session(target, stop_);
      if (!session && !group.empty() && session.error().message.find("too many") != std::string::npos) break;
      group.push_back(
          {databases_[begun_], TRY(std::move(session).context("database " + databases_[begun_])), {}, {}, {}, {}});
      ++begun_;
    }
    sessions_ = std::move(group);
    next_ = 0;
    TRY_VOID(standby_ ? snapshots_on_standby(first == 0) : snapshots_on_primary(first == 0));
    if (first > 0) {
      info_.position_exact = false;
      info_.notes.push_back({"database.later", databases_[first],
                             fmt::format("{} databases from {} on were dumped at a later point, {}: the server has too "
                                         "few free connections to hold one for each (max_connections)",
                                         sessions_.size(), databases_[first], info_.position_to)});
    }
    for (auto& session : sessions_) {
      TRY_VOID(look_at(session).context("database " + session.database));
      if (!session.frame.objects.empty())
        session.frame.objects = fmt::format("SET client_encoding = '{}';\n{}", session.encoding, session.frame.objects);
    }
    return {};
  }

  Status globals() {
    const std::string program = TRY(find_program(request_.engine, "pg_dumpall", postgres_major(info_.server_version)));
    sys::Command command;
    command.argv = {program, "--globals-only", "--no-password", "-d",
                    TRY(postgres_conninfo(request_.target, passfile_.path(), home_))};
    command.clear_env = true;
    command.env = {{"PGTZ", "UTC"}, {"PGOPTIONS", kDumpOptions}};
    run_as_peer(command, request_.target);
    auto output = TRY(Producer::start(std::move(command), request_.stall_limit, stop_));
    std::string text;
    std::vector<uint8_t> block(64 << 10);
    for (size_t got = TRY(output.read(block)); got > 0; got = TRY(output.read(block)))
      text += as_text({block.data(), got});
    const std::string_view end = "-- PostgreSQL database cluster dump complete";
    const size_t at = text.rfind(end);
    if (at == std::string::npos) {
      return fail(ErrorClass::failed, "engine.dump_incomplete",
                  "pg_dumpall --globals-only did not write its end marker", kDumpIncompleteHint);
    }
    // The marker ends the whole file, so here it goes (with the "--" line above it).
    pending_ = text.substr(0, at);
    if (pending_.ends_with("--\n")) pending_.erase(pending_.size() - 3);
    const size_t rest = text.find("--\n", at + end.size());
    if (rest != std::string::npos) pending_ += text.substr(rest + 3);
    if (pending_.find_first_not_of('\n') != std::string::npos && !pending_.ends_with('\n')) pending_ += '\n';
    pending_ = with_in_place_tablespaces(pending_) + TRY(server_properties(*main_, stop_));
    return {};
  }

  // Those of the first group say where the dump stands; a later one moves only its end.
  Status snapshots_on_standby(bool first) {
    auto pause = TRY(ReplayPause::begin(*main_, stop_));
    info_.position_to = TRY(main_->query("SELECT pg_last_wal_replay_lsn() AS l", soon(), stop_)).text("l");
    TRY_VOID(export_snapshots());
    if (first) TRY_VOID(globals());
    TRY_VOID(pause->end());
    if (!first) return {};
    info_.position = info_.position_from = info_.position_to;
    info_.position_exact = true;
    return {};
  }

  Status snapshots_on_primary(bool first) {
    if (!first) {
      TRY_VOID(export_snapshots());
      info_.position_to = TRY(main_->query("SELECT pg_current_wal_insert_lsn() AS l", soon(), stop_)).text("l");
      return {};
    }
    TRY_VOID(globals());
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      info_.position_from = TRY(main_->query("SELECT pg_current_wal_insert_lsn() AS l", soon(), stop_)).text("l");
      const std::string running =
          TRY(main_->query("SELECT count(*) AS n FROM pg_locks WHERE locktype = 'transactionid' AND "
                           "mode = 'ExclusiveLock' AND granted",
                           soon(), stop_))
              .text("n");
      TRY_VOID(export_snapshots());
      info_.position_to = TRY(main_->query("SELECT pg_current_wal_insert_lsn() AS l", soon(), stop_)).text("l");
      // Equal positions before and after: no WAL at all was written while the snapshots were taken. What runs may have
      // logged its commit before and show it later: while it waits for a standby's answer, say.
      info_.position = info_.position_to;
      info_.position_exact = info_.position_from == info_.position_to && running == "0";
      if (info_.position_from == info_.position_to) return {};
      if (TRY(same_snapshot())) return {};  // WAL was written, but nothing committed: one point, its LSN within bounds
      for (auto& session : sessions_) TRY(session.connection->query("ROLLBACK", soon(), stop_));
    }
    TRY_VOID(export_snapshots());
    info_.position_to = TRY(main_->query("SELECT pg_current_wal_insert_lsn() AS l", soon(), stop_)).text("l");
    info_.position = info_.position_from;
    if (sessions_.size() > 3) {
      info_.remarks.push_back(
          "databases were snapshotted some milliseconds apart: the server did not stop committing for a moment");
    }
    return {};
  }

  Result<bool> same_snapshot() {
    std::string first;
    for (auto& session : sessions_) {
      const std::string text =
          TRY(session.connection->query("SELECT pg_current_snapshot()::text AS s", soon(), stop_)).text("s");
      if (first.empty()) first = text;
      if (text != first) return false;
    }
    return true;
  }

  Status start_database() {
    const Session& session = sessions_[next_];
    const bool exists_always = session.database == "template1" || session.database == "postgres";
    // pg_dump cannot name it, or sets its encoding before it connects to it.
    const bool by_us = session.database.find_first_of("\n\r") != std::string::npos || session.encoding == kUnconverted;
    std::string name;
    for (char c : session.database) name += c == '\n' || c == '\r' ? ' ' : c;
    pending_ = fmt::format("--\n-- Databases\n--\n\n--\n-- Database \"{}\" dump\n--\n\n", name);
    // The head of a database's dump sets its encoding, which not every other database can be read in.
    pending_ += fmt::format("\\connect {}\nSET client_encoding = 'UTF8';\n{}", home_, after_connect()) + "\n";
    if (by_us) pending_ += TRY(create_database(*main_, session.database, stop_));
    if (exists_always || by_us) {
      pending_ += TRY(database_properties(*main_, session.database, stop_));
      pending_ += by_us ? connect_command(session.database) : fmt::format("\\connect {}\n", session.database);
      pending_ += after_connect() + session.frame.objects + "\n";
    }
    sys::Command command;
    command.argv = {pg_dump_, "--no-password", "--snapshot=" + session.snapshot, "--encoding=" + session.encoding};
    if (!exists_always && !by_us) command.argv.push_back("--create");
    for (const auto& pattern : session.left_out) command.argv.push_back("--exclude-table-data=" + pattern);
    command.argv.push_back("-d");
    command.argv.push_back(TRY(postgres_conninfo(request_.target, passfile_.path(), session.database)));
    command.clear_env = true;
    command.env = {{"PGTZ", "UTC"}, {"PGOPTIONS", kDumpOptions}};
    run_as_peer(command, request_.target);
    inserter_.emplace(after_connect(), session.frame);
    producer_ = std::make_unique<Producer>(TRY(Producer::start(std::move(command), request_.stall_limit, stop_)));
    if (request_.checksums) start_checksums();
    return {};
  }

  // In the session that holds the database's snapshot: no further connection, and nothing else uses it now.
  void start_checksums() {
    checksums_ = std::make_unique<BackgroundChecksums>(
        [session = &*sessions_[next_].connection,
         database = sessions_[next_].database](const std::stop_token& stop) -> Result<ChecksumResults> {
          const AskSession ask = [session](const std::string& statement, const std::stop_token& asked) {
            return session->query(statement, Deadline::never(), asked);
          };
          TRY(ask(session_settings(cluster::Engine::postgres), stop));
          return take_checksums(TRY(postgres_checksum_shapes(ask, database, stop)), ask, stop);
        });
  }
  Status add_checksums() {
    auto found = checksums_->finish(stop_);
    checksums_.reset();
    if (!found) return fail(explained(std::move(found).error()));
    if (!info_.checksums) info_.checksums.emplace();
    info_.checksums->sums.merge(found->sums);
    info_.checksums->without.merge(found->without);
    return {};
  }

  Error explained(Error error) const {
    if (error.message.find("conflict with recovery") != std::string::npos) {
      error.error_class = ErrorClass::unavailable;
      error.id = "engine.recovery_conflict";
      error.hint =
          "the standby had to replay what the dump was reading: set hot_standby_feedback = on there, or name the "
          "primary with -i";
    }
    return error;
  }

  const DumpRequest request_;
  const std::stop_token stop_;
  PrivateFile passfile_;
  std::string pg_dump_;
  std::string home_;  ///< the database main_ is connected to
  std::optional<sql::PostgresConnection> main_;
  std::vector<Session> sessions_;
  size_t next_ = 0;
  std::vector<std::string> databases_;
  size_t begun_ = 0;  ///< of databases_: in this group or an earlier one
  bool standby_ = false;
  std::string settings_;
  std::string pending_;
  size_t given_ = 0;  ///< of pending_
  std::optional<DumpInserter> inserter_;
  std::unique_ptr<BackgroundChecksums> checksums_;  ///< behind the sessions it uses
  std::unique_ptr<Producer> producer_;
  DumpScanner scanner_{DumpFlavour::postgres};
  DumpInfo info_;
  bool ended_ = false, done_ = false;
};

}  // namespace

Result<std::unique_ptr<DumpStream>> open_postgres_dump(const DumpRequest& request, std::stop_token stop) {
  auto passfile =
      TRY(PrivateFile::create("pgpass", postgres_password_file(request.target), sql::peer_of(request.target)));
  auto dump = std::make_unique<PostgresDump>(request, std::move(stop), std::move(passfile));
  TRY_VOID(dump->open());
  return dump;
}

}  // namespace holdfast::engine
