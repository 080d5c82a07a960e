#include "repo/path_filter.h"

#include <fnmatch.h>

#include "repo/tree_access.h"

namespace holdfast::repo {
namespace {

bool match_from(const std::vector<std::string>& pattern, size_t p, const std::vector<std::string>& path, size_t at) {
  if (p == pattern.size()) return true;  // what is below a match is matched too
  if (pattern[p] == "**") {
    for (size_t skip = at; skip <= path.size(); ++skip) {
      if (match_from(pattern, p + 1, path, skip)) return true;
    }
    return false;
  }
  if (at == path.size()) return false;
  return ::fnmatch(pattern[p].c_str(), path[at].c_str(), 0) == 0 && match_from(pattern, p + 1, path, at + 1);
}

}  // namespace

PathFilter::PathFilter(const std::vector<std::string>& patterns) {
  for (std::string text : patterns) {
    Pattern pattern;
    if (text.starts_with('!')) {
      pattern.negated = true;
      text.erase(0, 1);
    }
    pattern.absolute = text.starts_with('/');
    pattern.parts = split_path(text);
    if (!pattern.parts.empty()) patterns_.push_back(std::move(pattern));
  }
}

bool PathFilter::matches(std::string_view path) const {
  const auto parts = split_path(path);
  bool excluded = false;
  for (const Pattern& pattern : patterns_) {
    bool hit = false;
    for (size_t at = 0; at < parts.size() && !hit; ++at) {
      hit = match_from(pattern.parts, 0, parts, at);
      if (pattern.absolute) break;
    }
    if (hit) excluded = !pattern.negated;
  }
  return excluded;
}

}  // namespace holdfast::repo
