// WAL on a volume of its own: a copy gets another WAL directory, which goes where the copy goes, and with it.
#include "agent/wal_dir.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agent/data_dir.h"
#include "sys/file.h"
#include "tests/support/require.h"

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;

class WalDir : public ::testing::Test {
 protected:
  WalDir() {
    const std::string top = fs::canonical(top_.path()).string();
    c_.engine = cluster::Engine::postgres;
    c_.member = "orders-0";
    c_.dir = top + "/member";
    c_.uid = ::geteuid();
    c_.gid = ::getegid();
    c_.existing.emplace().data_dir = top + "/data";
    c_.existing->wal_dir = top + "/wal/main";
    fs::create_directories(c_.dir);
    put(c_.data_dir(), c_.existing->wal_dir, "old");
  }
  static void put(const std::string& data, const std::string& wal, const std::string& text) {
    fs::create_directories(data);
    fs::create_directories(wal);
    std::ofstream(data + "/PG_VERSION") << "15";
    std::ofstream(wal + "/000000010000000000000001") << text;
    fs::create_directory_symlink(wal, data + "/pg_wal");
  }
  static std::string held(const std::string& data) {
    const auto text = sys::read_file(data + "/pg_wal/000000010000000000000001");
    return text ? std::string(as_text(text->span())) : "";
  }
  size_t wals() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(top_.path() + "/wal"), fs::directory_iterator()));
  }
  Status copy() {
    const MemberConfig side = side_of(c_);
    return make_data_dir(side, [&]() -> Status {
      put(side.data_dir(), TRY(make_wal_dir(side)), "new");
      return {};
    });
  }

  const sys::TempDir top_ = sys::TempDir::create("wal-dir").value();
  MemberConfig c_;
};

TEST_F(WalDir, ACopyHasItsOwnWhereverItGoes) {
  ASSERT_TRUE(copy());
  EXPECT_EQ(held(c_.data_dir()), "old");
  EXPECT_EQ(wals(), 2u);
  const std::string aside = swap_in_side(c_).value();
  EXPECT_EQ(held(c_.data_dir()), "new");
  EXPECT_EQ(held(aside), "old");
  // Back, and the copy is dropped: its WAL goes with it.
  ASSERT_TRUE(put_data_back(c_, aside));
  EXPECT_EQ(held(c_.data_dir()), "old");
  std::string copy_aside;
  for (const auto& entry : fs::directory_iterator(c_.data_home()))
    if (entry.path().string().starts_with(c_.beside(".replaced-"))) copy_aside = entry.path().string();
  EXPECT_EQ(held(copy_aside), "new");
  ASSERT_TRUE(drop_data_aside(c_, copy_aside));
  EXPECT_EQ(wals(), 1u);
  EXPECT_EQ(held(c_.data_dir()), "old");
}

TEST_F(WalDir, TheNextCopyIsCalledAfterTheFirst) {
  ASSERT_TRUE(copy());
  const std::string aside = swap_in_side(c_).value();
  ASSERT_TRUE(drop_data_aside(c_, aside));
  EXPECT_EQ(wals(), 1u) << "the old data's WAL is there still";
  c_.existing->wal_dir = wal_elsewhere(c_.data_dir());
  ASSERT_TRUE(copy());
  const std::string second = wal_elsewhere(side_of(c_).data_dir());
  EXPECT_EQ(second.rfind(".holdfast-"), second.find(".holdfast-")) << second;
  EXPECT_NE(second, c_.existing->wal_dir);
  ASSERT_TRUE(discard_side_dir(c_));
  EXPECT_EQ(wals(), 1u);
  EXPECT_EQ(held(c_.data_dir()), "new");
}

TEST_F(WalDir, ARestoreHasWalOfItsOwnAndTheOldOneComesBack) {
  const auto aside = set_data_aside(c_);
  ASSERT_TRUE(aside) << aside.error().to_string();
  EXPECT_EQ(held(*aside), "old");
  ASSERT_TRUE(make_data_dir(c_, [&]() -> Status {
    put(c_.data_dir(), TRY(make_wal_dir(c_)), "restored");
    return {};
  }));
  EXPECT_EQ(wals(), 2u);
  EXPECT_EQ(held(c_.data_dir()), "restored");
  ASSERT_TRUE(put_data_back(c_, *aside));
  EXPECT_EQ(held(c_.data_dir()), "old");
  EXPECT_EQ(wal_elsewhere(c_.data_dir()), c_.existing->wal_dir);
}

TEST_F(WalDir, OnlyItsOwnIsRemoved) {
  const std::string other = top_.path() + "/other";
  fs::create_directories(other);
  std::ofstream(other + "/kept") << "x";
  const std::string aside = c_.beside(".replaced-1");
  for (const std::string& target : {other, c_.existing->wal_dir, c_.existing->wal_dir + "-more"}) {
    fs::create_directories(aside);
    fs::create_directories(target);
    fs::create_directory_symlink(target, aside + "/pg_wal");
    ASSERT_TRUE(drop_data_aside(c_, aside));
    EXPECT_TRUE(fs::exists(target)) << target;
  }
  EXPECT_EQ(held(c_.data_dir()), "old");
}

TEST_F(WalDir, ALinkToWhatIsAnothersIsNoWal) {
  HOLDFAST_NEED("root", ::geteuid() == 0, "only root can give a directory away");
  EXPECT_EQ(wal_elsewhere(c_.data_dir()), c_.existing->wal_dir);
  ASSERT_EQ(::chown(c_.existing->wal_dir.c_str(), 61234, 61234), 0);
  EXPECT_EQ(wal_elsewhere(c_.data_dir()), "");
}

}  // namespace
}  // namespace holdfast::agent
