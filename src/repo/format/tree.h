// Tree blobs: one directory each, its entries sorted by name.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "repo/format/id.h"
#include "repo/format/timestamp.h"

namespace holdfast::repo {

enum class NodeType { file, dir, symlink, dev, chardev, fifo, socket, irregular };

const char* node_type_name(NodeType type);

/// Bits of Node::mode besides the nine permission bits (Go's fs.FileMode).
inline constexpr uint32_t kModeDir = 1u << 31;
inline constexpr uint32_t kModeSymlink = 1u << 27;
inline constexpr uint32_t kModeDevice = 1u << 26;
inline constexpr uint32_t kModeFifo = 1u << 25;
inline constexpr uint32_t kModeSocket = 1u << 24;
inline constexpr uint32_t kModeSetuid = 1u << 23;
inline constexpr uint32_t kModeSetgid = 1u << 22;
inline constexpr uint32_t kModeCharDevice = 1u << 21;
inline constexpr uint32_t kModeSticky = 1u << 20;

struct ExtendedAttribute {
  std::string name;
  std::string value;  ///< raw bytes
};

struct Node {
  std::string name;  ///< raw bytes of the file name
  NodeType type = NodeType::file;
  uint32_t mode = 0;
  Timestamp mtime, atime, ctime;
  uint32_t uid = 0, gid = 0;
  std::string user, group;
  uint64_t inode = 0;
  uint64_t device_id = 0;
  uint64_t size = 0;
  uint64_t links = 0;
  std::string link_target;  ///< raw bytes
  std::vector<ExtendedAttribute> xattrs;
  std::string generic_attributes;  ///< raw JSON object, kept for other platforms
  uint64_t device = 0;             ///< st_rdev of a device
  std::vector<Id> content;         ///< of a file
  bool has_content = true;         ///< parsed: there was a list (a file without one is damaged)
  std::optional<Id> subtree;       ///< of a directory
  std::string error;
};

struct Tree {
  std::vector<Node> nodes;
};

/// "repo.tree.format" (verification_failed) for text that is no tree, for names that are empty, "." or "..", hold '/'
/// or NUL, and for entries that are not strictly increasing: a restore must never follow such a name.
Result<Tree> parse_tree(std::string_view json);

/// Appends one entry exactly as restic encodes it.
void append_node(std::string& json, const Node& node);
/// A tree blob from the entries (made by append_node(), joined by commas).
std::string tree_text(std::string_view nodes);
/// A tree blob from nodes, which are sorted here.
std::string tree_text(std::vector<Node>& nodes);

}  // namespace holdfast::repo
