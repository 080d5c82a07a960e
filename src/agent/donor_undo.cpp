// What a copy changes on its donor for as long as it lasts, and how that is taken back.
//
// <dir>/donor-undo.<donor>.json: {"donor": name, "superReadOnly": true, "clonePlugin": true, "cloneStatement": SQL,
// "slot": name}: end the CLONE that still runs, put super_read_only back on, unload the plug-in, drop the slot.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "agent/copy.h"
#include "agent/peer_copy.h"
#include "sql/postgres.h"
#include "sys/file.h"
#include "sys/process.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using codec::Value;

namespace {

std::string note_of(const MemberConfig& c, const std::string& donor) {
  return c.dir + "/donor-undo." + donor + ".json";
}

std::vector<std::string> notes_in(const std::string& dir) {
  std::vector<std::string> notes;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(dir, error))
    if (entry.path().filename().string().starts_with("donor-undo.")) notes.push_back(entry.path().string());
  return notes;
}

Result<Value> read_note(const std::string& path) {
  auto text = sys::read_file(path);
  if (!text && text.error().id == "store.not_found") return Value();
  if (!text) return fail(std::move(text).error());
  return codec::parse_value(as_text(text->span()));
}

/// Kills the connections that run this statement, and waits until it has ended.
Status end_statement(sql::MariadbConnection& connection, const std::string& statement, Deadline deadline,
                     std::stop_token stop) {
  Status trouble;
  const bool ended = TRY(sys::wait_until(
      [&] {
        // Not compared by the server: other sessions' statements may hold what its process table cannot convert.
        auto all = connection.query("SHOW FULL PROCESSLIST", deadline, stop);
        if (!all) {
          trouble = fail(std::move(all).error());
          return true;
        }
        bool runs = false;
        for (size_t i = 0; i < all->rows.size(); ++i) {
          if (all->text("Info", i) != statement) continue;
          runs = true;
          // It may have ended meanwhile: then there is nobody to kill.
          (void)connection.query("KILL " + all->text("Id", i), deadline, stop);
        }
        return !runs;
      },
      deadline, stop));
  if (!trouble || ended) return trouble;
  return fail(ErrorClass::unavailable, "agent.donor_busy", "the donor is still writing to an abandoned copy");
}

Status undo_mysql(const sql::Target& target, const Value& note, Deadline deadline, std::stop_token stop) {
  auto connection = TRY(sql::MariadbConnection::connect(target, deadline, stop));
  auto run = [&](const char* statement) -> Status {
    TRY(connection.query(statement, deadline, stop));
    return {};
  };
  if (const std::string clone = note["cloneStatement"].text(); !clone.empty())
    TRY_VOID(end_statement(connection, clone, deadline, stop));
  if (note["clonePlugin"].boolean()) {
    TRY_VOID(run("SET SESSION sql_log_bin = 0"));
    TRY_VOID(run("SET GLOBAL super_read_only = OFF"));
    auto there = TRY(connection.query(
        "SELECT count(*) AS n FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'clone'", deadline, stop));
    Status gone;
    if (there.text("n") != "0") gone = run("UNINSTALL PLUGIN clone");
    if (note["superReadOnly"].boolean()) TRY_VOID(run("SET GLOBAL super_read_only = ON"));
    return gone;
  }
  if (note["superReadOnly"].boolean()) return run("SET GLOBAL super_read_only = ON");
  return {};
}

Status undo_postgres(const sql::Target& target, const Value& note, Deadline deadline, std::stop_token stop) {
  if (note["slot"].text().empty()) return {};
  auto connection = TRY(sql::PostgresConnection::connect(target, deadline, stop));
  TRY(
      connection.query("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND "
                       "slot_name = " +
                           sql::quote_postgres(note["slot"].text()),
                       deadline, stop));
  return {};
}

Status undo_one(const MemberConfig& config, const std::string& path, Deadline deadline, std::stop_token stop) {
  const Value note = TRY(read_note(path));
  const std::string name = note["donor"].text();
  const sql::Target target = TRY(peer_admin(config, name, deadline, stop));
  if (config.engine == cluster::Engine::postgres) {
    TRY_VOID(undo_postgres(target, note, deadline, stop).context("undoing changes on " + name));
  } else {
    TRY_VOID(undo_mysql(target, note, deadline, stop).context("undoing changes on " + name));
  }
  if (::unlink(path.c_str()) != 0) return fail(sys::errno_error(errno, "remove " + path));
  return sys::sync_directory(config.dir);
}

}  // namespace

Status detail::note_donor_change(const CopyJob& job, const std::string& what, const Value& value) {
  const std::string path = note_of(job.config, job.donor.config.member);
  Value note = TRY(read_note(path));
  note.set("donor", job.donor.config.member);
  note.set(what, value);
  return sys::publish_file(path, as_bytes(codec::to_json(note) + "\n"), 0600);
}

Status detail::keep_donor_changes(const CopyJob& job) {
  const std::string path = note_of(job.config, job.donor.config.member);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail(sys::errno_error(errno, "remove " + path));
  return sys::sync_directory(job.config.dir);
}

bool can_undo_donor_changes(const MemberConfig& config, Deadline deadline, const std::stop_token& stop) {
  return std::ranges::any_of(notes_in(config.dir), [&](const std::string& path) {
    const auto note = read_note(path);
    return note && peer_admin(config, (*note)["donor"].text(), deadline, stop);
  });
}

Status undo_donor_changes(const MemberConfig& config, Deadline deadline, std::stop_token stop) {
  Status result;
  for (const auto& path : notes_in(config.dir)) {
    auto undone = undo_one(config, path, deadline, stop);
    if (!undone && result) result = std::move(undone);
  }
  return result;
}

}  // namespace holdfast::agent
