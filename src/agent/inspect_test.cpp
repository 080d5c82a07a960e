#include "agent/inspect.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "sys/file.h"
#include "tests/support/require.h"

namespace holdfast::agent {
namespace {

/// What the data directory of a stopped MariaDB member with these files is told to be.
cluster::StoredFacts stored_of(const std::vector<std::string>& files) {
  auto folder = sys::TempDir::create("inspect");
  if (!folder) throw std::runtime_error(folder.error().to_string());
  MemberConfig config;
  config.engine = cluster::Engine::mariadb;
  config.dir = folder->path();
  for (const auto& file : files) {
    const std::filesystem::path path = folder->path() + "/" + file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << "x";
  }
  cluster::MemberFacts facts;
  detail::read_stored(facts, config, Deadline::never(), {});
  return *facts.stored;
}

using Data = cluster::StoredFacts::Data;

TEST(InspectStored, OnlyOurOwnMarkerProvesThatAHalfMadeDirectoryHoldsNothing) {
  EXPECT_EQ(stored_of({"data/ibdata1", "data/mysql/db.frm", "initialising"}).data, Data::incomplete);
  const auto damaged = stored_of({"data/mysql/db.frm", "data/shop/ledger.ibd"});  // somebody removed ibdata1
  EXPECT_EQ(damaged.data, Data::unknown);
  EXPECT_NE(damaged.why.find("ibdata1"), std::string::npos) << damaged.why;
}

TEST(InspectStored, MissingAndEmptyAreProven) {
  EXPECT_EQ(stored_of({}).data, Data::missing);
  EXPECT_EQ(stored_of({"data/ibdata1", "data/mysql/db.frm"}).data, Data::present);
  EXPECT_EQ(stored_of({"data/notes.txt"}).data, Data::unknown) << "something is in it, and not of this engine";
}

/// A server with its log on another disk: this process, which holds such a file open.
TEST(InspectDisks, LogsOnADiskOfTheirOwnAreFoundByTheFilesTheServerHoldsOpen) {
  auto data = sys::TempDir::create("inspect");
  ASSERT_TRUE(data);
  struct stat here{}, there{};
  ASSERT_EQ(::stat(data->path().c_str(), &here), 0);
  const bool other = ::stat("/dev/shm", &there) == 0 && here.st_dev != there.st_dev;
  HOLDFAST_NEED("other-disk", other, "/dev/shm is no other disk than the one of temporary files");
  char folder[] = "/dev/shm/holdfast-inspect-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  MemberConfig config;
  config.engine = cluster::Engine::mysql;
  config.dir = data->path();
  std::filesystem::create_directories(config.data_dir());
  const std::string file = std::string(folder) + "/binlog.index";
  {
    std::ofstream held(file);
    cluster::MemberFacts facts;
    look_at_disks(facts, config, ::getpid());
    EXPECT_EQ(facts.runtime.volumes.size(), 2u);
    if (facts.runtime.volumes.size() == 2) {
      EXPECT_EQ(facts.runtime.volumes[0].purpose, "data");
      EXPECT_EQ(facts.runtime.volumes[1].purpose, "log");
      EXPECT_EQ(facts.runtime.volumes[1].path, folder);
    }
  }
  cluster::MemberFacts facts;
  look_at_disks(facts, config, ::getpid());
  EXPECT_EQ(facts.runtime.volumes.size(), 1u) << "nobody holds it any more";
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace holdfast::agent
