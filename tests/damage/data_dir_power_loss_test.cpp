// A data directory made by what syncs nothing, cut off by power loss after every change: it never passes for one that
// is whole and is not, nor does one that was there before get lost.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "sys/file.h"
#include "tests/damage/new_data_dir.h"
#include "tests/damage/oplog.h"
#include "tests/support/program.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

std::map<std::string, std::string> files_in(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    files[entry.path().string().substr(folder.size() + 1)] = {std::istreambuf_iterator<char>(in), {}};
  }
  return files;
}

class DataDirPowerLoss : public testing::TestWithParam<bool> {};

TEST_P(DataDirPowerLoss, OnlyAWholeOnePassesForData) {
  HOLDFAST_NEED("preload", kMayPreload, "a preloaded library must not come before the sanitizer's");
  const sys::TempDir base = std::move(*sys::TempDir::create("power-loss"));
  const std::string root = base.path() + "/member", start = base.path() + "/start", log = base.path() + "/oplog";
  const std::map<std::string, std::string> old = {{"PG_VERSION", "14\n"}};
  fs::create_directories(root);
  if (GetParam()) {
    fs::create_directories(root + "/data");
    std::ofstream(root + "/data/PG_VERSION") << "14\n";
  }
  fs::copy(root, start, fs::copy_options::recursive);
  const auto done = run_program({NEW_DATA_DIR, root},
                                {.env = {{"LD_PRELOAD", OPLOG_PRELOAD}, {"OPLOG_ROOT", root}, {"OPLOG_FILE", log}}});
  ASSERT_EQ(done.exit_code, 0) << done.err;
  ASSERT_EQ(files_in(root + "/data"), new_files());

  const auto ops = read_oplog(log);
  ASSERT_GT(ops.size(), 10u);
  CrashModel model(start, root);
  model.keep_renames_whole();
  size_t whole = 0, before = 0;
  for (size_t i = 0; i <= ops.size(); ++i) {
    if (i > 0) model.apply(ops[i - 1]);
    for (int round = 0; round < 12; ++round) {
      std::mt19937_64 random(i * 100 + static_cast<size_t>(round));
      const Loss loss = round == 0 ? Loss::nothing : round == 1 ? Loss::everything : Loss::some;
      fs::remove_all(root);
      model.build(root, loss, random);
      SCOPED_TRACE("cut after operation " + std::to_string(i) + " of " + std::to_string(ops.size()) + ", round " +
                   std::to_string(round) + ": " +
                   (i > 0 ? ops[i - 1].kind + (" " + ops[i - 1].a + " " + ops[i - 1].b) : ""));
      const auto config = member_of(root);
      const auto finished = agent::finish_swap(config);
      ASSERT_TRUE(finished) << finished.error().to_string();
      if (!agent::is_initialised(config)) {
        EXPECT_FALSE(GetParam()) << "there was data before";
        continue;
      }
      const auto files = files_in(root + "/data");
      if (GetParam() && files == old) {
        ++before;
        continue;
      }
      ++whole;
      ASSERT_EQ(files, new_files());
    }
  }
  EXPECT_GT(whole, 0u);
  EXPECT_EQ(before > 0, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Member, DataDirPowerLoss, testing::Bool(),
                         [](const auto& info) { return info.param ? "withDataBefore" : "empty"; });

}  // namespace
}  // namespace holdfast::test
