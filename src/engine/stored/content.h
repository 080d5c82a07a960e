// What a directory is, before anything in it is believed: the same question for every engine.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/stored/files.h"

namespace holdfast::engine {

enum class StoredContent {
  data,        ///< a data directory
  half_made,   ///< a marker says that its making, restoring or cloning did not come to its end
  empty,       ///< proven: a whole listing with nothing but lost+found
  missing,     ///< proven
  foreign,     ///< something is in it, but nothing of this engine
  unreadable,  ///< unknown; `why` says how
};
std::string_view stored_content_name(StoredContent content);

/// A file that says something went wrong or is unfinished.
struct StoredMarker {
  std::string path;
  std::string meaning;
};

struct ContentOf {
  StoredContent content = StoredContent::unreadable;
  std::string why;                    ///< of unreadable, foreign and half_made
  std::vector<StoredMarker> markers;  ///< each of them makes it half_made
};

/// What an engine knows of its own directories.
struct ContentRules {
  /// Of a directory with something in it: is that ours? May add markers for what is missing from it.
  std::function<bool(std::vector<StoredMarker>& markers)> is_ours;
  std::string not_ours;  ///< why not, as a sentence
  /// Adds the markers found in it or beside it; not asked of what is missing or cannot be listed.
  std::function<void(std::vector<StoredMarker>& markers)> find_markers;
};
ContentOf judge_content(const stored::DirectoryState& listing, const ContentRules& rules);

}  // namespace holdfast::engine
