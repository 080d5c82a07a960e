// Which snapshots a retention policy keeps: on random histories and random policies, exactly those restic keeps.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <random>
#include <set>

#include "tests/interop/interop.h"
#include "tests/interop/json.h"

namespace holdfast::test {
namespace {

const char* const kZones[] = {"UTC",          "Europe/Berlin", "America/New_York",
                              "Asia/Kolkata", "Pacific/Apia",  "Australia/Lord_Howe"};

/// RFC 3339 time of an instant in a zone, as Go writes it.
std::string time_in(time_t instant, unsigned nanoseconds, const char* zone) {
  ::setenv("TZ", zone, 1);
  ::tzset();
  tm local{};
  ::localtime_r(&instant, &local);
  char text[40];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &local);
  std::string out = text;
  if (nanoseconds) {
    std::string digits = std::to_string(1'000'000'000 + nanoseconds).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    out += "." + digits;
  }
  const long offset = local.tm_gmtoff / 60;
  if (offset == 0) return out + "Z";
  std::snprintf(text, sizeof text, "%c%02ld:%02ld", offset < 0 ? '-' : '+', std::labs(offset) / 60,
                std::labs(offset) % 60);
  return out + text;
}

class Retention : public Interop {
 protected:
  using Random = std::mt19937_64;

  void SetUp() override {
    Interop::SetUp();
    if (HasFatalFailure() || IsSkipped()) return;
    init_by_restic();
    restic_stream("x", "x");
    key_ = master_key(box, repo);
    const auto first = parse_value(restic({"snapshots", "--json"}).out)[0];
    tree_ = first["tree"];
    std::filesystem::remove(repo + "/snapshots/" + first["id"].get<std::string>());
  }

  /// Replaces all snapshots by `count` with times in bursts and gaps, mostly before `newest`.
  void make_history(Random& random, unsigned count, time_t newest) {
    std::filesystem::remove_all(repo + "/snapshots");
    std::filesystem::create_directory(repo + "/snapshots");
    static constexpr time_t kSteps[] = {7, 600, 3600, 20'000, 86'400, 90'000, 3 * 86'400, 30 * 86'400, 300 * 86'400};
    const char* const zone = kZones[random() % std::size(kZones)];
    const bool mixed = random() % 3 == 0;
    const unsigned hosts = 1 + random() % 2, paths = 1 + random() % 2;
    time_t at = newest;
    std::set<time_t> used;
    for (unsigned i = 0; i < count; ++i) {
      const time_t longest = kSteps[random() % std::size(kSteps)];
      at -= static_cast<time_t>(random() % static_cast<uint64_t>(longest)) + 1;
      if (at < 100'000'000) at = newest - static_cast<time_t>(random() % 86'400);
      if (!used.insert(at).second) continue;  // restic's order of equal times is not defined
      std::string json = R"({"time":")" +
                         time_in(at, random() % 2 ? static_cast<unsigned>(random() % 1'000'000'000) : 0,
                                 mixed ? kZones[random() % std::size(kZones)] : zone) +
                         R"(","tree":")" + tree_ + R"(","paths":["/p)" + std::to_string(random() % paths) +
                         R"("],"hostname":"h)" + std::to_string(random() % hosts) + R"(","username":"u")";
      const unsigned tags = random() % 4;
      if (tags)
        json += std::string(R"(,"tags":[)") + (tags == 1 ? "\"keep\"" : tags == 2 ? "\"a\",\"b\"" : "\"b\"") + "]";
      add_sealed(repo, key_, "snapshots", json + "}");
    }
  }

