// A copy of another server's data takes the place of a member's, whose configuration and keys lie among its data: they
// stay the member's, byte for byte, also where the member gets its old data again.
#include "agent/own_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "agent/data_dir.h"
#include "agent/server.h"
#include "sys/file.h"

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;
using cluster::Engine;
using Files = std::map<std::string, std::string>;

class OwnFiles : public ::testing::Test {
 protected:
  void use(Engine engine) {
    c_.engine = engine;
    c_.member = "orders-0";
    c_.dir = top_.path() + "/member";
    c_.uid = ::geteuid();
    c_.gid = ::getegid();
    c_.existing.emplace().data_dir = fs::canonical(top_.path()).string() + "/data";
    fs::create_directories(c_.dir);
  }
  static void put(const std::string& dir, const Files& files) {
    for (const auto& [name, text] : files) {
      fs::create_directories(fs::path(dir + "/" + name).parent_path());
      std::ofstream(dir + "/" + name) << text;
    }
  }
  static Files all(const std::string& dir) {
    Files files;
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(dir, error)) {
      const std::string name = entry.path().lexically_relative(dir).string();
      if (entry.is_symlink())
        files[name] = "-> " + fs::read_symlink(entry.path()).string();
      else if (entry.is_regular_file())
        files[name] = std::string(as_text(sys::read_file(entry.path().string())->span()));
    }
    return files;
  }
  /// The copy of a donor that has these files.
  Status copy(const Files& donors) {
    const MemberConfig side = side_of(c_);
    return make_data_dir(side, [&]() -> Status {
      put(side.data_dir(), donors);
      return {};
    });
  }
  static mode_t mode_of(const std::string& path) {
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
  }

  const sys::TempDir top_ = sys::TempDir::create("own-files").value();
  MemberConfig c_;
};

const Files kDonorOfPostgres = {
    {"PG_VERSION", "15"},
    {"base/1/1", "the donor's"},
    {"global/pg_control", "the donor's"},
    {"postgresql.conf", "port = 5444\ninclude_dir = 'conf.d'\nssl_cert_file = 'donor.crt'\n"},
    {"postgresql.auto.conf", "work_mem = '9MB'\n"},
    {"pg_hba.conf", "local all all trust\n"},
    {"pg_ident.conf", "# the donor's\n"},
    {"server.key", "the donor's key"},
    {"donor.crt", "the donor's certificate"},
    {"conf.d/donor.conf", "fsync = off\n"},
    {"conf.d/README", "no part of it"},
    {"standby.signal", ""}};

TEST_F(OwnFiles, OfPostgresqlStayTheMembersThroughARebuildAndItsUndoing) {
  use(Engine::postgres);
  const std::string data = c_.data_dir();
  const Files own = {{"postgresql.conf",
                      "# include 'no.conf'\nport = 5433\ninclude_dir = 'conf.d' # more\ninclude_if_exists 'local.inc'\n"
                      "ssl_ca_file='tls/it''s.ca'\nhba_file = '" +
                          data +
                          "/rules.conf'\n"
                          "ssl_key_file = 'base/1/1'\nssl_cert_file = '/etc/ssl/x.crt'\n"},
                     {"postgresql.auto.conf", "shared_buffers = '8GB'\n"},
                     {"pg_hba.conf", "local all all peer\n"},
                     {"pg_ident.conf", "# the member's\n"},
                     {"rules.conf", "local all @more/admins,@\"more/others\" peer\n# @base/1/1\n"},
                     {"more/admins", "anna\n"},
                     {"more/others", "otto\n"},
                     {"local.inc", "include = 'conf.d/../deeper.inc'\n"},
                     {"deeper.inc", "include 'local.inc'\n"},
                     {"server.key", "the member's key"},
                     {"server.crt", "the member's certificate"},
                     {"tls/it's.ca", "a CA"},
                     {"conf.d/10-member.conf", "max_connections = 400\n"}};
  Files before = own;
  before["PG_VERSION"] = "15";
  before["base/1/1"] = before["global/pg_control"] = "the member's, diverged";
  put(data, before);
  fs::create_symlink("/etc/ssl/x.crt", data + "/root.crt");
  std::ofstream(data + "/postgresql.conf", std::ios::app) << "ssl_crl_file = root.crt\n";
  ASSERT_EQ(::chmod((data + "/server.key").c_str(), 0600), 0);
  ASSERT_EQ(::chmod(data.c_str(), 0750), 0);
  before = all(data);

  ASSERT_TRUE(copy(kDonorOfPostgres));
  // What is changed while the copy waits to be put in place counts, too.
  std::ofstream(data + "/conf.d/20-late.conf") << "work_mem = '64MB'\n";
  before["conf.d/20-late.conf"] = "work_mem = '64MB'\n";
  const auto aside = swap_in_side(c_);
  ASSERT_TRUE(aside) << aside.error().to_string();

  Files expected = before;
  expected["base/1/1"] = expected["global/pg_control"] = "the donor's";
  expected["standby.signal"] = "";
  expected["conf.d/README"] = "no part of it";
  EXPECT_EQ(all(data), expected);
  EXPECT_EQ(mode_of(data), 0750u);
  EXPECT_EQ(mode_of(data + "/server.key"), 0600u);
  EXPECT_EQ(all(*aside), before) << "what was there has changed";

  ASSERT_TRUE(put_data_back(c_, *aside));
  EXPECT_EQ(all(data), before);
  EXPECT_EQ(mode_of(data), 0750u);
}

