#include "cluster/resource.h"

#include <gtest/gtest.h>

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
  for (const char* part : {"spec.engin:", "spec.engine: is missing", "spec.provider: 'aws'", "spec.members: must",
                           "spec.tls.required", "spec.credentials.user", "passwordFile or passwordEnv"})
    EXPECT_NE(all.find(part), std::string::npos) << part << " not in: " << all;
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
