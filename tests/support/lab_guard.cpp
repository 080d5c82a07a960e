#include "tests/support/lab_guard.h"
#include "sys/any_process.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace holdfast::test {

LabGuard::LabGuard() {
  auto dir = sys::TempDir::create("holdfast-lab");
  if (!dir) {
    ADD_FAILURE() << dir.error().to_string();
    ::abort();
  }
  dir_.emplace(std::move(*dir));
  ::chmod(dir_->path().c_str(), 0755);  // servers run as other users
  sys::Command command;
  command.argv = {"/bin/sh", "-c", "read ignored; exec \"$0\" lab down --quiet --state-dir \"$1\"", holdfast_binary(),
                  dir_->path()};
  command.in = sys::Stdio::pipe();
  command.new_session = true;  // a Ctrl-C for the test is not for its janitor
  auto janitor = sys::spawn(command);
  EXPECT_TRUE(janitor);
  if (!janitor) return;
  janitor_ = std::move(*janitor);
  leash_ = janitor_.take_stdin();
}

LabGuard::~LabGuard() {
  leash_.reset();
  auto ended = janitor_.wait(Deadline::in(std::chrono::seconds(120)));
  EXPECT_TRUE(ended && ended->ok()) << "lab down failed";
}

std::vector<std::string> LabGuard::command(std::vector<std::string> args) const {
  args.insert(args.end(), {"--state-dir", state_dir()});
  const bool hides = !hidden_.empty() && args[0] != "lab";
  args.insert(args.begin(), holdfast_binary());
  if (!hides) return args;
  const char* kHide = "for d in \"$0\"-*; do mount -t tmpfs -o size=64k none \"$d\" || exit 99; done; exec \"$@\"";
  std::vector<std::string> all = {"unshare", "--mount", "--propagation=private", "sh", "-c", kHide, hidden_};
  all.insert(all.end(), args.begin(), args.end());
  return all;
}

RunResult LabGuard::holdfast(std::vector<std::string> args, std::chrono::seconds limit) {
  RunOptions options;
  options.limit = limit;
  options.env = {{"HOLDFAST_CONFIG", ""}, {"HOLDFAST_STATE_DIR", ""}, {"HOLDFAST_OUTPUT", ""}};
  // What a caller's shell may hold for other purposes: nothing of it is for us, nor for what we start.
  options.env.insert({{"PGSERVICE", "nowhere"},
                      {"PGPASSWORD", "wrong"},
                      {"PGHOSTADDR", "192.0.2.1"},
                      {"PGSSLMODE", "require"},
                      {"PGOPTIONS", "-c default_transaction_read_only=on -c search_path=nowhere"},
                      {"PGTARGETSESSIONATTRS", "standby"},
                      {"MYSQL_PWD", "wrong"},
                      {"MYSQL_HOST", "192.0.2.1"},
                      {"MYSQL_TEST_LOGIN_FILE", "/nonexistent/login"},
                      {"MARIADB_PLUGIN_DIR", "/nonexistent"},
                      {"LC_ALL", "tr_TR.UTF-8"}});
  return run_program(command(std::move(args)), options);
}

codec::Value LabGuard::members() {
  auto result = holdfast({"lab", "status", "-o", "json"});
  auto value = codec::parse_value(result.out);
  return value ? (*value)["data"]["members"] : codec::Value();
}

codec::Value LabGuard::member(const std::string& name) {
  const codec::Value all = members();
  for (const auto& member : all.items())
    if (member["member"].text() == name) return member;
  return {};
}

std::vector<pid_t> LabGuard::processes() const {
  std::vector<pid_t> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const pid_t pid = std::stoi(name);
    if (pid == janitor_.pid()) continue;
    auto text = sys::read_file("/proc/" + name + "/cmdline");
    if (text && as_text(text->span()).find(state_dir()) != std::string_view::npos && sys::process_start_time(pid))
      found.push_back(pid);
  }
  return found;
}

}  // namespace holdfast::test
