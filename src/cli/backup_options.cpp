// Flags that every kind of backup shares.
#include <fmt/format.h>

#include <ctime>

#include "cli/backup_sources.h"
#include "cli/snapshot_view.h"
#include "repo/environment.h"

namespace holdfast::cli {
namespace {

// RFC 3339, or "2006-01-02 15:04:05" in the local zone.
std::optional<repo::Timestamp> parse_time(const std::string& text) {
  if (auto time = repo::Timestamp::parse(text)) return time;
  tm local{};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%d %H:%M:%S", &local);
  if (!end || *end) return std::nullopt;
  local.tm_isdst = -1;
  const time_t seconds = ::mktime(&local);
  if (seconds == -1) return std::nullopt;
  return repo::Timestamp{seconds, 0, static_cast<int32_t>(local.tm_gmtoff)};
}

}  // namespace

Result<repo::SaverOptions> saver_options(const Options& options) {
  repo::SaverOptions saver;
  const std::string compression = options.text("compression");
  if (compression == "off") saver.compression = repo::Compression::off;
  if (compression == "better" || compression == "max") saver.compression = repo::Compression::max;
  saver.verify = !options.flag("no-verify-blobs");
  if (auto mebibytes = options.integer("pack-size")) {
    if (*mebibytes < 4 || *mebibytes > 128) {
      return fail(ErrorClass::usage, "cli.pack_size", fmt::format("a pack of {} MiB is outside 4 to 128", *mebibytes),
                  "--pack-size 16 is the default");
    }
    saver.pack_size = static_cast<size_t>(*mebibytes) << 20;
  }
  return saver;
}

Result<repo::SnapshotOptions> snapshot_options(const Options& options, std::string& parent_name) {
  repo::SnapshotOptions snapshot;
  snapshot.time = repo::now();
  if (options.given("time")) {
    const auto time = parse_time(options.text("time"));
    if (!time) {
      return fail(ErrorClass::usage, "cli.time", fmt::format("\"{}\" is not a time", options.text("time")),
                  "write it as \"2026-11-21 03:00:00\" (local) or 2026-11-21T03:00:00Z");
    }
    snapshot.time = *time;
  }
  snapshot.tags = split_commas(options.list("tag"));
  snapshot.hostname = options.text("host");
  snapshot.program_version = "holdfast " HOLDFAST_VERSION;
  parent_name = options.text("parent");
  return snapshot;
}

}  // namespace holdfast::cli
