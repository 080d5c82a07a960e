// Requests of agents: the table, who may ask what, frames, and trees of files.
#include "agent/protocol.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "agent/agent.h"
#include "agent/answers.h"
#include "agent/client.h"
#include "agent/frames.h"
#include "agent/tree_copy.h"
#include "agent/tree_stream.h"
#include "agent/ways.h"
#include "net/pki.h"

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;
using codec::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Pair {
  std::shared_ptr<net::SocketStream> here, there;
  static Pair make() {
    std::array<int, 2> fds{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()), 0);
    return {std::make_shared<net::SocketStream>(sys::Fd(fds[0])), std::make_shared<net::SocketStream>(sys::Fd(fds[1]))};
  }
};

/// A stopped member in a directory of its own.
class Member {
 public:
  Member() : dir_(std::move(*sys::TempDir::create("member"))) {
    config.cluster = "orders";
    config.ns = "shop";
    config.member = "db-0";
    config.dir = dir_.path();
    config.socket_dir = dir_.path() + "/run";
    config.uid = ::geteuid();
    config.gid = ::getegid();
    fs::create_directories(config.data_dir() + "/shop");
    write("data/shop/t1.ibd", "rows of t1");
    write("data/ibdata1", std::string(3 << 20, 'x'));
  }
  void write(const std::string& name, const std::string& text) const {
    ASSERT_TRUE(sys::publish_file(config.dir + "/" + name, as_bytes(text), 0600));
  }
  MemberConfig config;

 private:
  sys::TempDir dir_;
};

std::string id_of(const auto& result) {
  return result ? "" : result.error().id;
}

TEST(AgentProtocol, EachRequestOfTheTableHasItsAnswer) {
  std::set<std::string_view> names;
  for (const auto& kind : request_table()) {
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name << " comes twice";
    EXPECT_NE(Answers::knows(kind.name), kind.streams) << kind.name;
    EXPECT_NE(protocol_page().find("| `" + std::string(kind.name) + "` |"), std::string::npos);
    EXPECT_FALSE(kind.effect == Effect::changes && kind.right != Right::operate) << kind.name;
  }
  EXPECT_EQ(find_request("nonsense"), nullptr);
}

TEST(AgentProtocol, ARoleMayAskWhatItIsFor) {
  const auto may = [](const char* name, net::Role role) {
    return check_right(*find_request(name), {.local = false, .role = role, .name = "x"}).has_value();
  };
  using net::Role;
  for (const auto& kind : request_table()) {
    EXPECT_FALSE(may(kind.name.data(), Role::none)) << kind.name;
    EXPECT_TRUE(may(kind.name.data(), Role::operate)) << kind.name;
    EXPECT_EQ(may(kind.name.data(), Role::observe), kind.right == Right::observe) << kind.name;
    EXPECT_TRUE(check_right(kind, {.local = true, .role = Role::none, .name = ""})) << kind.name;
  }
  EXPECT_TRUE(may("backup_stream", Role::agent));
  EXPECT_TRUE(may("donor", Role::agent));
  EXPECT_TRUE(may("tree", Role::agent));
  EXPECT_FALSE(may("member", Role::agent));
  EXPECT_FALSE(may("stop", Role::agent));
}

TEST(AgentProtocol, AChangeNeedsAnEpochThatIsNotOver) {
  const Member member;
  Answers answers(member.config.dir, member.config, [] {});
  const Caller caller{.local = true, .role = net::Role::none, .name = ""};
  const auto ask = [&](const Value& request) { return id_of(answers.answer(request, caller)); };
  EXPECT_EQ(ask(Value::object({{"op", "discard_side"}})), "agent.no_epoch");
  EXPECT_EQ(ask(Value::object({{"op", "discard_side"}, {"epoch", 5}})), "");
  EXPECT_EQ(ask(Value::object({{"op", "discard_side"}, {"epoch", 4}})), "agent.stale_epoch");
  EXPECT_EQ(ask(Value::object({{"op", "discard_side"}, {"epoch", "5"}})), "agent.request");
  EXPECT_EQ(ask(Value::object({{"op", "ping"}})), "");
  EXPECT_EQ(ask(Value::object({{"op", "nonsense"}})), "agent.request");
  EXPECT_EQ(ask(Value::object({{"op", "sql"}})), "agent.streams");
}

