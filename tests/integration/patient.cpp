#include "tests/integration/patient.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>
#include <sstream>
#include <thread>

#include "agent/client.h"
#include "agent/config.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/any_process.h"
#include "sys/net_namespace.h"
#include "tests/integration/remedy.h"
#include "tests/integration/schema.h"

namespace holdfast::test {

namespace fs = std::filesystem;
using codec::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// For every member at the same time.
void each(int count, const std::function<void(int)>& job) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back([&job, i] { job(i); });
}

template <class Connection>
Result<sql::Rows> run_statements(const sql::Target& target, const std::vector<std::string>& statements,
                                 Deadline deadline) {
  auto connection = TRY(Connection::connect(target, deadline));
  sql::Rows last;
  for (const auto& statement : statements) {
    auto rows = connection.query(statement, deadline);
    if (!rows) return fail(std::move(rows).error().with_context(statement.substr(0, 200)));
    if (!rows->empty()) last = std::move(*rows);
  }
  return last;
}

Result<sql::Rows> run_on(const agent::MemberConfig& c, const std::vector<std::string>& statements,
                         const std::string& database, milliseconds limit) {
  sql::Target target;
  target.socket = c.server_socket();
  target.user = c.admin_user;
  target.password = TRY(agent::read_password(c.admin_password_file));
  target.database = database;
  const Deadline deadline = Deadline::in(limit);
  return c.engine == cluster::Engine::postgres ? run_statements<sql::PostgresConnection>(target, statements, deadline)
                                               : run_statements<sql::MariadbConnection>(target, statements, deadline);
}

template <class Connection>
std::shared_ptr<void> hold_session(const sql::Target& target, const std::vector<std::string>& statements,
                                   const std::string& member) {
  auto connection = Connection::connect(target, Deadline::in(seconds(30)));
  EXPECT_TRUE(connection) << member;
  if (!connection) return nullptr;
  auto held = std::make_shared<Connection>(std::move(*connection));
  for (const auto& statement : statements) {
    auto done = held->query(statement, Deadline::in(seconds(30)));
    EXPECT_TRUE(done) << member << ": " << statement << ": " << (done ? "" : done.error().to_string());
  }
  return held;
}

std::string first_of(const sql::Rows& rows) {
  return rows.empty() ? "" : rows.rows[0][0].value_or("NULL");
}

agent::MemberConfig config_at(const std::string& dir) {
  auto config = agent::read_config(dir);
  EXPECT_TRUE(config) << dir << ": " << (config ? "" : config.error().to_string());
  return config ? std::move(*config) : agent::MemberConfig();
}

}  // namespace

void copy_tree(const std::string& from, const std::string& to) {
  auto result = run_program({"cp", "-a", "--reflink=auto", from, to});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

void remove_tree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  EXPECT_FALSE(error) << path << ": " << error.message();
}

void spoil(const std::string& path, uint64_t offset, uint64_t length, char by) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  EXPECT_GE(fd, 0) << path;
  if (fd < 0) return;
  const std::string garbage(length, by);
  EXPECT_EQ(::pwrite(fd, garbage.data(), garbage.size(), static_cast<off_t>(offset)),
            static_cast<ssize_t>(garbage.size()));
  ::close(fd);
}

std::string text_of(const std::string& path) {
  auto text = sys::read_file(path);
  EXPECT_TRUE(text) << path;
  return text ? std::string(as_text(text->span())) : "";
}

void rewrite(const std::string& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  EXPECT_GE(fd, 0) << path;
  if (fd < 0) return;
  EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  ::close(fd);
}

void await(const std::string& what, const std::function<bool()>& done, seconds limit) {
  EXPECT_TRUE(*sys::wait_until(done, Deadline::in(limit))) << "did not come: " << what;
}

Patient::Patient(LabGuard& lab, std::string cluster) : lab_(lab), cluster_(std::move(cluster)) {
  ::setenv("RESTIC_PASSWORD", "test", 1);
}

Patient::~Patient() {
  stop_writer();
}

bool Patient::bring_up() {
  std::vector<std::string> command = {"lab", "up", cluster_};
  if (hosts_ > 0) command.insert(command.end(), {"--hosts", std::to_string(hosts_)});
  auto up = lab_.holdfast(command);
  EXPECT_EQ(up.exit_code, 0) << up.out << up.err;
  if (up.exit_code != 0) return false;
  // The others give a dead node up sooner than after 15 s.
  for (int i = 0; is_galera() && i < size_; ++i)
    sql(i, {"SET GLOBAL wsrep_provider_options = 'evs.suspect_timeout=PT2S;evs.inactive_timeout=PT4S'"});
  return true;
}

