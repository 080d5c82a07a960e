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
    case 'd': {
      std::erase_if(durable_,
                    [&](const auto& entry) { return parent(entry.first) == a && !now_.contains(entry.first); });
      for (const auto& [path, inode] : now_) {
        if (parent(path) == a) durable_[path] = inode;
      }
      break;
    }
    case 'r':
      if (now_.contains(a)) {
        now_[b] = now_[a];
        now_.erase(a);
      }
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

void CrashModel::build(const std::string& target, Loss loss, std::mt19937_64& random) const {
  std::set<std::string> paths;
  for (const auto& [path, inode] : now_) paths.insert(path);
  for (const auto& [path, inode] : durable_) paths.insert(path);
  fs::create_directories(target);
  for (const auto& path : paths) {  // sorted: a directory comes before what is in it
    const bool use_now = loss == Loss::nothing || (loss == Loss::some && random() % 2);
    const auto& from = use_now ? now_ : durable_;
    const auto found = from.find(path);
    if (found == from.end()) continue;
    const auto place = target + "/" + path;
    if (!fs::exists(parent(place))) continue;  // its directory was lost
    if (found->second->is_directory) {
      fs::create_directory(place);
      continue;
    }
    const auto& inode = *found->second;
    std::string content = loss == Loss::nothing ? inode.now : inode.durable;
    if (loss == Loss::some && inode.now != inode.durable) {
      const auto dice = random() % 4;
      if (dice == 0) content = inode.now;
      if (dice == 1) content = inode.now.substr(0, random() % (inode.now.size() + 1));
      if (dice == 2) content = std::string(inode.now.size(), '\0');  // length written, data not
    }
    std::ofstream(place, std::ios::binary) << content;
  }
}

}  // namespace holdfast::test
