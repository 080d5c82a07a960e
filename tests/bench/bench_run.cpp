// bench_run: holdfast beside restic (and rustic, where it is installed) on the same generated data in one run.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tests/bench/scenarios.h"
#include "tests/support/servers/store_servers.h"

namespace holdfast::bench {
namespace {

constexpr char kUsage[] =
    "usage: bench_run [--short] [--only NAME,NAME...] [--repetitions N] [--json FILE] [--without TOOL]...\n"
    "                 [--stream-bytes N] [--tree-bytes N] [--tree-files N] [--innodb-bytes N] [--work DIRECTORY]\n"
    "                 [--s3 auto|none|s3:http://HOST:PORT/BUCKET/PREFIX-]  auto, the default: a SeaweedFS of our own, "
    "if installed;\n"
    "                 for another server AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are passed on\n"
    "       bench_run --list\n"
    "The program measured is $HOLDFAST_BIN or build/holdfast. Ends with 10 when a bar is missed.\n";

struct Call {
  BenchOptions options;
  std::string json_file;
  std::set<std::string> without;
};

Call parse(int argc, char** argv) {
  Call call;
  auto& options = call.options;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--short") {
      options.stream_bytes = 300'000'000;
      options.tree_bytes = 200'000'000;
      options.tree_files = 4'000;
      options.innodb_bytes = 256 << 20;
      options.growth_blobs = 0;
      continue;
    }
    if (i + 1 == argc) throw std::runtime_error("unknown flag or missing value: " + flag);
    const std::string value = argv[++i];
    if (flag == "--only") {
      std::istringstream names(value);
      for (std::string name; std::getline(names, name, ',');) options.only.insert(name);
    } else if (flag == "--repetitions") {
      options.repetitions = static_cast<unsigned>(std::stoul(value));
    } else if (flag == "--json") {
      call.json_file = value;
    } else if (flag == "--without") {
      call.without.insert(value);
    } else if (flag == "--stream-bytes") {
      options.stream_bytes = std::stoull(value);
    } else if (flag == "--tree-bytes") {
      options.tree_bytes = std::stoull(value);
    } else if (flag == "--tree-files") {
      options.tree_files = std::stoull(value);
    } else if (flag == "--innodb-bytes") {
      options.innodb_bytes = std::stoull(value);
    } else if (flag == "--s3") {
      options.s3_prefix = value;
    } else if (flag == "--work") {
      ::setenv("TMPDIR", value.c_str(), 1);
    } else {
      throw std::runtime_error("unknown flag: " + flag);
    }
  }
  for (const auto& name : options.only) {
    const auto names = scenario_names();
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw std::runtime_error("no scenario " + name + "; see --list");
  }
  if (options.growth_blobs == 0 && options.only.contains("growth"))
    throw std::runtime_error("growth is measured at its full size only (without --short)");
  return call;
}

bool wants_s3(const BenchOptions& options) {
  return options.only.empty() || options.only.contains("s3-first") || options.only.contains("s3-dump");
}

/// A SeaweedFS for the S3 scenarios, where they are wanted and no other server was named; its data goes with the
/// object.
std::unique_ptr<test::StoreServer> start_s3(BenchOptions& options, test::Sandbox& sandbox) {
  if (options.s3_prefix == "none" || !wants_s3(options)) options.s3_prefix.clear();
  if (options.s3_prefix != "auto" || !wants_s3(options)) return nullptr;
  options.s3_prefix.clear();
  auto server = test::make_seaweedfs();
  if (const auto why = server->missing(); !why.empty()) {
    std::fprintf(stderr, "bench_run: no S3 scenarios: %s\n", why.c_str());
    return nullptr;
  }
  server->start();
  for (const char* name : {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"}) {
    sandbox.env()[name] = server->options().env(name).value_or("");
  }
  options.s3_prefix = server->location("bench-");
  return server;
}

int run(int argc, char** argv) {
  if (argc == 2 && std::string(argv[1]) == "--list") {
    for (const auto& name : scenario_names()) std::puts(name.c_str());
    return 0;
  }
  auto call = parse(argc, argv);
  call.options.data_program = std::filesystem::canonical("/proc/self/exe").parent_path() / "bench_data";
  test::Sandbox sandbox("bench");
  const auto weed = start_s3(call.options, sandbox);
  for (const char* name : {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}) {
    if (const char* value = std::getenv(name); value && !weed) sandbox.env()[name] = value;
  }
  std::vector<Tool> tools;
  std::map<std::string, std::string> versions;
  for (const auto kind : {Tool::Kind::holdfast, Tool::Kind::restic, Tool::Kind::rustic}) {
    const Tool tool(kind, sandbox);
    if (call.without.contains(tool.name())) continue;
    const auto version = tool.version();
    if (version.empty()) {
      std::fprintf(stderr, "bench_run: %s does not run here and is left out\n", tool.name().c_str());
      continue;
    }
    versions[tool.name()] = version;
    tools.push_back(tool);
  }
  Bench bench(call.options, sandbox, tools);
  const auto results = bench.run([](const ScenarioResult& result) {
    std::fprintf(stderr, "%s: %s\n", result.name.c_str(), verdict(result).c_str());
  });
  std::fputs(table(results).c_str(), stdout);
  if (!call.json_file.empty()) std::ofstream(call.json_file) << json(results, versions);
  return all_well(results) ? 0 : 10;
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  try {
    return holdfast::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_run: %s\n%s", error.what(), holdfast::bench::kUsage);
    return 2;
  }
}
