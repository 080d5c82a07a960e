// Certificates that others make: with the openssl program, from authorities of their own.
#include <gtest/gtest.h>

#include "net/tls_stream.h"
#include "sys/process.h"
#include "tests/support/require.h"
#include "tests/support/tls_peers.h"

namespace holdfast::net {
namespace {

using test::connect;
using test::context;
using test::Ends;
using test::id_of;
using test::value;

constexpr const char* kScript = R"(
set -eu
key() { openssl genpkey -algorithm "$1" ${2:+-pkeyopt $2} -out "$3.key"; }
# sign NAME AUTHORITY EXTENSION...
sign() {
  name=$1 by=$2; shift 2
  printf '%s\n' "$@" > "$name.ext"
  openssl req -new -key "$name.key" -subj "/CN=$name" -out "$name.csr"
  openssl x509 -req -in "$name.csr" -CA "$by.crt" -CAkey "$by.key" -CAcreateserial -days 2 -extfile "$name.ext" -out "$name.crt"
}
leaf() {
  key EC ec_paramgen_curve:P-256 "$1"
  sign "$1" "$2" 'basicConstraints = critical, CA:FALSE' 'keyUsage = critical, digitalSignature' \
    'extendedKeyUsage = serverAuth, clientAuth' "subjectAltName = $3"
}
key RSA rsa_keygen_bits:2048 root
openssl req -x509 -new -key root.key -subj /CN=root -days 2 -out root.crt
key ED25519 '' middle
sign middle root 'basicConstraints = critical, CA:TRUE, pathlen:0' 'keyUsage = critical, keyCertSign, cRLSign'
leaf agent middle 'DNS:db1.example, URI:holdfast:role:agent'
leaf wild middle 'DNS:*.example, URI:holdfast:role:agent'
leaf two middle 'URI:holdfast:role:observe, URI:holdfast:role:operate'
leaf unknown middle 'URI:holdfast:role:operate, URI:holdfast:role:everything'
leaf upper middle 'URI:HOLDFAST:role:operate'
leaf other middle 'URI:https://example/holdfast:role:operate, DNS:holdfast:role:operate'
cat agent.crt middle.crt > chain.crt
)";

class OwnAuthority : public ::testing::Test {
 protected:
  void SetUp() override {
    HOLDFAST_NEED("openssl", !test::find_program("openssl").empty(), "no openssl on PATH");
    sys::Command command{.argv = {"/bin/sh", "-c", kScript}, .cwd = folder_.path()};
    const auto made = sys::run_ok(command, test::soon());
    ASSERT_TRUE(made) << made.error().to_string();
  }
  std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
  TlsFiles files(const std::string& ca, const std::string& certificate, const std::string& key) const {
    return {path(ca + ".crt"), path(certificate + ".crt"), path(key + ".key")};
  }
  TlsFiles files(const std::string& name) const { return files("middle", name, name); }
  Role role(const std::string& name) const {
    const auto info = describe_certificate(as_text(value(sys::read_file(path(name + ".crt"))).span()));
    return value(info).role;
  }
  const sys::TempDir folder_ = value(sys::TempDir::create("own-authority"));
};

TEST_F(OwnAuthority, OfAnIntermediateOneThatIsTrustedItself) {
  Ends ends = connect(context(files("agent")), context(files("agent")));
  ASSERT_TRUE(ends.client) << ends.client.error().to_string();
  EXPECT_EQ(ends.client->peer().role, Role::agent);
}

TEST_F(OwnAuthority, OfARootWhenTheIntermediateOneIsShown) {
  const TlsContext with_chain = context(files("root", "chain", "agent")),
                   without = context(files("root", "agent", "agent"));
  EXPECT_EQ(id_of(connect(with_chain, with_chain).client), "none");
  EXPECT_EQ(id_of(connect(with_chain, without).client), "net.tls_untrusted");
}

TEST_F(OwnAuthority, OneWildcardIsNotEveryAgent) {
  EXPECT_EQ(id_of(connect(context(files("agent")), context(files("wild"))).client), "net.tls_name");
}

TEST_F(OwnAuthority, SeveralRolesAreNone) {
  EXPECT_EQ(role("agent"), Role::agent);
  EXPECT_EQ(role("two"), Role::none);
  EXPECT_EQ(role("unknown"), Role::none);
  EXPECT_EQ(role("upper"), Role::none);
  EXPECT_EQ(role("other"), Role::none);
}

// Its signatures need no digest of their own, unlike ECDSA's.
TEST_F(OwnAuthority, OfEd25519Issues) {
  const Issued middle{std::string(as_text(value(sys::read_file(path("middle.crt"))).span())),
                      Secret(as_text(value(sys::read_file(path("middle.key"))).span()))};
  const auto issued = issue_certificate(
      middle, {.name = "anna", .role = Role::observe, .for_clients = true, .lifetime = test::Authority::days(1)});
  ASSERT_TRUE(issued) << issued.error().to_string();
  test::write_file(path("anna.crt"), issued->certificate);
  test::write_file(path("anna.key"), issued->key.reveal());
  Ends ends = connect(context(files("anna")), context(files("agent")));
  ASSERT_TRUE(ends.server) << ends.server.error().to_string();
  EXPECT_EQ(ends.server->peer().role, Role::observe);
}

}  // namespace
}  // namespace holdfast::net
