#include "cluster/resource.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <tuple>

namespace holdfast::cluster {
namespace {

constexpr const char* kGood = R"(
apiVersion: holdfast.dev/v1alpha1
kind: DatabaseCluster
metadata: {name: shop-db, namespace: shop, labels: {a: b}}
spec:
  engine: mariadb
  replication: {mode: semi-sync}
  credentials: {user: backup, passwordFile: db.password}
  tls: {ca: /etc/ca.pem}
  members:
    - {name: b, ordinal: 1, host: 10.0.0.5, aliases: [b.internal, "10.1.0.5:3307"]}
    - {name: a, ordinal: 0, socket: /run/x.sock}
---
apiVersion: holdfast.dev/v1alpha1
kind: BackupRepository
metadata: {name: r}
)";

TEST(ParseCluster, ReadsWhatItSays) {
  auto clusters = parse_clusters(kGood, "/etc/holdfast");
  ASSERT_TRUE(clusters) << clusters.error().to_string();
  ASSERT_EQ(clusters->size(), 1u);
  const auto& c = (*clusters)[0];
  EXPECT_EQ(c.full_name(), "shop/shop-db");
  EXPECT_EQ(c.engine, Engine::mariadb);
  EXPECT_EQ(c.provider, Provider::external);
  EXPECT_EQ(c.replication, ReplicationMode::semi_sync);
  EXPECT_EQ(c.credentials.password.file, "/etc/holdfast/db.password");
  EXPECT_TRUE(c.tls.required) << "a CA without 'required' still means TLS";
  ASSERT_EQ(c.members.size(), 2u);
  EXPECT_EQ(c.members[0].name.str(), "a");
  EXPECT_EQ(c.members[1].port, 3306);
  EXPECT_EQ(c.members[1].aliases, (std::vector<std::string>{"b.internal", "10.1.0.5:3307"}));
}

TEST(ParseCluster, PrintAndParseAgree) {
  auto first = (*parse_clusters(kGood, "/etc"))[0];
  auto again = parse_clusters(print_cluster(first), "/elsewhere");
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(print_cluster((*again)[0]), print_cluster(first));
}

TEST(ParseCluster, AUidIsKeptAsItIs) {
  const auto with = [](const std::string& uid) {
    std::string text = kGood;
    text.replace(text.find("namespace: shop"), 15, "namespace: shop, uid: " + uid);
    return parse_clusters(text, "/");
  };
  EXPECT_EQ((*parse_clusters(kGood, "/"))[0].uid, "");
  const std::string uid = "5F0c9a1e-7d42-4b8f-9c11-1e2d3c4b5a69";
  const auto first = with(uid);
  ASSERT_TRUE(first) << first.error().to_string();
  EXPECT_EQ((*first)[0].uid, uid);
  EXPECT_EQ((*parse_clusters(print_cluster((*first)[0]), "/"))[0].uid, uid);
  for (const char* bad : {"12345", "a/b", "'a b'", "[a]", "'é'"}) {
    const auto refused = with(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_NE(refused.error().message.find("metadata.uid"), std::string::npos) << refused.error().message;
  }
  EXPECT_FALSE(with(std::string(64, 'a')));
}

std::string problems_of(std::string spec) {
  std::string text = "apiVersion: holdfast.dev/v1alpha1\nkind: DatabaseCluster\nmetadata: {name: x}\nspec:\n" + spec;
  auto clusters = parse_clusters(text, "/");
  EXPECT_FALSE(clusters) << spec;
  if (clusters) return {};
  EXPECT_EQ(clusters.error().id, "config.invalid");
  EXPECT_EQ(clusters.error().error_class, ErrorClass::usage);
  return clusters.error().message;
}

TEST(ParseCluster, EveryMistakeIsNamed) {
  std::string all = problems_of("  engin: mariadb\n  provider: aws\n  members: []\n  tls: {required: 1}\n");
  for (const char* part :
       {"spec.engin:", "spec.engine: is missing", "spec.provider: 'aws'", "spec.members: must", "spec.tls.required"})
    EXPECT_NE(all.find(part), std::string::npos) << part << " not in: " << all;
  std::string credentials = problems_of(
      "  engine: mariadb\n  credentials: {passwordFile: a, passwordEnv: B, pgpassFile: c}\n"
      "  replication: {mode: standalone}\n  members: [{host: h}, {host: i}]\n");
  for (const char* part : {"has passwordFile and passwordEnv and pgpassFile: a password is in one place",
                           "spec.credentials.user: is missing", "spec.credentials.pgpassFile: is of PostgreSQL",
                           "spec.replication.mode: 'standalone' is of one server, and there are 2 members"})
    EXPECT_NE(credentials.find(part), std::string::npos) << part << " not in: " << credentials;
  std::string members = problems_of(
      "  engine: postgres\n  replication: {mode: galera}\n  credentials: {user: u, passwordEnv: P}\n"
      "  members: [{name: A_b, host: h, port: 99999}, {name: d, port: 1}, {name: d, host: x, ordinal: 1}, 7]\n");
  const std::string aliases = problems_of(
      "  engine: mysql\n  credentials: {user: u, passwordEnv: P}\n"
      "  members: [{host: a, aliases: [fine, localhost, 'x:0', 7]}, {host: b, aliases: b.internal}]\n");
  for (const char* part : {"members[0].aliases[1]: must", "members[0].aliases[2]: must", "members[0].aliases[3]: must",
                           "members[1].aliases: must be a list"})
    EXPECT_NE(aliases.find(part), std::string::npos) << part << " not in: " << aliases;
  EXPECT_EQ(aliases.find("aliases[0]"), std::string::npos) << aliases;
  for (const char* part :
       {"spec.replication.mode: 'galera' does not go with engine postgres", "members[0].name", "members[0].port",
        "members[1]: needs host", "members[2].name: 'd' comes twice", "members[2].ordinal", "members[3]: must"})
    EXPECT_NE(members.find(part), std::string::npos) << part << " not in: " << members;
}

TEST(ParseCluster, PlainTextIsAllowedByNameOnly) {
  const std::string head =
      "apiVersion: holdfast.dev/v1alpha1\nkind: DatabaseCluster\nmetadata: {name: x}\nspec:\n"
      "  engine: mysql\n  credentials: {user: u, passwordEnv: P}\n  members: [{host: h}]\n";
  const auto silent = parse_clusters(head, "/");
  ASSERT_TRUE(silent) << silent.error().to_string();
  EXPECT_FALSE((*silent)[0].tls.plain_text);
  const auto allowed = parse_clusters(head + "  tls: {allowPlainText: true}\n", "/");
  ASSERT_TRUE(allowed) << allowed.error().to_string();
  EXPECT_TRUE((*allowed)[0].tls.plain_text);
  EXPECT_FALSE((*allowed)[0].tls.required);
  const auto again = parse_clusters(print_cluster((*allowed)[0]), "/");
  ASSERT_TRUE(again);
  EXPECT_TRUE((*again)[0].tls.plain_text);
  EXPECT_FALSE(parse_clusters(head + "  tls: {allowPlainText: true, required: true}\n", "/"));
}

std::string document(const std::string& spec) {
  return "apiVersion: holdfast.dev/v1alpha1\nkind: DatabaseCluster\nmetadata: {name: x}\nspec:\n" + spec;
}

TEST(ParseCluster, OnASocketNoPasswordIsNeeded) {
  const auto bare = parse_clusters(document("  engine: mariadb\n  members: [{socket: /run/x.sock}]\n"), "/");
  ASSERT_TRUE(bare) << bare.error().to_string();
  EXPECT_TRUE((*bare)[0].credentials.by_socket());
  EXPECT_EQ((*bare)[0].credentials.user, "");
  const auto named = parse_clusters(
      document("  engine: postgres\n  credentials: {user: keeper}\n  members: [{socket: /run/x.sock}]\n"), "/");
  ASSERT_TRUE(named) << named.error().to_string();
  EXPECT_TRUE((*named)[0].credentials.by_socket());
  // Over the network a password is needed.
  const std::string refused = problems_of("  engine: mariadb\n  members: [{socket: /run/x.sock}, {host: 10.0.0.5}]\n");
  EXPECT_NE(refused.find("spec.members[1]: needs socket"), std::string::npos) << refused;
  EXPECT_EQ(refused.find("members[0]"), std::string::npos) << refused;
  const auto file = parse_clusters(
      document("  engine: mysql\n  credentials: {optionFile: ~/.my.cnf}\n  members: [{name: a}, {host: h}]\n"), "/etc");
  ASSERT_TRUE(file) << file.error().to_string();
  EXPECT_EQ((*file)[0].credentials.option_file, "~/.my.cnf");
  const auto pgpass = parse_clusters(
      document("  engine: postgres\n  credentials: {pgpassFile: pass}\n  members: [{host: h}]\n"), "/etc");
  ASSERT_TRUE(pgpass) << pgpass.error().to_string();
  EXPECT_EQ((*pgpass)[0].credentials.pgpass_file, "/etc/pass");
}

TEST(ParseCluster, OneMemberIsStandalone) {
  const auto mode = [](const char* engine, const char* replication, const char* members) {
    const auto read = parse_clusters(document(fmt::format("  engine: {}\n{}  credentials: {{user: u, passwordEnv: P}}\n"
                                                          "  members: {}\n",
                                                          engine, replication, members)),
                                     "/");
    return read ? std::string(replication_mode_name((*read)[0].replication)) + ((*read)[0].standalone() ? " alone" : "")
                : read.error().message;
  };
  for (const char* engine : {"mariadb", "mysql", "postgres", "galera"}) {
    EXPECT_EQ(mode(engine, "", "[{host: a}]"), "standalone alone");
    EXPECT_EQ(mode(engine, "  replication: {mode: none}\n", "[{host: a}]"), "standalone alone") << "an older word";
  }
  EXPECT_EQ(mode("mariadb", "", "[{host: a}, {host: b}]"), "async");
  EXPECT_EQ(mode("mariadb", "  replication: {mode: async}\n", "[{host: a}]"), "async") << "others may follow it";
}

TEST(ParseCluster, EachRefusalShowsWhatIsWanted) {
  for (const char* engine : {"mariadb", "mysql", "postgres", "galera"}) {
    for (const char* member : {"{}", "{host: 10.0.0.5}"}) {
      const auto refused =
          parse_clusters(document(fmt::format("  engine: {}\n  members: [{}]\n", engine, member)), "/");
      ASSERT_FALSE(refused);
      const std::string& hint = refused.error().hint;
      const size_t example = hint.find("apiVersion:");
      ASSERT_NE(example, std::string::npos) << hint;
      const auto read = parse_clusters(hint.substr(example), "/");
      ASSERT_TRUE(read) << hint << read.error().to_string();
      ASSERT_EQ(read->size(), 1u);
      EXPECT_EQ(engine_name((*read)[0].engine), engine);
      EXPECT_EQ((*read)[0].credentials.by_socket(), member[1] == '}');
      EXPECT_NE(hint.find(fmt::format("holdfast cluster discover --engine {} --{}", engine,
                                      member[1] == '}' ? "socket" : "host")),
                std::string::npos)
          << hint;
    }
  }
  EXPECT_NE(parse_clusters(document("  members: 1\n"), "/").error().hint.find("engine: mariadb"), std::string::npos);
}

TEST(ParseCluster, NothingIsLostByPrinting) {
  for (const char* spec :
       {"  engine: mariadb\n  members: [{name: a, socket: /run/x.sock}]\n",
        "  engine: postgres\n  credentials: {user: keeper}\n  lineage: '7412345678901234567'\n"
        "  members: [{name: a, socket: /run/postgresql, port: 5433}]\n",
        "  engine: mysql\n  credentials: {optionFile: ~/.my.cnf}\n  members: [{name: a}, {name: b, host: h}]\n",
        "  engine: postgres\n  credentials: {user: u, pgpassFile: /p}\n  tls: {ca: /c}\n  members: [{host: h}]\n"}) {
    const auto first = parse_clusters(document(spec), "/");
    ASSERT_TRUE(first) << first.error().to_string();
    const auto again = parse_clusters(print_cluster((*first)[0]), "/elsewhere");
    ASSERT_TRUE(again) << again.error().to_string();
    EXPECT_EQ(print_cluster((*again)[0]), print_cluster((*first)[0]));
    EXPECT_EQ((*again)[0].lineage, (*first)[0].lineage);
    EXPECT_EQ((*again)[0].replication, (*first)[0].replication);
    for (size_t i = 0; i < (*first)[0].members.size(); ++i) {
      EXPECT_EQ((*again)[0].members[i].host, (*first)[0].members[i].host);
      EXPECT_EQ((*again)[0].members[i].port, (*first)[0].members[i].port);
      EXPECT_EQ((*again)[0].members[i].socket, (*first)[0].members[i].socket);
    }
    const auto &a = (*first)[0].credentials, &b = (*again)[0].credentials;
    EXPECT_EQ(std::tie(a.user, a.option_file, a.pgpass_file), std::tie(b.user, b.option_file, b.pgpass_file));
  }
}

TEST(ParseCluster, PasswordInlineIsRefused) {
  std::string all =
      problems_of("  engine: mysql\n  credentials: {user: u, password: geheim}\n  members: [{host: h}]\n");
  EXPECT_NE(all.find("spec.credentials.password: is not a field"), std::string::npos) << all;
  EXPECT_EQ(all.find("geheim"), std::string::npos);
}

TEST(ParseCluster, ForeignDocumentsAreRefused) {
  EXPECT_EQ(parse_clusters("kind: Pod\napiVersion: v1\n", "/").error().id, "config.version");
  EXPECT_EQ(parse_clusters("apiVersion: holdfast.dev/v1alpha1\n", "/").error().id, "config.kind");
  EXPECT_EQ(parse_clusters("- just\n- a list\n", "/").error().id, "config.version");
}

}  // namespace
}  // namespace holdfast::cluster
