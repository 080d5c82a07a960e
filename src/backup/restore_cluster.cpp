#include "backup/restore_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "backup/backup_cluster.h"
#include "backup/memory_tables.h"
#include "backup/postgres_replay.h"
#include "backup/rebuild.h"
#include "backup/replay_proof.h"
#include "engine/dump.h"
#include "repo/dump.h"
#include "repo/tree_access.h"

namespace holdfast::backup {
namespace {

using cluster::Engine;
using std::chrono::minutes;
using std::chrono::seconds;

Deadline step() {
  return Deadline::in(minutes(5));
}

void say(const RestoreRequest& request, const std::string& line) {
  if (request.say) request.say(line);
}

Result<std::optional<std::string>> read_text(repo::Repository& repository, const SnapshotChoice& choice,
                                             const std::string& path) {
  repo::Codec codec(repository.master_key());
  const auto node = TRY(repo::find_node(repository, choice.snapshot.tree, path, codec));
  if (!node) return std::nullopt;
  std::string text;
  TRY_VOID(repo::dump_blobs(repository, node->content,
                            [&](ByteSpan bytes) -> Status {
                              text += as_text(bytes);
                              return {};
                            },
                            {}, {}));
  return text;
}

/// The settings take effect with the next start.
Status apply_settings(repo::Repository& repository, const RestoreRequest& request, const engine::MemberSetup& setup,
                      std::stop_token stop) {
  const auto text = TRY(read_text(repository, request.choice, settings_path(request.choice.path)));
  if (!text) return {};
  if (request.engine != Engine::postgres) return replay_statements(request.engine, setup.socket, *text, stop);
  auto replay = TRY(PostgresReplay::begin(setup.socket, {}, "", {}, stop));
  TRY_VOID(replay->feed(*text));
  ReplayReport report;
  replay->report(report);
  for (const auto& failed : report.failed) say(request, "setting not applied: " + failed.error);
  return {};
}

/// Beside the data directory; made by whoever made that (agent/data_dir).
std::string tablespace_dir(const engine::MemberSetup& setup) {
  return setup.data_dir.substr(0, setup.data_dir.rfind('/')) + "/tablespaces";
}

// Makes the server of `primary` from the dump, alone and unreachable for clients; stopped again at the end.
Result<RestoreReport> fill(repo::Repository& repository, const RestoreRequest& request, engine::MemberControl& primary,
                           std::stop_token stop) {
  RestoreReport report;
  report.position = request.sidecar["position"].text();
  const sql::Target& target = primary.setup().socket;
  TRY_VOID(primary.initialise_empty(step()));
  TRY_VOID(primary.start({.isolated = true, .extra_args = loading_args(request.engine)}, step()));
  auto keeper = TRY(AccountKeeper::open(request.engine, primary.setup(), stop));
  const ReplayTarget replay{request.engine, target, tablespace_dir(primary.setup()), request.choices,
                            [&](const std::string& line) { say(request, primary.setup().name + ": " + line); }};
  report.replayed =
      TRY(replay_dump(repository, request.choice.snapshot, request.choice.path, replay, request.progress, stop));
  TRY_VOID(accept_failures(request, report.replayed, "restore --into DIR tries it beside the cluster"));
  TRY_VOID(keeper->restore_accounts(stop));
  say(request, fmt::format("{}: replayed {} tables, {} rows; end marker seen", primary.setup().name,
                           report.replayed.counts.tables, report.replayed.counts.rows));
  report.proof = TRY(prove(request, proof_of(request, report.replayed, target, primary.setup().name), stop));
  if (request.server_settings) TRY_VOID(apply_settings(repository, request, primary.setup(), stop));
  TRY_VOID(keeper->set_position(report.position, stop));
  keeper.reset();
  report.memory = TRY(take_memory_tables(request.engine, target, stop));
  TRY_VOID(primary.stop(step()));
  return report;
}

struct Aside {
  engine::MemberControl* member = nullptr;
  bool was_running = false;
  bool moved = false;
  std::string path;
  bool back = false;    // undone: its old data is where it was
  bool serves = false;  // undone: and its server runs on it again
};

// Everything as it was: the data directories that were moved aside return, and what ran runs again. One member that
// cannot be helped does not keep the others from it; the first failure is told.
Status undo(const RestoreRequest& request, std::vector<Aside>& asides) {
  say(request, "restoring the old data");
  Status result;
  const auto note = [&](const Aside& aside, Status done) {
    if (done) {
      return true;
    }
    say(request, fmt::format("{}: {}", aside.member->setup().name, done.error().to_string()));
    if (result) result = std::move(done);
    return false;
  };
  for (auto& aside : asides) {
    aside.back = note(aside, aside.member->stop(step()));
    if (aside.moved && !aside.path.empty()) {
      aside.back = note(aside, aside.member->put_back(aside.path, step())) && aside.back;
    }
  }
  bool first = true;
  for (auto& aside : asides) {  // the primary is the first of them
    if (!aside.was_running || !aside.back) continue;
    aside.serves = note(aside, aside.member->start({.new_cluster = request.engine == Engine::galera && first}, step()));
    if (aside.serves) first = false;
  }
  return result;
}

/// After an undoing that did not reach every member: what is where, member by member.
std::string where_data_is(const std::vector<Aside>& asides) {
  std::string text;
  for (const auto& aside : asides) {
    const std::string& name = aside.member->setup().name;
    text += text.empty() ? "" : "; ";
    if (aside.serves)
      text += name + " serves its old data";
    else if (aside.back)
      text += name + " has its old data and is down";
    else if (!aside.path.empty())
      text += fmt::format("the old data of {} is in {}", name, aside.path);
    else
      text += fmt::format("the old data of {} was not moved, or is beside its data directory as *.replaced-TIME", name);
  }
  return text;
}

/// Where the old data was moved, for members that have the new one.
std::string where_old_data_is(const std::vector<Aside>& asides) {
  std::string text;
  for (const auto& aside : asides)
    if (!aside.path.empty())
      text += fmt::format("{}the old data of {} is in {}", text.empty() ? "" : "; ", aside.member->setup().name,
                          aside.path);
  return text;
}

}  // namespace

Result<SnapshotChoice> choose_snapshot(repo::Repository& repository, const std::string& ns, const std::string& cluster,
                                       std::optional<Engine> engine, const std::string& name, const std::string& type) {
  auto fits = [&](const repo::Snapshot& snapshot) {
    return snapshot.tag_value("cluster") == cluster && (ns.empty() || snapshot.tag_value("namespace") == ns) &&
           snapshot.tag_value("type") == type &&
           (!engine || snapshot.tag_value("engine") == cluster::engine_name(*engine));
  };
  auto found =
      repository.find_snapshot(name, name == "latest" ? std::function<bool(const repo::Snapshot&)>(fits) : nullptr);
  if (!found) {
    Error error = std::move(found).error();
    if (name == "latest") error.hint = fmt::format("holdfast get backups -c {}", cluster);
    return fail(std::move(error));
  }
  SnapshotChoice choice{std::move(*found), {}};
  if (!fits(choice.snapshot)) {
    return fail(
        ErrorClass::refused, "restore.wrong_snapshot",
        fmt::format("snapshot {} is not a {} of {}{}", choice.snapshot.id.short_hex(), type, ns.empty() ? "" : ns + "/",
                    cluster),
        choice.snapshot.tag_value("job").empty()
            ? fmt::format("holdfast get backups -c {}", cluster)
            : fmt::format("a repair kept it of one member: -i {} --into DIR", choice.snapshot.tag_value("member")));
  }
  for (const auto& path : choice.snapshot.paths) {
    if (path.ends_with("/mysqldump.sql") || path.ends_with("/pgdumpall.sql")) choice.path = path;
  }
  if (choice.path.empty()) {
    return fail(ErrorClass::refused, "restore.wrong_snapshot",
                fmt::format("snapshot {} holds no dump", choice.snapshot.id.short_hex()),
                fmt::format("holdfast get backups -c {}", cluster));
  }
  return choice;
}

Result<codec::Value> read_sidecar(repo::Repository& repository, const SnapshotChoice& choice) {
  const auto text = TRY(read_text(repository, choice, choice.path + ".json"));
  if (!text) return codec::Value();
  return codec::parse_value(*text);
}

Result<RestoreReport> restore_into(repo::Repository& repository, const RestoreRequest& request,
                                   engine::MemberControl& server, std::stop_token stop) {
  auto report = fill(repository, request, server, stop);
  if (!report) {
    Error error = std::move(report).error();
    auto gone = server.stop(step());
    if (gone) gone = server.discard();
    error.message +=
        gone ? " (what it had made is removed)" : "; removing what was made failed too: " + gone.error().message;
    return fail(std::move(error));
  }
  TRY_VOID(server.settle());
  report->members.push_back(server.setup().name);
  report->memory_file = TRY(leave_memory_tables(server.setup(), report->memory));
  if (!report->memory_file.empty()) {
    say(request, fmt::format("{} rows of MEMORY tables are in {}: load them into the server once it runs",
                             report->memory.rows, report->memory_file));
  }
  return report;
}

Result<RestoreReport> restore_cluster(repo::Repository& repository, const RestoreRequest& request,
                                      std::vector<std::unique_ptr<engine::MemberControl>>& members,
                                      std::stop_token stop) {
  std::ranges::stable_sort(members,
                           [](const auto& a, const auto& b) { return a->setup().is_primary > b->setup().is_primary; });
  engine::MemberControl& primary = *members.front();
  std::vector<Aside> asides;
  // Every agent must answer before anything is touched.
  for (auto& member : members) {
    asides.push_back({member.get(), TRY(member->is_running(step()).context(member->setup().name)), false, {}});
  }
  auto change = [&]() -> Result<RestoreReport> {
    say(request, "stopping all members");
    // Replicas first. A server too damaged to stop by itself is killed after this: its data is kept as it is, aside.
    for (size_t i = members.size(); i-- > 0;) TRY_VOID(members[i]->stop(Deadline::in(seconds(90))));
    for (auto& aside : asides) {
      aside.path = TRY(aside.member->set_aside(step()));
      aside.moved = true;
      if (!aside.path.empty())
        say(request, fmt::format("{}: old data is in {}", aside.member->setup().name, aside.path));
    }
    auto report = TRY(fill(repository, request, primary, stop));
    TRY_VOID(copy_to_replicas(request.engine, members, report.position, request.say));
    return report;
  };
  auto report = change();
  if (!report) {
    Error error = std::move(report).error();
    if (auto undone = undo(request, asides); !undone) {
      error.message += fmt::format("; the old data could not be moved back everywhere: {}. {}",
                                   undone.error().to_string(), where_data_is(asides));
      error.error_class = ErrorClass::needs_operator;
      error.hint =
          "make the agents that did not answer reachable, then holdfast triage; where the primary serves its old data, "
          "holdfast repair rebuilds the members that lack it";
      return fail(std::move(error));
    }
    if (error.error_class != ErrorClass::interrupted && error.error_class != ErrorClass::verification_failed)
      error.error_class = ErrorClass::failed;
    error.message += " (the old data is back and serves)";
    if (error.hint.empty()) error.hint = "holdfast get backups lists the other backups; --snapshot names one";
    return fail(std::move(error));
  }
  // Point of no return: from here the new data serves; what fails now is repaired forward.
  auto serve = start_cluster(request.engine, members, request.own_channels, request.say, stop);
  if (serve) serve = load_memory_tables(request.engine, members, report->memory, request.say, stop);
  if (!serve) {
    Error error = std::move(serve).error();
    error.error_class = ErrorClass::needs_operator;
    error.message += "; the restored data is in place on " + primary.setup().name;
    if (const auto old = where_old_data_is(asides); !old.empty()) error.message += "; " + old;
    error.hint = "holdfast triage shows which member is missing, holdfast repair rebuilds it from the primary";
    return fail(std::move(error));
  }
  for (auto& aside : asides) {
    if (!aside.path.empty()) report->set_aside.push_back(aside.path);
    report->members.push_back(aside.member->setup().name);
  }
  return report;
}

}  // namespace holdfast::backup
