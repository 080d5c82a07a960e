#include "tests/bench/scenarios.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::bench {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMiB = 1ull << 20;

bool is_local(const std::string& repository) {
  return repository.starts_with('/');
}

uint64_t stored_bytes(const std::string& repository) {
  if (!is_local(repository)) return 0;
  uint64_t sum = 0;
  for (const auto& entry : fs::recursive_directory_iterator(repository)) {
    if (entry.is_regular_file()) sum += entry.file_size();
  }
  return sum;
}

test::Outcome must(const test::Command& command) {
  auto outcome = test::run(command);
  if (!outcome.ok()) throw std::runtime_error(command.argv[1] + ": " + outcome.describe());
  return outcome;
}

test::Command reading(test::Command command, const std::string& file) {
  command.stdin_file = file;
  return command;
}

uint64_t occurrences(const std::string& text, const std::string& word) {
  uint64_t count = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + word.size())) ++count;
  return count;
}

bool same_content(const std::string& a, const std::string& b) {
  test::Command compare;
  compare.argv = {"cmp", "-s", a, b};
  return test::run(compare).ok();
}

}  // namespace

std::vector<std::string> scenario_names() {
  return {"stream-first", "stream-repeat", "stream-runs",    "dump",   "check-data", "tree-first", "tree-unchanged",
          "tree-restore", "innodb-first",  "innodb-changed", "growth", "s3-first",   "s3-dump"};
}

Bench::Bench(BenchOptions options, const test::Sandbox& sandbox, std::vector<Tool> tools)
    : options_(std::move(options)), sandbox_(sandbox), tools_(std::move(tools)) {
  fs::create_directory(sandbox_.path("repos"));
  fs::create_directory(sandbox_.path("data"));
}

std::vector<ScenarioResult> Bench::run(const std::function<void(const ScenarioResult&)>& progress) {
  progress_ = progress;
  std::vector<ScenarioResult> results;
  run_streams(results);
  run_trees(results);
  run_innodb(results);
  run_growth(results);
  run_s3(results);
  return results;
}

ScenarioResult Bench::scenario(const std::string& name, uint64_t input_bytes, Bar bar, const Measure& measure) {
  ScenarioResult result{name, input_bytes, bar, {}};
  for (unsigned repetition = 0; repetition < options_.repetitions; ++repetition) {
    for (size_t i = 0; i < tools_.size(); ++i) {
      const Tool& tool = tools_[(i + repetition) % tools_.size()];
      auto& measured = result.tools[tool.name()];
      if (!measured.failure.empty()) continue;
      try {
        measured.samples.push_back(measure(tool, repetition));
      } catch (const std::exception& error) {
        measured.failure = error.what();
      }
    }
  }
  if (progress_) progress_(result);
  return result;
}

Sample Bench::timed(const test::Command& command, const std::string& repository) {
  const uint64_t before = stored_bytes(repository);
  ::sync();
  const auto outcome = must(command);
  return {outcome.wall_seconds, outcome.cpu_seconds, outcome.peak_rss, stored_bytes(repository) - before};
}

std::string Bench::fresh(const Tool& tool) {
  const auto repository = sandbox_.path("repos/" + tool.name() + "-" + std::to_string(next_name_++));
  must(tool.init(repository));
  return repository;
}

// No program changes an object of a repository in place, so a copy by hard links is as good as any.
std::string Bench::copy(const std::string& repository) {
  const auto made = repository + "-copy" + std::to_string(next_name_++);
  fs::copy(repository, made, fs::copy_options::recursive | fs::copy_options::create_hard_links);
  return made;
}

void Bench::discard(const std::string& repository) {
  if (is_local(repository)) fs::remove_all(repository);
}

void Bench::keep(std::map<std::string, std::string>& base, const Tool& tool, const std::string& repository) {
  auto& kept = base[tool.name()];
  if (!kept.empty()) discard(kept);
  kept = repository;
}

std::string Bench::data(const std::string& name, std::vector<std::string> args) {
  const auto path = sandbox_.path("data/" + name);
  test::Command make;
  make.argv = std::move(args);
  make.argv.insert(make.argv.begin(), options_.data_program);
  make.argv.insert(make.argv.end(), {"--out", path});
  make.env = sandbox_.env();
  make.timeout = std::chrono::minutes(10);
  must(make);
  return path;
}

const std::string& Bench::stream() {
  if (stream_.empty()) stream_ = data("stream.sql", {"sql", "--size", std::to_string(options_.stream_bytes)});
  return stream_;
}

const std::string& Bench::changed_stream() {
  if (changed_stream_.empty()) {
    changed_stream_ = data("changed.sql", {"sql", "--size", std::to_string(options_.stream_bytes), "--change-runs"});
  }
  return changed_stream_;
}

