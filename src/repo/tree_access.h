// Reading directories of a snapshot.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "repo/format/tree.h"
#include "repo/repository.h"

namespace holdfast::repo {

/// The directory stored under that id; its hash, then its structure, are verified.
Result<Tree> load_tree(Repository& repository, const Id& id, Codec& codec);

/// The node at `path` ("/ns/app/dump.sql" or without the leading slash) below `root`; nothing if the path does not
/// exist.
Result<std::optional<Node>> find_node(Repository& repository, const Id& root, std::string_view path, Codec& codec);

/// "a//b/" -> {"a", "b"}.
std::vector<std::string> split_path(std::string_view path);

}  // namespace holdfast::repo
