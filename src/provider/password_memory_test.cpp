// A password that was read from a file is not found in the memory of the process after its last use.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "agent/config.h"
#include "cluster/types.h"
#include "engine/members.h"
#include "engine/private_files.h"
#include "provider/member_access.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sql/rows.h"
#include "sys/file.h"
#include "sys/process.h"

namespace holdfast::provider {
namespace {

using std::chrono::seconds;

/// What is looked for, disguised: each letter and digit stands for the one half its alphabet further.
class Wanted {
 public:
  explicit Wanted(std::string disguised) : disguised_(std::move(disguised)) {}
  size_t size() const { return disguised_.size(); }
  [[gnu::noinline]] char at(size_t i) const {
    const char c = disguised_[i];
    const auto turned = [&](char first, int count) {
      return static_cast<char>(first + (c - first + count / 2) % count);
    };
    if (c >= 'a' && c <= 'z') return turned('a', 26);
    if (c >= 'A' && c <= 'Z') return turned('A', 26);
    return turned('0', 10);
  }

 private:
  const std::string disguised_;
};

/// The places in this process's writable memory where it stands.
__attribute__((no_sanitize("address"))) size_t copies_of(const Wanted& wanted) {
  struct Region {
    void *begin, *end;
    size_t size() const { return static_cast<size_t>(static_cast<char*>(end) - static_cast<char*>(begin)); }
  };
  constexpr size_t kOfSanitizer = size_t{1} << 32;  // its shadow takes terabytes of addresses, and holds no bytes
  std::vector<Region> regions;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    Region region{};
    char rights[5];
    if (std::sscanf(line.c_str(), "%p-%p %4s", &region.begin, &region.end, rights) == 3 &&
        std::string_view(rights) == "rw-p" && line.find("[v") == line.npos && region.size() < kOfSanitizer)
      regions.push_back(region);
  }
  size_t found = 0;
  const char first = wanted.at(0);
  for (const Region& region : regions) {
    const char* last = static_cast<const char*>(region.end) - wanted.size();
    for (const char* p = static_cast<const char*>(region.begin); p <= last; ++p) {
      if (*p != first) continue;
      size_t same = 1;
      while (same < wanted.size() && p[same] == wanted.at(same)) ++same;
      found += same == wanted.size();
    }
  }
  return found;
}

class PasswordMemory : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    // Made by other programs: this process has never seen it. Short ones are kept in the string object itself.
    const std::string make = "head -c 300 /dev/urandom | base64 -w0 | tr -dc A-Za-z0-9 | head -c " +
                             std::to_string(GetParam()) + " > " + file_ + "; echo >> " + file_ +
                             "; tr A-Za-z0-9 N-ZA-Mn-za-m5-90-4 < " + file_ + " > " + file_ + ".disguised";
    ASSERT_TRUE(sys::run_ok({.argv = {"/bin/sh", "-c", make}}, Deadline::in(seconds(20))));
    const Buffer disguised = sys::read_file(file_ + ".disguised").value();
    wanted_.emplace(std::string(as_text(disguised).substr(0, disguised.size() - 1)));
    ASSERT_EQ(wanted_->size(), static_cast<size_t>(GetParam()));
    cluster_.engine = cluster::Engine::mysql;
    cluster_.name = ClusterName("shop");
    cluster_.credentials.user = "backup";
    cluster_.credentials.password.file = file_;
    cluster_.members.resize(1);
    cluster_.members[0].host = "127.0.0.1";
    cluster_.members[0].port = 1;
  }
  const sys::TempDir dir_ = sys::TempDir::create("memory").value();
  const std::string file_ = dir_.path() + "/password";
  std::optional<Wanted> wanted_;
  cluster::DatabaseCluster cluster_;
};

TEST_P(PasswordMemory, HoldsNothingAfterUse) {
  ASSERT_EQ(copies_of(*wanted_), 0u) << "before it was read";
  {
    const sql::Target target = ClusterMembers(cluster_)[0].sql().value();
    ASSERT_GE(copies_of(*wanted_), 1u) << "the search finds it";
    EXPECT_EQ(copies_of(*wanted_), 1u) << "one copy is enough";
    const engine::Login again = engine::cluster_login(cluster_, {}).value();
    const Secret agents = agent::read_password(file_).value();
    std::vector<sql::Target> targets(20, target);
    std::vector<sql::Target> moved = std::move(targets);
    moved.erase(moved.begin() + 3);
    const auto options = engine::mysql_option_file(cluster::Engine::mysql, target).value();
    const auto file = engine::PrivateFile::create("client.cnf", options).value();
    const auto passfile = engine::PrivateFile::create("pgpass", engine::postgres_password_file(target)).value();
    (void)sql::PostgresConnection::connect(target, Deadline::in(seconds(5)));
    (void)sql::MariadbConnection::connect(target, Deadline::in(seconds(5)));
    Secret statement("ALTER USER backup IDENTIFIED BY ");
    for (int i = 0; i < 20; ++i)
      statement.append(sql::quote_mysql(target.password)).append(sql::quote_postgres(again.password));
    EXPECT_GE(copies_of(*wanted_), 60u);
  }
  EXPECT_EQ(copies_of(*wanted_), 0u) << "all is over";
}

INSTANTIATE_TEST_SUITE_P(Lengths, PasswordMemory, testing::Values(12, 15, 40, 200));

}  // namespace
}  // namespace holdfast::provider
