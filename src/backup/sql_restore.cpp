#include "backup/sql_restore.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "backup/mysql_selection.h"
#include "backup/postgres_selection.h"
#include "backup/replay_proof.h"

namespace holdfast::backup {
namespace {

using cluster::Engine;
using engine::TableName;

void say(const SqlRestoreRequest& request, const std::string& line) {
  if (request.restore.say) request.restore.say(line);
}

std::string names(const std::vector<std::string>& list) {
  return fmt::format("{}", fmt::join(list, ", "));
}

bool is_system(Engine engine, std::string_view name) {
  return engine == Engine::postgres ? is_postgres_system_database(name) : is_mysql_system_database(name);
}

/// Of the snapshot's databases those that are wanted.
Result<std::vector<std::string>> chosen(const SqlRestoreRequest& request, const DumpContent& content) {
  std::vector<std::string> all;
  for (const auto& database : content.databases) all.push_back(database.name);
  const std::string has = all.empty() ? "it has none of users" : "it has " + names(all);
  for (const auto& name : request.databases)
    if (!content.find(name))
      return fail(
          ErrorClass::refused, "restore.no_databases",
          is_system(request.restore.engine, name)
              ? fmt::format("{} is a database of the server itself, and is not restored over SQL", name)
              : fmt::format("snapshot {} has no database {}", request.restore.choice.snapshot.id.short_hex(), name),
          has);
  if (!request.databases.empty()) {
    std::erase_if(all, [&](const auto& name) { return std::ranges::count(request.databases, name) == 0; });
    return all;
  }
  if (all.empty())
    return fail(ErrorClass::refused, "restore.no_databases",
                fmt::format("snapshot {} has no databases of users", request.restore.choice.snapshot.id.short_hex()),
                content.of_server.empty() ? "holdfast get backups lists the others"
                                          : fmt::format("it has tables in {}: restore --into DIR has them",
                                                        fmt::join(content.of_server, ", ")));
  return all;
}

Status accept_replacing(const SqlRestoreRequest& request, const std::vector<std::string>& replaced) {
  std::vector<std::string> asked;
  std::string flags;
  for (const auto& name : replaced) {
    if (request.replace.contains(name)) continue;
    asked.push_back(name);
    flags += fmt::format(" --accept=replace-database:{}", name);
  }
  if (asked.empty()) return {};
  return fail(ErrorClass::refused, "restore.replace_database",
              fmt::format("{} already has {}; a restore would replace what is in {}", request.cluster, names(asked),
                          asked.size() == 1 ? "it" : "them"),
              fmt::format("accept each by name:{}; --database NAME restores others alone", flags));
}

PlaceRequest place_request(const SqlRestoreRequest& request, const SqlRestorePlan& plan) {
  PlaceRequest wanted;
  for (const auto* list : {&plan.created, &plan.replaced})
    for (const auto& name : *list) wanted.databases.push_back(plan.content.find(name));
  wanted.replaced.insert(plan.replaced.begin(), plan.replaced.end());
  wanted.roles = plan.content.roles;
  wanted.keep_going = request.restore.choices.keep_going;
  wanted.snapshot = request.restore.choice.snapshot.id.short_hex();
  wanted.say = [&request](const std::string& line) { say(request, request.member + ": " + line); };
  return wanted;
}

/// The entries of databases that are restored, under the names they have on the server.
template <class Value>
std::map<TableName, Value> there(const std::map<TableName, Value>& tables,
                                 const std::map<std::string, std::string>& databases) {
  std::map<TableName, Value> found;
  for (const auto& [table, value] : tables) {
    const auto here = databases.find(table.database);
    if (here != databases.end()) found[{here->second, table.schema, table.table}] = value;
  }
  return found;
}

template <class Value>
std::map<TableName, Value> back(const std::map<TableName, Value>& tables,
                                const std::map<std::string, std::string>& databases) {
  std::map<std::string, std::string> reverse;
  for (const auto& [name, here] : databases) reverse[here] = name;
  return there(tables, reverse);
}

/// The server's own name of a database is no name that a person knows.
std::string with_names(std::string text, const std::map<std::string, std::string>& databases) {
  for (const auto& [name, here] : databases)
    for (size_t at = 0; here != name && (at = text.find(here, at)) != std::string::npos;) {
      const size_t end = at + here.size();
      const bool longer = end < text.size() && text[end] >= '0' && text[end] <= '9';  // ..._1 is not ..._10
      if (!longer) text.replace(at, here.size(), name);
      at = longer ? end : at + name.size();
    }
  return text;
}

/// What the dump holds of these databases.
void keep_counts_of(engine::DumpCounts& counts, const SqlRestorePlan& plan, const std::set<std::string>& databases) {
  std::erase_if(counts.table_rows, [&](const auto& table) { return !databases.contains(table.first.database); });
  engine::DumpCounts of_these;
  of_these.bytes = counts.bytes;
  of_these.databases = databases.size();
  of_these.table_rows = std::move(counts.table_rows);
  for (const auto& name : databases) {
    const auto* database = plan.content.find(name);
    of_these.tables += database->tables;
    of_these.rows += database->rows;
    of_these.views += database->others;  // all that are no tables; only their sum is shown
  }
  counts = std::move(of_these);
}

Result<RowProof> prove_these(const SqlRestoreRequest& request, const ReplayReport& replayed, const sql::Target& server,
                             const std::map<std::string, std::string>& databases, const std::stop_token& stop) {
  RestoreRequest quiet = request.restore;
  quiet.say = [&](const std::string& line) { say(request, with_names(line, databases)); };
  Proof proof = proof_of(quiet, replayed, server, request.member);
  proof.counts.table_rows = there(proof.counts.table_rows, databases);
  proof.uncounted = there(proof.uncounted, databases);
  if (proof.checksums) {
    proof.checksums->sums = there(proof.checksums->sums, databases);
    proof.checksums->without = there(proof.checksums->without, databases);
  }
  auto found = prove(quiet, proof, stop);
  if (!found) {
    Error error = std::move(found).error();
    error.message = with_names(error.message, databases);
    return fail(std::move(error));
  }
  found->only_counted = back(found->only_counted, databases);
  found->skipped = back(found->skipped, databases);
  return found;
}

}  // namespace

bool is_older(Engine engine, std::string_view server, std::string_view dump) {
  const auto numbers = [&](std::string_view text) {
    int major = 0, minor = 0;
    const auto [dot, error] = std::from_chars(text.data(), text.data() + text.size(), major);
    if (error == std::errc() && engine != Engine::postgres && dot != text.data() + text.size() && *dot == '.')
      std::from_chars(dot + 1, text.data() + text.size(), minor);
    return std::pair(major, minor);
  };
  const auto known = numbers(dump);
  return known.first > 0 && numbers(server) < known;
}

Status need_rights(const std::vector<std::string>& missing, const std::string& statements) {
  if (missing.empty()) return {};
  return fail(ErrorClass::refused, "restore.missing_rights",
              "the account lacks what the restore takes: " + names(missing), "an administrator runs: " + statements);
}

Result<engine::MemberView> place_to_restore(const cluster::DatabaseCluster& cluster,
                                            const std::vector<engine::MemberView>& views) {
  std::vector<const engine::MemberView*> writers;
  std::string problems;
  for (const auto& view : views) {
    const bool reads = view.is_replica || view.read_only == true;
    if (view.healthy && !reads) writers.push_back(&view);
    const std::string why = !view.problem.empty() ? view.problem
                            : view.is_replica     ? "a replica"
                            : reads               ? "read_only is on"
                                                  : "";
    if (!why.empty()) problems += fmt::format("{}{}: {}", problems.empty() ? "" : "; ", view.member->name.str(), why);
  }
  const std::string triage = "holdfast triage -c " + cluster.full_name();
  if (writers.empty())
    return fail(ErrorClass::unavailable, "restore.no_primary",
                fmt::format("no member of {} accepts writes: {}", cluster.full_name(), problems), triage);
  if (writers.size() > 1 && cluster.engine != Engine::galera)
    return fail(ErrorClass::refused, "restore.two_primaries",
                fmt::format("{} and {} both accept writes: a restore into one of them would not reach the other",
                            writers[0]->member->name.str(), writers[1]->member->name.str()),
                triage);
  return *writers.front();
}

Result<SqlRestorePlan> plan_sql_restore(repo::Repository& repository, const SqlRestoreRequest& request, SqlPlace& place,
                                        std::stop_token stop) {
  const RestoreRequest& restore = request.restore;
  // The server is asked first: the dump may take long to read.
  PlaceView view = TRY(place.look());
  if (view.read_only)
    return fail(ErrorClass::unavailable, "restore.no_primary", request.member + " does not accept writes",
                "holdfast triage -c " + request.cluster);
  if (!view.remains.empty() && !request.undo_remains)
    return fail(ErrorClass::refused, "restore.unfinished",
                fmt::format("{} has remains of a restore that did not end: {}", request.member, names(view.remains)),
                "--accept=undo-restore first restores what was there, or removes what is no longer needed");
  if (is_older(restore.engine, view.version, restore.sidecar["serverVersion"].text()) && !request.older_server)
    return fail(ErrorClass::refused, "restore.older_server",
                fmt::format("the server is {}, the backup is of {}: an older server may refuse or change what it says",
                            view.version, restore.sidecar["serverVersion"].text()),
                "--accept=older-server tries it");
  say(request, "reading the dump once before anything is changed");
  SqlRestorePlan plan;
  plan.content =
      TRY(read_content(repository, restore.choice.snapshot, restore.choice.path, restore.engine, nullptr, stop));
  if (request.databases.empty()) plan.of_server = plan.content.of_server;
  const auto wanted = TRY(chosen(request, plan.content));
  if (!view.remains.empty()) {
    TRY_VOID(place.undo_remains([&](const std::string& line) { say(request, request.member + ": " + line); }));
    view = TRY(place.look());
  }
  for (const auto& name : wanted) (view.databases.contains(name) ? plan.replaced : plan.created).push_back(name);
  TRY_VOID(accept_replacing(request, plan.replaced));
  TRY_VOID(place.check(place_request(request, plan)));
  return plan;
}

Result<SqlRestoreReport> restore_over_sql(repo::Repository& repository, const SqlRestoreRequest& request,
                                          const SqlRestorePlan& plan, const sql::Target& server, SqlPlace& place,
                                          std::stop_token stop) {
  SqlRestoreReport report;
  report.created = plan.created;
  report.replaced = plan.replaced;
  RestoreReport& restored = report.restored;
  restored.position = request.restore.sidecar["position"].text();
  restored.members.push_back(request.member);
  auto change = [&]() -> Status {
    TRY_VOID(place.prepare(place_request(request, plan)));
    const auto& databases = place.names();
    ReplayTarget target{request.restore.engine, server, "", request.restore.choices, {}};
    target.choices.databases = databases;
    target.say = [&](const std::string& line) { say(request, request.member + ": " + line); };
    const SnapshotChoice& choice = request.restore.choice;
    restored.replayed =
        TRY(replay_dump(repository, choice.snapshot, choice.path, target, request.restore.progress, stop));
    std::set<std::string> these;
    for (const auto& [name, here] : databases) these.insert(name);
    keep_counts_of(restored.replayed.counts, plan, these);
    TRY_VOID(accept_failures(request.restore, restored.replayed, "restore --into DIR tries it beside the server"));
    say(request, fmt::format("{}: replayed {} tables, {} rows; end marker seen", request.member,
                             restored.replayed.counts.tables, restored.replayed.counts.rows));
    restored.proof = TRY(prove_these(request, restored.replayed, server, databases, stop));
    auto failed = TRY(place.publish());
    std::ranges::move(failed, std::back_inserter(restored.replayed.failed));
    return {};
  };
  auto done = change();
  if (!done) {
    Error error = std::move(done).error();
    if (auto undone = place.undo(); !undone) {
      error.message += fmt::format("; undoing it failed: {}", undone.error().to_string());
      error.error_class = ErrorClass::needs_operator;
      error.hint =
          fmt::format("--accept=undo-restore of the next holdfast restore -c {} --over-sql undoes it", request.cluster);
      return fail(std::move(error));
    }
    if (error.error_class == ErrorClass::unavailable || error.id.starts_with("sql."))
      error.error_class = ErrorClass::failed;
    error.message += plan.replaced.empty() ? " (what was created is removed)" : " (what was there is back)";
    if (error.hint.empty()) error.hint = "holdfast get backups lists the other backups; --snapshot names one";
    return fail(std::move(error));
  }
  report.kept = place.drop_old();
  return report;
}

}  // namespace holdfast::backup
