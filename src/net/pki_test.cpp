#include "net/pki.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <ctime>
#include <filesystem>
#include <thread>

#include "net/pem_file.h"
#include "tests/support/tls_peers.h"

namespace holdfast::net {
namespace {

using test::id_of;
using test::value;

unsigned mode_of(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

class Pki : public ::testing::Test {
 protected:
  const sys::TempDir folder_ = value(sys::TempDir::create("pki"));
  const std::string dir_ = folder_.path() + "/below/pki";
  const int64_t now_ = std::time(nullptr);

  Result<PkiFiles> init(int64_t days = 3650) {
    return init_authority(dir_, "Shop authority", lifetime_from_now(now_, days));
  }
  Result<PkiFiles> issue(const PkiRequest& request, const std::string& out = "") {
    return issue_into(dir_, out.empty() ? dir_ : out, request, now_, 365);
  }
};

TEST_F(Pki, KeysArePrivateAndCertificatesAreNot) {
  const PkiFiles authority = value(init());
  EXPECT_EQ(authority.certificate, dir_ + "/ca.crt");
  EXPECT_TRUE(authority.info.authority);
  EXPECT_EQ(mode_of(dir_), 0700u);
  EXPECT_EQ(mode_of(authority.key), 0600u);
  EXPECT_EQ(mode_of(authority.certificate), 0644u);
  const PkiFiles agent = value(issue({Role::agent, "db1.example", {"10.0.0.5", "db1.example"}}));
  EXPECT_EQ(agent.certificate, dir_ + "/db1.example.crt");
  EXPECT_EQ(mode_of(agent.key), 0600u);
  EXPECT_EQ(mode_of(agent.certificate), 0644u);
  EXPECT_EQ(agent.info.names, (std::vector<std::string>{"db1.example", "10.0.0.5"}));
  EXPECT_TRUE(agent.info.for_servers && agent.info.for_clients);
  EXPECT_EQ(agent.info.role, Role::agent);
  EXPECT_TRUE(TlsContext::load({authority.certificate, agent.certificate, agent.key}));
}

TEST_F(Pki, APersonsCertificateOnlyCalls) {
  value(init());
  const std::string out = folder_.path() + "/out";
  const PkiFiles files = value(issue({Role::observe, "anna@shop", {}}, out));
  EXPECT_EQ(files.key, out + "/anna@shop.key");
  EXPECT_EQ(files.info.name, "anna@shop");
  EXPECT_EQ(files.info.role, Role::observe);
  EXPECT_FALSE(files.info.for_servers);
}

TEST_F(Pki, AnAddressIsAnAgentsNameToo) {
  value(init());
  EXPECT_EQ(value(issue({Role::agent, "10.0.0.5", {}})).info.names, std::vector<std::string>{"10.0.0.5"});
}

TEST_F(Pki, NothingIsOverwritten) {
  const PkiFiles authority = value(init());
  const std::string before = value(read_pem_file(authority.certificate));
  const auto again = init();
  ASSERT_EQ(id_of(again), "pki.exists");
  EXPECT_EQ(again.error().error_class, ErrorClass::refused);
  EXPECT_EQ(value(read_pem_file(authority.certificate)), before);

  const PkiFiles one = value(issue({Role::operate, "anna", {}}));
  EXPECT_EQ(id_of(issue({Role::observe, "anna", {}})), "pki.exists");
  std::filesystem::remove(one.certificate);
  EXPECT_EQ(id_of(issue({Role::observe, "anna", {}})), "pki.exists") << "the key alone is enough";
  std::filesystem::remove(one.key);
  EXPECT_EQ(id_of(issue({Role::observe, "anna", {}})), "none");
}

TEST_F(Pki, OfManyAtOnceOneIsMade) {
  value(init());
  std::atomic<int> made = 0, refused = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&] {
        const auto files = issue({Role::operate, "anna", {}});
        made += bool(files);
        refused += id_of(files) == "pki.exists";
      });
  }
  EXPECT_EQ(made, 1);
  EXPECT_EQ(refused, 7);
  EXPECT_TRUE(TlsContext::load({dir_ + "/ca.crt", dir_ + "/anna.crt", dir_ + "/anna.key"})) << "both of one run";
}

TEST_F(Pki, WithoutAnAuthorityNothingIsIssued) {
  const auto issued = issue({Role::operate, "anna", {}});
  ASSERT_EQ(id_of(issued), "pki.no_authority");
  EXPECT_EQ(issued.error().hint, "holdfast pki init --dir " + dir_);
}

TEST_F(Pki, AnAuthoritysKeyThatOthersMayReadIsNotUsed) {
  ::chmod(value(init()).key.c_str(), 0644);
  EXPECT_EQ(id_of(issue({Role::operate, "anna", {}})), "net.tls_key_mode");
}

TEST_F(Pki, AnAuthorityThatEndedIssuesNothing) {
  value(init_authority(dir_, "Old", {now_ - 7200, now_ - 60}));
  EXPECT_EQ(id_of(issue({Role::operate, "anna", {}})), "pki.authority_expired");
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/anna.key"));
}

TEST_F(Pki, NamesAreThoseOfFilesAndHosts) {
  value(init());
  for (const char* name : {"", "ca", "../x", "a/b", ".hidden", "-o", "a b", "a\n", "$(x)"})
    EXPECT_EQ(id_of(issue({Role::operate, name, {}})), "pki.name") << name;
  for (const char* name : {"anna@shop", "a+b", "*.example"})
    EXPECT_EQ(id_of(issue({Role::agent, name, {}})), "pki.name");
  EXPECT_EQ(id_of(issue({Role::agent, "db1", {"*.example"}})), "pki.name");
  EXPECT_EQ(id_of(init_authority(folder_.path() + "/x", "", lifetime_from_now(now_, 1))), "pki.name");
  EXPECT_EQ(id_of(init_authority(folder_.path() + "/x", "a\nb", lifetime_from_now(now_, 1))), "pki.name");
}

TEST_F(Pki, APlaceThatCannotBeWrittenIsSaid) {
  test::write_file(folder_.path() + "/file", "");
  EXPECT_EQ(id_of(init_authority(folder_.path() + "/file/pki", "x", lifetime_from_now(now_, 1))), "sys.in_the_way");
  EXPECT_EQ(id_of(read_pem_file(folder_.path())), "net.pem_file");
}

}  // namespace
}  // namespace holdfast::net