const std::string& Bench::tree() {
  if (tree_.empty()) {
    tree_ = data("tree", {"tree", "--size", std::to_string(options_.tree_bytes), "--files",
                          std::to_string(options_.tree_files)});
  }
  return tree_;
}

const std::string& Bench::innodb() {
  if (innodb_.empty()) {
    fs::create_directory(sandbox_.path("data/innodb"));
    data("innodb/t.ibd", {"innodb", "--size", std::to_string(options_.innodb_bytes)});
    innodb_ = sandbox_.path("data/innodb");
  }
  return innodb_;
}

const std::string& Bench::stream_base(const Tool& tool) {
  auto& base = stream_bases_[tool.name()];
  if (base.empty()) {
    const auto repository = fresh(tool);
    must(reading(tool.backup_stream(repository), stream()));
    base = repository;
  }
  return base;
}

const std::string& Bench::tree_base(const Tool& tool) {
  auto& base = tree_bases_[tool.name()];
  if (base.empty()) {
    const auto repository = fresh(tool);
    must(tool.backup_tree(repository, tree()));
    base = repository;
  }
  return base;
}

void Bench::run_streams(std::vector<ScenarioResult>& results) {
  const uint64_t size = options_.stream_bytes;
  if (wanted("stream-first")) {
    stream();
    results.push_back(scenario("stream-first", size, {.times_restic = 3.5, .stored = 1.03, .peak_rss = 256 * kMiB},
                               [&](const Tool& tool, unsigned) {
                                 const auto repository = fresh(tool);
                                 const auto sample =
                                     timed(reading(tool.backup_stream(repository), stream()), repository);
                                 keep(stream_bases_, tool, repository);
                                 return sample;
                               }));
  }
  if (wanted("stream-repeat")) {
    results.push_back(
        scenario("stream-repeat", size, {.times_restic = 6, .peak_rss = 300 * kMiB}, [&](const Tool& tool, unsigned) {
          const auto repository = copy(stream_base(tool));
          const auto sample = timed(reading(tool.backup_stream(repository), stream()), repository);
          discard(repository);
          return sample;
        }));
  }
  if (wanted("stream-runs")) {
    results.push_back(scenario("stream-runs", size, {.times_restic = 4}, [&](const Tool& tool, unsigned) {
      const auto repository = copy(stream_base(tool));
      const auto sample = timed(reading(tool.backup_stream(repository), changed_stream()), repository);
      keep(changed_bases_, tool, repository);
      return sample;
    }));
  }
  if (wanted("dump")) {
    results.push_back(
        scenario("dump", size, {.times_restic = 2.5, .times_rustic = 1}, [&](const Tool& tool, unsigned repetition) {
          const auto& repository = stream_base(tool);
          auto command = tool.dump(repository);
          command.out = test::Command::Out::count;
          const auto sample = timed(command, repository);
          if (repetition == 0) {  // once, not measured: the right bytes, too
            command.out = test::Command::Out::file;
            command.stdout_file = sandbox_.path("dumped");
            must(command);
            const bool same = same_content(command.stdout_file, stream());
            fs::remove(command.stdout_file);
            if (!same) throw std::runtime_error("the dump differs from what was backed up");
          }
          return sample;
        }));
  }
  if (wanted("check-data")) {
    results.push_back(scenario("check-data", size, {.times_restic = 2.5}, [&](const Tool& tool, unsigned) {
      const auto changed = changed_bases_.find(tool.name());
      const auto& repository = changed != changed_bases_.end() ? changed->second : stream_base(tool);
      return timed(tool.check_data(repository), repository);
    }));
  }
}

void Bench::run_trees(std::vector<ScenarioResult>& results) {
  const uint64_t size = options_.tree_bytes;
  if (wanted("tree-first")) {
    tree();
    results.push_back(scenario("tree-first", size, {.times_restic = 3}, [&](const Tool& tool, unsigned) {
      const auto repository = fresh(tool);
      const auto sample = timed(tool.backup_tree(repository, tree()), repository);
      keep(tree_bases_, tool, repository);
      return sample;
    }));
  }
  if (wanted("tree-unchanged")) {
    results.push_back(
        scenario("tree-unchanged", size, {.times_restic = 1, .times_rustic = 1}, [&](const Tool& tool, unsigned) {
          const auto repository = copy(tree_base(tool));
          const auto sample = timed(tool.backup_tree(repository, tree()), repository);
          discard(repository);
          return sample;
        }));
  }
  if (wanted("tree-restore")) {
    // All stay until the end: for a minute ext4 looks at each inode that was removed before it gives out another one.
    std::vector<std::string> restored;
    results.push_back(scenario("tree-restore", size, {.times_restic = 2.5}, [&](const Tool& tool, unsigned repetition) {
      const auto& into = restored.emplace_back(sandbox_.path(fmt::format("restored-{}", restored.size())));
      const auto& repository = tree_base(tool);
      const auto sample = timed(tool.restore(repository, into), repository);
      if (repetition == 0) {
        test::Command compare;
        compare.argv = {"diff", "-rq", "--no-dereference", into + tree(), tree()};
        must(compare);
      }
      return sample;
    }));
    for (const auto& into : restored) fs::remove_all(into);
  }
}

