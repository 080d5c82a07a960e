// Nothing, where data was, is not taken for an empty member unless it is the same volume.
#include "agent/last_data.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agent/inspect.h"
#include "sys/file.h"

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;

class LastData : public ::testing::Test {
 protected:
  LastData() {
    config_.member = "shop-0";
    config_.dir = dir_.path();
    config_.engine = cluster::Engine::mysql;
    config_.uid = ::geteuid();
    config_.gid = ::getegid();
  }
  ~LastData() override { fs::remove_all(volume_); }
  void fill(const std::string& where) const {
    fs::create_directories(where);
    std::ofstream(where + "/ibdata1") << "x";
    std::ofstream(where + "/auto.cnf") << "[auto]\nserver-uuid=11111111-1111-1111-1111-111111111111\n";
  }
  cluster::MemberFacts inspected() const {
    cluster::MemberFacts facts;
    inspect(facts, config_, -1, Deadline::never());
    return facts;
  }

  sys::TempDir dir_ = std::move(*sys::TempDir::create("last-data"));
  /// Another file system than that of temporary files.
  const std::string volume_ = "/dev/shm/holdfast-last-data-" + std::to_string(::getpid());
  MemberConfig config_;
};

TEST_F(LastData, OnTheSameVolumeItWasRemoved) {
  EXPECT_EQ(data_elsewhere(config_), "");
  fill(config_.data_dir());
  ASSERT_TRUE(remember_data(config_));
  EXPECT_TRUE(remembers_data(config_));
  fs::remove_all(config_.data_dir());
  EXPECT_EQ(data_elsewhere(config_), "");
  EXPECT_EQ(inspected().stored->data, cluster::StoredFacts::Data::missing);
  fs::create_directories(config_.data_dir());
  EXPECT_EQ(inspected().stored->data, cluster::StoredFacts::Data::empty);
}

TEST_F(LastData, OnAnotherVolumeItIsUnknown) {
  fill(volume_);
  fs::create_directory_symlink(volume_, config_.data_dir());
  ASSERT_TRUE(remember_data(config_));
  // As after a reboot, without the mount.
  fs::remove(config_.data_dir());
  for (const bool empty : {false, true}) {
    if (empty) fs::create_directories(config_.data_dir());
    const auto facts = inspected();
    EXPECT_EQ(facts.stored->data, cluster::StoredFacts::Data::unknown);
    EXPECT_NE(facts.stored->remembered.find("11111111-1111-1111-1111-111111111111"), std::string::npos)
        << facts.stored->remembered;
    cluster::MemberFacts told;
    take_inspection(told, inspection_value(facts));
    EXPECT_EQ(told.stored->remembered, facts.stored->remembered);
  }
}

}  // namespace
}  // namespace holdfast::agent
