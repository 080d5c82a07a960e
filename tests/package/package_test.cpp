// The packages that `make package` makes: what they hold, and a Debian package's life on a machine with systemd.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "sys/file.h"
#include "tests/support/program.h"
#include "tests/support/require.h"
#include "tests/support/system_container.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

/// Made once for all tests of a process.
struct Packages {
  const sys::TempDir dir = sys::TempDir::create("packages").value();
  std::string deb, archive;

  Packages() {
    const std::string config = HOLDFAST_BUILD_DIR "/CPackConfig.cmake";
    const RunResult made = run_program({"cpack", "--config", config, "-B", dir.path()}, {.limit = seconds(200)});
    EXPECT_EQ(made.exit_code, 0) << made.out << made.err;
    for (const auto& file : fs::directory_iterator(dir.path())) {
      if (file.path().extension() == ".deb") deb = file.path();
      if (file.path().extension() == ".zst") archive = file.path();
    }
    EXPECT_FALSE(deb.empty() || archive.empty()) << made.out;
  }
};

const Packages& packages() {
  static const Packages made;
  return made;
}

/// Files below a folder, by their path in it.
std::set<std::string> files_below(const fs::path& folder) {
  std::set<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (!entry.is_directory()) found.insert(fs::relative(entry.path(), folder));
  return found;
}

bool same_bytes(const fs::path& one, const fs::path& other) {
  const auto a = sys::read_file(one), b = sys::read_file(other);
  return a && b && as_text(*a) == as_text(*b);
}

/// What can be tried of a package's life where no systemd runs: its files come and go, and nothing of it is left.
void installed_and_removed_below_a_folder() {
  const sys::TempDir root = sys::TempDir::create("root").value();
  const std::string admin = root.path() + "/var/lib/dpkg";
  for (const char* folder : {"/info", "/updates", "/triggers"}) fs::create_directories(admin + folder);
  std::ofstream(admin + "/status").close();
  const auto dpkg = [&](const std::string& what, const std::string& of) {
    const RunResult done =
        run_program({"dpkg", "--root=" + root.path(), "--force-script-chrootless", "--force-depends", what, of});
    EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  };
  dpkg("-i", packages().deb);
  const std::string program = root.path() + "/usr/bin/holdfast";
  EXPECT_EQ(run_program({program, "version"}).exit_code, 0);
  dpkg("-r", "holdfast");
  EXPECT_FALSE(fs::exists(program));
}

class Package : public testing::Test {
 protected:
  void SetUp() override {
    HOLDFAST_NEED("dpkg", !find_program("dpkg-deb").empty() && !find_program("dpkg-shlibdeps").empty(),
                  "no dpkg-dev, which finds out the libraries that a package depends on");
  }
};

TEST_F(Package, BothHoldTheSameFilesAndTheProgramRuns) {
  const sys::TempDir dir = sys::TempDir::create("unpacked").value();
  const std::string deb = dir.path() + "/deb", tar = dir.path() + "/tar";
  fs::create_directory(deb);
  fs::create_directory(tar);
  RunResult done = run_program({"dpkg-deb", "-x", packages().deb, deb});
  ASSERT_EQ(done.exit_code, 0) << done.err;
  done = run_program({"tar", "-C", tar, "--strip-components=1", "-xf", packages().archive});
  ASSERT_EQ(done.exit_code, 0) << done.err;

  const auto files = files_below(deb + "/usr");
  EXPECT_EQ(files, files_below(tar));
  for (const char* file : {"bin/holdfast", "lib/systemd/system/holdfast-agent@.service", "share/man/man1/holdfast.1",
                           "share/man/man1/holdfast-repair.1", "share/bash-completion/completions/holdfast",
                           "share/zsh/vendor-completions/_holdfast", "share/fish/vendor_completions.d/holdfast.fish",
                           "share/doc/holdfast/copyright", "share/doc/holdfast/NOTICE"})
    EXPECT_TRUE(files.contains(file)) << file;
  for (const auto& file : files) {
    EXPECT_TRUE(same_bytes(deb + "/usr/" + file, tar + "/" + file)) << file;
    EXPECT_GT(fs::file_size(deb + "/usr/" + file), 100u) << file;
  }
  const RunResult version = run_program({tar + "/bin/holdfast", "version"});
  EXPECT_EQ(version.exit_code, 0) << version.err;
  EXPECT_NE(version.out.find(HOLDFAST_VERSION), std::string::npos) << version.out;

  const RunResult fields = run_program({"dpkg-deb", "-f", packages().deb, "Depends", "Version"});
  for (const char* library : {"libmariadb3", "libpq5", "libcurl4", "libssl3", "libfmt9", HOLDFAST_VERSION})
    EXPECT_NE(fields.out.find(library), std::string::npos) << library << " is not in\n" << fields.out;
}

