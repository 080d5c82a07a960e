#include "tests/conformance/operation_peers.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "operation/file_store.h"
#include "operation/folders.h"
#include "operation/memory_store.h"
#include "sys/file.h"

namespace holdfast::test {

namespace fs = std::filesystem;
using operation::ClusterKey;
using operation::FileOperationStore;
using operation::LockRequest;
using operation::MemoryOperationStore;
using operation::OperationStore;
using operation::Plan;

namespace {

std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void spill(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}
/// One letter of the plan's first title is another.
std::string changed(std::string plan) {
  const auto at = plan.find("Stop the server");
  plan.at(at) = 's';
  return plan;
}

/// What an owner holds, until it is destroyed.
struct Held {
  std::unique_ptr<operation::ClusterLock> lock;
  std::unique_ptr<operation::Journal> journal;
  /// 0 when it did not get all of it.
  uint64_t take(OperationStore& store, const LockRequest& request, const Plan* begins) {
    auto got = store.acquire(request);
    if (!got) return 0;
    lock = std::move(*got);
    if (!begins) return lock->epoch();
    auto begun = store.create(*lock, request.operation, *begins, codec::Value::object({{"epoch", lock->epoch()}}));
    if (!begun) return 0;
    journal = std::move(*begun);
    return lock->epoch();
  }
};

class Child final : public OperationPeer::Owner {
 public:
  Child(const std::string& dir, const LockRequest& request, const Plan* begins) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);
      FileOperationStore store(dir);
      Held held;
      const uint64_t epoch = held.take(store, request, begins);
      (void)!::write(ends[1], &epoch, sizeof epoch);
      for (;;) ::pause();
    }
    ::close(ends[1]);
    if (::read(ends[0], &epoch_, sizeof epoch_) != sizeof epoch_) epoch_ = 0;
    ::close(ends[0]);
  }
  ~Child() override { kill(); }
  uint64_t epoch() const override { return epoch_; }
  void kill() override {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  uint64_t epoch_ = 0;
};

class FilePeer final : public OperationPeer {
 public:
  FilePeer() : dir_(*sys::TempDir::create("operations")) {}
  ~FilePeer() override { allow_writes(); }

  std::unique_ptr<OperationStore> open() override { return std::make_unique<FileOperationStore>(state()); }
  std::unique_ptr<Owner> start_owner(const LockRequest& request, const Plan* begins) override {
    return std::make_unique<Child>(state(), request, begins);
  }
  void take_lock_away(const ClusterKey& cluster) override { fs::remove(operation::lock_file_of(state(), cluster)); }
  void give_epoch(const ClusterKey& cluster, uint64_t epoch) override {
    spill(operation::epoch_file_of(state(), cluster), std::to_string(epoch) + "\n");
  }
  void lose_epochs() override { fs::remove_all(operation::operations_folder(state()) + "/epochs"); }
  void damage_epochs(const ClusterKey& cluster) override {
    spill(operation::epoch_file_of(state(), cluster), "forty-six");
  }
  void fail_writes() override {
    if (::getrlimit(RLIMIT_FSIZE, &before_) != 0) return;
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit none = before_;
    none.rlim_cur = 0;
    full_ = ::setrlimit(RLIMIT_FSIZE, &none) == 0;
  }
  void allow_writes() override {
    if (full_) ::setrlimit(RLIMIT_FSIZE, &before_);
    full_ = false;
  }
  std::string journal(const std::string& id) override { return slurp(folder(id) + "/journal.jsonl"); }
  void set_journal(const std::string& id, const std::string& bytes) override {
    spill(folder(id) + "/journal.jsonl", bytes);
  }
  void damage_plan(const std::string& id) override {
    spill(folder(id) + "/plan.json", changed(slurp(folder(id) + "/plan.json")));
  }
  void make_half(const ClusterKey& cluster, const std::string& id) override {
    fs::rename(folder(id), operation::staging_folder_of(state(), cluster));
  }

 private:
  std::string state() const { return dir_.path() + "/state"; }
  std::string folder(const std::string& id) const { return operation::operations_folder(state()) + "/" + id; }
  sys::TempDir dir_;
  rlimit before_{};
  bool full_ = false;
};

class Imagined final : public OperationPeer::Owner {
 public:
  Imagined(std::shared_ptr<MemoryOperationStore> store, const LockRequest& request, const Plan* begins)
      : store_(std::move(store)), cluster_(request.cluster), epoch_(held_.take(*store_, request, begins)) {}
  uint64_t epoch() const override { return epoch_; }
  void kill() override { store_->kill_owner(cluster_); }

 private:
  const std::shared_ptr<MemoryOperationStore> store_;
  const ClusterKey cluster_;
  Held held_;
  const uint64_t epoch_;
};

class MemoryPeer final : public OperationPeer {
 public:
  std::unique_ptr<OperationStore> open() override { return std::make_unique<MemoryOperationStore>(*store_); }
  std::unique_ptr<Owner> start_owner(const LockRequest& request, const Plan* begins) override {
    return std::make_unique<Imagined>(store_, request, begins);
  }
  void take_lock_away(const ClusterKey& cluster) override { store_->take_lock_away(cluster); }
  void give_epoch(const ClusterKey& cluster, uint64_t epoch) override { store_->give_epoch(cluster, epoch); }
  void lose_epochs() override { store_->forget_epochs(); }
  void damage_epochs(const ClusterKey&) override { store_->damage_epochs(); }
  void fail_writes() override { store_->fail_writes(); }
  void allow_writes() override { store_->allow_writes(); }
  std::string journal(const std::string& id) override { return store_->texts(id).journal; }
  void set_journal(const std::string& id, const std::string& bytes) override {
    auto texts = store_->texts(id);
    texts.journal = bytes;
    store_->set_texts(id, texts);
  }
  void damage_plan(const std::string& id) override {
    auto texts = store_->texts(id);
    texts.plan = changed(texts.plan);
    store_->set_texts(id, texts);
  }
  void make_half(const ClusterKey&, const std::string& id) override {
    auto texts = store_->texts(id);
    texts.whole = false;
    store_->set_texts(id, texts);
  }

 private:
  const std::shared_ptr<MemoryOperationStore> store_ = std::make_shared<MemoryOperationStore>();
};

}  // namespace

std::unique_ptr<OperationPeer> operation_peer(const std::string& name) {
  if (name == "file") return std::make_unique<FilePeer>();
  return std::make_unique<MemoryPeer>();
}

}  // namespace holdfast::test
