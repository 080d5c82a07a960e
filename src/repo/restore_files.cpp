#include "repo/restore_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "crypto/sha256.h"
#include "repo/file_metadata.h"
#include "repo/parallel.h"
#include "sys/write_at.h"

namespace holdfast::repo {
namespace {

constexpr uint32_t kMaxRead = 4 * 1024 * 1024;
constexpr uint32_t kLocalGap = 64 * 1024, kRemoteGap = 1024 * 1024;

bool all_zero(ByteSpan bytes) {
  return !bytes.empty() && bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

}  // namespace

RestoreFiles::RestoreFiles(Repository& repository, const RestorePlace& place, bool sparse, RestoreProgress& progress,
                           RestoreResult& result, std::stop_token stop)
    : repository_(repository),
      place_(place),
      sparse_(sparse),
      progress_(progress),
      stop_(std::move(stop)),
      result_(result) {}

RestoreFiles::~RestoreFiles() {
  RestorePlace::Near near;
  for (File& file : files_) place_.discard(near, file.path, file.made);
}

void RestoreFiles::problem(std::string what) {
  std::lock_guard lock(mutex_);
  result_.problems.push_back(std::move(what));
}

void RestoreFiles::damage(const File& file) {
  std::lock_guard lock(mutex_);
  result_.damaged.push_back(place_.full(file.path));
}

void RestoreFiles::add(Node&& node, std::string path, bool private_directory) {
  if (node.links > 1) {
    const auto [first, is_new] = linked_.try_emplace({node.device_id, node.inode}, files_.size());
    if (!is_new) {
      links_.emplace_back(std::move(path), first->second);
      return;
    }
  }
  const auto number = static_cast<uint32_t>(files_.size());
  File& file = files_.emplace_back();
  file.path = std::move(path);
  file.node = std::move(node);
  if (private_directory) file.create_mode |= posix_mode(file.node) & 0777;
  file.missing = file.node.content.size();
  uint64_t offset = 0;
  for (const Id& id : file.node.content) {
    const auto [at, is_new] = blob_numbers_.try_emplace(id, blobs_.size());
    if (is_new) {
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

Status RestoreFiles::write() {
  RestorePlace::Near near;
  // Files are made in parallel too: with many small ones, that is most of the work.
  std::vector<WantedBlob> wanted;
  for (size_t i = 0; i < blobs_.size(); ++i) {
    if (blobs_[i].tag == SIZE_MAX) {
      fail_uses(i, near);
    } else {
      wanted.push_back(blobs_[i]);
    }
  }
  for (File& file : files_) {
    if (!file.node.content.empty()) continue;
    auto fd = open(file, near);
    if (!fd) {
      problem(fd.error().message);
      file.failed = true;
    }
    finish(file, fd ? std::move(*fd) : sys::Fd(), near);
  }
  const bool remote = repository_.store().is_remote();
  const auto fetches = plan_fetches(std::move(wanted), remote ? kRemoteGap : kLocalGap, kMaxRead);
  // More than processors: files are written to the disk itself, and while one thread waits for that another decodes.
  const unsigned threads = std::max(3 * cpu_threads(), repository_.store().connections());
  TRY_VOID(parallel_for(
      fetches.size(), threads, [&] { return Tools{Codec(repository_.master_key()), {}, {}, {}}; },
      [&](size_t i, Tools& tools) -> Status {
        if (stop_.stop_requested())
          return fail(ErrorClass::interrupted, "interrupted", "stopped; each file is the old one or the new one");
        if (i + 2 * threads < fetches.size()) expect_fetch(repository_, fetches[i + 2 * threads]);
        return write_fetch(fetches[i], tools);
      }));
  put_links();
  return {};
}

Status RestoreFiles::write_fetch(const Fetch& fetch, Tools& tools) {
  tools.plain.resize(plain_size(fetch));
  Status done = run_fetch(repository_, fetch, tools.codec, tools.scratch, {tools.plain.data(), tools.plain.size()});
  if (done) {
    size_t at = 0;
    for (const auto& item : fetch.items) {
      write_blob(item.tag, tools.plain.span(at, item.blob.plain_length()), tools.near);
      at += item.blob.plain_length();
    }
    return {};
  }
  if (done.error().error_class != ErrorClass::verification_failed && done.error().id != store::kNotFound) return done;
  if (fetch.items.size() == 1) {
    problem(done.error().to_string());
    fail_uses(fetch.items[0].tag, tools.near);
    return {};
  }
  // One by one, so that only what is damaged is lost.
  for (const auto& item : fetch.items) {
    TRY_VOID(write_fetch(Fetch{fetch.pack, item.blob.offset, item.blob.length, {item}}, tools));
  }
  return {};
}

Result<sys::Fd> RestoreFiles::open(File& file, RestorePlace::Near& near) {
  std::mutex& making = making_[file.node.inode % std::size(making_)];
  std::unique_lock lock(making);
  if (!file.created) {
    auto fd = place_.create(near, file.path, file.create_mode, file.made);
    file.created = true;
    return fd;
  }
  lock.unlock();
  return place_.reopen(near, file.path, O_WRONLY, file.made);
}

void RestoreFiles::write_blob(size_t number, ByteSpan bytes, RestorePlace::Near& near) {
  const bool hole = sparse_ && all_zero(bytes);
  for (const Use& use : uses_[number]) {
    File& file = files_[use.file];
    sys::Fd fd;
    if (!file.failed) {
      auto opened = open(file, near);
      Status done = opened ? Status() : Status(std::unexpected(opened.error()));
      if (opened) fd = std::move(*opened);
      if (done && !hole) done = sys::write_at(fd.get(), bytes, use.offset).context(place_.full(file.path));
      if (done && hole && ::ftruncate(fd.get(), static_cast<off_t>(file.node.size)) != 0) {
        done = fail(sys::errno_error(errno, "truncate " + place_.full(file.path)));
      }
      if (!done && !file.failed.exchange(true)) problem(done.error().to_string());
    }
    progress_.bytes += bytes.size();
    if (file.missing.fetch_sub(1) == 1) finish(file, std::move(fd), near);
  }
}

void RestoreFiles::fail_uses(size_t number, RestorePlace::Near& near) {
  for (const Use& use : uses_[number]) {
    File& file = files_[use.file];
    if (!file.failed.exchange(true)) damage(file);
    if (file.missing.fetch_sub(1) == 1) finish(file, sys::Fd(), near);
  }
}

// All its blobs are written, or it failed: it takes its place with its metadata, or goes.
void RestoreFiles::finish(File& file, sys::Fd fd, RestorePlace::Near& near) {
  if (file.failed) {
    place_.discard(near, file.path, file.made);
    return;
  }
  std::vector<std::string> problems;
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0 || static_cast<uint64_t>(info.st_size) != file.node.size) {
    problems.push_back(fmt::format("{}: {} bytes were restored, the snapshot says {}", place_.full(file.path),
                                   info.st_size, file.node.size));
  }
  apply_metadata(fd.get(), place_.full(file.path), file.node, problems, info);
  fd.reset();
  const Status placed = place_.publish(near, file.path, file.made);
  if (!placed) {
    problems.push_back(placed.error().message);
    file.failed = true;
    place_.discard(near, file.path, file.made);
  }
  std::lock_guard lock(mutex_);
  if (placed) {
    ++result_.files;
    result_.bytes += file.node.size;
    progress_.files += 1;
  }
  for (auto& text : problems) result_.problems.push_back(std::move(text));
}

void RestoreFiles::put_links() {
  RestorePlace::Near near;
  for (const auto& [path, number] : links_) {
    const File& first = files_[number];
    if (first.failed) {
      result_.damaged.push_back(place_.full(path));
    } else if (auto linked = place_.put_link(near, first.path, first.made, path); !linked) {
      result_.problems.push_back(linked.error().message);
    } else {
      ++result_.files;
    }
  }
}

Status RestoreFiles::verify() {
  struct Reader {
    Buffer bytes;
    RestorePlace::Near near;
  };
  return parallel_for(
      files_.size(), cpu_threads(), [] { return Reader(); },
      [&](size_t i, Reader& reader) -> Status {
        if (stop_.stop_requested())
          return fail(ErrorClass::interrupted, "interrupted", "stopped; not all files were read back");
        const File& file = files_[i];
        if (file.failed) return {};
        auto fd = place_.open_file(reader.near, file.path);
        bool same = fd.has_value();
        for (size_t k = 0; same && k < file.node.content.size(); ++k) {
          const auto location = repository_.index().find(BlobType::data, file.node.content[k]);
          reader.bytes.resize(location->blob.plain_length());
          const auto got = sys::read_full(fd->get(), {reader.bytes.data(), reader.bytes.size()});
          same = got && *got == reader.bytes.size() && crypto::sha256(reader.bytes) == file.node.content[k].bytes;
        }
        if (!same) {
          damage(file);
          return {};
        }
        std::lock_guard lock(mutex_);
        ++result_.verified_files;
        return {};
      });
}

}  // namespace holdfast::repo
