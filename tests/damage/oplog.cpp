#include "tests/damage/oplog.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string parent(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

}  // namespace

std::vector<FileOp> read_oplog(const std::string& file) {
  const auto bytes = read_all(file);
  std::vector<FileOp> ops;
  for (size_t at = 0; at < bytes.size();) {
    uint64_t head[6];  // kind with padding, inode, length of a, of b, offset, length of data
    if (bytes.size() - at < sizeof head) throw std::runtime_error("the log ends in the middle of a record");
    std::memcpy(head, bytes.data() + at, sizeof head);
    at += sizeof head;
    FileOp op{static_cast<char>(head[0] & 255),    head[1], bytes.substr(at, head[2]),
              bytes.substr(at + head[2], head[3]), head[4], {}};
    at += head[2] + head[3];
    if (op.kind == 'w') {
      op.data = bytes.substr(at, head[5]);
      at += head[5];
    }
    ops.push_back(std::move(op));
  }
  return ops;
}

CrashModel::CrashModel(const std::string& start, const std::string& logged_root) : root_(logged_root) {
  for (const auto& entry : fs::recursive_directory_iterator(start)) {
    auto inode = std::make_shared<Inode>();
    inode->is_directory = entry.is_directory();
    if (!inode->is_directory) inode->now = inode->durable = read_all(entry.path());
    now_[entry.path().string().substr(start.size() + 1)] = inode;
  }
  durable_ = now_;
}

std::string CrashModel::below(const std::string& path) const {
  if (path == root_) return "";
  return path.starts_with(root_ + "/") ? path.substr(root_.size() + 1) : path;
}

void CrashModel::apply(const FileOp& op) {
  const auto a = below(op.a), b = below(op.b);
  const auto file = [&] {
    auto& inode = open_[op.inode];
    if (!inode && now_.contains(a)) inode = now_[a];
    return inode;
  };
  switch (op.kind) {
    case 'c':
      open_[op.inode] = now_[a] = std::make_shared<Inode>();  // the number may be one that was freed
      break;
    case 't':
      if (const auto inode = file()) inode->now.resize(op.offset);
      break;
    case 'w':
      if (const auto inode = file()) {
        if (inode->now.size() < op.offset + op.data.size()) inode->now.resize(op.offset + op.data.size());
        inode->now.replace(op.offset, op.data.size(), op.data);
      }
      break;
    case 's':
      if (const auto inode = file()) inode->durable = inode->now;
      break;
    case 'S':
      for (const auto& [path, inode] : now_) inode->durable = inode->now;
      durable_ = now_;
      renamed_together_.clear();
      break;
    case 'd': {
      follow_renamed_folders(a);
      std::erase_if(renamed_together_, [&](const auto& entry) { return parent(entry.first) == a; });
      std::erase_if(durable_,
                    [&](const auto& entry) { return parent(entry.first) == a && !now_.contains(entry.first); });
      for (const auto& [path, inode] : now_) {
        if (parent(path) == a) durable_[path] = inode;
      }
      break;
    }
    case 'r':
      for (const auto& path : {a, b}) {  // one that shares a path with an earlier one goes with it
        if (const auto earlier = renamed_together_.find(path); earlier != renamed_together_.end())
          renamed_together_[path == a ? b : a] = earlier->second;
      }
      if (!renamed_together_.contains(a) && !renamed_together_.contains(b))
        renamed_together_[a] = renamed_together_[b] = ++renames_;
      // What is durable in a folder whose own name is not yet so goes with the folder.
      if (now_.contains(a) && now_[a]->is_directory && !durable_.contains(a)) {
        durable_[a] = now_[a];
        move_entry(durable_, a, b);
        durable_.erase(b);
      }
      move_entry(now_, a, b);
      break;
    case 'l':
      if (now_.contains(a)) now_[b] = now_[a];
      break;
    case 'u':
      now_.erase(b);
      break;
    case 'm':
      now_[b] = std::make_shared<Inode>();
      now_[b]->is_directory = true;
      break;
    default:
      throw std::runtime_error("unknown operation in the log");
  }
}

