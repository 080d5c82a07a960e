// holdfast prune: forgets snapshots by the retention rules, then removes what no snapshot needs.
#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "cli/progress.h"
#include "cli/repository_session.h"
#include "cli/retention_options.h"
#include "cli/snapshot_view.h"
#include "cli/verbs.h"
#include "repo/environment.h"
#include "repo/parallel.h"
#include "repo/prune.h"

namespace holdfast::cli {
namespace {

using codec::Value;

struct Decision {
  std::string title;
  std::vector<repo::Snapshot> snapshots;
  std::vector<repo::Verdict> verdicts;
};

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

// Without -c the rules apply to every snapshot, whatever its type; copies taken before a repair (escrow) always stay.
Result<std::vector<Decision>> decide(const Options& options, const Retention& retention,
                                     const std::vector<repo::Snapshot>& all) {
  const bool by_cluster = options.given("cluster") || options.given("namespace") || options.given("engine");
  const std::string type = options.given("type") || by_cluster ? options.text("type") : "";
  if (type == "escrow") {
    return fail(ErrorClass::refused, "prune.escrow",
                "escrow snapshots are what a repair destroyed; prune never removes them",
                "remove one by hand when its repair is proven: restic forget ID");
  }
  const auto matches = cluster_snapshot_filter(options);
  std::vector<repo::Snapshot> plain, diverged;
  for (const repo::Snapshot& snapshot : all) {
    const std::string_view kind = snapshot.tag_value("type");
    if (!matches(snapshot) || kind == "escrow") continue;
    if (!type.empty() && type != "all" && kind != type) continue;
    (kind == "diverged" && !type.empty() ? diverged : plain).push_back(snapshot);
  }
  std::vector<Decision> decisions;
  for (const auto& group : repo::group_snapshots(plain, retention.group_by)) {
    Decision decision{group.to_string(), {}, {}};
    for (const size_t i : group.members) decision.snapshots.push_back(plain[i]);
    decision.verdicts = repo::apply_retention(retention.policy, decision.snapshots, repo::now());
    if (std::none_of(decision.verdicts.begin(), decision.verdicts.end(), [](const auto& v) { return v.keep; })) {
      return fail(ErrorClass::refused, "prune.keeps_nothing",
                  fmt::format("the rules would remove all {} snapshots of {}; nothing was changed",
                              decision.snapshots.size(), decision.title),
                  "add --keep-last 1, or choose other snapshots with --host, --tag or --path");
    }
    decisions.push_back(std::move(decision));
  }
  if (!diverged.empty()) {
    auto verdicts = repo::apply_job_retention(retention.policy, diverged);
    decisions.push_back({"diverged members, by job", std::move(diverged), std::move(verdicts)});
  }
  return decisions;
}

Value show_decisions(Context& context, const std::vector<Decision>& decisions) {
  Value::List groups;
  for (const Decision& decision : decisions) {
    Value::List keep, remove;
    Table table({"", "ID", "TIME", "HOST", "TAGS", "WHY"});
    for (const repo::Verdict& verdict : decision.verdicts) {
      const repo::Snapshot& snapshot = decision.snapshots[verdict.snapshot];
      Value value = snapshot_value(snapshot);
      value.set("reasons", Value::list_of(verdict.reasons));
      (verdict.keep ? keep : remove).push_back(std::move(value));
      table.row({verdict.keep ? "keep" : "remove", snapshot.id.short_hex(), local_time(snapshot.time),
                 snapshot.hostname, joined(snapshot.tags),
                 verdict.keep ? joined(verdict.reasons) : "no rule keeps it"});
    }
    context.out.line(fmt::format("{}: {} kept, {} removed", decision.title, keep.size(), remove.size()));
    if (!context.out.quiet()) table.print(context.out);
    groups.push_back(Value::object(
        {{"group", decision.title}, {"keep", Value(std::move(keep))}, {"remove", Value(std::move(remove))}}));
  }
  return Value(std::move(groups));
}

Result<repo::PruneLimits> prune_limits(const Options& options) {
  repo::PruneLimits limits;
  const std::string unused = options.text("max-unused");
  limits.max_unused_percent.reset();
  if (unused == "unlimited") {
    limits.max_unused_bytes = UINT64_MAX;
  } else if (unused.ends_with('%')) {
    char* end = nullptr;
    const double percent = std::strtod(unused.c_str(), &end);
    if (end != unused.c_str() + unused.size() - 1 || !(percent >= 0)) {
      return fail(ErrorClass::usage, "cli.value", fmt::format("--max-unused: '{}' is not a percentage", unused));
    }
    limits.max_unused_percent = percent;
  } else if (const auto bytes = parse_size(unused)) {
    limits.max_unused_bytes = *bytes;
  } else {
    return fail(ErrorClass::usage, "cli.value",
                fmt::format("--max-unused: '{}' is neither a percentage nor a size", unused));
  }
  if (const auto text = options.maybe("max-repack-size")) {
    const auto bytes = parse_size(*text);
    if (!bytes)
      return fail(ErrorClass::usage, "cli.value", fmt::format("--max-repack-size: '{}' is not a size", *text));
    limits.max_repack_bytes = *bytes;
  }
  limits.repack_small = options.flag("repack-small");
  limits.repack_cacheable_only = options.flag("repack-cacheable-only");
  limits.repack_uncompressed = options.flag("repack-uncompressed");
  limits.orphan_grace_seconds = TRY(parse_span(options.text("orphan-grace"), "--orphan-grace")).count();
  return limits;
}

Value amount_value(const repo::Amount& amount) {
  return Value::object({{"blobs", amount.blobs}, {"bytes", amount.bytes}});
}

Value stats_value(const repo::PruneStats& stats) {
  return Value::object({{"used", amount_value(stats.used)},
                        {"unused", amount_value(stats.unused)},
                        {"duplicate", amount_value(stats.duplicate)},
                        {"removed", amount_value(stats.removed)},
                        {"repacked", amount_value(stats.repacked)},
                        {"repacked_away", amount_value(stats.repacked_away)},
                        {"packs", stats.packs},
                        {"packs_kept", stats.packs_kept},
                        {"packs_removed", stats.packs_removed},
                        {"packs_repacked", stats.packs_repacked},
                        {"orphans_removed", stats.orphans_removed},
                        {"orphans_bytes", stats.orphans_bytes},
                        {"orphans_waiting", stats.orphans_waiting},
                        {"freed_bytes", stats.freed()},
                        {"unused_after_bytes", stats.unused_after()}});
}

void show_stats(Context& context, const repo::PruneStats& stats, bool dry_run) {
  Output& out = context.out;
  out.line(fmt::format("{} {}: {} in {} packs removed whole, {} of {} in {} packs left behind by rewriting",
                       dry_run ? "would free" : "freed", human_size(stats.freed()), human_size(stats.removed.bytes),
                       stats.packs_removed, human_size(stats.repacked_away.bytes), human_size(stats.repacked.bytes),
                       stats.packs_repacked));
  out.line(fmt::format("{} used, {} unused {}", human_size(stats.used.bytes), human_size(stats.unused_after()),
                       dry_run ? "would stay" : "stay"));
  if (stats.orphans_removed > 0) {
    out.line(fmt::format("{} packs that were in no index {} removed ({})", stats.orphans_removed,
                         dry_run ? "would be" : "were", human_size(stats.orphans_bytes)));
  }
  if (stats.orphans_waiting > 0) {
    out.note(fmt::format(
        "{} packs are in no index; a prune after --orphan-grace removes them, unless they were used by then",
        stats.orphans_waiting));
  }
}

}  // namespace

Exit run_prune(Context& context) {
  const Options& options = context.options;
  const bool dry_run = options.flag("dry-run");
  const Retention retention = TRY(retention_options(options));
  const repo::PruneLimits limits = TRY(prune_limits(options));
  RepositorySession session = TRY(open_repository(context, dry_run ? LockNeed::shared : LockNeed::exclusive));
  repo::Repository& repository = *session.repository;
  if (limits.repack_uncompressed && repository.config().version < 2) {
    return fail(ErrorClass::refused, "prune.no_compression", "a repository of version 1 knows no compression",
                "leave out --repack-uncompressed");
  }
  std::vector<Decision> decisions;
  if (retention.given) decisions = TRY(decide(options, retention, TRY(repository.load_snapshots())));
  std::vector<repo::Id> forgotten;
  for (const Decision& decision : decisions) {
    for (const repo::Verdict& verdict : decision.verdicts) {
      if (!verdict.keep) forgotten.push_back(decision.snapshots[verdict.snapshot].id);
    }
  }
  std::sort(forgotten.begin(), forgotten.end());
  Value data = Value::object({{"repository", repository.store().location()}, {"dryRun", dry_run}});
  data.set("groups", show_decisions(context, decisions));
  context.out.set_data(data);

  Progress progress(context.out, "pruning");
  repo::PruneHooks hooks;
  hooks.on_phase = [&](const char* name, uint64_t bytes) {
    progress.set_phase(name);
    progress.set_total(bytes);
  };
  hooks.on_bytes = [&](uint64_t bytes) { progress.add_bytes(bytes); };
  hooks.still_locked = [&]() -> Status {
    if (!session.stop().stop_requested()) return session.confirm();
    return session.explain(fail(ErrorClass::interrupted, "interrupted", "stopped; nothing was removed"));
  };
  // A machine that slept may wake up in the middle of the removals, with a lock that others take for stale.
  hooks.may_remove = [&]() -> Status { return session.lock->check_age(); };
  auto planned = repo::plan_prune(repository, forgotten, limits, hooks, session.stop());
  if (!planned) return session.explain(fail(std::move(planned).error()));
  const repo::PrunePlan& plan = *planned;
  if (!dry_run) {
    TRY_VOID(hooks.still_locked());
    TRY_VOID(session.explain(
        repo::remove_objects(repository, repo::ObjectType::snapshot, forgotten, hooks, session.stop())));
    if (plan.changes_anything())
      TRY_VOID(session.explain(repo::run_prune(repository, plan, limits, hooks, session.stop())));
  }
  data.set("forgotten", forgotten.size());
  data.set("prune", stats_value(plan.decision.stats));
  context.out.set_data(std::move(data));
  show_stats(context, plan.decision.stats, dry_run);
  return {};
}

}  // namespace holdfast::cli
