// Files that are not what they should be, and files that change while they are in use.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "base/log.h"
#include "net/tls_stream.h"
#include "tests/support/tls_peers.h"

namespace holdfast::net {
namespace {

using test::Authority;
using test::connect;
using test::context;
using test::Ends;
using test::id_of;
using test::value;
using test::write_file;

TEST(TlsContext, AKeyOthersMayReadIsRefused) {
  const Authority authority;
  const TlsFiles files = authority.agent();
  for (const unsigned mode : {0640u, 0604u, 0620u, 0601u}) {
    ::chmod(files.key.c_str(), mode);
    const auto loaded = TlsContext::load(files);
    ASSERT_EQ(id_of(loaded), "net.tls_key_mode") << mode;
    EXPECT_EQ(loaded.error().error_class, ErrorClass::refused);
  }
  ::chmod(files.key.c_str(), 0400);
  EXPECT_TRUE(TlsContext::load(files));
}

TEST(TlsContext, WhatIsMissingOrNotPemIsNamed) {
  const Authority authority;
  const TlsFiles good = authority.agent();
  for (std::string TlsFiles::* file : {&TlsFiles::ca, &TlsFiles::certificate, &TlsFiles::key}) {
    TlsFiles files = good;
    files.*file = authority.folder() + "/none.pem";
    const auto missing = TlsContext::load(files);
    ASSERT_EQ(id_of(missing), "net.tls_file");
    EXPECT_NE(missing.error().message.find("none.pem"), std::string::npos) << missing.error().message;
    EXPECT_NE(missing.error().hint.find("holdfast pki issue"), std::string::npos);
    for (const std::string& text : {std::string(), std::string("not PEM\n"), std::string(2 << 20, 'x')}) {
      write_file(authority.folder() + "/bad.pem", text);
      files.*file = authority.folder() + "/bad.pem";
      EXPECT_EQ(id_of(TlsContext::load(files)), "net.tls_file") << text.size();
    }
    files.*file = authority.folder();
    EXPECT_EQ(id_of(TlsContext::load(files)), "net.tls_file") << "a directory";
    files.*file = authority.folder() + "/pipe";
    ::mkfifo((files.*file).c_str(), 0600);
    EXPECT_EQ(id_of(TlsContext::load(files)), "net.tls_file") << "a pipe that nobody writes to";
  }
}

TEST(TlsContext, TheKeyOfAnotherCertificateIsRefused) {
  const Authority authority;
  TlsFiles files = authority.agent();
  files.key = authority.person().key;
  const auto loaded = TlsContext::load(files);
  ASSERT_EQ(id_of(loaded), "net.tls_mismatch");
  EXPECT_NE(loaded.error().hint.find("holdfast pki issue"), std::string::npos);
}

// OpenSSL would ask at the terminal.
TEST(TlsContext, AKeyWithAPassphraseIsRefused) {
  const Authority authority;
  TlsFiles files = authority.agent();
  write_file(files.key,
             "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
             "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjC1H3lxQ6mWQICCAAw\n"
             "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEAAAAAAAAAAAAAAAAAAAAAAEgZAA\n"
             "-----END ENCRYPTED PRIVATE KEY-----\n");
  EXPECT_EQ(id_of(TlsContext::load(files)), "net.tls_file");
}

TEST(TlsContext, SaysWhichCertificateIsInUse) {
  const Authority authority;
  const CertificateInfo own = context(authority.agent()).certificate();
  EXPECT_EQ(own.name, "db1.example");
  EXPECT_GT(own.not_after, std::time(nullptr));
}

class Reload : public ::testing::Test {
 protected:
  const Authority authority_;
  const TlsFiles files_ = authority_.agent();
  const TlsContext server_ = context(files_);
  const TlsContext client_ = context(authority_.person());

