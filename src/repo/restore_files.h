// The contents of a restore's files: planned as a whole, read in large neighbouring ranges, written on many threads.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "repo/blob_fetch.h"
#include "repo/restore_place.h"
#include "repo/tree_restore.h"

namespace holdfast::repo {

class RestoreFiles {
 public:
  RestoreFiles(Repository& repository, const RestorePlace& place, bool sparse, RestoreProgress& progress,
               RestoreResult& result, std::stop_token stop);
  /// Removes what is not whole.
  ~RestoreFiles();
  RestoreFiles(const RestoreFiles&) = delete;
  RestoreFiles& operator=(const RestoreFiles&) = delete;

  /// Plans a file, or a further name of one. `private_directory`: nobody else may enter it yet.
  void add(Node&& node, std::string path, bool private_directory);
  /// Writes all of them. Damaged files and problems go to the result; what stood in a damaged file's place stays.
  Status write();
  /// Reads everything back; files that differ are named as damaged.
  Status verify();

 private:
  struct File {
    std::string path;
    Node node;
    unsigned create_mode = 0600;     // more only in directories that nobody else can enter yet
    std::atomic<size_t> missing{0};  // blobs not written yet
    std::atomic<bool> failed{false};
    RestorePlace::Made made;  // guarded by the file's mutex in making_
    bool created = false;     // guarded so, too
  };
  struct Use {
    uint32_t file;
    uint64_t offset;
  };
  /// One for each thread.
  struct Tools {
    Codec codec;
    Buffer scratch;
    Buffer plain;
    RestorePlace::Near near;
  };

  Status write_fetch(const Fetch& fetch, Tools& tools);
  void write_blob(size_t number, ByteSpan bytes, RestorePlace::Near& near);
  void fail_uses(size_t number, RestorePlace::Near& near);
  Result<sys::Fd> open(File& file, RestorePlace::Near& near);
  void finish(File& file, sys::Fd fd, RestorePlace::Near& near);
  void put_links();
  void problem(std::string what);
  void damage(const File& file);

  Repository& repository_;
  const RestorePlace& place_;
  const bool sparse_;
  RestoreProgress& progress_;
  const std::stop_token stop_;

  std::deque<File> files_;
  std::map<std::pair<uint64_t, uint64_t>, size_t> linked_;  // {device, inode} -> first file
  std::vector<std::pair<std::string, size_t>> links_;       // further names of files_[second]
  std::unordered_map<Id, size_t> blob_numbers_;
  std::vector<WantedBlob> blobs_;       // tag SIZE_MAX: in no index
  std::vector<std::vector<Use>> uses_;  // by blob number

  std::mutex making_[64];  // a file's by its number
  std::mutex mutex_;       // guards result_ while threads run
  RestoreResult& result_;
};

}  // namespace holdfast::repo
