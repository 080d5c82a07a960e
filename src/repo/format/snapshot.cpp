#include "repo/format/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "codec/go_json.h"
#include "codec/json_reader.h"

namespace holdfast::repo {
namespace {

using codec::JsonReader;

std::vector<std::string> read_strings(JsonReader& reader) {
  std::vector<std::string> list;
  if (reader.null()) return list;
  reader.enter_array();
  while (reader.next_element()) list.push_back(reader.string());
  return list;
}

Id read_id(JsonReader& reader) {
  const auto id = Id::parse(reader.string_view());
  if (!id) reader.reject("not an id");
  return id.value_or(Id{});
}

Timestamp read_time(JsonReader& reader) {
  const auto time = Timestamp::parse(reader.string_view());
  if (!time) reader.reject("not a time");
  return time.value_or(Timestamp{});
}

struct Counter {
  const char* name;
  uint64_t SnapshotSummary::* field;
};
constexpr Counter kCounters[] = {
    {"files_new", &SnapshotSummary::files_new},
    {"files_changed", &SnapshotSummary::files_changed},
    {"files_unmodified", &SnapshotSummary::files_unmodified},
    {"dirs_new", &SnapshotSummary::dirs_new},
    {"dirs_changed", &SnapshotSummary::dirs_changed},
    {"dirs_unmodified", &SnapshotSummary::dirs_unmodified},
    {"data_blobs", &SnapshotSummary::data_blobs},
    {"tree_blobs", &SnapshotSummary::tree_blobs},
    {"data_added", &SnapshotSummary::data_added},
    {"data_added_packed", &SnapshotSummary::data_added_packed},
    {"total_files_processed", &SnapshotSummary::total_files_processed},
    {"total_bytes_processed", &SnapshotSummary::total_bytes_processed},
};

SnapshotSummary read_summary(JsonReader& reader) {
  SnapshotSummary summary;
  reader.enter_object();
  while (auto key = reader.next_key()) {
    if (*key == "backup_start") {
      summary.backup_start = read_time(reader);
    } else if (*key == "backup_end") {
      summary.backup_end = read_time(reader);
    } else {
      const auto* counter =
          std::find_if(std::begin(kCounters), std::end(kCounters), [&](const Counter& c) { return *key == c.name; });
      if (counter == std::end(kCounters)) {
        reader.skip();
      } else {
        summary.*counter->field = reader.unsigned_integer();
      }
    }
  }
  return summary;
}

void append_strings(std::string& text, std::string_view key, const std::vector<std::string>& list) {
  text += ",\"";
  text += key;
  text += "\":[";
  for (size_t i = 0; i < list.size(); ++i) {
    if (i > 0) text += ',';
    codec::append_json_string(text, list[i]);
  }
  text += ']';
}

void append_string(std::string& text, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  text += ",\"";
  text += key;
  text += "\":";
  codec::append_json_string(text, value);
}

}  // namespace

bool Snapshot::has_tag(std::string_view tag) const {
  return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

std::string_view Snapshot::tag_value(std::string_view key) const {
  for (const std::string& tag : tags) {
    if (tag.size() > key.size() && tag.starts_with(key) && tag[key.size()] == '=') {
      return std::string_view(tag).substr(key.size() + 1);
    }
  }
  return {};
}

Result<Snapshot> parse_snapshot(std::string_view json) {
  Snapshot snapshot;
  bool has_time = false, has_tree = false;
  JsonReader reader(json);
  reader.enter_object();
  while (auto key = reader.next_key()) {
    if (*key == "time") {
      snapshot.time = read_time(reader);
      has_time = true;
    } else if (*key == "parent") {
      if (!reader.null()) snapshot.parent = read_id(reader);
    } else if (*key == "tree") {
      snapshot.tree = read_id(reader);
      has_tree = true;
    } else if (*key == "paths") {
      snapshot.paths = read_strings(reader);
    } else if (*key == "hostname") {
      snapshot.hostname = reader.string();
    } else if (*key == "username") {
      snapshot.username = reader.string();
    } else if (*key == "uid") {
      snapshot.uid = static_cast<uint32_t>(reader.unsigned_integer());
    } else if (*key == "gid") {
      snapshot.gid = static_cast<uint32_t>(reader.unsigned_integer());
    } else if (*key == "excludes") {
      snapshot.excludes = read_strings(reader);
    } else if (*key == "tags") {
      snapshot.tags = read_strings(reader);
    } else if (*key == "original") {
      if (!reader.null()) snapshot.original = read_id(reader);
    } else if (*key == "program_version") {
      snapshot.program_version = reader.string();
    } else if (*key == "summary") {
      if (!reader.null()) snapshot.summary = read_summary(reader);
    } else {
      reader.skip();
    }
  }
  if (reader.ok() && !(has_time && has_tree)) reader.reject("no time or no tree");
  if (!reader.finished()) {
    return fail(ErrorClass::verification_failed, "repo.snapshot.format", "snapshot: " + reader.problem(),
                "holdfast check -r REPO");
  }
  return snapshot;
}

std::string snapshot_text(const Snapshot& snapshot) {
  std::string text = fmt::format(R"({{"time":"{}")", snapshot.time.to_string());
  auto out = std::back_inserter(text);
  if (snapshot.parent) fmt::format_to(out, R"(,"parent":"{}")", snapshot.parent->hex());
  fmt::format_to(out, R"(,"tree":"{}")", snapshot.tree.hex());
  append_strings(text, "paths", snapshot.paths);
  append_string(text, "hostname", snapshot.hostname);
  append_string(text, "username", snapshot.username);
  if (snapshot.uid != 0) fmt::format_to(out, R"(,"uid":{})", snapshot.uid);
  if (snapshot.gid != 0) fmt::format_to(out, R"(,"gid":{})", snapshot.gid);
  if (!snapshot.excludes.empty()) append_strings(text, "excludes", snapshot.excludes);
  if (!snapshot.tags.empty()) append_strings(text, "tags", snapshot.tags);
  if (snapshot.original) fmt::format_to(out, R"(,"original":"{}")", snapshot.original->hex());
  append_string(text, "program_version", snapshot.program_version);
  if (snapshot.summary) {
    const auto& summary = *snapshot.summary;
    fmt::format_to(out, R"(,"summary":{{"backup_start":"{}","backup_end":"{}")", summary.backup_start.to_string(),
                   summary.backup_end.to_string());
    for (const auto& counter : kCounters) fmt::format_to(out, R"(,"{}":{})", counter.name, summary.*counter.field);
    text += '}';
  }
  return text + '}';
}

}  // namespace holdfast::repo