void Bench::run_innodb(std::vector<ScenarioResult>& results) {
  std::map<std::string, std::string> bases;
  if (!wanted("innodb-first") && !wanted("innodb-changed")) return;
  innodb();
  const auto backup = [&](const Tool& tool, const std::string& repository) {
    return timed(tool.backup_tree(repository, innodb()), repository);
  };
  if (wanted("innodb-first")) {
    results.push_back(scenario("innodb-first", options_.innodb_bytes, {.times_restic = 4, .times_rustic = 2},
                               [&](const Tool& tool, unsigned) {
                                 const auto repository = fresh(tool);
                                 const auto sample = backup(tool, repository);
                                 keep(bases, tool, repository);
                                 return sample;
                               }));
  }
  if (wanted("innodb-changed")) {
    for (const auto& tool : tools_) {
      auto& base = bases[tool.name()];
      if (!base.empty()) continue;
      base = fresh(tool);
      try {
        backup(tool, base);
      } catch (const std::exception&) {  // fails again, and is reported, when it is measured
      }
    }
    data("innodb/t.ibd", {"innodb", "--size", std::to_string(options_.innodb_bytes), "--changed", "0.01"});
    results.push_back(scenario("innodb-changed", options_.innodb_bytes, {}, [&](const Tool& tool, unsigned) {
      const auto repository = copy(bases[tool.name()]);
      const auto sample = backup(tool, repository);
      discard(repository);
      return sample;
    }));
  }
  for (const auto& [tool, repository] : bases) discard(repository);
}

// What years leave behind, against bars of its own: nobody else is measured.
void Bench::run_growth(std::vector<ScenarioResult>& results) {
  if (!wanted("growth") || options_.growth_blobs == 0) return;
  const auto all_tools = tools_;
  std::erase_if(tools_, [](const Tool& tool) { return tool.kind() != Tool::Kind::holdfast; });
  const auto repository = data("grown", {"growth", "--blobs", std::to_string(options_.growth_blobs), "--snapshots",
                                         std::to_string(options_.growth_snapshots)});
  const uint64_t size = options_.growth_stream_bytes;
  const auto input = data("growth.sql", {"sql", "--size", std::to_string(size)});
  // Before anything is added to the repository: all its snapshots are listed, and no others.
  results.push_back(scenario("growth-list", 0, {.wall_seconds = 1}, [&](const Tool& tool, unsigned) {
    auto command = tool.backups(repository);
    const auto sample = timed(command, repository);
    const auto listed = occurrences(must(command).out, "\"snapshotId\"");
    if (listed != options_.growth_snapshots) throw std::runtime_error(std::to_string(listed) + " backups are listed");
    return sample;
  }));
  bool first = true;
  results.push_back(scenario("growth-repeat", size, {.peak_rss = 300 * kMiB}, [&](const Tool& tool, unsigned) {
    const auto command = reading(tool.backup_stream(repository), input);
    if (std::exchange(first, false)) must(command);
    return timed(command, repository);
  }));
  fs::remove_all(repository);
  fs::remove(input);
  tools_ = all_tools;
}

void Bench::run_s3(std::vector<ScenarioResult>& results) {
  if (options_.s3_prefix.empty()) return;
  std::map<std::string, std::string> bases;
  const auto first = [&](const Tool& tool) {
    const auto repository = options_.s3_prefix + tool.name() + "-" + std::to_string(next_name_++);
    must(tool.init(repository));
    const auto sample = timed(reading(tool.backup_stream(repository), stream()), repository);
    bases[tool.name()] = repository;
    return sample;
  };
  std::erase_if(tools_, [](const Tool& tool) { return tool.kind() == Tool::Kind::rustic; });
  if (wanted("s3-first")) {
    stream();
    results.push_back(scenario("s3-first", options_.stream_bytes, {.times_restic = 2.5},
                               [&](const Tool& tool, unsigned) { return first(tool); }));
  }
  if (wanted("s3-dump")) {
    results.push_back(
        scenario("s3-dump", options_.stream_bytes, {.times_restic = 2.5}, [&](const Tool& tool, unsigned) {
          if (bases[tool.name()].empty()) first(tool);
          auto command = tool.dump(bases[tool.name()]);
          command.out = test::Command::Out::count;
          return timed(command, "");
        }));
  }
}

}  // namespace holdfast::bench
