#include "steward/stored_tree.h"

namespace holdfast::steward {

namespace {

using repo::NodeType;

repo::Node node_of(const agent::TreeEntry& entry) {
  repo::Node node;
  node.type = entry.type == 'd'   ? NodeType::dir
              : entry.type == 'l' ? NodeType::symlink
              : entry.type == 'p' ? NodeType::fifo
                                  : NodeType::file;
  node.mode = entry.mode & 0777;
  if (entry.mode & 04000) node.mode |= repo::kModeSetuid;
  if (entry.mode & 02000) node.mode |= repo::kModeSetgid;
  if (entry.mode & 01000) node.mode |= repo::kModeSticky;
  if (node.type == NodeType::dir) node.mode |= repo::kModeDir;
  if (node.type == NodeType::symlink) node.mode |= repo::kModeSymlink;
  if (node.type == NodeType::fifo) node.mode |= repo::kModeFifo;
  node.mtime = {entry.mtime_seconds, static_cast<int32_t>(entry.mtime_nanoseconds), 0};
  node.atime = node.mtime;
  node.ctime = {entry.ctime_seconds, static_cast<int32_t>(entry.ctime_nanoseconds), 0};
  node.uid = entry.uid;
  node.gid = entry.gid;
  node.user = entry.user;
  node.group = entry.group;
  node.inode = entry.inode;
  node.device_id = entry.device;
  node.links = entry.links;
  node.size = node.type == NodeType::file ? entry.size : 0;
  node.link_target = entry.target;
  return node;
}

class StoredTree : public backup::TreeSource, public repo::ByteSource {
 public:
  explicit StoredTree(std::unique_ptr<provider::MemberTree> tree) : tree_(std::move(tree)) {}

  Result<std::optional<Entry>> next() override {
    const auto entry = TRY(tree_->next());
    if (!entry) return std::optional<Entry>();
    return std::optional(Entry{entry->path, node_of(*entry)});
  }
  repo::ByteSource& content() override { return *this; }
  Result<size_t> read(MutableByteSpan into) override { return tree_->read(into); }

 private:
  const std::unique_ptr<provider::MemberTree> tree_;
};

}  // namespace

Result<std::unique_ptr<backup::TreeSource>> stored_tree(provider::MemberAccess& member, std::stop_token stop) {
  return std::make_unique<StoredTree>(TRY(member.files().tree("", std::move(stop))));
}

}  // namespace holdfast::steward
