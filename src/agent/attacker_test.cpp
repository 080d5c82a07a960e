// The server's own account against the agent that runs as root: links to a secret file and to a folder of root's stand
// at every name in its directories that the agent opens, reads, writes, removes or gives away.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>

#include "agent/binlog_start.h"
#include "agent/client.h"
#include "agent/copy.h"
#include "agent/data_dir.h"
#include "agent/dir_users.h"
#include "agent/files.h"
#include "agent/inspect.h"
#include "agent/last_data.h"
#include "agent/launch.h"
#include "agent/log_watch.h"
#include "agent/server.h"
#include "agent/ways.h"
#include "codec/crc32.h"
#include "engine/errant_log.h"
#include "sys/file.h"
#include "tests/support/require.h"

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;
using cluster::Engine;
using std::chrono::seconds;

constexpr uid_t kServer = 61234;
constexpr const char* kSecret = "root:TOPSECRET:19000";

/// By which kind of link a name of the server's leads to the secret.
enum class By { symlink, hard_link };

class Attacker : public ::testing::TestWithParam<By> {
 protected:
  void SetUp() override {
    HOLDFAST_NEED("root", ::geteuid() == 0, "only root has something to give away");
    top_.emplace(sys::TempDir::create("attacker").value());
    ASSERT_EQ(::chmod(top_->path().c_str(), 0755), 0);
    fs::create_directories(victim());
    std::ofstream(victim() + "/000000010000000000000001") << "kept";
    std::ofstream(victim() + "/ibdata1") << "kept";
    ASSERT_EQ(::chmod(victim().c_str(), 0700), 0);
    std::ofstream(secret()) << kSecret;
    ASSERT_EQ(::chmod(secret().c_str(), 0600), 0);
    before_ = look();
    c_.member = "shop-0";
    c_.cluster = "shop";
    c_.dir = top_->path() + "/member";
    c_.socket_dir = c_.dir + "/run";
    c_.uid = c_.gid = kServer;
    c_.port = 5432;
    c_.admin_user = "holdfast";
    c_.admin_password_file = password_file("admin");
    c_.replication_user = "replicator";
    c_.replication_password_file = password_file("replication");
    c_.server_program = top_->path() + "/server";
    std::ofstream(c_.server_program) << "#!/bin/sh\nexit 3\n";
    ASSERT_EQ(::chmod(c_.server_program.c_str(), 0755), 0);
    for (const std::string& path : {c_.dir, c_.data_dir(), c_.dir + "/log", c_.socket_dir}) {
      fs::create_directories(path);
      if (path != c_.dir) give(path);
    }
  }
  std::string victim() const { return top_->path() + "/victim"; }
  std::string secret() const { return top_->path() + "/shadow"; }
  std::string password_file(const std::string& name) const {
    const std::string path = top_->path() + "/" + name + ".password";
    std::ofstream(path) << "open sesame\n";
    return path;
  }
  static void give(const std::string& path) { ASSERT_EQ(::lchown(path.c_str(), kServer, kServer), 0); }
  /// A file of the server's own.
  void own(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(path).parent_path());
    give(fs::path(path).parent_path());
    std::ofstream(path) << text;
    give(path);
  }
  /// What stands at `path` from now on leads to the secret.
  void lead(const std::string& path) const {
    fs::remove(path);
    if (GetParam() == By::hard_link) {
      ASSERT_EQ(::link(secret().c_str(), path.c_str()), 0);
    } else {
      fs::create_symlink(secret(), path);
      give(path);
    }
  }
  /// A directory that is a link to root's folder.
  void lead_folder(const std::string& path) const {
    fs::remove_all(path);
    fs::create_directory_symlink(victim(), path);
    give(path);
  }
  /// Content, owners and modes of what is nobody's business.
  std::string look() const {
    std::string seen;
    for (const std::string& path :
         {secret(), victim(), victim() + "/000000010000000000000001", victim() + "/ibdata1"}) {
      struct stat info{};
      if (::stat(path.c_str(), &info) != 0) return path + " is gone";
      seen += path + " " + std::to_string(info.st_uid) + " " + std::to_string(info.st_mode) + " " +
              (S_ISREG(info.st_mode) ? std::string(as_text(sys::read_file(path)->span())) : "") + "\n";
    }
    for (const auto& entry : fs::directory_iterator(victim())) seen += entry.path().filename().string() + "\n";
    return seen;
  }
  void TearDown() override {
    if (!top_) return;
    EXPECT_EQ(look(), before_) << "what is outside of the server's directories has changed";
    // Nor may the secret stand anywhere that the server can read.
    for (const auto& entry : fs::recursive_directory_iterator(c_.dir)) {
      struct stat info{};
      if (::lstat(entry.path().c_str(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != kServer) continue;
      expect_kept(std::string(as_text(sys::read_file(entry.path())->span())), entry.path());
    }
  }
  static void expect_kept(const std::string& text, const std::string& what) {
    EXPECT_EQ(text.find("TOPSECRET"), std::string::npos) << what;
  }
  std::string error_of_start(Engine engine) {
    c_.engine = engine;
    auto started = Server(c_).start({}, Deadline::in(seconds(5)));
    EXPECT_FALSE(started);
    return started ? "" : started.error().to_string();
  }

  std::optional<sys::TempDir> top_;
  MemberConfig c_;
  std::string before_;
};

INSTANTIATE_TEST_SUITE_P(Links, Attacker, ::testing::Values(By::symlink, By::hard_link),
                         [](const auto& by) { return by.param == By::symlink ? "symlink" : "hard_link"; });

TEST_P(Attacker, TheServersLog) {
  for (const Engine engine : {Engine::mariadb, Engine::mysql, Engine::postgres, Engine::galera}) {
    own(c_.data_dir() + "/ibdata1", "");
    own(c_.data_dir() + "/PG_VERSION", "15");
    lead(c_.log_file());
    lead(c_.dir + "/log/recover.log");
    lead(c_.data_dir() + "/grastate.dat");
    lead(c_.data_dir() + "/postmaster.pid");
    lead(c_.data_dir() + "/standby.signal");
    c_.role = engine == Engine::postgres ? Role::primary : Role::replica;
    expect_kept(error_of_start(engine), "the error of a start");
    EXPECT_EQ(look(), before_) << "engine " << cluster::engine_name(engine);
  }
}

TEST_P(Attacker, TheLogsOfWhatIsMade) {
  for (const Engine engine : {Engine::mariadb, Engine::mysql, Engine::postgres}) {
    c_.engine = engine;
    fs::remove_all(c_.data_dir());
    lead(c_.dir + "/log/initialise.log");
    const auto made = initialise_empty(c_, Deadline::in(seconds(5)), {});
    ASSERT_FALSE(made);
    expect_kept(made.error().to_string(), "the error of an initialise");
  }
  lead(c_.dir + "/log/copy.log");
  Progress progress;
  const Donor donor;
  const CopyJob job{c_, donor, progress, Deadline::in(seconds(5)), {}};
  const auto ran = detail::run_logged(job, detail::base_command(c_, {"/bin/sh", "-c", "echo said; exit 1"}));
  ASSERT_FALSE(ran);
  expect_kept(ran.error().to_string(), "the error of a copy");
}

TEST_P(Attacker, StateFilesThatAreReadAndWritten) {
  c_.engine = Engine::galera;
  lead(c_.data_dir() + "/grastate.dat");
  EXPECT_FALSE(read_grastate(c_));
  Grastate state;
  state.uuid = "7962a099-e5ef-11f1-9d5f-1b8d99f3e0f7";
  state.seqno = 5;
  ASSERT_TRUE(write_grastate(c_, state));
  struct stat info{};
  ASSERT_EQ(::lstat((c_.data_dir() + "/grastate.dat").c_str(), &info), 0);
  EXPECT_TRUE(S_ISREG(info.st_mode));
  EXPECT_EQ(info.st_uid, kServer);
  EXPECT_EQ(read_grastate(c_).value().seqno, 5);

  c_.engine = Engine::postgres;
  lead(c_.data_dir() + "/postgresql.auto.conf");
  lead(c_.data_dir() + "/standby.signal");
  ASSERT_TRUE(detail::become_standby(c_));
  ASSERT_EQ(::lstat((c_.data_dir() + "/standby.signal").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, kServer);
}

/// What the server's user says of itself in files that an agent reads in passing.
TEST_P(Attacker, WhatSaysWhoseADirectoryIs) {
  const std::string roots = victim() + "/roots";
  const auto expect_unread = [&](const std::string& text, const char* what) {
    EXPECT_EQ(text.find("7711"), text.npos) << what << ": " << text;
  };
  std::ofstream(roots) << "server-uuid=7711\nuuid: 7711\n[ERROR] InnoDB: Database page corruption on disk 7711\n";
  ASSERT_EQ(::chmod(roots.c_str(), 0600), 0);
  const auto lead_there = [&](const std::string& path) {
    fs::remove(path);
    if (GetParam() == By::hard_link)
      ASSERT_EQ(::link(roots.c_str(), path.c_str()), 0);
    else
      fs::create_symlink(roots, path);
  };
  own(c_.data_dir() + "/ibdata1", "");
  for (const char* name : {"auto.cnf", "grastate.dat"}) lead_there(c_.data_dir() + "/" + name);
  lead_there(c_.log_file());
  for (const Engine engine : {Engine::mysql, Engine::galera}) {
    c_.engine = engine;
    ASSERT_TRUE(remember_data(c_));
    expect_unread(std::string(as_text(sys::read_file(c_.dir + "/last-data.json")->span())), "what is remembered");
    cluster::MemberFacts facts;
    LogWatch().tell(facts, c_);
    expect_unread(facts.runtime.damage_logged, "the log");
  }
  fs::remove(roots);
}

/// One that nobody writes to holds who opens it for ever.
TEST_P(Attacker, FifosInPlaceOfFiles) {
  const auto fifo = [&](const std::string& name) {
    const std::string path = c_.data_dir() + "/" + name;
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    give(path);
    return path;
  };
  const auto ends = [](const std::string& path, const std::function<void()>& work) {
    auto done = std::async(std::launch::async, work);
    const bool in_time = done.wait_for(seconds(10)) == std::future_status::ready;
    // Lets it go.
    while (done.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready)
      sys::Fd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    EXPECT_TRUE(in_time) << path << " holds the agent";
  };
  c_.engine = Engine::postgres;
  const std::string postmaster = fifo("postmaster.pid");
  ends(postmaster, [&] { EXPECT_TRUE(users_of(c_.data_dir(), {}).empty()); });
  ends(postmaster, [&] { EXPECT_TRUE(wait_until_unused(c_)); });
  own(c_.data_dir() + "/ibdata1", "");
  c_.engine = Engine::mysql;
  ends(fifo("auto.cnf"), [&] { EXPECT_TRUE(remember_data(c_)); });
  c_.engine = Engine::galera;
  ends(fifo("grastate.dat"), [&] { EXPECT_TRUE(remember_data(c_)); });
  const auto executed = position::GtidSet::parse("7962a099-e5ef-11f1-9d5f-1b8d99f3e0f7:1-5").value();
  ends(fifo("binlog.000001"), [&] { EXPECT_FALSE(begin_binlog_behind(c_.data_dir() + "/binlog.000001", executed)); });
}

/// A link to a file of root's that names a process says nothing of a directory.
TEST_P(Attacker, TheProcessThatIsNamedElsewhere) {
  if (GetParam() == By::hard_link) return;  // a number is all that is read, and it can write that itself
  const pid_t child = ::fork();
  if (child == 0) {
    if (::chdir(c_.data_dir().c_str()) != 0) ::_exit(1);
    for (;;) ::pause();
  }
  const std::string roots = victim() + "/roots";
  std::ofstream(roots) << child << "\n";
  fs::create_symlink(roots, c_.data_dir() + "/postmaster.pid");
  EXPECT_TRUE(users_of(c_.data_dir(), {}).empty());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  fs::remove(roots);
}

TEST_P(Attacker, FilesThatAreShown) {
  c_.engine = Engine::postgres;
  lead(c_.data_dir() + "/PG_VERSION");
  lead(c_.data_dir() + "/backup_label");
  lead(c_.log_file());
  for (const char* name : {"PG_VERSION", "backup_label", "server.log"}) {
    const auto shown = read_named_file(c_, name, 0, 0, 100);
    if (shown) expect_kept((*shown)["text"].text(), name);
    EXPECT_FALSE(shown) << name;
  }
  expect_kept(codec::to_json(list_files(c_)), "the list");
}

TEST_P(Attacker, WhatALookReads) {
  for (const Engine engine : {Engine::mariadb, Engine::mysql, Engine::postgres, Engine::galera}) {
    c_.engine = engine;
    for (const char* name : {"PG_VERSION", "ibdata1", "auto.cnf", "binlog.index", "relay.index", "binlog.000001",
                             "master.info", "grastate.dat", "gvwstate.dat", "galera.cache", "backup_label"})
      lead(c_.data_dir() + "/" + name);
    fs::create_directories(c_.data_dir() + "/global");
    lead(c_.data_dir() + "/global/pg_control");
    for (const char* name : {"pg_wal", "pg_tblspc", "pg_replslot", "mysql", "base"})
      lead_folder(c_.data_dir() + "/" + name);
    lead(c_.log_file());
    cluster::MemberFacts facts;
    inspect(facts, c_, -1, Deadline::in(seconds(5)), {});
    expect_kept(codec::to_json(inspection_value(facts)), std::string(cluster::engine_name(engine)));
    EXPECT_EQ(facts.runtime.log_tail, "");
    engine::ErrantSearch search;
    search.engine = engine;
    search.data_dir = c_.data_dir();
    search.transactions = engine == Engine::postgres ? "1/0/1-0/2" : "0-1-5";
    (void)engine::find_errant(search);
  }
}

/// A control file that is as it should be, so that the log is looked at.
std::string control_file() {
  std::string control(8192, '\0');
  const auto put = [&](size_t at, uint64_t value, size_t width) { std::memcpy(control.data() + at, &value, width); };
  put(0, 7710734210448818612, 8);
  put(8, 1300, 4);
  put(12, 202209061, 4);
  put(16, 6, 4);
  put(32, 0x1000200, 8);
  put(40, 0x1000100, 8);
  put(48, 2, 4);
  put(52, 2, 4);
  put(204, 8, 4);
  const double number = 1234567.0;
  std::memcpy(control.data() + 208, &number, 8);
  put(216, 8192, 4);
  put(224, 8192, 4);
  put(228, 16 << 20, 4);
  put(288, codec::crc32c(as_bytes(control).first(288)), 4);
  return control;
}

struct Sent : engine::ErrantLogSink {
  Status item(const codec::Value& item) override {
    text += codec::to_json(item);
    return {};
  }
  Status bytes(ByteSpan bytes) override {
    text += as_text(bytes);
    return {};
  }
  std::string text;
};

/// Files of a log are sent as they are.
TEST_P(Attacker, WhatIsSentOfALog) {
  own(c_.data_dir() + "/global/pg_control", control_file());
  const auto sent = [&] {
    engine::ErrantSearch search;
    search.engine = Engine::postgres;
    search.data_dir = c_.data_dir();
    search.transactions = "timeline 2 from 0/1000100 to 0/1000200";
    Sent to;
    const auto read = engine::read_errant_log(search, {}, to);
    return to.text + (read ? "" : read.error().to_string());
  };
  own(c_.data_dir() + "/pg_wal/00000002.history", "1\t0/1000000\tits own\n");
  EXPECT_NE(sent().find("its own"), std::string::npos) << sent();
  lead(c_.data_dir() + "/pg_wal/00000002.history");
  expect_kept(sent(), "a history file");
  EXPECT_NE(sent().find("Permission denied"), std::string::npos) << sent();
}

TEST_P(Attacker, WhatIsRemovedBeforeAStart) {
  c_.engine = Engine::postgres;
  lead(c_.data_dir() + "/postmaster.pid");
  lead(c_.pid_file());
  lead(c_.server_socket());
  ASSERT_TRUE(clear_stale(c_));
  own(c_.data_dir() + "/PG_VERSION", "15");
  lead_folder(c_.data_dir() + "/pg_wal");
  lead_folder(c_.data_dir() + "/pg_replslot");
  const auto freed = Server(c_).free_wal("0/5000000", {"slot"});
  EXPECT_FALSE(freed);
}

TEST_P(Attacker, ACopyOfADirectoryTakesNothingElseAlong) {
  const std::string from = top_->path() + "/donor/data";
  own(from + "/ibdata1", "data");
  lead(from + "/stolen");
  lead_folder(from + "/folder");
  fs::remove_all(c_.data_dir());
  const auto made = initialise_copy(c_, from, Deadline::in(seconds(20)), {});
  EXPECT_EQ(made.has_value(), GetParam() == By::symlink);  // what its owner cannot read ends the copy
  if (!made) return expect_kept(made.error().to_string(), "the error of a copy");
  struct stat info{};
  ASSERT_EQ(::lstat((c_.data_dir() + "/stolen").c_str(), &info), 0);
  EXPECT_TRUE(S_ISLNK(info.st_mode));
  ASSERT_EQ(::lstat((c_.data_dir() + "/ibdata1").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, kServer);
  ASSERT_EQ(::lstat(c_.data_dir().c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, kServer);
}

TEST_P(Attacker, DirectoriesOnTheirWay) {
  own(c_.data_dir() + "/ibdata1", "data");
  lead(c_.data_dir() + "/stolen");
  lead_folder(c_.data_dir() + "/folder");
  lead(c_.data_dir() + "/holdfast.unusable");
  ASSERT_TRUE(begin_rewind(c_));
  const auto aside = set_data_aside(c_);
  ASSERT_TRUE(aside) << aside.error().to_string();
  ASSERT_TRUE(drop_data_aside(c_, *aside));
  own(side_of(c_).data_dir() + "/ibdata1", "data");
  lead(side_of(c_).data_dir() + "/stolen");
  lead_folder(side_of(c_).data_dir() + "/folder");
  ASSERT_TRUE(discard_side_dir(c_));
  own(c_.dir + "/data.helper/ibdata1", "data");
  lead_folder(c_.dir + "/data.helper/folder");
  sweep_leftovers(c_);
  EXPECT_FALSE(fs::exists(c_.dir + "/data.helper"));
}

/// Somebody of the server's account at a socket, who answers every request.
pid_t impostor(const std::string& path) {
  int ready[2];
  if (::pipe(ready) != 0) return -1;
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::setgid(kServer) != 0 || ::setuid(kServer) != 0) ::_exit(1);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && ::listen(fd, 5) == 0;
    (void)!::write(ready[1], bound ? "y" : "n", 1);
    for (;;) {
      const int one = ::accept(fd, nullptr, nullptr);
      if (one < 0) ::_exit(0);
      constexpr char kReply[] = "{\"ok\":true,\"server\":{\"state\":\"running\"}}\n";
      (void)!::write(one, kReply, sizeof kReply - 1);
      ::close(one);
    }
  }
  char answer = 'n';
  (void)!::read(ready[0], &answer, 1);
  ::close(ready[0]);
  ::close(ready[1]);
  if (answer == 'y') return pid;
  ::waitpid(pid, nullptr, WNOHANG);
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  return -1;
}

TEST_P(Attacker, AnAgentOfTheServersOwn) {
  EXPECT_EQ(impostor(c_.agent_socket()), -1) << "the server's user can put a socket where the agent's belongs";
  const std::string elsewhere = c_.socket_dir + "/agent.sock";
  const pid_t pid = impostor(elsewhere);
  ASSERT_GT(pid, 0);
  const auto client = Client::connect(elsewhere, Deadline::in(seconds(2)));
  EXPECT_FALSE(client);
  if (!client) {
    EXPECT_EQ(client.error().id, "agent.stranger");
  }
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

/// /var/lib/postgresql is its: what is beside the data directory lies where it likes.
TEST_P(Attacker, TheDirectoryAboveAnExistingServersData) {
  const std::string home = top_->path() + "/lib", roots = top_->path() + "/roots";
  for (const std::string& dir : {"main", "main.new", "main.helper", "main.replaced-1", "main.dropping-1"}) {
    fs::create_directories(roots + "/" + dir);
    for (const char* file : {"/ibdata1", "/PG_VERSION", "/pg_hba.conf"})
      std::ofstream(roots + "/" + dir + file) << "kept";
  }
  const auto all_of_roots = [&] {
    std::string seen;
    for (const auto& entry : fs::recursive_directory_iterator(roots)) {
      struct stat info{};
      EXPECT_EQ(::lstat(entry.path().c_str(), &info), 0);
      seen += entry.path().string() + " " + std::to_string(info.st_uid) + "\n";
    }
    return seen;
  };
  const std::string before = all_of_roots();
  fs::create_directories(home);
  give(home);
  fs::create_directory_symlink(roots, home + "/15");
  give(home + "/15");
  c_.engine = Engine::postgres;
  Existing& e = c_.existing.emplace();
  e.data_dir = home + "/15/main";
  e.beside_is_servers = true;
  ASSERT_EQ(::access((c_.data_dir() + "/PG_VERSION").c_str(), F_OK), 0) << "the link leads nowhere";

  EXPECT_FALSE(set_data_aside(c_));
  EXPECT_FALSE(put_data_back(c_, c_.beside(".replaced-1")));
  EXPECT_FALSE(discard_side_dir(c_));
  EXPECT_FALSE(drop_data_aside(c_, c_.beside(".replaced-1")));
  EXPECT_FALSE(swap_in_side(c_));
  sweep_leftovers(c_);
  std::ofstream(c_.dir + "/initialising.new") << "";  // what was half made is removed first
  EXPECT_FALSE(make_data_dir(side_of(c_), [] { return Status(); }));
  EXPECT_FALSE(detail::tell_existing(c_, {"-c", "work_mem=1"}));
  EXPECT_EQ(all_of_roots(), before);
}

/// Its configuration lies among its data, and is kept where a copy takes that's place: root links and removes there.
TEST_P(Attacker, TheOwnFilesOfAnExistingServer) {
  c_.engine = Engine::postgres;
  Existing& e = c_.existing.emplace();
  e.data_dir = fs::canonical(c_.dir).string() + "/data";
  const std::string data = c_.data_dir(), side = side_of(c_).data_dir();
  own(data + "/PG_VERSION", "15");
  own(data + "/postgresql.conf",
      "include 'stolen.conf'\ninclude_dir 'folder'\nssl_key_file = 'folder/ibdata1'\nssl_ca_file = '" + secret() +
          "'\n");
  lead(data + "/stolen.conf");
  lead(data + "/pg_hba.conf");
  lead_folder(data + "/folder");
  ASSERT_EQ(::mkfifo((data + "/pg_ident.conf").c_str(), 0600), 0);
  give(data + "/pg_ident.conf");
  own(side + "/PG_VERSION", "15");
  own(side + "/postgresql.conf", "include_dir 'folder'\nssl_key_file = 'folder/ibdata1'\n");
  lead(side + "/stolen.conf");
  lead_folder(side + "/folder");
  const auto aside = swap_in_side(c_);
  EXPECT_TRUE(aside) << aside.error().to_string();
  struct stat info{};
  ASSERT_EQ(::lstat((data + "/postgresql.conf").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, kServer);
  EXPECT_EQ(look(), before_);
}

/// A server that takes root for its administrator is connected to as root: its socket, and no other.
TEST_P(Attacker, TheSocketOfAnExistingServer) {
  const std::string roots = top_->path() + "/roots.sock";
  const sys::Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, roots.c_str());
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener.get(), 4), 0);
  c_.engine = Engine::mariadb;
  c_.admin_password_file.clear();
  Existing& e = c_.existing.emplace();
  e.data_dir = c_.dir + "/data";
  e.socket = c_.socket_dir + "/mysqld.sock";
  if (GetParam() == By::symlink)
    fs::create_symlink(roots, e.socket);
  else
    ASSERT_EQ(::link(roots.c_str(), e.socket.c_str()), 0);
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
  net::SocketStream stream{sys::Fd(ends[0])};
  const sys::Fd other(ends[1]);
  bool answered = false;
  const auto served = serve_sql(c_, stream, answered, Deadline::in(seconds(2)), {});
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().id, "agent.no_server");
  EXPECT_FALSE(answered);
  EXPECT_LT(::accept(listener.get(), nullptr, nullptr), 0) << "root has connected to a socket of its own";
}

TEST_P(Attacker, AMemberDirectoryThatOthersCanChange) {
  ASSERT_TRUE(check_own_directories(c_)) << check_own_directories(c_).error().to_string();
  give(c_.dir);
  auto refused = check_own_directories(c_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "agent.unsafe_directory");
  ASSERT_EQ(::chown(c_.dir.c_str(), 0, 0), 0);
  ASSERT_EQ(::chmod(c_.dir.c_str(), 0777), 0);
  EXPECT_FALSE(check_own_directories(c_));
  ASSERT_EQ(::chmod(c_.dir.c_str(), 0755), 0);
  give(top_->path());
  EXPECT_FALSE(check_own_directories(c_));
  ASSERT_EQ(::chown(top_->path().c_str(), 0, 0), 0);
  EXPECT_TRUE(check_own_directories(c_));
}

}  // namespace
}  // namespace holdfast::agent
