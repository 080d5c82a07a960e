#include "codec/json_reader.h"
#include "store/rest_store.h"

namespace holdfast::store {
namespace {

// Names come from outside and become parts of keys and URLs.
bool is_plain_name(std::string_view name) {
  if (name.empty() || name.size() > 255 || name == "." || name == "..") return false;
  for (const unsigned char c : name) {
    if (c <= ' ' || c == '/' || c == 0x7f) return false;
  }
  return true;
}

}  // namespace

Result<std::vector<RestEntry>> parse_rest_listing(std::string_view body) {
  const auto bad = [](std::string_view why) {
    return fail(ErrorClass::failed, "store.protocol", "REST listing: " + std::string(why));
  };
  std::vector<RestEntry> entries;
  codec::JsonReader reader(body);
  if (reader.null()) {  // an empty directory, as some servers write it
    return reader.finished() ? Result<std::vector<RestEntry>>(std::move(entries)) : bad(reader.problem());
  }
  reader.enter_array();
  while (reader.next_element()) {
    const std::string_view raw = reader.raw();
    codec::JsonReader item(raw);
    RestEntry entry;
    if (raw.starts_with('"')) {
      entry.name = item.string();
    } else {
      item.enter_object();
      while (auto key = item.next_key()) {
        if (*key == "name") {
          entry.name = item.string();
        } else if (*key == "size") {
          entry.size = item.unsigned_integer();
        } else {
          item.skip();
        }
      }
      if (item.ok() && !entry.size) return bad("an entry without a size");
    }
    if (!item.ok()) return bad(item.problem());
    if (!is_plain_name(entry.name)) return bad("an entry without a proper name");
    entries.push_back(std::move(entry));
  }
  if (!reader.finished()) return bad(reader.problem());
  return entries;
}

}  // namespace holdfast::store
