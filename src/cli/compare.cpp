// holdfast compare: contents of a cluster's members at one and the same position.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <sstream>
#include <thread>

#include "cli/cluster_options.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "compare/compare.h"
#include "engine/members.h"
#include "provider/last_comparison.h"
#include "sys/file.h"

namespace holdfast::cli {
namespace {

using cluster::Comparison;
using cluster::DatabaseCluster;
using std::chrono::seconds;

bool selected(const std::vector<std::string>& wanted, const cluster::Member& member) {
  if (wanted.empty()) return true;
  for (const auto& name : wanted)
    if (name == member.name.str() || name == std::to_string(member.ordinal)) return true;
  return false;
}

struct Reached {
  std::vector<compare::Source> sources;  ///< the primary first, where there is one
  std::vector<std::string> unreached;    ///< "shop-1 (connection refused)"
};

/// Which members answer. The primary is the reference, else the first of them.
Result<Reached> reach(Context& context, const DatabaseCluster& cluster) {
  if (cluster.members.size() < 2)
    return fail(
        ErrorClass::refused, "compare.standalone",
        fmt::format("{} is one server; a comparison needs two members", cluster.full_name()),
        "holdfast backup -c " + cluster.full_name() + " --verify=checksums keeps what a restore is compared with");
  const auto target_of = TRY(targets_of(context, cluster));
  const auto wanted = context.options.list("instance");
  for (const auto& name : wanted) {
    const bool known = std::ranges::any_of(
        cluster.members, [&](const auto& m) { return name == m.name.str() || name == std::to_string(m.ordinal); });
    if (!known)
      return fail(ErrorClass::usage, "compare.no_member", fmt::format("{} has no member {}", cluster.full_name(), name),
                  fmt::format("its members are {} to {}", cluster.members.front().name.str(),
                              cluster.members.back().name.str()));
  }
  std::vector<engine::MemberView> views;
  for (const auto& member : cluster.members)
    if (selected(wanted, member)) views.push_back({.member = &member});
  {
    std::vector<std::jthread> threads;
    for (auto& view : views)
      threads.emplace_back([&] {
        view = engine::look_at_member(cluster, *view.member, target_of, Deadline::in(engine::kMemberPatience),
                                      context.stop);
      });
  }
  if (context.stop.stop_requested()) return fail(ErrorClass::interrupted, "sys.interrupted", "interrupted");
  Reached reached;
  for (const auto& view : views) {
    const std::string& name = view.member->name.str();
    if (!view.known) {
      reached.unreached.push_back(fmt::format("{} ({})", name, view.problem));
      continue;
    }
    compare::Source source{name, *view.target};
    const bool first = !view.is_replica && cluster.engine != cluster::Engine::galera;
    reached.sources.insert(first ? reached.sources.begin() : reached.sources.end(), std::move(source));
  }
  if (reached.sources.size() >= 2) return reached;
  return fail(
      ErrorClass::unavailable, "compare.one_member",
      fmt::format("{} of the members of {} can be read; a comparison needs two{}{}", reached.sources.size(),
                  cluster.full_name(), reached.unreached.empty() ? "" : ": ", fmt::join(reached.unreached, ", ")),
      "holdfast triage -c " + cluster.full_name() + " shows why");
}

/// Tables found equal by a run that was interrupted, and the file new ones are added to.
class DoneTables {
 public:
  static Result<DoneTables> open(const std::string& path, bool resume) {
    DoneTables done;
    done.path_ = path;
    if (resume) {
      if (const auto text = sys::read_file(path)) {
        std::istringstream lines{std::string(as_text(text->span()))};
        for (std::string line; std::getline(lines, line);) done.tables_.push_back(line);
      }
    }
    TRY_VOID(sys::make_directories(std::filesystem::path(path).parent_path().string()));
    done.file_ = TRY(sys::open_file(path, O_WRONLY | O_CREAT | O_APPEND | (resume ? 0 : O_TRUNC)));
    return done;
  }
  const std::vector<std::string>& tables() const { return tables_; }
  void add(const std::string& table) {
    if (table.find('\n') == std::string::npos) (void)sys::write_all(file_.get(), as_bytes(table + "\n"));
  }
  void remove() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

