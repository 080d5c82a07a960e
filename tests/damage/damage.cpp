#include "tests/damage/damage.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace holdfast::test {

void Damage::SetUp() {
  Interop::SetUp();
  if (HasFatalFailure() || IsSkipped()) return;
  init_by_holdfast();
  for (const char* name : {"/ns/a/dump.sql", "/ns/b/dump.sql"}) {
    streams[name] = some_dump(3000, static_cast<unsigned>(streams.size() + 1));
    holdfast_stream(streams[name], name);
  }
}

std::vector<std::string> Damage::files(const std::string& folder) const {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(repo + "/" + folder)) {
    if (entry.is_regular_file()) found.push_back(entry.path().string().substr(repo.size() + 1));
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string Damage::load(const std::string& relative) const {
  return std::string(as_text(sys::read_file(repo + "/" + relative).value()));
}

void Damage::store(const std::string& relative, const std::string& bytes) {
  std::filesystem::create_directories(std::filesystem::path(repo + "/" + relative).parent_path());
  ASSERT_TRUE(sys::publish_file(repo + "/" + relative, as_bytes(bytes), 0600));
}

Outcome Damage::attempt(Args args) {
  auto command = box.holdfast(std::move(args));
  command.argv.insert(command.argv.end(), {"-r", repo});
  command.timeout = std::chrono::seconds(60);
  return run(command);
}

void expect_documented_failure(const Outcome& outcome, const std::string& what) {
  EXPECT_FALSE(outcome.timed_out) << what;
  EXPECT_GT(outcome.code, 1) << what << ": " << outcome.describe();
  EXPECT_LE(outcome.code, 10) << what << ": " << outcome.describe();
  EXPECT_NE(outcome.err.find("HINT:"), std::string::npos) << what << ": " << outcome.describe();
}

void Damage::expect_found(const std::string& what) {
  const auto outcome = attempt({"check", "--read-data"});
  EXPECT_NE(outcome.code, 0) << what << " was not found: " << outcome.describe();
  EXPECT_NE(outcome.code, 1) << what << " counts as a bug: " << outcome.describe();
  EXPECT_LE(outcome.code, 10) << what << ": " << outcome.describe();
}

void Damage::expect_no_wrong_byte(const std::string& what) {
  for (const auto& [name, content] : streams) {
    const auto dumped = attempt({"dump", "--path", name, "latest", name});
    if (dumped.code == 0) {
      EXPECT_TRUE(dumped.out == content) << what << ": dump of " << name << " says ok and gives other bytes";
    } else {
      expect_documented_failure(dumped, what + ", dump");
      EXPECT_TRUE(content.starts_with(dumped.out))
          << what << ": dump of " << name << " gave wrong bytes before it failed";
    }
    const auto restored = attempt({"restore", "--snapshot", "latest", "--path", name, "--into", path("out")});
    const auto file = path("out") + name;
    if (restored.code == 0) {
      const auto bytes = sys::read_file(file);
      EXPECT_TRUE(bytes && as_text(*bytes) == content)
          << what << ": restore of " << name << " says ok and gives other bytes";
    } else {
      expect_documented_failure(restored, what + ", restore");
    }
    std::filesystem::remove_all(path("out"));
  }
}

void Damage::expect_streams() {
  for (const auto& [name, content] : streams) {
    EXPECT_TRUE(holdfast({"dump", "--path", name, "latest", name}).out == content) << name;
  }
}

void Damage::expect_whole() {
  expect_clean();
  expect_streams();
}

}  // namespace holdfast::test
