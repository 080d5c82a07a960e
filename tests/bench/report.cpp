#include "tests/bench/report.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::bench {
namespace {

template <class Get>
auto middle(const std::vector<Sample>& samples, Get get) {
  std::vector<decltype(get(samples[0]))> values;
  for (const auto& sample : samples) values.push_back(get(sample));
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::optional<Sample> result_of(const ScenarioResult& result, const std::string& tool) {
  const auto found = result.tools.find(tool);
  if (found == result.tools.end() || found->second.samples.empty() || !found->second.failure.empty())
    return std::nullopt;
  return median(found->second.samples);
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const unsigned char c : text) {
    if (c == '"' || c == '\\')
      out += '\\', out += static_cast<char>(c);
    else if (c < 0x20)
      out += fmt::format("\\u{:04x}", c);
    else
      out += static_cast<char>(c);
  }
  return out + '"';
}

}  // namespace

Sample median(const std::vector<Sample>& samples) {
  Sample out;
  if (samples.empty()) return out;
  out.wall_seconds = middle(samples, [](const Sample& s) { return s.wall_seconds; });
  out.cpu_seconds = middle(samples, [](const Sample& s) { return s.cpu_seconds; });
  out.peak_rss = middle(samples, [](const Sample& s) { return s.peak_rss; });
  out.stored = middle(samples, [](const Sample& s) { return s.stored; });
  return out;
}

std::string verdict(const ScenarioResult& result) {
  for (const auto& [tool, measured] : result.tools) {
    if (!measured.failure.empty()) return tool + " failed: " + measured.failure.substr(0, 300);
  }
  const auto ours = result_of(result, "holdfast");
  if (!ours) return "";
  std::string missed;
  const auto miss = [&](const std::string& what) { missed += (missed.empty() ? "MISSED " : ", ") + what; };
  const auto speed = [&](const char* peer, double bar) {
    const auto theirs = result_of(result, peer);
    if (!theirs || bar == 0) return;
    const double times = theirs->wall_seconds / ours->wall_seconds;
    if (times < bar) miss(fmt::format("{} x{:.2f} < x{:g}", peer, times, bar));
  };
  speed("restic", result.bar.times_restic);
  speed("rustic", result.bar.times_rustic);
  if (const auto theirs = result_of(result, "restic"); theirs && result.bar.stored > 0 && theirs->stored > 0) {
    const double share = static_cast<double>(ours->stored) / static_cast<double>(theirs->stored);
    if (share > result.bar.stored) miss(fmt::format("size {:.3f} > {:g}", share, result.bar.stored));
  }
  if (result.bar.wall_seconds > 0 && ours->wall_seconds > result.bar.wall_seconds) {
    miss(fmt::format("time {:.2f} s > {:g} s", ours->wall_seconds, result.bar.wall_seconds));
  }
  if (result.bar.peak_rss > 0 && ours->peak_rss > result.bar.peak_rss) {
    miss(fmt::format("memory {} MiB > {} MiB", ours->peak_rss >> 20, result.bar.peak_rss >> 20));
  }
  return missed.empty() ? "ok" : missed;
}

std::string table(const std::vector<ScenarioResult>& results) {
  std::string out = fmt::format("{:<18} {:<9} {:>8} {:>8} {:>8} {:>10} {:>9} {:>8} {:>7} {:>7}\n", "scenario", "tool",
                                "wall s", "cpu s", "rss MiB", "stored MB", "MB/s", "x wall", "x cpu", "x size");
  for (const auto& result : results) {
    const auto ours = result_of(result, "holdfast");
    for (const auto& [tool, measured] : result.tools) {
      const auto sample = result_of(result, tool);
      if (!sample) continue;
      out += fmt::format("{:<18} {:<9} {:>8.2f} {:>8.2f} {:>8} {:>10.1f} {:>9.0f}", result.name, tool,
                         sample->wall_seconds, sample->cpu_seconds, sample->peak_rss >> 20,
                         static_cast<double>(sample->stored) / 1e6,
                         static_cast<double>(result.input_bytes) / 1e6 / sample->wall_seconds);
      if (ours && tool != "holdfast") {
        out += fmt::format(" {:>8.2f} {:>7.2f}", sample->wall_seconds / ours->wall_seconds,
                           sample->cpu_seconds / std::max(ours->cpu_seconds, 1e-3));
        if (sample->stored > 0) {
          out += fmt::format(" {:>7.3f}", static_cast<double>(ours->stored) / static_cast<double>(sample->stored));
        }
      }
      out += '\n';
    }
    if (const auto said = verdict(result); !said.empty()) out += fmt::format("{:<18} => {}\n", result.name, said);
  }
  return out;
}

std::string json(const std::vector<ScenarioResult>& results, const std::map<std::string, std::string>& versions) {
  std::string out = "{\"versions\":{";
  for (const auto& [tool, version] : versions)
    out += fmt::format("{}{}:{}", out.back() == '{' ? "" : ",", quoted(tool), quoted(version));
  out += "},\"scenarios\":[";
  for (const auto& result : results) {
    if (&result != &results.front()) out += ',';
    out += fmt::format("{{\"name\":{},\"inputBytes\":{},\"verdict\":{},\"tools\":{{", quoted(result.name),
                       result.input_bytes, quoted(verdict(result)));
    for (const auto& [tool, measured] : result.tools) {
      const auto middle = median(measured.samples);
      out += fmt::format(
          "{}{}:{{\"failure\":{},\"wallSeconds\":{:.4f},\"cpuSeconds\":{:.4f},\"peakRss\":{},\"stored\":{},\"walls\":[",
          out.back() == '{' ? "" : ",", quoted(tool), quoted(measured.failure), middle.wall_seconds, middle.cpu_seconds,
          middle.peak_rss, middle.stored);
      for (const auto& sample : measured.samples)
        out += fmt::format("{}{:.4f}", out.back() == '[' ? "" : ",", sample.wall_seconds);
      out += "]}";
    }
    out += "}}";
  }
  return out + "]}\n";
}

bool all_well(const std::vector<ScenarioResult>& results) {
  return std::all_of(results.begin(), results.end(), [](const ScenarioResult& result) {
    const auto said = verdict(result);
    return said.empty() || said == "ok";
  });
}

}  // namespace holdfast::bench
