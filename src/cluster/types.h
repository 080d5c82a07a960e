// What a database cluster is, as the `DatabaseCluster` resource (holdfast.dev/v1alpha1) says it. Pure values.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/strong_id.h"
#include "cluster/comparison.h"

namespace holdfast::cluster {

enum class Engine { mariadb, galera, mysql, postgres };
enum class Provider { host, external };
/// How members of one cluster stay equal. `standalone`: there is one, and nothing to stay equal to. `semi_sync`: a
/// commit waits for one replica's receipt.
enum class ReplicationMode { standalone, async, semi_sync, galera, streaming };

std::string_view engine_name(Engine engine);
std::string_view provider_name(Provider provider);
std::string_view replication_mode_name(ReplicationMode mode);
std::optional<Engine> parse_engine(std::string_view name);
std::optional<Provider> parse_provider(std::string_view name);
/// "none", an older word for standalone, as well.
std::optional<ReplicationMode> parse_replication_mode(std::string_view name);
/// Where its servers listen unless configured otherwise.
int default_port(Engine engine);
/// "mariadb, galera, mysql, postgres", for messages.
std::string engine_names();

/// Where a secret is kept; never the secret itself. At most one is set.
struct SecretRef {
  std::string file;
  std::string env;
  bool empty() const { return file.empty() && env.empty(); }
};

/// Who we are to the servers; what each of these means, and what it means to say nothing: engine/login.h.
struct Credentials {
  std::string user;
  SecretRef password;
  std::string option_file;  ///< MariaDB, MySQL: as ~/.my.cnf
  std::string pgpass_file;  ///< PostgreSQL: as ~/.pgpass
  /// It is by the unix socket alone that a server knows us; an option file may hold a password.
  bool by_socket() const { return password.empty() && option_file.empty() && pgpass_file.empty(); }
};

struct TlsSettings {
  bool required = false;    ///< verify the server's certificate and refuse plaintext
  std::string ca;           ///< file of trusted certificates; empty = the system's
  bool plain_text = false;  ///< members on other hosts may be spoken to without TLS
};

/// Who we are to agents on other hosts, and whose certificates theirs may be: PEM files.
struct AgentTls {
  std::string ca, certificate, key;
};

struct Member {
  MemberName name;
  int ordinal = 0;
  std::string host = "127.0.0.1";
  int port = 0;
  /// What else it is called, by clients and by its replicas: "db1.internal", "10.1.0.5", with or without a port.
  std::vector<std::string> aliases;
  std::string socket;         ///< unix socket file of the server; empty = none reachable from here
  std::string data_dir;       ///< empty = unknown (provider external)
  std::string agent_socket;   ///< local API of the member's agent (provider host)
  std::string agent_address;  ///< "host:port" where its agent listens with TLS
  AgentTls agent_tls;         ///< of agent_address: the cluster's
  bool has_agent() const { return !agent_socket.empty() || !agent_address.empty(); }
};

struct DatabaseCluster {
  ClusterName name;
  std::string ns = "default";  ///< metadata.namespace
  /// metadata.uid: tells this cluster from every other one, whatever they are called. "" = it has none; then its full
  /// name does.
  std::string uid;
  std::map<std::string, std::string> labels, annotations;
  Engine engine = Engine::mariadb;
  Provider provider = Provider::external;
  ReplicationMode replication = ReplicationMode::async;
  Credentials credentials;
  TlsSettings tls;
  AgentTls agent_tls;
  /// The history this cluster is known to have: PostgreSQL system identifier, Galera uuid. Members with another one are
  /// foreign. "" = not recorded; then members that differ cannot be judged.
  std::string lineage;
  std::vector<Member> members;
  /// Not of the resource: what the last comparison of contents found. nullopt = never compared.
  std::optional<Comparison> compared;

  /// One server without replicas: what replication takes is not asked of it.
  bool standalone() const { return replication == ReplicationMode::standalone && members.size() < 2; }
  /// "shop/shop-mariadb"
  std::string full_name() const { return ns + "/" + name.str(); }
  const Member* find(std::string_view member) const;
};

}  // namespace holdfast::cluster
