// The receiving part of engine/errant_log.h.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "engine/errant_log.h"
#include "engine/postgres/timeline.h"

namespace holdfast::engine {

using codec::Value;

namespace {

/// The largest WAL segment that a server can be set up with.
constexpr uint64_t kLargestSegment = uint64_t{1} << 30;

std::unexpected<Error> unfit(std::string why) {
  return fail(ErrorClass::failed, "divergence.log", "what was sent of its log does not fit together: " + std::move(why),
              "see that its agent is of this version, then run the command again");
}

cluster::ErrantClass class_of(const std::string& name) {
  for (const auto kind : cluster::kErrantClasses)
    if (cluster::errant_class_name(kind) == name) return kind;
  return cluster::ErrantClass::unknown;
}

std::vector<std::string> texts(const Value& list) {
  std::vector<std::string> all;
  for (const auto& item : list.items()) all.push_back(item.text());
  return all;
}

/// No name of anything else, and none that leads anywhere.
bool is_wal_file(const std::string& name) {
  constexpr uint32_t kSmallestSegment = 1 << 20;  // which allows the most names
  return postgres::parse_segment_name(name, kSmallestSegment) || postgres::history_file_timeline(name);
}

}  // namespace

ErrantLogFiles::ErrantLogFiles(cluster::Engine engine, std::string folder, const Limits& limits)
    : engine_(engine), limits_(limits) {
  log_.folder = std::move(folder);
}

Status ErrantLogFiles::item(const Value& item) {
  if (left_ > 0 && engine_ != cluster::Engine::postgres) return unfit("fewer bytes than were announced");
  if (item.find("errant")) {
    log_.list.errant = cluster::errant_from(item["errant"]);
    log_.list.cut_short = item["cutShort"].boolean();
    log_.system_identifier = item["systemIdentifier"].text();
  }
  if (item.find("file") && engine_ != cluster::Engine::postgres) {
    own_file_ = item["file"].text();
    const std::string path = fmt::format("{}/log.{:06}", log_.folder, log_.pieces.size() + 1);
    log_.pieces.push_back({path, item["received"].boolean(), log_.list.list.size(), {}});
    left_ = end_ = item["head"].unsigned_integer();
    TRY_VOID(open(path));
  }
  if (item.find("segment") && engine_ == cluster::Engine::postgres) {
    const std::string name = item["segment"].text();
    if (!is_wal_file(name)) return unfit("no file of a WAL is called " + name.substr(0, 100));
    left_ = kLargestSegment;
    TRY_VOID(open(log_.folder + "/" + name));
    log_.segments.push_back(name);
  }
  for (const auto& record : item["records"].items()) {
    if (log_.records.items().size() >= limits_.most_records) return unfit("more records than were asked for");
    log_.records.push(record);
  }
  if (const Value* span = item.find("span")) log_.spans.push(*span);
  return add_transactions(item);
}

Status ErrantLogFiles::add_transactions(const Value& item) {
  for (const auto& value : item["transactions"].items()) {
    ErrantTransaction t;
    t.id = value["id"].text();
    t.time = value["time"].number();
    t.kind = class_of(value["class"].text());
    t.tables = texts(value["tables"]);
    t.verbs = texts(value["verbs"]);
    t.size = value["size"].unsigned_integer();
    t.file = value.find("file") ? value["file"].text() : own_file_;
    t.offset = value["offset"].unsigned_integer();
    t.end = value["end"].unsigned_integer();
    if (t.end < t.offset) return unfit(t.id + " ends before it begins");
    if (log_.list.list.size() >= limits_.most) return unfit("more transactions than were asked for");
    if (engine_ != cluster::Engine::postgres) {
      if (log_.pieces.empty()) return unfit(t.id + " is in no file");
      const uint64_t bytes = t.end - t.offset;
      if (bytes > limits_.most_bytes - std::min(total_, limits_.most_bytes))
        return fail(ErrorClass::refused, "adopt.unfit",
                    fmt::format("they are more than {} MiB in its log", limits_.most_bytes >> 20));
      log_.pieces.back().at.push_back(end_);
      total_ += bytes;
      end_ += bytes;
      left_ += bytes;
    }
    log_.list.list.push_back(std::move(t));
  }
  return {};
}

Status ErrantLogFiles::open(const std::string& path) {
  file_ = TRY(sys::open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  return {};
}

Status ErrantLogFiles::bytes(ByteSpan bytes) {
  if (!file_ || bytes.size() > left_) return unfit("more bytes than were announced");
  left_ -= bytes.size();
  return sys::write_all(file_.get(), bytes);
}

Result<ErrantLog> ErrantLogFiles::finish(const Value& result) && {
  if (left_ > 0 && engine_ != cluster::Engine::postgres) return unfit("fewer bytes than were announced");
  file_.reset();
  log_.altered = result["altered"].text();
  log_.records_cut_short = result["recordsCutShort"].boolean();
  return std::move(log_);
}

}  // namespace holdfast::engine