 private:
  std::string path_;
  std::vector<std::string> tables_;
  sys::Fd file_;
};

Comparison record_of(const compare::Outcome& outcome) {
  Comparison record;
  record.finished = std::chrono::duration_cast<seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  record.reference = outcome.reference;
  record.members = outcome.members;
  record.positions = outcome.positions;
  record.tables = outcome.tables;
  record.rows = outcome.rows;
  record.not_compared = outcome.not_compared;
  record.not_compared.insert(record.not_compared.end(), outcome.unread.begin(), outcome.unread.end());
  for (const auto& d : outcome.differences)
    record.differences.push_back({d.member, d.table.text(), compare::range_text(d.table, d.range), d.what, d.keys});
  return record;
}

void print(Output& out, const Comparison& record, const std::vector<std::string>& unreached, double elapsed) {
  out.line(fmt::format("compared {} tables, {} rows of {} with {} in {:.1f} s, at {}", record.tables, record.rows,
                       record.reference, fmt::join(record.members.begin() + 1, record.members.end(), ", "), elapsed,
                       record.positions.size() == 1 ? record.positions[0]
                                                    : fmt::format("{} common positions", record.positions.size())));
  for (const auto& name : record.not_compared) out.line("  not compared: " + name);
  for (const auto& name : unreached) out.line("  not compared: member " + name);
  for (const auto& member : record.members) {
    if (member == record.reference) continue;
    if (!record.differs(member)) {
      out.line(fmt::format("  {} {}: equal", out.paint(Color::green, "✓"), member));
      continue;
    }
    out.line(fmt::format("  {} {}: differs", out.paint(Color::red, "✗"), member));
    for (const auto& d : record.differences) {
      if (d.member != member) continue;
      out.line(fmt::format("      {}, {}: {}", d.table, d.range, d.what));
      if (!d.keys.empty()) out.line(fmt::format("        keys: {}", fmt::join(d.keys, "; ")));
    }
  }
}

}  // namespace

Exit run_compare(Context& context) {
  const Options& options = context.options;
  const auto cluster = TRY(selected_cluster(context));
  const auto positive = [&](const char* name, int64_t least) -> Result<int64_t> {
    const int64_t value = options.integer(name).value_or(least);
    if (value < least)
      return fail(ErrorClass::usage, "compare.flag", fmt::format("--{} must be at least {}", name, least),
                  "holdfast help compare");
    return value;
  };
  compare::Options how;
  how.range_rows = static_cast<uint64_t>(TRY(positive("range-rows", 1)));
  how.rows_per_second = static_cast<uint64_t>(TRY(positive("rows-per-second", 0)));
  how.meet = seconds(TRY(positive("meet-timeout", 1)));
  const auto reached = TRY(reach(context, cluster));
  const std::string state_dir = state_dir_of(context);
  auto done = TRY(DoneTables::open(provider::comparison_progress_file(state_dir, cluster), options.flag("resume")));
  how.done = done.tables();
  Progress progress(context.out, "comparing " + cluster.full_name());
  how.progress = [&](const std::string& table, uint64_t rows) {
    progress.set_phase(table);
    progress.add_items(rows);
  };
  how.table_done = [&](const std::string& table) { done.add(table); };
  auto outcome = compare::compare_members(cluster.engine, reached.sources, how, context.stop);
  if (!outcome) {
    Error error = std::move(outcome).error();
    if (error.error_class == ErrorClass::interrupted)
      error.hint = "what was found equal is noted: --resume continues with the other tables";
    return fail(std::move(error));
  }
  if (outcome->tables == 0)
    return fail(ErrorClass::refused, "compare.nothing",
                fmt::format("no table of {} was compared{}", cluster.full_name(),
                            outcome->unread.empty() ? ": it has none of users" : ": " + outcome->unread[0]),
                "holdfast triage -c " + cluster.full_name());
  const Comparison record = record_of(*outcome);
  TRY_VOID(provider::save_comparison(state_dir, cluster, record));
  done.remove();
  auto data = cluster::comparison_value(record);
  data.set("cluster", cluster.full_name());
  data.set("unreached", codec::Value::list_of(reached.unreached));
  context.out.set_data(std::move(data));
  print(context.out, record, reached.unreached, progress.elapsed().count());
  if (record.differences.empty() && outcome->unread.empty()) return {};
  if (record.differences.empty())
    return fail(ErrorClass::partial, "compare.incomplete",
                fmt::format("{} of {} tables could not be read: {}", outcome->unread.size(),
                            outcome->unread.size() + outcome->tables, outcome->unread[0]),
                "the account needs SELECT on every table (PostgreSQL: pg_read_all_data)");
  return fail(ErrorClass::verification_failed, "compare.differ", cluster::comparison_sentence(record),
              "holdfast explain contents-differ");
}

}  // namespace holdfast::cli
