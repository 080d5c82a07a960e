#include "repo/tree_restore.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <map>
#include <mutex>
#include <unordered_map>

#include "crypto/sha256.h"
#include "repo/blob_fetch.h"
#include "repo/file_metadata.h"
#include "repo/parallel.h"
#include "repo/tree_access.h"
#include "sys/file.h"
#include "sys/write_at.h"

namespace holdfast::repo {
namespace {

constexpr uint32_t kMaxRead = 4 * 1024 * 1024;
constexpr uint32_t kLocalGap = 64 * 1024, kRemoteGap = 1024 * 1024;

struct File {
  std::string path;
  Node node;
  unsigned create_mode = 0600;     // more only in directories that nobody else can enter yet
  std::atomic<size_t> missing{0};  // blobs not written yet
  std::atomic<bool> failed{false};
};

struct Use {
  uint32_t file;
  uint64_t offset;
};

bool all_zero(ByteSpan bytes) {
  return !bytes.empty() && bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

class Restore {
 public:
  Restore(Repository& repository, const RestoreOptions& options, RestoreProgress& progress, std::stop_token stop)
      : repository_(repository),
        options_(options),
        includes_(options.includes),
        excludes_(options.excludes),
        progress_(progress),
        stop_(std::move(stop)),
        codec_(repository.master_key()) {}

  Result<RestoreResult> run(const Snapshot& snapshot, const std::string& target) {
    if (!options_.dry_run) TRY_VOID(sys::make_directories(target, 0755));
    TRY_VOID(walk(snapshot.tree, target, "", false, false));
    if (options_.dry_run) return std::move(result_);
    TRY_VOID(write_contents());
    finish_links();
    for (auto it = directories_.rbegin(); it != directories_.rend(); ++it) {
      apply_metadata(it->first, it->second, result_.problems);
    }
    if (options_.verify) TRY_VOID(verify());
    return std::move(result_);
  }

 private:
  Status walk(const Id& tree_id, const std::string& directory, const std::string& inside, bool included, bool fresh);
  Status add_directory(const Node& node, const std::string& path, const std::string& inside, bool included);
  void add_file(Node&& node, std::string path, bool fresh);
  bool keep_existing(const std::string& path, const Node& node) const;
  Status write_contents();
  Status write_fetch(const Fetch& fetch, Codec& codec, Buffer& scratch, Buffer& plain);
  void write_blob(size_t number, ByteSpan bytes);
  void fail_uses(size_t number);
  void finish_file(File& file, int fd = -1);
  void finish_links();
  Status verify();
  void problem(std::string what) {
    std::lock_guard lock(mutex_);
    result_.problems.push_back(std::move(what));
  }

  Repository& repository_;
  const RestoreOptions options_;
  const PathFilter includes_, excludes_;
  RestoreProgress& progress_;
  const std::stop_token stop_;
  Codec codec_;

  std::deque<File> files_;
  std::vector<std::pair<std::string, Node>> directories_;   // parents before children
  std::map<std::pair<uint64_t, uint64_t>, size_t> linked_;  // {device, inode} -> first file
  std::vector<std::pair<std::string, size_t>> links_;       // further names of files_[second]
  std::unordered_map<Id, size_t> blob_numbers_;
  std::vector<WantedBlob> blobs_;
  std::vector<std::vector<Use>> uses_;  // by blob number

  std::mutex mutex_;  // guards result_ while threads run
  RestoreResult result_;
};

// `fresh`: this run has made the directory, so nothing is in it, and nobody else may enter it.
Status Restore::walk(const Id& tree_id, const std::string& directory, const std::string& inside, bool included,
                     bool fresh) {
  Tree tree = TRY(load_tree(repository_, tree_id, codec_).context("directory /" + inside));
  bool made = fresh;
  for (Node& node : tree.nodes) {
    if (stop_.stop_requested()) return fail(ErrorClass::interrupted, "interrupted", "stopped");
    const std::string path = directory + "/" + node.name;
    const std::string name = inside + "/" + node.name;
    if (!excludes_.empty() && excludes_.matches(name)) continue;
    const bool wanted = included || includes_.empty() || includes_.matches(name);
    if (node.type == NodeType::dir) {
      TRY_VOID(add_directory(node, path, name, wanted));
      continue;
    }
    if (!wanted) continue;
    struct stat info{};
    const bool exists = !fresh && ::lstat(path.c_str(), &info) == 0;
    if (exists && (options_.overwrite != Overwrite::always) && keep_existing(path, node)) {
      ++result_.skipped;
      continue;
    }
    if (options_.dry_run) {
      (node.type == NodeType::file ? result_.files : result_.others) += 1;
      result_.bytes += node.type == NodeType::file ? node.size : 0;
      continue;
    }
    if (!made && !directory.empty()) TRY_VOID(sys::make_directories(directory, 0700));
    made = true;
    if (exists && S_ISDIR(info.st_mode)) {
      problem(path + ": a directory stands in the way");
      continue;
    }
    if (exists && ::unlink(path.c_str()) != 0) return fail(sys::errno_error(errno, "remove " + path));
    if (node.links > 1 && node.type == NodeType::file) {
      const auto [first, fresh] = linked_.try_emplace({node.device_id, node.inode}, files_.size());
      if (!fresh) {
        links_.emplace_back(path, first->second);
        continue;
      }
    }
    if (node.type == NodeType::file) {
      add_file(std::move(node), path, fresh);
      continue;
    }
    if (auto made = create_special(path, node); !made) {
      problem(made.error().message);
      continue;
    }
    apply_metadata(path, node, result_.problems);
    ++result_.others;
  }
  return {};
}

Status Restore::add_directory(const Node& node, const std::string& path, const std::string& inside, bool included) {
  if (!node.subtree) return damaged("directory " + inside + " has no tree");
  bool fresh = false;
  if (!options_.dry_run) {
    struct stat info{};
    if (::lstat(path.c_str(), &info) == 0 && !S_ISDIR(info.st_mode)) {
      // Also a symbolic link: following it would write outside the target.
      if (::unlink(path.c_str()) != 0) return fail(sys::errno_error(errno, "remove " + path));
    }
    if (included) {
      fresh = ::mkdir(path.c_str(), 0700) == 0;
      if (!fresh) TRY_VOID(sys::make_directories(path, 0700));
      if (!fresh && ::chmod(path.c_str(), 0700) != 0 && errno != EPERM)
        return fail(sys::errno_error(errno, "chmod " + path));
    }
  }
  if (included) {
    ++result_.directories;
    Node metadata = node;
    metadata.subtree.reset();
    directories_.emplace_back(path, std::move(metadata));
  }
  return walk(*node.subtree, path, inside, included, fresh);
}

bool Restore::keep_existing(const std::string& path, const Node& node) const {
  struct stat info{};
  if (options_.overwrite == Overwrite::never || ::lstat(path.c_str(), &info) != 0) return true;
  const Timestamp mtime{info.st_mtim.tv_sec, static_cast<int32_t>(info.st_mtim.tv_nsec), 0};
  if (options_.overwrite == Overwrite::if_newer) return !mtime.before(node.mtime);
  return S_ISREG(info.st_mode) && static_cast<uint64_t>(info.st_size) == node.size && mtime.same_instant(node.mtime);
}

void Restore::add_file(Node&& node, std::string path, bool fresh) {
  const auto number = static_cast<uint32_t>(files_.size());
  File& file = files_.emplace_back();
  file.path = std::move(path);
  file.node = std::move(node);
  if (fresh) file.create_mode |= posix_mode(file.node) & 0777;
  file.missing = file.node.content.size();
  uint64_t offset = 0;
  for (const Id& id : file.node.content) {
    const auto [at, fresh] = blob_numbers_.try_emplace(id, blobs_.size());
    if (fresh) {
      const auto location = repository_.index().find(BlobType::data, id);
      blobs_.push_back(location ? WantedBlob{location->pack, location->blob, blobs_.size()}
                                : WantedBlob{{}, {}, SIZE_MAX});
      uses_.emplace_back();
    }
    uses_[at->second].push_back({number, offset});
    offset += blobs_[at->second].tag == SIZE_MAX ? 0 : blobs_[at->second].blob.plain_length();
  }
  progress_.total_bytes += file.node.size;
}

Status Restore::write_contents() {
  // Files are made in parallel too: with many small ones, that is most of the work.
  std::vector<WantedBlob> wanted;
  for (size_t i = 0; i < blobs_.size(); ++i) {
    if (blobs_[i].tag == SIZE_MAX) {
      fail_uses(i);
    } else {
      wanted.push_back(blobs_[i]);
    }
  }
  for (File& file : files_) {
    if (!file.node.content.empty()) continue;
    sys::Fd fd(::open(file.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, file.create_mode));
    if (!fd) {
      problem(fmt::format("{}: {}", file.path, std::strerror(errno)));
      file.failed = true;
    }
    fd.reset();
    finish_file(file);
  }
  const bool remote = repository_.store().is_remote();
  const auto fetches = plan_fetches(std::move(wanted), remote ? kRemoteGap : kLocalGap, kMaxRead);
  struct Tools {
    Codec codec;
    Buffer scratch;
    Buffer plain;
  };
  // More than processors: files are written to the disk itself, and while one thread waits for that another decodes.
  const unsigned threads = std::max(3 * cpu_threads(), repository_.store().connections());
  return parallel_for(
      fetches.size(), threads, [&] { return Tools{Codec(repository_.master_key()), {}, {}}; },
      [&](size_t i, Tools& tools) -> Status {
        if (stop_.stop_requested())
          return fail(ErrorClass::interrupted, "interrupted", "stopped; the restore is not whole");
        if (i + 2 * threads < fetches.size()) expect_fetch(repository_, fetches[i + 2 * threads]);
        return write_fetch(fetches[i], tools.codec, tools.scratch, tools.plain);
      });
}

Status Restore::write_fetch(const Fetch& fetch, Codec& codec, Buffer& scratch, Buffer& plain) {
  plain.resize(plain_size(fetch));
  Status done = run_fetch(repository_, fetch, codec, scratch, {plain.data(), plain.size()});
  if (done) {
    size_t at = 0;
    for (const auto& item : fetch.items) {
      write_blob(item.tag, plain.span(at, item.blob.plain_length()));
      at += item.blob.plain_length();
    }
    return {};
  }
  if (done.error().error_class != ErrorClass::verification_failed && done.error().id != store::kNotFound) return done;
  if (fetch.items.size() == 1) {
    problem(done.error().to_string());
    fail_uses(fetch.items[0].tag);
    return {};
  }
  // One by one, so that only what is damaged is lost.
  for (const auto& item : fetch.items) {
    TRY_VOID(write_fetch(Fetch{fetch.pack, item.blob.offset, item.blob.length, {item}}, codec, scratch, plain));
  }
  return {};
}

void Restore::write_blob(size_t number, ByteSpan bytes) {
  const bool hole = options_.sparse && all_zero(bytes);
  for (const Use& use : uses_[number]) {
    File& file = files_[use.file];
    sys::Fd fd;
    if (!file.failed) {
      fd = sys::Fd(::open(file.path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, file.create_mode));
      Status done = fd ? Status() : Status(fail(sys::errno_error(errno, "open")));
      if (done && !hole) done = sys::write_at(fd.get(), bytes, use.offset);
      if (done && hole && ::ftruncate(fd.get(), static_cast<off_t>(file.node.size)) != 0) {
        done = fail(sys::errno_error(errno, "truncate"));
      }
      if (!done && !file.failed.exchange(true)) problem(fmt::format("{}: {}", file.path, done.error().message));
    }
    progress_.bytes += bytes.size();
    if (file.missing.fetch_sub(1) == 1) finish_file(file, fd.get());
  }
}

void Restore::fail_uses(size_t number) {
  for (const Use& use : uses_[number]) {
    File& file = files_[use.file];
    if (!file.failed.exchange(true)) {
      std::lock_guard lock(mutex_);
      result_.damaged.push_back(file.path);
    }
    if (file.missing.fetch_sub(1) == 1) finish_file(file);
  }
}

// `fd`, if the file is open at hand, saves looking its path up again.
void Restore::finish_file(File& file, int fd) {
  if (file.failed) {
    ::unlink(file.path.c_str());
    return;
  }
  std::vector<std::string> problems;
  struct stat info{};
  if ((fd >= 0 ? ::fstat(fd, &info) : ::lstat(file.path.c_str(), &info)) != 0 ||
      static_cast<uint64_t>(info.st_size) != file.node.size) {
    problems.push_back(
        fmt::format("{}: {} bytes were restored, the snapshot says {}", file.path, info.st_size, file.node.size));
  }
  apply_metadata(file.path, file.node, problems, fd, &info);
  std::lock_guard lock(mutex_);
  ++result_.files;
  result_.bytes += file.node.size;
  progress_.files += 1;
  for (auto& text : problems) result_.problems.push_back(std::move(text));
}

void Restore::finish_links() {
  for (const auto& [path, number] : links_) {
    if (files_[number].failed) {
      result_.damaged.push_back(path);
    } else if (::link(files_[number].path.c_str(), path.c_str()) != 0) {
      result_.problems.push_back(fmt::format("{}: {}", path, std::strerror(errno)));
    } else {
      ++result_.files;
    }
  }
}

Status Restore::verify() {
  return parallel_for(
      files_.size(), cpu_threads(), [] { return Buffer(); },
      [&](size_t i, Buffer& bytes) -> Status {
        File& file = files_[i];
        if (file.failed) return {};
        auto fd = sys::open_file(file.path, O_RDONLY | O_NOFOLLOW);
        bool same = fd.has_value();
        for (size_t k = 0; same && k < file.node.content.size(); ++k) {
          const auto location = repository_.index().find(BlobType::data, file.node.content[k]);
          bytes.resize(location->blob.plain_length());
          const auto got = sys::read_full(fd->get(), {bytes.data(), bytes.size()});
          same = got && *got == bytes.size() && crypto::sha256(bytes) == file.node.content[k].bytes;
        }
        std::lock_guard lock(mutex_);
        if (same) {
          ++result_.verified_files;
        } else {
          result_.damaged.push_back(file.path);
        }
        return {};
      });
}

}  // namespace

Result<RestoreResult> restore_tree(Repository& repository, const Snapshot& snapshot, const std::string& target,
                                   const RestoreOptions& options, RestoreProgress& progress, std::stop_token stop) {
  std::string directory = target;
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  return Restore(repository, options, progress, std::move(stop)).run(snapshot, directory);
}

}  // namespace holdfast::repo
