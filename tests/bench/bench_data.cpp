// bench_data: writes the generated data the benchmarks run on, so that a figure can be repeated by hand.
#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <stdexcept>
#include <string>
#include <system_error>

#include "tests/bench/growth_data.h"
#include "tests/bench/innodb_data.h"
#include "tests/bench/sql_data.h"
#include "tests/bench/tree_data.h"

namespace holdfast::bench {
namespace {

constexpr char kUsage[] =
    "usage: bench_data sql    [--size BYTES] [--seed N] [--change-runs | --change-random] [--share F] [--out FILE]\n"
    "       bench_data tree   [--size BYTES] [--files N] [--seed N] --out DIRECTORY\n"
    "       bench_data growth [--blobs N] [--snapshots N] [--seed N] --out REPOSITORY   (password: $RESTIC_PASSWORD)\n"
    "       bench_data innodb [--size BYTES] [--seed N] [--zeros F] [--changed F] [--out FILE]\n"
    "BYTES may end in k, m, g (powers of 1000) or K, M, G (powers of 1024). Without --out: standard output.\n";

uint64_t parse_size(const std::string& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end > text.data() + text.size()) throw std::runtime_error("not a size: " + text);
  const std::string unit(end, text.data() + text.size());
  static const std::map<std::string, uint64_t> kUnits = {
      {"", 1}, {"k", 1000}, {"m", 1'000'000}, {"g", 1'000'000'000}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}};
  const auto found = kUnits.find(unit);
  if (found == kUnits.end()) throw std::runtime_error("not a size: " + text);
  return value * found->second;
}

int run(int argc, char** argv) {
  if (argc < 2) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  const std::string kind = argv[1];
  SqlOptions sql;
  TreeOptions tree;
  InnodbOptions innodb;
  GrowthOptions growth;
  std::string path;
  bool share_given = false;
  for (int i = 2; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--change-runs" || flag == "--change-random") {
      sql.change = flag == "--change-runs" ? SqlOptions::Change::runs : SqlOptions::Change::random;
      continue;
    }
    if (i + 1 == argc) throw std::runtime_error("unknown flag or missing value: " + flag);
    const std::string value = argv[++i];
    if (flag == "--out")
      path = value;
    else if (flag == "--size")
      sql.size = tree.size = innodb.size = parse_size(value);
    else if (flag == "--seed")
      sql.seed = tree.seed = innodb.seed = growth.seed = parse_size(value);
    else if (flag == "--files")
      tree.files = parse_size(value);
    else if (flag == "--share")
      sql.share = std::stod(value), share_given = true;
    else if (flag == "--blobs")
      growth.blobs = parse_size(value);
    else if (flag == "--snapshots")
      growth.snapshots = parse_size(value);
    else if (flag == "--zeros")
      innodb.zero_share = std::stod(value);
    else if (flag == "--changed")
      innodb.changed_share = std::stod(value);
    else
      throw std::runtime_error("unknown flag: " + flag);
  }
  if (sql.change == SqlOptions::Change::random && !share_given) sql.share = 0.01;
  if (kind == "tree") {
    if (path.empty()) throw std::runtime_error("tree needs --out DIRECTORY");
    write_tree(tree, path);
    return 0;
  }
  if (kind == "growth") {
    const char* password = std::getenv("RESTIC_PASSWORD");
    if (path.empty() || !password) throw std::runtime_error("growth needs --out REPOSITORY and RESTIC_PASSWORD");
    write_grown_repository(growth, path, password);
    return 0;
  }
  const int fd = path.empty() ? STDOUT_FILENO : ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), path);
  {
    Output out(fd);
    if (kind == "sql")
      write_sql(sql, out);
    else if (kind == "innodb")
      write_innodb(innodb, out);
    else
      throw std::runtime_error("unknown kind of data: " + kind);
    out.flush();
  }
  return 0;
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  try {
    return holdfast::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_data: %s\n", error.what());
    return 1;
  }
}
