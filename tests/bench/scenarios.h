// The scenarios of the speed bars: what is prepared, what is measured, against which bar.
//
// Each repetition runs every tool once, in turning order, so that a slow minute of the machine hits all of them alike.
// Preparation (init, copies of repositories) is never measured; pending writes are flushed before each measured run.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/bench/report.h"
#include "tests/bench/tools.h"

namespace holdfast::bench {

struct BenchOptions {
  unsigned repetitions = 3;
  uint64_t stream_bytes = 2'000'000'000;
  uint64_t tree_bytes = 2'000'000'000;
  uint64_t tree_files = 20'000;
  uint64_t innodb_bytes = 1ull << 30;
  uint64_t growth_blobs = 2'000'000;  ///< 0 = no such scenario: its bars are absolute and hold for this size
  uint64_t growth_snapshots = 5'000;
  uint64_t growth_stream_bytes = 1'000'000'000;
  std::set<std::string> only;  ///< names of scenarios; empty = all
  std::string data_program;    ///< bench_data: the data comes from a process of its own, this one stays small
  /// "s3:http://127.0.0.1:PORT/bucket/prefix-", with the credentials in the sandbox's environment; empty = no S3
  /// scenarios.
  std::string s3_prefix = "auto";
};

std::vector<std::string> scenario_names();

class Bench {
 public:
  Bench(BenchOptions options, const test::Sandbox& sandbox, std::vector<Tool> tools);

  /// Runs what was asked for; `progress` is told after each scenario.
  std::vector<ScenarioResult> run(const std::function<void(const ScenarioResult&)>& progress);

 private:
  using Measure = std::function<Sample(const Tool&, unsigned repetition)>;
  ScenarioResult scenario(const std::string& name, uint64_t input_bytes, Bar bar, const Measure& measure);
  Sample timed(const test::Command& command, const std::string& repository);

  std::string fresh(const Tool& tool);
  std::string copy(const std::string& repository);
  void discard(const std::string& repository);
  void keep(std::map<std::string, std::string>& base, const Tool& tool, const std::string& repository);

  const std::string& stream();
  const std::string& changed_stream();
  const std::string& tree();
  const std::string& innodb();
  std::string data(const std::string& name, std::vector<std::string> args);

  void run_streams(std::vector<ScenarioResult>& results);
  void run_trees(std::vector<ScenarioResult>& results);
  void run_innodb(std::vector<ScenarioResult>& results);
  void run_growth(std::vector<ScenarioResult>& results);
  void run_s3(std::vector<ScenarioResult>& results);
  bool wanted(const std::string& name) const { return options_.only.empty() || options_.only.contains(name); }
  const std::string& stream_base(const Tool& tool);
  const std::string& tree_base(const Tool& tool);

  BenchOptions options_;
  const test::Sandbox& sandbox_;
  std::vector<Tool> tools_;
  std::function<void(const ScenarioResult&)> progress_;
  std::map<std::string, std::string> stream_bases_, changed_bases_, tree_bases_;  ///< tool -> repository
  std::string stream_, changed_stream_, tree_, innodb_;
  unsigned next_name_ = 0;
};

}  // namespace holdfast::bench