/// An agent under its unit, with all that the unit takes from it, does what agents do: it starts its server, copies a
/// data directory, and the package does not go while it runs.
TEST_F(Package, IsInstalledServesAndIsRemoved) {
  HOLDFAST_NEED("systemd-container", SystemContainer::missing().empty(), SystemContainer::missing());
  if (!SystemContainer::refused().empty()) ASSERT_NO_FATAL_FAILURE(installed_and_removed_below_a_folder());
  HOLDFAST_NEED("systemd-in-container", SystemContainer::refused().empty(), SystemContainer::refused());
  HOLDFAST_NEED("mariadb", !find_program("mariadbd").empty(), "no mariadbd");
  const auto machine = SystemContainer::boot();
  ASSERT_TRUE(machine);
  fs::copy_file(packages().deb, machine->seen_from_here("/root/holdfast.deb"));
  machine->ok("dpkg -i /root/holdfast.deb");
  EXPECT_NE(machine->ok("cd / && holdfast version").find(HOLDFAST_VERSION), std::string::npos);
  machine->ok("systemctl cat holdfast-agent@shop-mariadb-1 | grep -q /usr/bin/holdfast");
  const std::string installed =
      machine->ok("dpkg -L holdfast | while read -r f; do [ -d \"$f\" ] || echo \"$f\"; done");

  // A member that an agent of the lab had.
  machine->ok("holdfast lab up shop-mariadb", seconds(200));
  const std::string member = "/var/lib/holdfast/lab/shop-mariadb/shop-mariadb-1";
  machine->ok("kill $(cat " + member +
              "/agent.lock) && mkdir -p /var/lib/holdfast/members && "
              "ln -s /var/lib/holdfast/lab/shop-mariadb/shop-mariadb-* /var/lib/holdfast/members/");
  machine->ok("systemctl start holdfast-agent@shop-mariadb-1");
  EXPECT_NE(machine->run("holdfast triage -c shop-mariadb").exit_code, 0) << "its server is down";
  machine->ok("holdfast repair -c shop-mariadb", seconds(200));
  machine->ok("holdfast triage -c shop-mariadb");
  machine->ok("holdfast lab break delete-data shop-mariadb-1");
  machine->ok("holdfast repair -c shop-mariadb", seconds(200));
  machine->ok("holdfast triage -c shop-mariadb");

  const RunResult kept = machine->run("dpkg -r holdfast");
  EXPECT_NE(kept.exit_code, 0) << kept.out << kept.err;
  EXPECT_NE(kept.err.find("systemctl disable --now holdfast-agent@shop-mariadb-1.service"), std::string::npos)
      << kept.err;
  machine->ok("holdfast version && systemctl is-active holdfast-agent@shop-mariadb-1");
  machine->ok("systemctl disable --now holdfast-agent@shop-mariadb-1 && dpkg -r holdfast");
  std::istringstream lines(installed);
  size_t gone = 0;
  for (std::string line; std::getline(lines, line); ++gone)
    EXPECT_NE(machine->run("test -e '" + line + "'").exit_code, 0) << line << " is left";
  EXPECT_GT(gone, 40u);
  machine->ok("test -d " + member + "/data");
}

/// A test that ends in the middle leaves no machine behind.
TEST(SystemContainers, EndWithTheProcessThatStartedThem) {
  HOLDFAST_NEED("systemd-container", SystemContainer::missing().empty(), SystemContainer::missing());
  HOLDFAST_NEED("systemd-in-container", SystemContainer::refused().empty(), SystemContainer::refused());
  auto machine = SystemContainer::boot();
  ASSERT_TRUE(machine);
  const std::string init = machine->seen_from_here("");
  ASSERT_TRUE(fs::exists(init + "/etc"));
  machine->kill_starter();
  const auto gone = sys::wait_until([&] { return !fs::exists(init + "/etc"); }, Deadline::in(seconds(20)));
  EXPECT_TRUE(gone && *gone) << "its processes live on";
}

}  // namespace
}  // namespace holdfast::test
