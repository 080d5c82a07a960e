#include "agent/inspect.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "sys/file.h"

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

}  // namespace
}  // namespace holdfast::agent
