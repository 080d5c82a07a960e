// What was measured, as medians, ratios and verdicts against the bars.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/cli_support/command.h"

namespace holdfast::bench {

/// What holdfast must reach in one scenario; 0 = nothing asked.
struct Bar {
  double times_restic = 0;  ///< restic's wall time / ours
  double times_rustic = 0;
  double stored = 0;        ///< our stored bytes / restic's, at most
  double wall_seconds = 0;  ///< ours, at most
  uint64_t peak_rss = 0;    ///< bytes, at most
};

struct Sample {
  double wall_seconds = 0;
  double cpu_seconds = 0;
  uint64_t peak_rss = 0;
  uint64_t stored = 0;  ///< bytes the run added to the repository
};

struct ToolResult {
  std::vector<Sample> samples;
  std::string failure;  ///< first failure, empty if none
};

struct ScenarioResult {
  std::string name;
  uint64_t input_bytes = 0;
  Bar bar;
  std::map<std::string, ToolResult> tools;
};

/// Medians of each figure on its own.
Sample median(const std::vector<Sample>& samples);

/// "" when there is nothing to judge, else "ok" or what was missed.
std::string verdict(const ScenarioResult& result);

std::string table(const std::vector<ScenarioResult>& results);
std::string json(const std::vector<ScenarioResult>& results, const std::map<std::string, std::string>& versions);
/// True if no scenario missed a bar and no run failed.
bool all_well(const std::vector<ScenarioResult>& results);

}  // namespace holdfast::bench
