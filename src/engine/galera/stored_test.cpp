#include "engine/galera/stored.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "sys/file.h"

namespace holdfast::engine::galera {
namespace {

constexpr const char* kGood =
    "# GALERA saved state\nversion: 2.1\nuuid:    7962a099-e5ef-11f1-9d5f-1b8d99f3e0f7\nseqno:   42\n"
    "safe_to_bootstrap: 1\n";

TEST(Grastate, AsGaleraWritesIt) {
  const auto state = parse_grastate(kGood);
  ASSERT_TRUE(state) << state.error().to_string();
  EXPECT_EQ(state->uuid, "7962a099-e5ef-11f1-9d5f-1b8d99f3e0f7");
  EXPECT_EQ(state->seqno, 42);
  EXPECT_EQ(state->safe_to_bootstrap, true);
  EXPECT_TRUE(state->is_position());
  EXPECT_TRUE(parse_grastate(std::string(kGood) + "       ")) << "written in place over a longer text";
  const auto none = parse_grastate("version: 2.1\nuuid: 00000000-0000-0000-0000-000000000000\nseqno: 7\n");
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->is_position()) << "no history has no position";
  EXPECT_FALSE(none->safe_to_bootstrap.has_value());
}

TEST(Grastate, HalfAFileIsNotBelieved) {
  const std::string good = kGood;
  // All of it but the line of safe_to_bootstrap, which old versions do not write, is needed.
  const size_t without_last = good.find("safe_to_bootstrap");
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_EQ(parse_grastate(good.substr(0, size)).has_value(), size == without_last) << size;
  for (const char* bad :
       {"version: 2.1\nuuid: x\nseqno: 1\n", "uuid: 7962a099-e5ef-11f1-9d5f-1b8d99f3e0f7\nseqno: 1\n",
        "version: 2.1\nuuid: 7962a099-e5ef-11f1-9d5f-1b8d99f3e0f7\nseqno: 1x\n",
        "version: 2.1\nuuid: 7962a099-e5ef-11f1-9d5f-1b8d99f3e0f7\nseqno: -2\n",
        "version: 2.1\nuuid: 7962a099-e5ef-11f1-9d5f-1b8d99f3e0f7\nseqno: 99999999999999999999\n",
        "version: 2.1\nuuid: 7962a099-e5ef-11f1-9d5f-1b8d99f3e0f7\nseqno: 1\nseqno: 2\n",
        "version: 2.1\nuuid: 7962a099-e5ef-11f1-9d5f-1b8d99f3e0f7\nseqno: 1\nnonsense\n",
        "version: 2.1\nuuid: 7962a099-e5ef-11f1-9d5f-1b8d99f3e0f7\nseqno: 1\nsafe_to_bootstrap: yes\n"})
    EXPECT_FALSE(parse_grastate(bad)) << bad;
  std::string zeros = good;
  zeros[30] = '\0';
  EXPECT_FALSE(parse_grastate(zeros));
}

TEST(GaleraStored, FilesAndWhatTheirAbsenceProves) {
  auto dir = sys::TempDir::create("galera-stored");
  ASSERT_TRUE(dir);
  auto state = read_galera_stored(dir->path());
  EXPECT_TRUE(state.grastate_absent && state.view_absent && state.cache_absent);
  EXPECT_EQ(state.transfer_unknown, "");
  state = read_galera_stored(dir->path() + "/none");
  EXPECT_FALSE(state.grastate_absent || state.view_absent || state.cache_absent)
      << "a missing directory proves nothing";
  EXPECT_NE(state.transfer_unknown, "");

  std::ofstream(dir->path() + "/grastate.dat") << kGood;
  std::ofstream(dir->path() + "/gvwstate.dat")
      << "my_uuid: 79efc433-e5ef-11f1-9fb5-0fc0f985d684\n#vwbeg\nview_id: 3 79daa82d-e5ef-11f1-8a01-43d029eebd2c 3\n"
         "bootstrap: 0\nmember: 79daa82d-e5ef-11f1-8a01-43d029eebd2c 0\nmember: 79efc433-e5ef-11f1-9fb5-0fc0f985d684 "
         "0\n"
         "#vwend\n";
  std::ofstream(dir->path() + "/galera.cache") << "Version: 2\nGID: 7962a099-e5ef-11f1-9d5f-1b8d99f3e0f7\nseqno_max: "
                                                  "42\nseqno_min: 3\noffset: 1280\nsynced: 1\n\n"
                                               << std::string(2000, '\0');
  std::ofstream(dir->path() + "/wsrep_sst.pid") << "1\n";
  state = read_galera_stored(dir->path());
  ASSERT_TRUE(state.view) << state.view.why();
  EXPECT_EQ(state.view->members.size(), 2u);
  EXPECT_EQ(state.view->view_number, 3u);
  ASSERT_TRUE(state.cache) << state.cache.why();
  EXPECT_EQ(state.cache->first, 3);
  EXPECT_EQ(state.cache->last, 42);
  EXPECT_EQ(state.transfer_files, std::vector<std::string>{"wsrep_sst.pid"});
  EXPECT_FALSE(state.joiner_unfinished);
  std::filesystem::create_directory(dir->path() + "/.sst");
  std::ofstream(dir->path() + "/sst_in_progress") << "";
  EXPECT_TRUE(read_galera_stored(dir->path()).joiner_unfinished);
  std::ofstream(dir->path() + "/gvwstate.dat", std::ios::trunc) << "my_uuid: 79efc433\n";
  EXPECT_FALSE(read_galera_stored(dir->path()).view);
  EXPECT_FALSE(read_galera_stored(dir->path()).view_absent);
}

}  // namespace
}  // namespace holdfast::engine::galera