TEST_F(OwnFiles, OfMysqlStayTheMembers) {
  for (const Engine engine : {Engine::mysql, Engine::mariadb}) {
    fs::remove_all(top_.path() + "/data");
    use(engine);
    const std::string data = c_.data_dir();
    c_.existing->arguments = {"--defaults-file=" + data + "/my.cnf"};
    Files before = {{"ibdata1", "the member's"},
                    {"my.cnf", "[mysqld]\nport=3307\nssl-cert = tls/member.crt\n!includedir " + data + "/extra.d/\n"},
                    {"extra.d/member.cnf", "[mysqld]\nserver-id=7\n"},
                    {"tls/member.crt", "the member's certificate"},
                    {"mysqld-auto.cnf", "{\"the member's\": 1}"},
                    {"auto.cnf", "[auto]\nserver-uuid=1\n"},
                    {"debian-10.11.flag", ""},
                    {"server-key.pem", "the member's key"},
                    {"shop/orders.ibd", "the member's"}};
    put(data, before);
    ASSERT_EQ(::chmod(data.c_str(), 0755), 0);
    ASSERT_TRUE(copy({{"ibdata1", "the donor's"},
                      {"auto.cnf", "[auto]\nserver-uuid=2\n"},
                      {"mysqld-auto.cnf", "{\"the donor's\": 1}"},
                      {"server-key.pem", "the donor's key"},
                      {"private_key.pem", "the donor's key"},
                      {"shop/orders.ibd", "the donor's"}}));
    const auto aside = swap_in_side(c_);
    ASSERT_TRUE(aside) << aside.error().to_string();
    Files expected = before;
    expected["ibdata1"] = expected["shop/orders.ibd"] = "the donor's";
    expected["auto.cnf"] = "[auto]\nserver-uuid=2\n";
    EXPECT_EQ(all(data), expected);
    EXPECT_EQ(mode_of(data), 0755u);
    EXPECT_EQ(all(*aside), before);
    ASSERT_TRUE(put_data_back(c_, *aside));
    EXPECT_EQ(all(data), before);
  }
}

TEST_F(OwnFiles, AreFoundInWhatWasSetAsideWhereTheDataIsGone) {
  use(Engine::postgres);
  const std::string data = c_.data_dir();
  // A restore in place: set aside, then made where it was.
  put(data, {{"PG_VERSION", "15"}, {"postgresql.conf", "port = 5433\n"}, {"pg_hba.conf", "local all all peer\n"}});
  ASSERT_EQ(::chmod(data.c_str(), 0750), 0);
  ASSERT_TRUE(set_data_aside(c_));
  ASSERT_TRUE(make_data_dir(c_, [&]() -> Status {
    put(data, {{"PG_VERSION", "15"}, {"postgresql.conf", "port = 5432\n"}, {"postgresql.auto.conf", "#\n"}});
    return {};
  }));
  const Files restored = {
      {"PG_VERSION", "15"}, {"postgresql.conf", "port = 5433\n"}, {"pg_hba.conf", "local all all peer\n"}};
  EXPECT_EQ(all(data), restored);
  EXPECT_EQ(mode_of(data), 0750u);
  // Emptied by somebody: only what was set aside before has them.
  for (const auto& entry : fs::directory_iterator(data)) fs::remove_all(entry.path());
  ASSERT_TRUE(copy(kDonorOfPostgres));
  ASSERT_TRUE(swap_in_side(c_));
  EXPECT_EQ(all(data)["postgresql.conf"], "port = 5433\n");
  EXPECT_FALSE(all(data).contains("server.key")) << "the donor's key";
  // Where there are none at all, the server would not start without the donor's.
  for (const auto& entry : fs::directory_iterator(fs::path(data).parent_path()))
    if (entry.path().filename().string().starts_with("data.replaced-")) fs::remove_all(entry.path());
  for (const auto& entry : fs::directory_iterator(data)) fs::remove_all(entry.path());
  ASSERT_TRUE(copy(kDonorOfPostgres));
  ASSERT_TRUE(swap_in_side(c_));
  EXPECT_EQ(all(data), kDonorOfPostgres);
}

TEST_F(OwnFiles, AnOldRecoveryTargetIsNoneOfAStandby) {
  use(Engine::postgres);
  put(c_.data_dir(),
      {{"PG_VERSION", "15"},
       {"postgresql.auto.conf",
        "recovery_target_time = '2026-11-21'\nrecovery_target_timeline = 'latest'\nwork_mem = '8MB'\n"}});
  const Files before = all(c_.data_dir());
  ASSERT_TRUE(copy(kDonorOfPostgres));
  const auto aside = swap_in_side(c_);
  ASSERT_TRUE(aside);
  EXPECT_EQ(all(c_.data_dir())["postgresql.auto.conf"], "recovery_target_timeline = 'latest'\nwork_mem = '8MB'\n");
  EXPECT_EQ(all(*aside), before);
}

TEST_F(OwnFiles, AreNotRewoundInPlace) {
  use(Engine::postgres);
  put(c_.data_dir(), {{"PG_VERSION", "15"}, {"postgresql.conf", "port = 5433\n"}});
  const auto rewound = Server(c_).rewind("orders-1", Deadline::in(std::chrono::seconds(5)));
  ASSERT_FALSE(rewound);
  EXPECT_EQ(rewound.error().id, "agent.rewind") << rewound.error().to_string();
  EXPECT_EQ(all(c_.data_dir())["postgresql.conf"], "port = 5433\n");
}

TEST_F(OwnFiles, AreOnlyOfServersThatWereThereBefore) {
  use(Engine::postgres);
  put(c_.data_dir(), {{"postgresql.conf", "x"}});
  EXPECT_EQ(own_files(c_, c_.data_dir()), std::vector<std::string>{"postgresql.conf"});
  c_.existing.reset();
  EXPECT_TRUE(own_files(c_, top_.path() + "/data").empty());
}

}  // namespace
}  // namespace holdfast::agent