  static Args make_policy(Random& random) {
    Args policy;
    static const char* const kCounts[] = {"--keep-last",   "--keep-hourly",  "--keep-daily",
                                          "--keep-weekly", "--keep-monthly", "--keep-yearly"};
    static const char* const kSpans[] = {"--keep-within",        "--keep-within-hourly",  "--keep-within-daily",
                                         "--keep-within-weekly", "--keep-within-monthly", "--keep-within-yearly"};
    static const char* const kLengths[] = {"1h", "3h", "24h", "1d", "7d", "1m", "1m3d", "6m", "1y", "2y5m7d3h", "10y"};
    while (policy.empty()) {
      for (const char* flag : kCounts) {
        if (random() % 3 == 0)
          policy.insert(policy.end(), {flag, random() % 12 == 0 ? "unlimited" : std::to_string(1 + random() % 15)});
      }
      for (const char* flag : kSpans) {
        if (random() % 7 == 0) policy.insert(policy.end(), {flag, kLengths[random() % std::size(kLengths)]});
      }
      if (random() % 6 == 0) policy.insert(policy.end(), {"--keep-tag", random() % 2 ? "keep" : "a,b"});
    }
    static const char* const kGroups[] = {"host,paths", "host,paths,tags", "paths", "host", "tags", ""};
    if (random() % 2) policy.insert(policy.end(), {"--group-by", kGroups[random() % std::size(kGroups)]});
    return policy;
  }

  std::set<std::string> kept_by_restic(const Args& policy) {
    Args args = {"forget", "--dry-run", "--json"};
    args.insert(args.end(), policy.begin(), policy.end());
    std::set<std::string> kept;
    for (const auto& group : parse_value(restic(args).out)) {
      if (!group["keep"].is_array()) continue;
      for (const auto& snapshot : group["keep"]) kept.insert(snapshot["id"]);
    }
    return kept;
  }

  std::set<std::string> kept_by_us(const Args& policy) {
    Args args = {"prune", "--dry-run", "-o", "json"};
    args.insert(args.end(), policy.begin(), policy.end());
    const auto envelope = parse_value(holdfast(args).out);
    std::set<std::string> kept;
    if (!envelope.is_object()) return kept;
    for (const auto& group : envelope["data"]["groups"]) {
      for (const auto& snapshot : group["keep"]) kept.insert(snapshot["id"]);
    }
    return kept;
  }

  crypto::SealKey key_;
  std::string tree_;
};

TEST_F(Retention, random_policies_on_random_histories_keep_what_restic_keeps) {
  const char* more = std::getenv("HOLDFAST_RETENTION_ROUNDS");
  const unsigned rounds = more ? static_cast<unsigned>(std::atoi(more)) : 5;
  for (unsigned round = 0; round < rounds; ++round) {
    Random random(1000 + round);
    // Near the two changes of the clock, at the turn of ISO years, and anywhere; one history reaches into the future.
    static constexpr time_t kNewest[] = {1'711'850'000, 1'730'000'000, 1'704'100'000, 1'760'000'000, 1'900'000'000};
    make_history(random, 20 + random() % 100, kNewest[round % std::size(kNewest)]);
    for (unsigned i = 0; i < 12; ++i) {
      const auto policy = make_policy(random);
      // Go takes a time stamp for local when its offset is the local one, so the process's own zone matters, too.
      box.env()["TZ"] = kZones[random() % std::size(kZones)];
      std::string line = "round " + std::to_string(round) + " TZ=" + box.env()["TZ"];
      for (const auto& word : policy) line += " " + word;
      SCOPED_TRACE(line);
      const auto theirs = kept_by_restic(policy), ours = kept_by_us(policy);
      EXPECT_FALSE(theirs.empty());
      if (theirs == ours) continue;
      std::string differences;
      for (const auto& snapshot : parse_value(restic({"snapshots", "--json"}).out)) {
        const std::string id = snapshot["id"];
        if (theirs.contains(id) != ours.contains(id))
          differences += snapshot["time"].get<std::string>() +
                         (ours.contains(id) ? " kept by us only\n" : " kept by restic only\n");
      }
      ADD_FAILURE() << differences;
      return;
    }
  }
}

TEST_F(Retention, a_policy_that_keeps_nothing_is_refused) {
  Random random(7);
  make_history(random, 5, 1'700'000'000);
  auto command = box.holdfast({"prune", "--keep-tag", "no-such-tag", "-r", repo});
  const auto outcome = run(command);
  EXPECT_EQ(outcome.code, 3) << outcome.describe();
  EXPECT_NE(outcome.err.find("HINT:"), std::string::npos) << outcome.describe();
  EXPECT_GT(parse_value(restic({"snapshots", "--json"}).out).size(), 3u);
}

}  // namespace
}  // namespace holdfast::test