bool Patient::prepare(int hosts) {
  hosts_ = hosts;
  if (!bring_up()) return false;
  const auto members = lab_.members();
  size_ = static_cast<int>(members.items().size());
  if (hosts_ > 0) lab_.hide_members(cluster_);
  auto loaded = lab_.holdfast({"lab", "load", "-c", cluster_, "--size", "2MB"});
  EXPECT_EQ(loaded.exit_code, 0) << loaded.err;
  // One row through the writer makes its table.
  auto wrote = lab_.holdfast({"lab", "load", "-c", cluster_, "--write", "--seconds", "1"});
  EXPECT_EQ(wrote.exit_code, 0) << wrote.err;
  await("healthy after loading", [&] { return triage().exit_code == 0; }, seconds(60));
  // A standby that lost its primary tries again at once, not in 5 s.
  for (int i = 0; is_postgres() && i < size_; ++i) sql(i, {"ALTER SYSTEM SET wal_retrieve_retry_interval = '200ms'"});
  for (int i = 0; i < size_; ++i) stop(i);
  each(size_, [&](int i) { copy_tree(data(i), dir(i) + "/data.kept"); });
  copy_tree(journal(), journal() + ".kept");
  if (!bring_up()) return false;
  repository_ = lab_.state_dir() + "/kept-copies";
  auto made = lab_.holdfast({"repo", "init", "-r", repository_});
  EXPECT_EQ(made.exit_code, 0) << made.err;
  start_writer();
  await("healthy with a writer", [&] { return triage().exit_code == 0; }, seconds(60));
  return !::testing::Test::HasFailure();
}

void Patient::restore() {
  stop_writer();
  each(size_, [&](int i) {
    thaw(i);
    agent(i, "stop", Value::object({{"mode", "immediate"}}), true);
  });
  each(size_, [&](int i) {
    for (const auto& entry : fs::directory_iterator(dir(i)))
      if (entry.path().filename().string().starts_with("data.replaced")) remove_tree(entry.path().string());
    remove_tree(data(i));
    copy_tree(dir(i) + "/data.kept", data(i));
    remove_tree(dir(i) + "/data.side");
    remove_tree(dir(i) + "/log/server.log");
  });
  rewrite(journal(), text_of(journal() + ".kept"));
  bring_up();
  start_writer();
}

void Patient::start_writer() {
  if (writer_) return;
  sys::Command command;
  command.argv = {holdfast_binary(), "lab",  "load",    "-c",          cluster_,        "--write",
                  "--seconds",       "3600", "--quiet", "--state-dir", lab_.state_dir()};
  command.env = {{"HOLDFAST_CONFIG", ""}, {"HOLDFAST_STATE_DIR", ""}};
  command.out = command.err = sys::Stdio::null();
  command.die_with_parent = SIGKILL;
  auto writer = sys::spawn(command);
  ASSERT_TRUE(writer);
  writer_ = std::move(*writer);
}

void Patient::stop_writer() {
  if (!writer_) return;
  (void)writer_->kill();
  writer_.reset();
}

int Patient::port(int i) const {
  return config_at(dir(i)).port;
}

std::string Patient::host(int i) const {
  return config_at(dir(i)).host;
}

sys::Fd Patient::host_namespace(int i) const {
  const std::string name = config_at(dir(i)).net_namespace;
  if (name.empty()) return {};
  auto opened = sys::open_net_namespace(name);
  EXPECT_TRUE(opened) << name;
  return opened ? std::move(*opened) : sys::Fd();
}

lab::Content Patient::content(int i) const {
  const auto c = config_at(dir(i));
  sql::Target target;
  target.socket = c.server_socket();
  target.user = c.admin_user;
  target.password = agent::read_password(c.admin_password_file).value_or(Secret());
  auto content = lab::content_of(c.engine, target);
  return content ? std::move(*content) : lab::Content{{"error", content.error().to_string()}};
}

