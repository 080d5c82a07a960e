// The states a power loss can leave behind: replays what oplog_preload recorded and builds the directory as it may look
// after the first N operations, with what was not synced forgotten.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace holdfast::test {

#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kMayPreload = false;  ///< the sanitizer's library must come first
#else
inline constexpr bool kMayPreload = true;
#endif

struct FileOp {
  char kind;  ///< c(reate) t(runcate) w(rite) s(ync file) S(ync all) d(irectory sync) r(ename) l(ink) u(nlink) m(kdir)
  uint64_t inode;
  std::string a, b;  ///< c t w s S d: a; r l: a -> b; u m: b
  uint64_t offset;
  std::string data;
};

std::vector<FileOp> read_oplog(const std::string& file);

enum class Loss {
  nothing,     ///< a killed process: everything it did is there
  everything,  ///< file content and directory entries only as far as they were synced
  some,        ///< each unsynced entry and each unsynced content is there, missing, or (content) cut short, by chance
};

class CrashModel {
 public:
  /// `start` is the directory as it was, durable, before the first operation.
  explicit CrashModel(const std::string& start, const std::string& logged_root);

  /// As file systems with a journal do it: a rename that is not synced yet is there or not, but never half.
  void keep_renames_whole() { renames_whole_ = true; }

  void apply(const FileOp& op);
  /// Builds the directory a crash now would leave at `target` (which must not exist).
  void build(const std::string& target, Loss loss, std::mt19937_64& random) const;

 private:
  struct Inode {
    std::string now, durable;
    bool is_directory = false;
  };
  using Entries = std::map<std::string, std::shared_ptr<Inode>>;  ///< path below the root -> what it names
  std::string below(const std::string& path) const;
  static void move_entry(Entries& entries, const std::string& from, const std::string& to);
  /// Folders whose renaming becomes durable with their parent: what is durable in them moves along.
  void follow_renamed_folders(const std::string& parent_path);
  std::shared_ptr<Inode> durable_entry(const std::string& path) const;
  std::shared_ptr<Inode> present_entry(const std::string& path) const;

  std::string root_;
  bool renames_whole_ = false;
  std::map<std::string, int> renamed_together_;  ///< path -> which unsynced renames it took part in
  int renames_ = 0;
  Entries now_, durable_;
  std::map<uint64_t, std::shared_ptr<Inode>> open_;  ///< by inode number of the recorded run
};

}  // namespace holdfast::test
