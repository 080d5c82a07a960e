#include "repo/tree_access.h"

#include <fmt/format.h>

namespace holdfast::repo {

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    if (slash > 0 && path.substr(0, slash) != ".") parts.emplace_back(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return parts;
}

Result<Tree> load_tree(Repository& repository, const Id& id, Codec& codec) {
  const Buffer text = TRY(repository.load_blob(BlobType::tree, id, codec));
  return parse_tree(as_text(text)).context("tree " + id.short_hex());
}

Result<std::optional<Node>> find_node(Repository& repository, const Id& root, std::string_view path, Codec& codec) {
  const auto parts = split_path(path);
  std::optional<Node> node;
  Id at = root;
  for (size_t i = 0; i < parts.size(); ++i) {
    Tree tree = TRY(load_tree(repository, at, codec));
    node.reset();
    for (Node& entry : tree.nodes) {
      if (entry.name == parts[i]) node = std::move(entry);
    }
    if (!node) return std::optional<Node>{};
    if (i + 1 < parts.size()) {
      if (!node->subtree) return std::optional<Node>{};
      at = *node->subtree;
    }
  }
  return node;
}

}  // namespace holdfast::repo
