#include "tests/integration/kill_world.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "agent/client.h"
#include "operation/file_store.h"
#include "sys/any_process.h"
#include "sys/net_namespace.h"
#include "tests/support/member_sql.h"

namespace holdfast::test {

using cluster::Engine;
using codec::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;
namespace fs = std::filesystem;

KillWorld::KillWorld(Engine engine, std::string cluster) : engine_(engine), cluster_(std::move(cluster)) {
  ::setenv("RESTIC_PASSWORD", "test", 1);
  repository = lab.state_dir() + "/repository";
}

void KillWorld::up(std::vector<std::string> how) {
  const bool on_hosts = !how.empty() && how[0] == "--hosts";
  // Connections that were cut come back when their senders try again, which they do less and less often.
  if (on_hosts) patience_ = seconds(150);
  how.insert(how.begin(), {"lab", "up", cluster_});
  const auto up = lab.holdfast(how);
  ASSERT_EQ(up.exit_code, 0) << up.err;
  const auto load = lab.holdfast({"lab", "load", "-c", cluster_, "--size", "2MB"});
  ASSERT_EQ(load.exit_code, 0) << load.err;
  if (on_hosts) lab.hide_members(cluster_);
  const auto init = lab.holdfast({"repo", "init", "-r", repository});
  ASSERT_EQ(init.exit_code, 0) << init.err;
  ASSERT_NO_FATAL_FAILURE(expect_healthy());
}

agent::MemberConfig KillWorld::config(int i) const {
  auto config = agent::read_config(dir(i));
  EXPECT_TRUE(config) << config.error().to_string();
  return config ? std::move(*config) : agent::MemberConfig();
}

sql::Target KillWorld::by_socket(int i) const {
  const auto c = config(i);
  sql::Target target;
  target.socket = c.server_socket();
  target.port = c.port;
  target.user = c.admin_user;
  target.password = agent::read_password(c.admin_password_file).value_or(Secret());
  return target;
}

std::string KillWorld::ask(int i, const std::string& statement, const std::string& database) {
  sql::Target target = by_socket(i);
  target.database = database;
  return test::ask(engine_, target, statement);
}

namespace {

Result<Value> call_agent(const std::string& dir, const std::string& op, Value arguments) {
  const auto config = TRY(agent::read_config(dir));
  const Deadline deadline = Deadline::in(seconds(90));
  auto client = TRY(agent::Client::connect(config.agent_socket(), deadline));
  return client.call_now(op, std::move(arguments), deadline);
}

}  // namespace

Value KillWorld::agent(int i, const std::string& op, Value arguments, bool may_fail) {
  auto answer = call_agent(dir(i), op, std::move(arguments));
  EXPECT_TRUE(answer || may_fail) << name(i) << " " << op << ": " << answer.error().to_string();
  return answer ? *answer : Value();
}

std::string KillWorld::agent_error(int i, const std::string& op, Value arguments) {
  auto answer = call_agent(dir(i), op, std::move(arguments));
  return answer ? "" : answer.error().id;
}

void KillWorld::break_member(const std::string& what, int i) {
  const auto done = lab.holdfast({"lab", "break", what, name(i)});
  ASSERT_EQ(done.exit_code, 0) << done.err;
}

void KillWorld::kill_server(int i) {
  break_member("kill", i);
  auto seen = sys::wait_until([&] { return agent(i, "status")["server"]["state"].text() == "failed"; },
                              Deadline::in(seconds(10)));
  EXPECT_TRUE(seen && *seen);
}

void KillWorld::crash_agent(int i) {
  const auto status = agent(i, "status");
  const auto agent_pid = static_cast<pid_t>(status["agent"]["pid"].integer());
  ASSERT_GT(agent_pid, 1);
  const auto server_pid = static_cast<pid_t>(status["server"]["pid"].integer(-1));
  auto server = server_pid > 1 ? sys::open_pidfd(server_pid) : Result<sys::Fd>(sys::Fd());
  auto ended = sys::open_pidfd(agent_pid);
  ASSERT_EQ(::kill(agent_pid, SIGKILL), 0);
  if (ended) {
    auto gone = sys::wait_fd(ended->get(), 1 /* POLLIN */, Deadline::in(seconds(10)));
    EXPECT_TRUE(gone && *gone);
  }
  if (server && *server) {
    auto gone = sys::wait_fd(server->get(), 1, Deadline::in(seconds(10)));
    EXPECT_TRUE(gone && *gone);
  }
  sys::Command command;
  command.argv = {holdfast_binary(), "agent", "--dir", dir(i)};
  sys::Fd host;
  if (const auto c = config(i); !c.net_namespace.empty()) {
    auto opened = sys::open_net_namespace(c.net_namespace);
    ASSERT_TRUE(opened) << opened.error().to_string();
    host = std::move(*opened);
    command.net_namespace = host.get();
  }
  command.out = command.err = sys::Stdio::null();
  command.die_with_parent = SIGKILL;
  auto started = sys::spawn(command);
  ASSERT_TRUE(started) << started.error().to_string();
  agents_.push_back(std::move(*started));
  auto answers = sys::wait_until([&] { return call_agent(dir(i), "ping", Value::object()).has_value(); },
                                 Deadline::in(seconds(10)));
  EXPECT_TRUE(answers && *answers);
}

RunResult KillWorld::run(const std::string& verb, std::vector<std::string> args) {
  std::vector<std::string> words = {verb, "-c", cluster_, "-o", "json"};
  words.insert(words.end(), args.begin(), args.end());
  return lab.holdfast(words);
}

Value KillWorld::envelope(const RunResult& result) {
  return codec::parse_value(result.out).value_or(Value());
}

std::string KillWorld::error_id(const RunResult& result) {
  const Value said = envelope(result);
  return said["errors"].items().empty() ? "" : said["errors"].items()[0]["id"].text();
}

Value KillWorld::report_of(int i, const Value& triage) const {
  for (const auto& member : triage["members"].items())
    if (member["name"].text() == name(i)) return member;
  return {};
}

bool KillWorld::says(const Value& triage, const std::string& diagnosis, int member) const {
  for (const auto& d : triage["diagnoses"].items()) {
    if (d["id"].text() != diagnosis) continue;
    for (const auto& m : d["members"].items())
      if (m.text() == name(member)) return true;
  }
  return false;
}

sys::Process KillWorld::start_cut(const std::vector<std::string>& args, const Cut& cut, const std::string& log) {
  auto file = sys::open_file(log, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  EXPECT_TRUE(file);
  sys::Command command;
  command.argv = lab.command(args);
  command.env = {{"HOLDFAST_CONFIG", ""},
                 {"HOLDFAST_STATE_DIR", ""},
                 {"HOLDFAST_OUTPUT", ""},
                 {"LD_PRELOAD", JOURNAL_CUT},
                 {"HOLDFAST_TEST_CUT", cut.text()}};
  command.out = command.err = sys::Stdio::to(file->get());
  command.die_with_parent = SIGKILL;
  auto running = sys::spawn(command);
  EXPECT_TRUE(running) << running.error().to_string();
  return running ? std::move(*running) : sys::Process();
}

RunResult KillWorld::cut_off(const std::vector<std::string>& args, const Cut& cut) {
  const std::string log = lab.state_dir() + "/cut.log";
  auto running = start_cut(args, cut, log);
  RunResult result;
  auto ended = running.wait(Deadline::in(seconds(150)));
  EXPECT_TRUE(ended) << "it does not end";
  if (auto text = sys::read_file(log)) result.out = as_text(text->span());
  if (ended) result.exit_code = ended->signal ? 128 + ended->signal : ended->code;
  return result;
}

std::vector<std::string> KillWorld::unfinished() {
  const auto listed = lab.holdfast({"operations", "list", "--unfinished", "-o", "json"});
  std::vector<std::string> ids;
  const Value list = data(listed);
  for (const auto& operation : list["operations"].items()) ids.push_back(operation["id"].text());
  return ids;
}

std::string KillWorld::where_it_stands(const std::string& id) {
  constexpr size_t kTail = 4000;
  std::string text = lab.holdfast({"operations", "show", id}).out;
  for (int i = 0; ::access(dir(i).c_str(), F_OK) == 0; ++i)
    for (const char* log : {"/agent.log", "/log/server.log"})
      if (auto all = sys::read_file(dir(i) + log)) {
        const std::string_view lines = as_text(all->span());
        text += "\n" + name(i) + log + ":\n";
        text += lines.substr(lines.size() - std::min(lines.size(), kTail));
      }
  return text;
}

RunResult KillWorld::resume(const std::string& id, std::vector<std::string> args) {
  args.insert(args.begin(), {"operations", "resume", id, "-r", repository, "-o", "json"});
  return lab.holdfast(args);
}

RunResult KillWorld::undo(const std::string& id, std::vector<std::string> args) {
  args.insert(args.begin(), {"operations", "undo", id, "-o", "json"});
  return lab.holdfast(args);
}

std::vector<std::string> KillWorld::plan_steps(const std::string& verb, const std::vector<std::string>& args,
                                               std::vector<std::string>* accept) {
  auto words = args;
  words.push_back("--dry-run");
  // A server that has just been started still reads its logs: the plan is the one that does not change any more.
  RunResult dry;
  std::string hash, before;
  auto stable = sys::wait_until(
      [&] {
        before = hash;
        dry = run(verb, words);
        hash = dry.exit_code == 0 ? data(dry)["plan"]["hash"].text() : "";
        return !hash.empty() && hash == before;
      },
      Deadline::in(seconds(20)));
  EXPECT_TRUE(stable && *stable) << dry.out << dry.err;
  const Value plan = data(dry)["plan"];
  std::vector<std::string> ids;
  for (const auto& step : plan["steps"].items()) ids.push_back(step["id"].text());
  if (accept) {
    accept->clear();
    for (const auto& loss : plan["losses"].items())
      accept->push_back("--accept=" + loss["acceptance"].text() + "@" + plan["hash"].text().substr(0, 12));
  }
  return ids;
}

void KillWorld::expect_verdict(int i, const std::string& wanted) {
  std::string is;
  (void)sys::wait_until([&] { return (is = verdict(i)) == wanted; }, Deadline::in(patience_));
  EXPECT_EQ(is, wanted) << name(i);
}

void KillWorld::expect_healthy() {
  RunResult seen;
  auto healthy = sys::wait_until([&] { return (seen = run("triage")).exit_code == 0; }, Deadline::in(patience_));
  EXPECT_TRUE(healthy && *healthy) << data(seen)["sentence"].text() << codec::to_json(data(seen)["diagnoses"]);
}

void KillWorld::expect_equal(int i, int primary) {
  lab::Content is, wanted;
  auto content = [&](int member) {
    auto content = lab::content_of(engine_, by_socket(member));
    return content ? std::move(*content) : lab::Content{{"error", content.error().to_string()}};
  };
  auto equal = sys::wait_until(
      [&] {
        wanted = content(primary);
        is = content(i);
        return is == wanted;
      },
      Deadline::in(patience_));
  EXPECT_TRUE(equal && *equal) << name(i) << " differs from " << name(primary);
  EXPECT_GT(wanted.size(), 3u) << "of " << name(primary);
}

std::set<std::string> KillWorld::leftovers(int i) const {
  std::set<std::string> found;
  for (const auto& entry : fs::directory_iterator(dir(i))) {
    const std::string file = entry.path().filename().string();
    if ((file.starts_with("data.") && !file.starts_with("data.dropping-")) || file.starts_with("initialising") ||
        file == "swap.json" || file == "rewinding" || file.starts_with("donor-undo."))
      found.insert(file);
  }
  return found;
}

void KillWorld::expect_nothing_left(const std::string& but) {
  EXPECT_EQ(unfinished(), std::vector<std::string>());
  EXPECT_FALSE(operation::FileOperationStore(lab.state_dir()).holder(operation::ClusterKey("shop/" + cluster_)))
      << "somebody holds the lock";
  for (int i = 0; fs::exists(dir(i)); ++i) {
    auto left = leftovers(i);
    std::erase_if(left, [&](const std::string& file) { return file.starts_with(but); });
    EXPECT_EQ(left, std::set<std::string>()) << name(i);
    const auto status = agent(i, "status");
    EXPECT_TRUE(status["server"]["progress"].is_null()) << codec::to_json(status["server"]["progress"]);
    EXPECT_EQ(status["server"]["data"].text(), "main") << name(i);
  }
}

size_t KillWorld::escrows(const std::string& job) {
  const auto listed =
      lab.holdfast({"get", "snapshots", "-r", repository, "--tag", "type=escrow", "--tag", "job=" + job, "-o", "json"});
  EXPECT_EQ(listed.exit_code, 0) << listed.err;
  size_t count = 0;
  const Value list = data(listed);
  for (const auto& snapshot : list["snapshots"].items())
    for (const auto& tag : snapshot["tags"].items()) count += tag.text() == "job=" + job;
  return count;
}

std::set<std::string> KillWorld::escrow_files(const std::string& job) {
  const auto listed = lab.holdfast({"get", "snapshots", "-r", repository, "--tag", "type=escrow", "-o", "json"});
  std::set<std::string> files;
  const Value list = data(listed);
  for (const auto& snapshot : list["snapshots"].items()) {
    bool ours = false;
    for (const auto& tag : snapshot["tags"].items()) ours = ours || tag.text() == "job=" + job;
    if (!ours) continue;
    const std::string into = lab.state_dir() + "/escrow-" + snapshot["id"].text().substr(0, 8);
    const auto restored =
        lab.holdfast({"restore", "--snapshot", snapshot["id"].text(), "--into", into, "-r", repository});
    EXPECT_EQ(restored.exit_code, 0) << restored.err;
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(into, error))
      if (entry.is_regular_file()) files.insert(entry.path().filename().string());
    fs::remove_all(into, error);
  }
  return files;
}

}  // namespace holdfast::test
