// Processes that race for one cluster's lock, and epochs that never go back.
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>

#include "operation/folders.h"
#include "sys/any_process.h"
#include "sys/process.h"
#include "tests/operation/sweep.h"

namespace holdfast::test {
namespace {

class Race : public testing::Test {
 protected:
  void SetUp() override {
    dir_.emplace();
    make_toy(root());
  }
  std::string root() const { return dir_->path(); }
  std::string state() const { return root() + "/state"; }
  operation::FileOperationStore store() const { return operation::FileOperationStore(state()); }
  sys::Process holder() {
    return *sys::spawn({.argv = {TOY_OPERATION, "hold", root()},
                        .in = sys::Stdio::pipe(),
                        .out = sys::Stdio::pipe(),
                        .die_with_parent = SIGKILL});
  }
  static std::string first_line(int fd) {
    std::string line;
    char byte;
    while (sys::wait_fd(fd, POLLIN, Deadline::in(std::chrono::seconds(20))).value_or(false) &&
           ::read(fd, &byte, 1) == 1 && byte != '\n')
      line += byte;
    return line;
  }
  std::optional<Folder> dir_;
};

TEST_F(Race, one_of_many_gets_it_and_the_others_are_refused_at_once) {
  std::set<uint64_t> epochs;
  for (int round = 0; round < 5; ++round) {
    std::vector<sys::Process> racers;
    std::vector<sys::Fd> outs, ins;
    for (int i = 0; i < 6; ++i) {
      racers.push_back(holder());
      ins.push_back(racers.back().take_stdin());
      outs.push_back(racers.back().take_stdout());
    }
    int got = 0;
    for (auto& out : outs) {
      const std::string line = first_line(out.get());
      if (line.starts_with("got ")) {
        ++got;
        EXPECT_TRUE(epochs.insert(std::stoull(line.substr(4))).second) << "an epoch was given out twice";
      } else {
        EXPECT_EQ(line, "operation.locked");
      }
    }
    EXPECT_EQ(got, 1);
    for (auto& in : ins) in.reset();
    for (auto& racer : racers) ASSERT_TRUE(racer.wait(Deadline::in(std::chrono::seconds(20))));
  }
}

TEST_F(Race, the_refusal_names_the_owner_and_its_death_frees_the_lock) {
  auto owner = holder();
  const sys::Fd in = owner.take_stdin(), out = owner.take_stdout();
  ASSERT_EQ(first_line(out.get()), "got 1");
  const auto held = store().holder(kToys);
  ASSERT_TRUE(held);
  EXPECT_EQ(held->pid, owner.pid());
  EXPECT_EQ(held->process_start, sys::process_start_time(owner.pid()));
  const auto refused = store().acquire({kToys, "mine", "repair"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "operation.locked");
  EXPECT_EQ(refused.error().error_class, ErrorClass::conflict);
  EXPECT_NE(refused.error().message.find("hold (process " + std::to_string(owner.pid())), std::string::npos);
  EXPECT_EQ(refused.error().hint, "holdfast operations show op-" + std::to_string(owner.pid()));
  EXPECT_TRUE(store().acquire({operation::ClusterKey("toys/other"), "mine", "repair"})) << "another cluster";
  ASSERT_TRUE(owner.kill());
  EXPECT_FALSE(store().holder(kToys));
  const auto lock = store().acquire({kToys, "mine", "repair"});
  ASSERT_TRUE(lock) << lock.error().to_string();
  EXPECT_EQ((*lock)->epoch(), 2u);
}

TEST_F(Race, epochs_never_go_back) {
  const auto epoch = [&](uint64_t known) {
    const auto lock = store().acquire({kToys, "mine", "repair", known});
    EXPECT_TRUE(lock) << lock.error().to_string();
    return lock ? (*lock)->epoch() : 0;
  };
  EXPECT_EQ(epoch(0), 1u);
  EXPECT_EQ(epoch(0), 2u);
  EXPECT_EQ(epoch(41), 42u);
  std::filesystem::copy(state(), root() + "/copy", std::filesystem::copy_options::recursive);
  EXPECT_EQ(epoch(0), 43u);
  EXPECT_EQ(epoch(7), 44u) << "what the members know may be old";
  std::filesystem::remove_all(state());
  std::filesystem::rename(root() + "/copy", state());
  EXPECT_EQ(epoch(44), 45u) << "a restored state directory";
  std::filesystem::remove_all(state());
  EXPECT_EQ(epoch(45), 46u) << "a deleted state directory";
  std::ofstream(operation::epoch_file_of(state(), kToys)) << "forty-six";
  const auto refused = store().acquire({kToys, "mine", "repair"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "operation.epoch_damaged");
  EXPECT_EQ(epoch(46), 47u) << "the members know it";
}

TEST_F(Race, a_lock_whose_file_was_removed_is_noticed) {
  const auto lock = store().acquire({kToys, "mine", "repair"});
  ASSERT_TRUE(lock);
  EXPECT_TRUE((*lock)->confirm());
  std::filesystem::remove(operation::lock_file_of(state(), kToys));
  EXPECT_EQ((*lock)->confirm().error().id, "operation.lock_lost");
  const auto second = store().acquire({kToys, "other", "repair"});
  ASSERT_TRUE(second);
  EXPECT_EQ((*lock)->confirm().error().id, "operation.lock_lost");
  EXPECT_TRUE((*second)->confirm());
}

TEST_F(Race, names_of_clusters_never_share_a_file) {
  std::set<std::string> files;
  for (const char* name : {"a/b.c", "a.b/c", "a/b/c", "a%2Eb/c", "a/b%2Fc", "A/b.c"})
    EXPECT_TRUE(files.insert(operation::lock_file_of("s", operation::ClusterKey(name))).second) << name;
  EXPECT_EQ(operation::lock_file_of("/s", operation::ClusterKey("shop/shop-mysql")),
            "/s/operations/locks/shop.shop-mysql");
}

}  // namespace
}  // namespace holdfast::test