  std::string serial_shown() const {
    Ends ends = connect(client_, server_);
    return ends.client ? ends.client->peer().serial : id_of(ends.client);
  }
};

TEST_F(Reload, NothingHappensToFilesThatStay) {
  EXPECT_FALSE(server_.reload_if_changed());
  EXPECT_FALSE(server_.reload_if_changed());
}

TEST_F(Reload, ANewCertificateIsShownToTheNextCaller) {
  const TlsContext copy = server_;
  const std::string before = serial_shown();
  Ends open = connect(client_, server_);
  ASSERT_TRUE(open.client);
  authority_.agent();  // writes both files again
  EXPECT_TRUE(server_.reload_if_changed());
  EXPECT_FALSE(copy.reload_if_changed()) << "copies share what one has found";
  EXPECT_EQ(copy.certificate().serial, server_.certificate().serial);
  const std::string after = serial_shown();
  EXPECT_NE(after, before);
  EXPECT_EQ(after, server_.certificate().serial);
  ASSERT_TRUE(open.client->write_all(as_bytes("still there"), test::soon()));
  uint8_t block[64];
  EXPECT_EQ(value(open.server->read_some(block, test::soon())), 11u) << "open connections stay";
}

TEST_F(Reload, NobodyHasToAskForIt) {
  const std::string before = serial_shown();
  authority_.agent();
  EXPECT_NE(serial_shown(), before);
}

TEST_F(Reload, AnotherAuthorityIsTrustedFromThenOn) {
  const Authority next("Next authority");
  const TlsContext stranger = context([&] {
    TlsFiles files = next.person();
    files.ca = authority_.ca();
    return files;
  }());
  EXPECT_EQ(id_of(connect(stranger, server_).server), "net.tls_untrusted");
  write_file(authority_.ca(), authority_.issued().certificate + next.issued().certificate);
  EXPECT_EQ(id_of(connect(stranger, server_).server), "none");
  EXPECT_EQ(id_of(connect(client_, server_).server), "none") << "the old one stays beside it";
}

TEST_F(Reload, ABrokenSetKeepsTheOldOneAndIsLoggedOnce) {
  const std::string before = serial_shown();
  ::testing::internal::CaptureStderr();
  write_file(files_.certificate, "half a certi");
  EXPECT_FALSE(server_.reload_if_changed());
  EXPECT_EQ(serial_shown(), before);
  EXPECT_EQ(serial_shown(), before);
  const std::string logged = ::testing::internal::GetCapturedStderr();
  const auto at = logged.find("warning: changed certificate files are not used");
  EXPECT_NE(at, std::string::npos) << logged;
  EXPECT_EQ(logged.find("warning:", at + 1), std::string::npos) << logged;
}

// The certificate first, then the key: in between both belong to no pair.
TEST_F(Reload, AReplacementInTwoStepsIsTakenAtItsEnd) {
  const std::string before = serial_shown();
  const std::string folder = authority_.folder();
  std::filesystem::copy_file(files_.key, folder + "/old.key");
  authority_.agent();
  std::filesystem::rename(files_.key, folder + "/new.key");
  std::filesystem::rename(folder + "/old.key", files_.key);
  ::testing::internal::CaptureStderr();
  EXPECT_FALSE(server_.reload_if_changed());
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("is not the key of"), std::string::npos);
  EXPECT_EQ(serial_shown(), before);
  std::filesystem::rename(folder + "/new.key", files_.key);
  EXPECT_TRUE(server_.reload_if_changed());
  EXPECT_NE(serial_shown(), before);
}

TEST_F(Reload, AMissingFileKeepsTheOldOneAndIsMissedNoLonger) {
  const std::string before = serial_shown();
  std::filesystem::rename(files_.key, files_.key + ".away");
  ::testing::internal::CaptureStderr();
  EXPECT_FALSE(server_.reload_if_changed());
  ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(serial_shown(), before);
  std::filesystem::rename(files_.key + ".away", files_.key);
  EXPECT_TRUE(server_.reload_if_changed());
}

TEST_F(Reload, ManyThreadsMayAskAndConnect) {
  std::vector<std::jthread> threads;
  std::atomic<int> connected = 0;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int round = 0; round < 5; ++round) {
        Ends ends = connect(client_, server_);
        connected += ends.client && ends.server;
        (void)server_.reload_if_changed();
        (void)server_.certificate();
      }
    });
  threads.clear();
  EXPECT_EQ(connected, 20);
}

}  // namespace
}  // namespace holdfast::net
