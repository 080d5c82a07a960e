// holdfast backup --stdin and holdfast backup -- PROGRAM: a stream becomes a snapshot.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>

#include "base/units.h"
#include "cli/backup_sources.h"
#include "cli/progress.h"
#include "cli/repository_session.h"
#include "cli/snapshot_view.h"
#include "cli/watched_source.h"
#include "repo/environment.h"
#include "sys/process.h"

namespace holdfast::cli {
namespace {

using std::chrono::steady_clock;

// Stores the stream, asks `verdict` whether its producer ended well, and only then lets the snapshot become visible.
Exit back_up_stream(Context& context, repo::ByteSource& source, const std::function<Status()>& verdict) {
  const std::string path = context.options.text("path").empty() ? "stdin" : context.options.text("path");
  const auto start = steady_clock::now();
  std::string parent_name;
  repo::SnapshotOptions snapshot = TRY(snapshot_options(context.options, parent_name));
  const repo::SaverOptions saver = TRY(saver_options(context.options));
  RepositorySession session =
      TRY(open_repository(context, context.options.flag("dry-run") ? LockNeed::shared : LockNeed::publish));
  repo::Repository& repository = *session.repository;
  if (!parent_name.empty()) snapshot.parent = TRY(repository.find_snapshot(parent_name)).id;
  TRY_VOID(repository.load_index());

  repo::StreamBackup backup(repository, saver, std::move(snapshot), session.stop());
  std::atomic<uint64_t> bytes{0};
  Progress progress(context.out, "backing up " + path);
  progress.watch_bytes(bytes);
  progress.set_total(source.size_hint());
  auto added = backup.add(path, source, &bytes);
  if (!added) return session.explain(std::unexpected(std::move(added).error()));
  const repo::StoredStream stored = std::move(*added);
  TRY_VOID(verdict());
  if (stored.size == 0) {
    return fail(ErrorClass::failed, "backup.empty", "the input was empty; no snapshot was made",
                "check the program that should have written it");
  }
  if (context.stop.stop_requested())
    return fail(ErrorClass::interrupted, "interrupted", "stopped; no snapshot was made");
  if (context.options.flag("dry-run")) {
    context.out.line(fmt::format("would add a snapshot of {} ({})", path, human_size(stored.size)));
    return {};
  }
  auto committed = backup.commit([&] { return session.confirm(); });
  if (!committed) return session.explain(std::unexpected(std::move(committed).error()));
  const repo::Snapshot made = std::move(*committed);
  show_snapshot(context, made, steady_clock::now() - start);
  return {};
}

}  // namespace

Exit backup_stdin(Context& context) {
  if (::isatty(STDIN_FILENO)) {
    return fail(ErrorClass::usage, "backup.stdin_terminal", "standard input is a terminal",
                "pipe the producer into it: mysqldump ... | holdfast backup --stdin --path ns/app/dump.sql");
  }
  const auto source = watched_source(STDIN_FILENO, nullptr, context.stop);
  return back_up_stream(context, *source, [] { return Status{}; });
}

Exit backup_program(Context& context) {
  // Signals of our own: the producer gets its end from us, not from the terminal.
  sys::Command command;
  command.argv = context.options.program();
  command.in = sys::Stdio::inherit();
  command.out = sys::Stdio::pipe();
  command.err = sys::Stdio::inherit();
  command.die_with_parent = SIGKILL;
  sys::Process producer = TRY(sys::spawn(command));
  const sys::Fd output = producer.take_stdout();
  const auto source = watched_source(output.get(), &producer, context.stop);
  return back_up_stream(context, *source, [&]() -> Status {
    return producer_verdict(TRY(producer.wait(Deadline::never(), context.stop)));
  });
}

void show_snapshot(Context& context, const repo::Snapshot& snapshot, std::chrono::duration<double> elapsed) {
  codec::Value value = snapshot_value(snapshot);
  context.out.set_data(codec::Value::object({{"snapshot", value}, {"seconds", elapsed.count()}}));
  const auto& summary = *snapshot.summary;
  context.out.line(fmt::format("snapshot {} saved: {} in {} ({}), {} new, {} stored", snapshot.id.short_hex(),
                               human_size(summary.total_bytes_processed), human_span(elapsed),
                               human_rate(summary.total_bytes_processed, elapsed), human_size(summary.data_added),
                               human_size(summary.data_added_packed)));
}

}  // namespace holdfast::cli