std::vector<std::string> Patient::acknowledged_rows_missing(int i) {
  std::istringstream lines(text_of(journal())), rows(table(i, "SELECT id FROM shop.ledger", "shop"));
  std::set<std::string> there;
  for (std::string row; std::getline(rows, row);) there.insert(row.substr(0, row.find('\t')));
  std::vector<std::string> missing;
  for (std::string line; std::getline(lines, line);)
    if (const auto id = line.substr(0, line.find(' ')); !there.contains(id)) missing.push_back(id);
  return missing;
}

namespace {

/// "SET GLOBAL wsrep_provider_options = 'pc.weight=0'" for a server that has each option as a variable of its own.
std::vector<std::string> as_variables(const std::vector<std::string>& statements) {
  constexpr std::string_view kBefore = "SET GLOBAL wsrep_provider_options = '";
  std::vector<std::string> result;
  for (const auto& statement : statements) {
    if (!statement.starts_with(kBefore)) {
      result.push_back(statement);
      continue;
    }
    std::istringstream options(statement.substr(kBefore.size(), statement.size() - kBefore.size() - 1));
    for (std::string option; std::getline(options, option, ';');) {
      const size_t sign = option.find('=');
      std::string name = option.substr(0, sign), value = option.substr(sign + 1);
      std::ranges::replace(name, '.', '_');
      if (value == "YES" || value == "true") value = "ON";
      if (value == "NO" || value == "false") value = "OFF";
      if (value.starts_with("PT")) value = value.substr(2, value.size() - 3);
      result.push_back(fmt::format("SET GLOBAL wsrep_provider_{} = {}", name, value));
    }
  }
  return result;
}

}  // namespace

std::string Patient::sql(int i, const std::vector<std::string>& statements, const std::string& database) {
  auto result = run_on(config_at(dir(i)), statements, database, seconds(30));
  if (!result && result.error().message.find("[1210]") != std::string::npos)
    result = run_on(config_at(dir(i)), as_variables(statements), database, seconds(30));
  EXPECT_TRUE(result) << name(i) << ": " << (result ? "" : result.error().to_string());
  return result ? first_of(*result) : "";
}

std::string Patient::field(int i, const std::string& statement, const std::string& column) {
  auto result = run_on(config_at(dir(i)), {statement}, {}, seconds(30));
  EXPECT_TRUE(result) << name(i) << ": " << (result ? "" : result.error().to_string());
  return result && !result->empty() ? result->text(column) : "";
}

std::string Patient::table(int i, const std::string& statement, const std::string& database) {
  auto result = run_on(config_at(dir(i)), {statement}, database, seconds(30));
  EXPECT_TRUE(result) << name(i) << ": " << (result ? "" : result.error().to_string());
  std::string text;
  for (size_t row = 0; result && row < result->rows.size(); ++row) {
    for (const auto& value : result->rows[row]) text += value.value_or("NULL") + "\t";
    text += "\n";
  }
  return text;
}

std::shared_ptr<void> Patient::hold(int i, const std::vector<std::string>& statements) {
  const auto c = config_at(dir(i));
  sql::Target target;
  target.socket = c.server_socket();
  target.user = c.admin_user;
  target.password = agent::read_password(c.admin_password_file).value_or(Secret());
  if (is_postgres()) target.database = "shop";
  return is_postgres() ? hold_session<sql::PostgresConnection>(target, statements, name(i))
                       : hold_session<sql::MariadbConnection>(target, statements, name(i));
}

std::string Patient::try_sql(int i, const std::vector<std::string>& statements, milliseconds limit,
                             const std::string& database) {
  auto result = run_on(config_at(dir(i)), statements, database, limit);
  return result ? first_of(*result) : "error: " + result.error().to_string();
}

Value Patient::agent(int i, const std::string& op, Value arguments, bool may_fail) {
  const Deadline deadline = Deadline::in(seconds(60));
  auto client = agent::Client::connect(config_at(dir(i)).agent_socket(), deadline);
  if (!client) {
    EXPECT_TRUE(may_fail) << name(i) << " " << op << ": " << client.error().to_string();
    return {};
  }
  if (!arguments.find("timeoutSeconds")) arguments.set("timeoutSeconds", 55);
  auto answer = client->call_now(op, std::move(arguments), deadline);
  EXPECT_TRUE(answer || may_fail) << name(i) << " " << op << ": " << (answer ? "" : answer.error().to_string());
  if (answer) return *answer;
  return Value::object({{"error", Value::object({{"id", answer.error().id}, {"message", answer.error().message}})}});
}

