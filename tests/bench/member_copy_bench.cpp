// member_copy_bench: how fast a member is rebuilt beside a plain copy of the same directory on the same disk, in one
// run, in turning order. The bar: 80 % of the slower of the disk and a plain single-stream copy. On hosts (network
// namespaces, as root) the plain copy is a TLS stream of the same bytes from the donor's host to the member's
// (openssl), and the disk's are written and synced there. All hosts share this machine's processors.
//   member_copy_bench [--engine mariadb|galera|mysql|postgres]... [--megabytes N] [--repetitions N] [--hosts 3]
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
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

/// The donor's directory as one file on the member's host, in the page cache.
std::string pack(const std::string& source, const std::string& work) {
  std::filesystem::create_directory(work);
  const auto packed = run_program({"/bin/sh", "-c", "tar -C \"$0\" -cf \"$1/all.tar\" .", source, work},
                                  {.limit = std::chrono::seconds(1800)});
  if (packed.exit_code > 1) std::fprintf(stderr, "tar: %s\n", packed.err.c_str());  // 1: a file changed meanwhile
  flush(work);
  return work + "/all.tar";
}

double bytes_of(const std::string& file) {
  return static_cast<double>(std::filesystem::file_size(file));
}

/// MB/s of a plain TLS 1.3 stream of this file between two hosts, which is counted where it arrives; 0 where not all of
/// it did.
double tls_rate(const agent::MemberConfig& from, const agent::MemberConfig& to, const std::string& file) {
  constexpr const char* kReceive =
      "ip netns exec \"$0\" openssl s_server -accept 7999 -naccept 1 -quiet -tls1_3 -cert \"$1\" -key \"$2\" "
      "2>/dev/null | wc -c >\"$3\"";
  const std::string count = file + ".arrived";
  sys::Command receive;
  receive.argv = {"/bin/sh", "-c", kReceive, to.net_namespace, to.tls_certificate, to.tls_key, count};
  receive.in = sys::Stdio::pipe();  // at its end openssl would end
  receive.die_with_parent = SIGKILL;
  auto receiving = sys::spawn(receive);
  if (!receiving) return 0;
  run_program(
      {"/bin/sh", "-c", "until ip netns exec \"$0\" ss -ltn | grep -q :7999; do sleep 0.05; done", to.net_namespace});
  const auto begun = Clock::now();
  const auto sent = run_program(
      {"/bin/sh", "-c",
       "exec ip netns exec \"$0\" openssl s_client -connect \"$1:7999\" -quiet -nocommands -no_ign_eof -tls1_3 <\"$2\"",
       from.net_namespace, to.host, file},
      {.limit = std::chrono::seconds(1800)});
  const auto received = receiving->wait(Deadline::in(std::chrono::seconds(60)));
  const double took = seconds_since(begun);
  if (sent.exit_code != 0 || !received || !received->ok()) std::fprintf(stderr, "openssl: %s\n", sent.err.c_str());
  const auto arrived = sys::read_file(count);
  if (arrived && std::strtod(std::string(as_text(arrived->span())).c_str(), nullptr) == bytes_of(file))
    return bytes_of(file) / took / 1e6;
  std::fprintf(stderr, "openssl: not all of it arrived\n");
  return 0;
}

double disk_rate(const std::string& file, const std::string& into) {
  const auto begun = Clock::now();
  run_program({"/bin/dd", "if=" + file, "of=" + into, "bs=1M", "conv=fsync"}, {.limit = std::chrono::seconds(1800)});
  return bytes_of(file) / seconds_since(begun) / 1e6;
}

struct Choices {
  int megabytes = 1024, repetitions = 3, hosts = 0;
};

bool measure(const std::string& engine_name, const Choices& choices) {
  const auto& [megabytes, repetitions, hosts] = choices;
  CopyWorld world("shop-" + engine_name);
  world.up("2MB", hosts > 0 ? std::vector<std::string>{"--hosts", std::to_string(hosts)} : std::vector<std::string>());
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
    if (hosts > 0) {
      const std::string file = pack(source, work);
      rates.plain.push_back(tls_rate(world.config(0), world.config(victim), file));
      rates.disk.push_back(disk_rate(file, work + "/copy"));
      std::filesystem::remove_all(work);
      std::printf("%s %d: rebuild %.0f MB/s (%.1f s of %.0f MB), TLS stream %.0f MB/s, disk %.0f MB/s\n",
                  engine_name.c_str(), i, rates.ours.back(), took, size / 1e6, rates.plain.back(), rates.disk.back());
      std::fflush(stdout);
      continue;
    }

    std::filesystem::create_directory(work);
    begun = Clock::now();
    auto plain =
        run_program({"/bin/sh", "-c", "tar -C \"$0\" -cf - . | tar -C \"$1\" -xf - && sync -f \"$1\"", source, work},
                    {.limit = std::chrono::seconds(1800)});
    const double plain_took = seconds_since(begun);
    rates.plain.push_back(static_cast<double>(agent::detail::bytes_on_disk(world.config(victim), work)) / plain_took /
                          1e6);
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
  if (bar <= 0) {
    std::printf("%s: not measured: there is nothing to compare with\n", engine_name.c_str());
    return false;
  }
  std::printf("%s: median rebuild %.0f MB/s, %.2f of the slower of disk and %s (bar 0.80): %s\n", engine_name.c_str(),
              median(rates.ours), ratio, hosts > 0 ? "TLS stream" : "plain copy", ratio >= 0.8 ? "holds" : "MISSED");
  return ratio >= 0.8;
}

}  // namespace
}  // namespace holdfast::test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  std::vector<std::string> engines;
  holdfast::test::Choices choices;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--engine") engines.emplace_back(argv[i + 1]);
    if (flag == "--megabytes") choices.megabytes = std::stoi(argv[i + 1]);
    if (flag == "--repetitions") choices.repetitions = std::stoi(argv[i + 1]);
    if (flag == "--hosts") choices.hosts = std::stoi(argv[i + 1]);
  }
  if (engines.empty()) engines = {"mariadb", "galera", "mysql", "postgres"};
  bool holds = true;
  for (const auto& engine : engines) holds = holdfast::test::measure(engine, choices) && holds;
  return holds ? 0 : 10;
}
