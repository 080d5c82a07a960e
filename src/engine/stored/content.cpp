#include "engine/stored/content.h"

namespace holdfast::engine {

std::string_view stored_content_name(StoredContent content) {
  switch (content) {
    case StoredContent::data:
      return "data";
    case StoredContent::half_made:
      return "half_made";
    case StoredContent::empty:
      return "empty";
    case StoredContent::missing:
      return "missing";
    case StoredContent::foreign:
      return "foreign";
    case StoredContent::unreadable:
      break;
  }
  return "unreadable";
}

ContentOf judge_content(const stored::DirectoryState& listing, const ContentRules& rules) {
  using Kind = stored::DirectoryState::Kind;
  ContentOf result;
  result.why = listing.why;
  switch (listing.kind) {
    case Kind::missing:
      result.content = StoredContent::missing;
      return result;
    case Kind::unreadable:
      return result;
    case Kind::empty:
      result.content = StoredContent::empty;
      break;
    case Kind::not_a_directory:
      result.content = StoredContent::foreign;
      break;
    case Kind::populated:
      result.content = rules.is_ours(result.markers) ? StoredContent::data : StoredContent::foreign;
      if (result.content == StoredContent::foreign) result.why = rules.not_ours;
  }
  rules.find_markers(result.markers);
  if (result.content == StoredContent::data && !result.markers.empty()) {
    result.content = StoredContent::half_made;
    result.why = result.markers.front().path + ": " + result.markers.front().meaning;
  }
  return result;
}

}  // namespace holdfast::engine