void Patient::start_unheard(int i, const std::vector<std::string>& extra_args) {
  // The agent ends a server that is not ready by then.
  Value arguments = Value::object({{"extraArgs", Value::list_of(extra_args)}, {"timeoutSeconds", 600}});
  unheard_.emplace_back([this, i, arguments = std::move(arguments)] { agent(i, "start", std::move(arguments), true); });
}

void Patient::stop(int i) {
  agent(i, "stop");
}

void Patient::kill(int i) {
  lab_break("kill", i);
}

void Patient::freeze(int i) {
  lab_break("stop", i);
}

void Patient::thaw(int i) {
  const auto status = agent(i, "status", Value::object(), true);
  if (const int64_t pid = status["server"]["pid"].integer(-1); pid > 1) ::kill(static_cast<pid_t>(pid), SIGCONT);
}

void Patient::kill_agent(int i) {
  const auto pid = static_cast<pid_t>(lab_.member(name(i))["agentPid"].integer());
  auto server = sys::open_pidfd(static_cast<pid_t>(lab_.member(name(i))["pid"].integer()));
  ASSERT_GT(pid, 1);
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  if (!server) return;
  EXPECT_TRUE(*sys::wait_fd(server->get(), 1 /* POLLIN */, Deadline::in(seconds(30))));
}

pid_t Patient::start_outside(int i) {
  const Value launched = agent(i, "status")["server"];
  stop(i);
  sys::Command command;
  for (const auto& argument : launched["argv"].items()) command.argv.push_back(argument.text());
  for (const auto& [variable, value] : launched["env"].members()) command.env.emplace_back(variable, value.text());
  command.clear_env = command.new_session = true;
  command.cwd = data(i);
  sys::Fd log = sys::open_file(dir(i) + "/log/by-hand.log", O_WRONLY | O_CREAT | O_APPEND, 0644).value();
  command.out = command.err = sys::Stdio::to(log.get());
  struct stat owner{};
  EXPECT_EQ(::stat(data(i).c_str(), &owner), 0);
  if (owner.st_uid != ::geteuid()) command.identity = sys::Identity{owner.st_uid, owner.st_gid, {}};
  const sys::Fd host = host_namespace(i);
  command.net_namespace = host.get();
  auto started = sys::spawn(command);
  EXPECT_TRUE(started) << (started ? "" : started.error().to_string());
  if (!started) return -1;
  const pid_t pid = started->pid();
  outside_[i] = std::move(*started);
  await(
      "the server that was started by hand answers", [&] { return try_sql(i, {"SELECT 1"}, seconds(2)) == "1"; },
      seconds(60));
  return pid;
}

void Patient::stop_outside(int i) {
  EXPECT_TRUE(outside_[i].signal(is_postgres() ? SIGINT : SIGTERM));
  EXPECT_TRUE(outside_[i].wait(Deadline::in(std::chrono::seconds(60))));
  outside_.erase(i);
}

void Patient::lab_break(const std::string& kind, int i) {
  auto result = lab_.holdfast({"lab", "break", kind, name(i)});
  EXPECT_EQ(result.exit_code, 0) << kind << " " << name(i) << ": " << result.err;
}

void Patient::lab_heal(int i) {
  auto result = lab_.holdfast({"lab", "heal", name(i)});
  EXPECT_EQ(result.exit_code, 0) << name(i) << ": " << result.err;
}

Patient::Look Patient::triage(const std::vector<std::string>& more) {
  std::vector<std::string> args = {"triage", "-c", cluster_, "-o", "json", "--member-timeout", "2"};
  args.insert(args.end(), more.begin(), more.end());
  const auto begun = std::chrono::steady_clock::now();
  auto result = lab_.holdfast(args);
  Look look;
  look.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  look.exit_code = result.exit_code;
  auto document = codec::parse_value(result.out);
  EXPECT_TRUE(document) << result.out << result.err;
  if (document) look.data = (*document)["data"];
  look.text = result.out;
  const auto trouble = check_schema("triage.schema.json", look.data);
  EXPECT_TRUE(trouble.empty()) << trouble << "\n" << result.out;
  EXPECT_EQ(wrong_remedies(look.data), "");
  return look;
}

}  // namespace holdfast::test
