// holdfast check.
#include <fmt/format.h>

#include "base/units.h"
#include "cli/progress.h"
#include "cli/repository_session.h"
#include "cli/verbs.h"
#include "repo/check.h"

namespace holdfast::cli {

Exit run_check(Context& context) {
  repo::CheckOptions options;
  if (context.options.flag("read-data")) options.read.kind = repo::ReadSelection::Kind::all;
  if (const auto part = context.options.maybe("read-data-subset")) {
    if (context.options.flag("read-data")) {
      return fail(ErrorClass::usage, "cli.conflict", "--read-data reads everything, --read-data-subset a part",
                  "give one of them");
    }
    options.read = TRY(repo::parse_read_selection(*part));
  }
  RepositoryAccess access = TRY(repository_access(context));
  access.no_cache = true;  // what counts is what the store holds
  RepositorySession session = TRY(open_repository(context, access, LockNeed::shared));
  const std::string location = session.repository->store().location();

  repo::CheckReport report;
  codec::Value::List errors, hints;
  {
    Progress progress(context.out, "checking");
    std::atomic<uint64_t> bytes{0};
    // The lock settles while the check is at work. If it turns out that somebody else was first, what was seen beside
    // that work means nothing, and is not said.
    options.on_error = [&](const Error& error) {
      if (!session.confirm()) return;
      context.out.add_error(error);
      errors.push_back(error_value(error));
    };
    options.on_hint = [&](const std::string& id, const std::string& message) {
      if (!session.confirm()) return;
      context.out.warning(id, message);
      hints.push_back(codec::Value::object({{"id", id}, {"message", message}}));
    };
    options.on_phase = [&](const char* name, uint64_t total) {
      progress.set_phase(name);
      progress.set_total(total);
    };
    options.on_bytes = [&](uint64_t count) { progress.add_bytes(count); };
    auto checked = repo::check_repository(*session.repository, options, session.stop());
    TRY_VOID(session.confirm());
    if (!checked) return session.explain(fail(std::move(checked).error()));
    report = *checked;
  }
  context.out.set_data(codec::Value::object({{"repository", location},
                                             {"damaged", report.errors > 0},
                                             {"errors", report.errors},
                                             {"hints", report.hints},
                                             {"damages", codec::Value(std::move(errors))},
                                             {"remarks", codec::Value(std::move(hints))},
                                             {"snapshots", report.snapshots},
                                             {"trees", report.trees},
                                             {"keys", report.keys},
                                             {"indexes", report.indexes},
                                             {"blobs", report.blobs},
                                             {"packs_checked", report.packs},
                                             {"packs_in_no_index", report.orphans},
                                             {"bytes_in_no_index", report.orphan_bytes},
                                             {"packs_read", report.packs_read},
                                             {"bytes_read", report.bytes_read}}));
  const std::string looked_at = fmt::format(
      "{} snapshots, {} trees, {} packs{}", report.snapshots, report.trees, report.packs,
      report.packs_read ? fmt::format(", {} of data in {} packs read", human_size(report.bytes_read), report.packs_read)
                        : "");
  if (report.errors > 0) {
    return fail(ErrorClass::verification_failed, "repo.check.damaged",
                fmt::format("{} is damaged: {} errors found in {}", location, report.errors, looked_at),
                "keep this repository as it is and copy it before any repair");
  }
  context.out.line(fmt::format("no damage found: {}{}", looked_at,
                               report.orphans ? fmt::format("; {} packs ({}) are in no index and wait for a prune",
                                                            report.orphans, human_size(report.orphan_bytes))
                                              : ""));
  if (options.read.kind == repo::ReadSelection::Kind::none) {
    context.out.note("The packs' content was not read; --read-data does that.");
  }
  return {};
}

}  // namespace holdfast::cli