void CrashModel::move_entry(Entries& entries, const std::string& from, const std::string& to) {
  const auto found = entries.find(from);
  if (found == entries.end()) return;
  Entries moved{{to, found->second}};
  entries.erase(found);
  std::erase_if(entries, [&](const auto& entry) {
    if (!entry.first.starts_with(from + "/")) return false;
    moved[to + entry.first.substr(from.size())] = entry.second;
    return true;
  });
  for (auto& [path, inode] : moved) entries[path] = inode;
}

void CrashModel::follow_renamed_folders(const std::string& parent_path) {
  std::vector<std::pair<std::string, std::string>> renamed;
  for (const auto& [path, inode] : durable_) {
    if (!inode->is_directory || parent(path) != parent_path || now_.contains(path)) continue;
    for (const auto& [now_path, now_inode] : now_) {
      if (now_inode == inode) renamed.emplace_back(path, now_path);
    }
  }
  for (const auto& [from, to] : renamed) move_entry(durable_, from, to);
}

std::shared_ptr<CrashModel::Inode> CrashModel::durable_entry(const std::string& path) const {
  if (const auto found = durable_.find(path); found != durable_.end()) return found->second;
  const auto folder = now_.find(parent(path));
  if (folder == now_.end()) return nullptr;
  for (const auto& [old_path, inode] : durable_) {  // its folder was renamed, and took what was durable in it along
    if (inode != folder->second) continue;
    const auto found = durable_.find(old_path + path.substr(folder->first.size()));
    return found == durable_.end() ? nullptr : found->second;
  }
  return nullptr;
}

std::shared_ptr<CrashModel::Inode> CrashModel::present_entry(const std::string& path) const {
  if (const auto found = now_.find(path); found != now_.end()) return found->second;
  const auto folder = durable_.find(parent(path));
  if (folder == durable_.end() || now_.contains(parent(path))) return nullptr;
  for (const auto& [new_path, inode] : now_) {  // its folder was renamed; where that is lost, nothing in it is
    if (inode != folder->second) continue;
    const auto found = now_.find(new_path + path.substr(folder->first.size()));
    return found == now_.end() ? nullptr : found->second;
  }
  return nullptr;
}

void CrashModel::build(const std::string& target, Loss loss, std::mt19937_64& random) const {
  std::set<std::string> paths;
  for (const auto& [path, inode] : now_) paths.insert(path);
  for (const auto& [path, inode] : durable_) paths.insert(path);
  std::map<int, bool> kept;
  const auto by_chance = [&](const std::string& path) {
    const auto together = renamed_together_.find(path);
    if (!renames_whole_ || together == renamed_together_.end()) return random() % 2 == 0;
    return kept.try_emplace(together->second, random() % 2 == 0).first->second;
  };
  fs::create_directories(target);
  for (const auto& path : paths) {  // sorted: a directory comes before what is in it
    const bool use_now = loss == Loss::nothing || (loss == Loss::some && by_chance(path));
    const auto entry = use_now ? present_entry(path) : durable_entry(path);
    if (!entry) continue;
    const auto place = target + "/" + path;
    if (!fs::exists(parent(place))) continue;  // its directory was lost
    if (entry->is_directory) {
      fs::create_directory(place);
      continue;
    }
    const auto& inode = *entry;
    std::string content = loss == Loss::nothing ? inode.now : inode.durable;
    if (loss == Loss::some && inode.now != inode.durable) {
      const auto dice = random() % 4;
      // What was synced is not lost with the rest where the file was only appended to since, or only cut.
      const size_t kept = inode.now.starts_with(inode.durable)   ? inode.durable.size()
                          : inode.durable.starts_with(inode.now) ? inode.now.size()
                                                                 : 0;
      if (dice == 0) content = inode.now;
      if (dice == 1) content = inode.now.substr(0, kept + random() % (inode.now.size() - kept + 1));
      if (dice == 2) content = inode.now.substr(0, kept) + std::string(inode.now.size() - kept, '\0');  // not the data
    }
    std::ofstream(place, std::ios::binary) << content;
  }
}

}  // namespace holdfast::test
