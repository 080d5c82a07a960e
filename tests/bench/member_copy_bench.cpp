// member_copy_bench: how fast a member is rebuilt beside a plain copy of the same directory on the same disk, in one
// run, in turning order. The bar: 80 % of the slower of the disk and a plain single-stream copy.
//   member_copy_bench [--engine mariadb|galera|mysql|postgres]... [--megabytes N] [--repetitions N]
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "agent/copy.h"
#include "tests/integration/copy_world.h"
#include "tests/support/program.h"

namespace holdfast::test {
namespace {

using codec::Value;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begun) {
  return std::chrono::duration<double>(Clock::now() - begun).count();
}

void flush(const std::string& path) {
  auto fd = sys::open_file(path, O_RDONLY | O_DIRECTORY);
  if (fd) (void)::syncfs(fd->get());
}

/// Rows that no page compression shrinks, on the donor.
void fill(const CopyWorld& world, cluster::Engine engine, int megabytes) {
  std::vector<std::string> statements;
  if (engine == cluster::Engine::postgres) {
    statements = {
        "CREATE TABLE bulk (id bigserial PRIMARY KEY, a text); ALTER TABLE bulk ALTER a SET STORAGE EXTERNAL"};
    for (int done = 0; done < megabytes; done += 64)
      statements.push_back("INSERT INTO bulk (a) SELECT repeat(md5(i::text), 60) FROM generate_series(1, 32768) i");
  } else {
    statements = {"CREATE DATABASE bulk", "CREATE TABLE bulk.t (id INT AUTO_INCREMENT PRIMARY KEY, a LONGBLOB)",
                  "CREATE TABLE bulk.n (n INT)", "INSERT INTO bulk.n VALUES (0),(1),(2),(3),(4),(5),(6),(7)"};
    for (int done = 0; done < megabytes; done += 64)
      statements.push_back(
          "INSERT INTO bulk.t (a) SELECT REPEAT(RANDOM_BYTES(1000), 128) FROM bulk.n x, bulk.n y, bulk.n z");
  }
  for (const auto& statement : statements) {
    const auto said = world.ask(0, statement);
    if (!said.empty()) std::fprintf(stderr, "%s: %s\n", statement.substr(0, 60).c_str(), said.c_str());
  }
}

struct Rates {
  std::vector<double> ours, plain, disk;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

bool measure(const std::string& engine_name, int megabytes, int repetitions) {
  CopyWorld world("shop-" + engine_name);
  world.up("2MB");
  const auto engine = world.config(0).engine;
  const int victim = engine_name == "mysql" || engine_name == "postgres" ? 1 : 2;
  fill(world, engine, megabytes);
  world.must(victim, "stop");
  const std::string source = world.config(0).data_dir(), work = world.dir(victim) + "/plain";
  Rates rates;
  for (int i = 0; i < repetitions; ++i) {
    flush(source);
    auto begun = Clock::now();
    const Value copy = world.must(
        victim, "initialise",
        Value::object({{"from", "donor"}, {"donor", world.name(0)}, {"side", true}, {"timeoutSeconds", 1800}}));
    const double took = seconds_since(begun);
    rates.ours.push_back(copy["bytes"].number(static_cast<double>(copy["bytes"].integer())) / took / 1e6);
    const double size = static_cast<double>(copy["bytes"].integer());
    world.must(victim, "discard_side");
    flush(source);

    std::filesystem::create_directory(work);
    begun = Clock::now();
    auto plain =
        run_program({"/bin/sh", "-c", "tar -C \"$0\" -cf - . | tar -C \"$1\" -xf - && sync -f \"$1\"", source, work},
                    {.limit = std::chrono::seconds(1800)});
    const double plain_took = seconds_since(begun);
    rates.plain.push_back(static_cast<double>(agent::detail::bytes_on_disk(work)) / plain_took / 1e6);
    std::filesystem::remove_all(work);
    flush(source);

    std::filesystem::create_directory(work);
    begun = Clock::now();
    auto disk = run_program({"/bin/dd", "if=/dev/zero", "of=" + work + "/zeros", "bs=1M", "conv=fsync",
                             "count=" + std::to_string(static_cast<long>(size / (1 << 20)))},
                            {.limit = std::chrono::seconds(1800)});
    rates.disk.push_back(size / seconds_since(begun) / 1e6);
    std::filesystem::remove_all(work);
    std::printf("%s %d: rebuild %.0f MB/s (%.1f s of %.0f MB), tar | tar %.0f MB/s, disk %.0f MB/s\n",
                engine_name.c_str(), i, rates.ours.back(), took, size / 1e6, rates.plain.back(), rates.disk.back());
    std::fflush(stdout);
  }
  const double bar = std::min(median(rates.plain), median(rates.disk)), ratio = median(rates.ours) / bar;
  std::printf("%s: median rebuild %.0f MB/s, %.2f of the slower of disk and plain copy (bar 0.80): %s\n",
              engine_name.c_str(), median(rates.ours), ratio, ratio >= 0.8 ? "holds" : "MISSED");
  return ratio >= 0.8;
}

}  // namespace
}  // namespace holdfast::test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  std::vector<std::string> engines;
  int megabytes = 1024, repetitions = 3;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--engine") engines.emplace_back(argv[i + 1]);
    if (flag == "--megabytes") megabytes = std::stoi(argv[i + 1]);
    if (flag == "--repetitions") repetitions = std::stoi(argv[i + 1]);
  }
  if (engines.empty()) engines = {"mariadb", "galera", "mysql", "postgres"};
  bool holds = true;
  for (const auto& engine : engines) holds = holdfast::test::measure(engine, megabytes, repetitions) && holds;
  return holds ? 0 : 10;
}
