// The pages people read first hold commands that work: every block fenced as ```sh is run, all of a page in one shell
// and one empty directory, stopping at the first that fails. Blocks fenced as ```sh lab need database servers and are
// run the same way, in a lab of their own. Blocks with another name, or none, are not run.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <tuple>
#include <vector>

#include "engine/programs.h"
#include "sys/file.h"
#include "tests/support/lab_guard.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

std::string page_text(const std::string& page) {
  auto bytes = sys::read_file(std::string(HOLDFAST_SOURCE_DIR) + "/" + page);
  return bytes ? std::string(as_text(bytes->span())) : std::string();
}

/// The lines of the blocks fenced with exactly ```<name>, each at its line of the page: the shell names it in a syntax
/// error.
std::string script_of(const std::string& page, const std::string& name) {
  std::stringstream text(page_text(page));
  std::string script;
  bool taken = false;
  for (std::string line; std::getline(text, line);) {
    if (!line.starts_with("```")) {
      script += taken ? line + "\n" : "\n";
      continue;
    }
    taken = !taken && line == "```" + name;
    script += "\n";
  }
  return script;
}

void run_blocks(const std::string& page, const std::string& name, const std::string& state_dir) {
  const std::string script = script_of(page, name);
  ASSERT_NE(script.find_first_not_of('\n'), std::string::npos) << page << " has no block named " << name;
  auto folder = sys::TempDir::create("guide");
  ASSERT_TRUE(folder) << folder.error().to_string();
  ::chmod(folder->path().c_str(), 0755);  // servers run as other users
  const std::string file = folder->path() + "/.script";
  std::ofstream(file) << script;

  RunOptions options;
  options.directory = folder->path();
  options.limit = std::chrono::seconds(240);
  const std::string binary = holdfast_binary();
  const char* path = std::getenv("PATH");
  options.env = {{"PATH", binary.substr(0, binary.rfind('/')) + ":" + (path ? path : "/usr/bin:/bin")},
                 {"HOME", folder->path()},
                 {"HOLDFAST_PEERS", peers_folder()},
                 {"HOLDFAST_STATE_DIR", state_dir}};
  for (const char* variable :
       {"RESTIC_REPOSITORY", "RESTIC_PASSWORD", "RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND",
        "HOLDFAST_BACKUPS_PATH", "HOLDFAST_OUTPUT", "HOLDFAST_CONFIG", "XDG_CACHE_HOME"})
    options.env[variable] = "";
  auto result = run_program({"/bin/sh", "-eu", "-x", file}, options);
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.exit_code, 0) << page << ", blocks named " << name << "\n--- output\n"
                                 << result.out << "--- commands and errors\n"
                                 << result.err;
}

class Commands : public ::testing::TestWithParam<const char*> {};

TEST_P(Commands, OfARepositoryWorkAsWritten) {
  auto state = sys::TempDir::create("guide-state");
  ASSERT_TRUE(state);
  run_blocks(GetParam(), "sh", state->path());
}

class LabCommands : public ::testing::TestWithParam<const char*> {};

TEST_P(LabCommands, WorkAsWritten) {
  for (const auto& [engine, name, program] : {std::tuple{cluster::Engine::mariadb, "mariadb", "mariadbd"},
                                              std::tuple{cluster::Engine::mysql, "mysql", "mysqld"},
                                              std::tuple{cluster::Engine::postgres, "postgres", "postgres"}})
    HOLDFAST_NEED(name, bool(engine::find_program(engine, program)), std::string("no ") + program);
  LabGuard lab;
  run_blocks(GetParam(), "sh lab", lab.state_dir());
}

// Links inside the tree lead somewhere.
TEST(Pages, LinkToWhatExists) {
  namespace fs = std::filesystem;
  const fs::path source = HOLDFAST_SOURCE_DIR;
  std::vector<fs::path> pages = {source / "README.md", source / "ARCHITECTURE.md"};
  for (const auto& entry : fs::recursive_directory_iterator(source / "docs"))
    if (entry.path().extension() == ".md") pages.push_back(entry.path());
  const std::regex link(R"(\]\(([^)#:\s]+)[^):\s]*\))");
  for (const auto& page : pages) {
    const std::string text = page_text(page.lexically_relative(source).string());
    for (std::sregex_iterator it(text.begin(), text.end(), link), end; it != end; ++it)
      EXPECT_TRUE(fs::exists(page.parent_path() / (*it)[1].str())) << page << " links to " << (*it)[1];
  }
}

// An operator looks an error's id up in docs/reference/exit-codes.md; an id the code does not have would mislead.
TEST(Pages, NameErrorIdsTheCodeHas) {
  namespace fs = std::filesystem;
  std::string code;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(HOLDFAST_SOURCE_DIR) / "src"))
    if (entry.path().extension() == ".cpp" || entry.path().extension() == ".h")
      code += page_text(entry.path().lexically_relative(HOLDFAST_SOURCE_DIR).string());
  const std::string text = page_text("docs/reference/exit-codes.md");
  const std::regex id(R"(`([a-z]+\.[a-z_]+(\.[a-z_]+)?)`)");
  size_t seen = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), id), end; it != end; ++it, ++seen)
    EXPECT_NE(code.find('"' + (*it)[1].str() + '"'), std::string::npos) << (*it)[1] << " is no error of the program";
  EXPECT_GT(seen, 30u);
}

// Who is refused at night looks the id up.
TEST(Pages, ExplainEachRefusalOfWhatBringsDataBack) {
  namespace fs = std::filesystem;
  const fs::path source = HOLDFAST_SOURCE_DIR;
  const std::string pages = page_text("docs/guide/repair.md") + page_text("docs/reference/exit-codes.md");
  const std::regex refusal(
      R"re(ErrorClass::(refused|usage|conflict),\s*"((repair|bootstrap|operation|restore|inspect)\.[a-z_]+)")re");
  size_t seen = 0;
  for (const char* module : {"backup", "cli", "operation", "repair"})
    for (const auto& entry : fs::recursive_directory_iterator(source / "src" / module)) {
      const std::string name = entry.path().filename().string();
      if (!name.ends_with(".cpp") || name.ends_with("_test.cpp")) continue;
      const std::string text = page_text(entry.path().lexically_relative(source).string());
      for (std::sregex_iterator it(text.begin(), text.end(), refusal), end; it != end; ++it, ++seen)
        EXPECT_NE(pages.find("`" + (*it)[2].str() + "`"), std::string::npos) << (*it)[2] << " of " << name;
    }
  EXPECT_GT(seen, 40u);
}

std::string page_name(const ::testing::TestParamInfo<const char*>& info) {
  std::string name;
  for (const char* c = info.param; *c; ++c)
    if (std::isalnum(static_cast<unsigned char>(*c))) name += *c;
  return name;
}

INSTANTIATE_TEST_SUITE_P(Page, Commands,
                         ::testing::Values("README.md", "docs/guide/quickstart.md", "docs/guide/certificates.md"),
                         page_name);
INSTANTIATE_TEST_SUITE_P(Page, LabCommands,
                         ::testing::Values("README.md", "docs/guide/quickstart.md", "docs/guide/backup-and-restore.md",
                                           "docs/guide/repair.md", "docs/guide/triage.md", "docs/guide/agents.md"),
                         page_name);

}  // namespace
}  // namespace holdfast::test
