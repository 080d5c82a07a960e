// Exclude patterns, matched as restic matches them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace holdfast::repo {

/// A pattern is a path of globs (*, ?, [a-z]); "**" stands for any number of path parts. With a leading '/' it matches
/// from the root, otherwise anywhere in the path. A pattern that matches a directory matches all that is in it. A
/// leading '!' takes back what an earlier pattern excluded.
class PathFilter {
 public:
  PathFilter() = default;
  explicit PathFilter(const std::vector<std::string>& patterns);

  bool empty() const { return patterns_.empty(); }
  /// True if `path` (absolute) is excluded.
  bool matches(std::string_view path) const;

 private:
  struct Pattern {
    std::vector<std::string> parts;
    bool absolute = false;
    bool negated = false;
  };
  std::vector<Pattern> patterns_;
};

}  // namespace holdfast::repo