TEST(AgentProtocol, DirectoriesAreWhatIsThere) {
  const Member member;
  fs::create_directories(member.config.dir + "/data.replaced-20261124T100000Z");
  auto now = directories_value(member.config);
  ASSERT_TRUE(now) << now.error().to_string();
  EXPECT_TRUE((*now)["data"].boolean());
  EXPECT_FALSE((*now)["side"].boolean(true));
  ASSERT_EQ((*now)["replaced"].items().size(), 1u);
  EXPECT_EQ((*now)["replaced"].items()[0].text(), member.config.dir + "/data.replaced-20261124T100000Z");
  fs::remove_all(member.config.dir);
  EXPECT_FALSE(directories_value(member.config)) << "what cannot be listed is not absent";
}

TEST(AgentAddress, IsHostAndPort) {
  const auto v6 = Address::parse("[::1]:7420", {});
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->text(), "[::1]:7420");
  EXPECT_EQ(Address::parse("db1.example:7420", {})->port, 7420);
  for (const char* wrong : {"", "db1", "db1:", ":7420", "db1:0", "db1:70000", "db1:7x"})
    EXPECT_EQ(id_of(Address::parse(wrong, {})), "agent.address") << wrong;
}

/// Takes one connection, and answers its first request with `answer`, in one piece.
class OneAnswer {
 public:
  explicit OneAnswer(std::string answer) : dir_(std::move(*sys::TempDir::create("agent"))) {
    path = dir_.path() + "/agent.sock";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    listener_ = sys::Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    thread_ = std::jthread([this, answer = std::move(answer)] {
      const sys::Fd fd(::accept(listener_.get(), nullptr, nullptr));
      std::array<char, 4096> request{};
      if (!fd) return;
      if (::recv(fd.get(), request.data(), request.size(), 0) <= 0) return;
      (void)!::send(fd.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      (void)!::recv(fd.get(), request.data(), request.size(), 0);
    });
  }
  std::string path;

 private:
  sys::TempDir dir_;
  sys::Fd listener_;
  std::jthread thread_;
};

TEST(AgentClient, WhatFollowsAnAnswerAtOnceBelongsToTheStream) {
  const OneAnswer agent("{\"ok\":true}\nhello, client");
  auto client = Client::connect(agent.path, Deadline::in(seconds(5)));
  ASSERT_TRUE(client) << client.error().to_string();
  auto stream = std::move(*client).open("sql", Value::object(), Deadline::in(seconds(5)));
  ASSERT_TRUE(stream) << stream.error().to_string();
  std::string got;
  for (std::array<uint8_t, 5> piece{}; got.size() < 13;) {
    const auto count = (*stream)->read_some(piece, Deadline::in(seconds(5)));
    ASSERT_TRUE(count && *count > 0);
    got.append(reinterpret_cast<const char*>(piece.data()), *count);
  }
  EXPECT_EQ(got, "hello, client");
}

/// An agent of the first version: answers, and says nothing of versions.
TEST(AgentClient, DoesNotAskAnOldAgentForWhatItCannotKnow) {
  const OneAnswer agent("{\"ok\":true}\n");
  auto client = Client::connect(agent.path, Deadline::in(seconds(5)));
  ASSERT_TRUE(client) << client.error().to_string();
  EXPECT_TRUE(client->call("ping", Deadline::in(seconds(5))));
  EXPECT_EQ(id_of(client->call("member", Deadline::in(seconds(5)))), "agent.too_old");
  client = fail(ErrorClass::failed, "test", "closed");
}

TEST(AgentFrames, CarryBytesAndHowTheyEnded) {
  auto pair = Pair::make();
  const std::string text(3 * kMostInFrame + 5, 'a');
  std::jthread writer([&] {
    ASSERT_TRUE(write_frame(*pair.here, as_bytes(text), Deadline::in(seconds(20)), {}));
    ASSERT_TRUE(write_end(*pair.here, Value::object({{"ok", true}, {"files", 3}}), Deadline::in(seconds(20)), {}));
  });
  std::string got;
  const auto take = [&](ByteSpan bytes) -> Status {
    got += as_text(bytes);
    return {};
  };
  const auto result = read_frames(*pair.there, take, seconds(20), {});
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ((*result)["files"].integer(), 3);
  EXPECT_EQ(got, text);
}

TEST(AgentFrames, WhatIsCutOffIsNoEnd) {
  const auto take = [](ByteSpan) { return Status(); };
  const auto after = [&](const std::string& bytes) {
    auto pair = Pair::make();
    EXPECT_TRUE(pair.here->write_all(as_bytes(bytes), Deadline::in(seconds(5))));
    pair.here.reset();
    return id_of(read_frames(*pair.there, take, seconds(5), {}));
  };
  EXPECT_EQ(after(""), "agent.cut_off");
  EXPECT_EQ(after(std::string("\0\0\0\5abc", 7)), "agent.cut_off");
  EXPECT_EQ(after(std::string("\0\0\0\3abc", 7)), "agent.cut_off");
  EXPECT_EQ(after(std::string("\0\0\0\0{\"ok\":tr", 12)), "agent.cut_off");
  EXPECT_EQ(after(std::string("\x7f\0\0\0", 4)), "agent.frame");
  EXPECT_EQ(after(std::string(4, '\0') + "{\"ok\":false,\"error\":{\"id\":\"agent.copy\",\"class\":\"failed\"}}\n"),
            "agent.copy");
  auto silent = Pair::make();
  EXPECT_EQ(id_of(read_frames(*silent.there, take, milliseconds(50), {})), "agent.timeout");
}

/// Everything of a tree, as path -> content.
Result<std::map<std::string, std::string>> received(net::Stream& stream) {
  std::map<std::string, std::string> files;
  std::string path;
  TRY(read_frames(stream,
                  [&](ByteSpan bytes) -> Status {
                    if (bytes[0] == 'N')
                      files[path = TRY(entry_from(TRY(codec::parse_value(as_text(bytes.subspan(1)))))).path];
                    else
                      files[path] += as_text(bytes.subspan(1));
                    return {};
                  },
                  seconds(20), {}));
  return files;
}

/// What serve_tree() sends of a member's data directory, or why it does not.
Result<std::map<std::string, std::string>> sent_of(const MemberConfig& config) {
  auto pair = Pair::make();
  Status served;
  std::jthread agent([&] {
    bool answered = false;
    served = serve_tree(config, false, "", *pair.here, answered, Deadline::in(seconds(20)), {});
    pair.here.reset();
  });
  std::array<uint8_t, 12> answer{};
  const bool answers = pair.there->read_some(answer, Deadline::in(seconds(5))).value_or(0) == answer.size();
  auto files = answers ? received(*pair.there) : Result<std::map<std::string, std::string>>();
  agent.join();
  TRY_VOID(std::move(served));
  return files;
}

TEST(AgentTree, IsWholeOrAnError) {
  const Member member;
  const auto files = sent_of(member.config);
  ASSERT_TRUE(files) << files.error().to_string();
  EXPECT_EQ(files->size(), 4u);
  EXPECT_EQ(files->at("shop/t1.ibd"), "rows of t1");
  EXPECT_EQ(files->at("ibdata1"), std::string(3 << 20, 'x'));
}

TEST(AgentTree, TakesWalOnAVolumeOfItsOwnIntoTheDirectory) {
  Member member;
  const std::string wal = member.config.dir + "/wal", name = "/000000010000000000000001";
  fs::create_directories(wal + "/archive_status");
  std::ofstream(wal + name) << "records";
  fs::create_directory_symlink(wal, member.config.data_dir() + "/pg_wal");
  EXPECT_EQ(id_of(sent_of(member.config)), "agent.data_elsewhere") << "of another engine it is any link";
  member.config.engine = cluster::Engine::postgres;
  const auto files = sent_of(member.config);
  ASSERT_TRUE(files) << files.error().to_string();
  EXPECT_EQ(files->at("pg_wal" + name), "records");
  EXPECT_TRUE(files->contains("pg_wal"));
  EXPECT_TRUE(files->contains("pg_wal/archive_status"));
  EXPECT_EQ(files->at("ibdata1"), std::string(3 << 20, 'x'));
  fs::create_directory_symlink("/etc", wal + "/elsewhere");
  EXPECT_EQ(id_of(sent_of(member.config)), "agent.data_elsewhere");
}

TEST(AgentTree, TakesLogsThatAreElsewhere) {
  Member member;
  auto& existing = member.config.existing.emplace();
  existing.data_dir = member.config.dir + "/data";
  existing.binlog_base = member.config.dir + "/logs/bin";
  fs::create_directories(member.config.dir + "/logs");
  std::ofstream(member.config.dir + "/logs/bin.000003") << "transactions";
  std::ofstream(member.config.dir + "/logs/bin2.000003") << "another's";
  auto pair = Pair::make();
  std::jthread agent([&] {
    bool answered = false;
    EXPECT_TRUE(serve_tree(member.config, false, "", *pair.here, answered, Deadline::in(seconds(20)), {}));
    pair.here.reset();
  });
  std::array<uint8_t, 12> answer{};
  ASSERT_EQ(pair.there->read_some(answer, Deadline::in(seconds(5))).value_or(0), 12u);
  const auto files = received(*pair.there);
  ASSERT_TRUE(files) << files.error().to_string();
  EXPECT_EQ(files->at("bin.000003"), "transactions");
  EXPECT_FALSE(files->contains("bin2.000003"));
  EXPECT_EQ(files->size(), 5u);
}

TEST(AgentTree, IsOfTheMembersOwnDirectoriesOnly) {
  const Member member;
  auto pair = Pair::make();
  bool answered = false;
  const auto serve = [&](bool running, const std::string& directory) {
    return id_of(serve_tree(member.config, running, directory, *pair.here, answered, Deadline::in(seconds(5)), {}));
  };
  EXPECT_EQ(serve(true, ""), "agent.running");
  EXPECT_EQ(serve(false, "/etc"), "agent.directory");
  EXPECT_EQ(serve(false, member.config.dir + "/data/../.."), "agent.directory");
  fs::create_directory_symlink("/etc", member.config.data_dir() + "/elsewhere");
  EXPECT_EQ(serve(false, ""), "agent.data_elsewhere");
  EXPECT_FALSE(answered);
  for (const char* path : {"../x", "a/../b", "/x", "a//b", "."})
    EXPECT_EQ(id_of(entry_from(Value::object({{"path", path}, {"type", "f"}}))), "agent.tree") << path;
}

/// What unpack_tree() makes of frames that another side sends before it closes the connection. `answer`: bytes that
/// come before them.
struct Unpacked {
  explicit Unpacked(const std::function<void(net::Stream&)>& send, size_t answer = 0) {
    fs::create_directories(into);
    auto pair = Pair::make();
    std::jthread sender([&] {
      send(*pair.here);
      pair.here.reset();
    });
    std::array<uint8_t, 32> before{};
    const MutableByteSpan line = MutableByteSpan(before).first(answer);
    const auto skipped = line.empty() ? Result<size_t>(0) : pair.there->read_some(line, Deadline::in(seconds(5)));
    EXPECT_EQ(skipped.value_or(0), answer);
    id = id_of(unpack_tree(*pair.there, into, Deadline::in(seconds(20)), {}));
  }
  std::string text(const std::string& path) const {
    const auto bytes = sys::read_file(into + "/" + path);
    return bytes ? std::string(as_text(bytes->span())) : bytes.error().id;
  }
  const sys::TempDir dir = std::move(*sys::TempDir::create("unpacked"));
  const std::string into = dir.path() + "/data";
  std::string id;
};

/// An entry's frame; `type` and, of a link, where it leads.
void send_entry(net::Stream& stream, const std::string& path, const std::string& type, const std::string& target = "") {
  const std::string text =
      "N" + codec::to_json(Value::object({{"path", path}, {"type", type}, {"mode", 0640}, {"target", target}}));
  EXPECT_TRUE(write_frame(stream, as_bytes(text), Deadline::in(seconds(5)), {}));
}
void send_well_ended(net::Stream& stream) {
  EXPECT_TRUE(write_end(stream, Value::object({{"ok", true}}), Deadline::in(seconds(5)), {}));
}

TEST(AgentTree, IsUnpackedAsItWasWithoutWhatIsOfOneServer) {
  const Member member;
  member.write("data/auto.cnf", "[auto]\nserver-uuid=1");
  member.write("data/shop/auto.cnf", "a table's");
  member.write("data/shop/empty", "");
  const Unpacked whole(
      [&](net::Stream& stream) {
        bool answered = false;
        EXPECT_TRUE(serve_tree(member.config, false, "", stream, answered, Deadline::in(seconds(20)), {}));
      },
      std::string_view("{\"ok\":true}\n").size());
  EXPECT_EQ(whole.id, "");
  EXPECT_EQ(whole.text("ibdata1"), std::string(3 << 20, 'x'));
  EXPECT_EQ(whole.text("shop/t1.ibd"), "rows of t1");
  EXPECT_EQ(whole.text("shop/auto.cnf"), "a table's");
  EXPECT_EQ(whole.text("shop/empty"), "");
  EXPECT_FALSE(fs::exists(whole.into + "/auto.cnf")) << "two servers with one identity";
}

TEST(AgentTree, ThatIsCutOffOrLeadsElsewhereIsNoCopy) {
  const auto file = [](net::Stream& stream, const std::string& path) { send_entry(stream, path, "f"); };
  EXPECT_EQ(Unpacked([&](net::Stream& stream) { file(stream, "ibdata1"); }).id, "agent.cut_off");
  EXPECT_EQ(Unpacked([&](net::Stream& stream) {
              file(stream, "ibdata1");
              const Error error{ErrorClass::failed, "agent.elsewhere", "the disk", "", {}};
              EXPECT_TRUE(write_end(stream, Value::object({{"ok", false}, {"error", error_value(error)}}),
                                    Deadline::in(seconds(5)), {}));
            }).id,
            "agent.elsewhere");
  for (const char* path : {"../x", "/etc/x", "a/../../x"})
    EXPECT_EQ(Unpacked([&](net::Stream& stream) { file(stream, path); }).id, "agent.tree") << path;
  const Unpacked linked([&](net::Stream& stream) {
    send_entry(stream, "folder", "l", "/etc");
    file(stream, "folder/x");
    send_well_ended(stream);
  });
  EXPECT_EQ(linked.id, "agent.data_elsewhere");
  EXPECT_FALSE(fs::is_symlink(linked.into + "/folder"));
  const Unpacked twice([&](net::Stream& stream) {
    file(stream, "a");
    file(stream, "a");
    send_well_ended(stream);
  });
  EXPECT_NE(twice.id, "");
  const Unpacked good([&](net::Stream& stream) {
    file(stream, "a");
    send_well_ended(stream);
  });
  EXPECT_EQ(good.id, "");
  EXPECT_EQ(good.text("a"), "");
}

TEST(AgentWays, SqlNeedsAServer) {
  const Member member;
  auto pair = Pair::make();
  bool answered = false;
  EXPECT_EQ(id_of(serve_sql(member.config, *pair.here, answered, Deadline::in(seconds(5)), {})), "agent.no_server");
  EXPECT_FALSE(answered);
}

TEST(AgentNetwork, ListensWhereItIsTold) {
  Member member;
  const std::string pki = member.config.dir + "/pki";
  ASSERT_TRUE(net::init_authority(pki, "test", net::lifetime_from_now(std::time(nullptr), 2)));
  ASSERT_TRUE(net::issue_into(pki, pki, {net::Role::agent, "db-0", {}}, std::time(nullptr), 1));
  member.config.tls_ca = net::authority_certificate(pki);
  member.config.tls_certificate = pki + "/db-0.crt";
  member.config.tls_key = pki + "/db-0.key";
  fs::create_directories(member.config.socket_dir);
  for (const char* where : {"192.0.2.1:7420", "300.1.1.1:7420"}) {  // not an address of this machine
    member.config.listen = where;
    ASSERT_TRUE(write_config(member.config));
    EXPECT_EQ(id_of(run_agent({.dir = member.config.dir, .leashed = false, .stop = {}})), "agent.listen") << where;
  }
}

}  // namespace
}  // namespace holdfast::agent
