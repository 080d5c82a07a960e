// The `DatabaseCluster` resource (holdfast.dev/v1alpha1) as text and as documents.
//
//   apiVersion: holdfast.dev/v1alpha1
//   kind: DatabaseCluster
//   metadata: {name: shop-db, namespace: shop}        # namespace defaults to "default"; optional uid: tells clusters
//                                                     # of one name apart; never change it, never copy it
//   spec:
//     engine: mariadb                                 # mariadb, galera, mysql, postgres
//     provider: external                              # external (default) or host
//     replication: {mode: semi-sync}                  # standalone, async, semi-sync, galera, streaming; one member is
//                                                     # standalone, more have the usual one of the engine
//     credentials: {user: backup, passwordFile: db.password}   # or passwordEnv: VARIABLE; a relative file is relative
//                                                              # to the file that names it. Or the file of the clients:
//                                                              # optionFile: ~/.my.cnf, pgpassFile: ~/.pgpass. Or left
//                                                              # out, with socket for each member: root (unix_socket,
//                                                              # auth_socket), postgres (peer); `user` names another
//     tls: {required: true, ca: ca.pem}                        # members on other hosts need TLS, unless
//                                                              # tls: {allowPlainText: true} says that they do not
//     lineage: "7412345678901234567"    # optional: system identifier, Galera uuid; others are foreign
//     agents: {ca: ca.pem, certificate: me.pem, key: me.key}   # who we are to agents on other hosts
//     members:
//       - {name: db-0, host: 10.0.0.4, port: 3306}    # or socket: /run/mysqld/mysqld.sock; also ordinal, dataDir,
//                                                     # agent: 10.0.0.4:7420 (over TLS), agentSocket (on this machine),
//                                                     # aliases: [db0.internal, "10.1.0.4:3307"]: what else its
//                                                     # replicas call it (cluster/topology.h)
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cluster/types.h"
#include "codec/value.h"

namespace holdfast::cluster {

/// As a document, and as the text of one, readable by parse_clusters().
codec::Value cluster_value(const DatabaseCluster& cluster);
std::string print_cluster(const DatabaseCluster& cluster);

enum class ExamplePlace { this_machine, other_hosts };
/// A small DatabaseCluster for people to begin with, correct as it is: of one server that knows its unix users, or
/// of two members over the network.
std::string example_cluster(Engine engine, ExamplePlace place);
/// Where the distributions' packages put the server's socket.
std::string usual_socket(Engine engine);

/// One document. Every mistake found is in the message, each with its path ("spec.members[1].port: ..."), and an
/// example in the hint; id "config.invalid" (usage). `folder` is what relative file names are relative to.
Result<DatabaseCluster> parse_cluster(const codec::Value& document, const std::string& folder);

/// All DatabaseCluster documents of a YAML text; other kinds of holdfast.dev are left to others, anything else is
/// refused.
Result<std::vector<DatabaseCluster>> parse_clusters(std::string_view yaml, const std::string& folder);

}  // namespace holdfast::cluster
