#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cluster/addresses.h"
#include "cluster/resource.h"
#include "codec/yaml.h"

namespace holdfast::cluster {

using codec::Value;

namespace {

constexpr std::string_view kVersion = "holdfast.dev/v1alpha1";

/// Reads one document and collects everything wrong with it.
class Reader {
 public:
  explicit Reader(std::string folder) : folder_(std::move(folder)) {}

  DatabaseCluster read(const Value& document);
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  void problem(const std::string& path, std::string what) { problems_.push_back(path + ": " + std::move(what)); }

  /// Complains about every key that is not in `known`.
  const Value& object(const Value& parent, const std::string& path, std::string_view key,
                      std::initializer_list<std::string_view> known) {
    const Value& value = parent[key];
    if (!value.is_null() && !value.is_object()) problem(path, "must be a mapping");
    check_keys(value, path, known);
    return value;
  }
  void check_keys(const Value& value, const std::string& path, std::initializer_list<std::string_view> known) {
    for (const auto& [name, ignored] : value.members()) {
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      problem(path + "." + name, fmt::format("is not a field here; there are: {}", fmt::join(known, ", ")));
    }
  }
  std::string text(const Value& parent, const std::string& path, std::string_view key) {
    const Value& value = parent[key];
    if (value.is_null() || value.is_text()) return value.text();
    problem(fmt::format("{}.{}", path, key), "must be a text (quote it)");
    return {};
  }
  std::string file(const Value& parent, const std::string& path, std::string_view key) {
    std::string name = text(parent, path, key);
    const bool whole = name.empty() || name[0] == '/' || name.starts_with("~/");
    return whole ? name : folder_ + "/" + name;
  }
  int integer(const Value& parent, const std::string& path, std::string_view key, int otherwise, int low, int high) {
    const Value& value = parent[key];
    if (value.is_null()) return otherwise;
    if (!value.is_integer() || value.integer() < low || value.integer() > high) {
      problem(fmt::format("{}.{}", path, key), fmt::format("must be a whole number from {} to {}", low, high));
      return otherwise;
    }
    return static_cast<int>(value.integer());
  }
  std::string name(const Value& parent, const std::string& path, std::string_view key, bool required) {
    std::string value = text(parent, path, key);
    const std::string full = fmt::format("{}.{}", path, key);
    if (value.empty()) {
      if (required) problem(full, "is missing");
      return value;
    }
    auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    bool fine = value.size() <= 63 && plain(value.front()) && plain(value.back());
    for (char c : value) fine = fine && (plain(c) || c == '-' || c == '.');
    if (!fine) problem(full, fmt::format("'{}' must be lower-case letters, digits, '-' and '.', at most 63", value));
    return value;
  }
  std::string uid(const Value& metadata) {
    std::string value = text(metadata, "metadata", "uid");
    const bool fine = value.size() <= 63 && std::ranges::all_of(value, [](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                               c == '_' || c == '.';
                      });
    if (!fine)
      problem("metadata.uid", fmt::format("'{}' must be letters, digits, '-', '_' and '.', at most 63", value));
    return value;
  }
  std::map<std::string, std::string> labels(const Value& metadata, std::string_view key) {
    std::map<std::string, std::string> result;
    const std::string path = fmt::format("metadata.{}", key);
    if (!metadata[key].is_null() && !metadata[key].is_object()) problem(path, "must be a mapping");
    for (const auto& [name, value] : metadata[key].members()) {
      if (value.is_text())
        result[name] = value.text();
      else
        problem(path + "." + name, "must be a text (quote it)");
    }
    return result;
  }
  std::vector<std::string> aliases(const Value& member, const std::string& path);
  void read_spec(const Value& spec, DatabaseCluster& cluster);
  void read_credentials(const Value& spec, DatabaseCluster& cluster);
  Member read_member(const Value& value, const std::string& path, int index, const DatabaseCluster& cluster);

  const std::string folder_;
  std::vector<std::string> problems_;
};

ReplicationMode default_mode(Engine engine, size_t members) {
  if (members == 1) return ReplicationMode::standalone;
  switch (engine) {
    case Engine::galera:
      return ReplicationMode::galera;
    case Engine::postgres:
      return ReplicationMode::streaming;
    default:
      return ReplicationMode::async;
  }
}

bool mode_fits(Engine engine, ReplicationMode mode) {
  if (mode == ReplicationMode::standalone) return true;
  switch (engine) {
    case Engine::galera:
      return mode == ReplicationMode::galera;
    case Engine::postgres:
      return mode == ReplicationMode::streaming;
    default:
      return mode == ReplicationMode::async || mode == ReplicationMode::semi_sync;
  }
}

std::vector<std::string> Reader::aliases(const Value& member, const std::string& path) {
  std::vector<std::string> all;
  const Value& list = member["aliases"];
  if (!list.is_null() && !list.is_list()) problem(path + ".aliases", "must be a list of names and addresses");
  for (const Value& alias : list.items()) {
    const HostPort parts = split_alias(alias.text());
    if (!alias.is_text() || parts.host.empty() || parts.port < 0 || is_local(parts.host))
      problem(fmt::format("{}.aliases[{}]", path, all.size()),
              "must be a name or address as other machines know it, with or without a port (quote it)");
    all.push_back(alias.text());
  }
  return all;
}

Member Reader::read_member(const Value& value, const std::string& path, int index, const DatabaseCluster& cluster) {
  Member member;
  if (!value.is_object()) {
    problem(path, "must be a mapping with name and host (or socket)");
    return member;
  }
  check_keys(value, path, {"name", "ordinal", "host", "port", "aliases", "socket", "dataDir", "agentSocket", "agent"});
  member.name = MemberName(name(value, path, "name", false));
  if (member.name.empty()) member.name = MemberName(fmt::format("{}-{}", cluster.name.str(), index));
  member.ordinal = integer(value, path, "ordinal", index, 0, 9999);
  member.host = text(value, path, "host");
  member.socket = text(value, path, "socket");
  const Credentials& credentials = cluster.credentials;
  if (member.host.empty() && member.socket.empty() && credentials.option_file.empty())
    problem(path, "needs host, or socket");
  else if (member.socket.empty() && credentials.by_socket())
    problem(path,
            "needs socket: without a password a server knows us by the unix user that connects to its socket; "
            "over the network it needs spec.credentials with user and passwordFile");
  member.port = integer(value, path, "port", default_port(cluster.engine), 1, 65535);
  member.aliases = aliases(value, path);
  member.data_dir = text(value, path, "dataDir");
  member.agent_socket = text(value, path, "agentSocket");
  member.agent_address = text(value, path, "agent");
  if (!member.agent_address.empty() && member.agent_address.find(':') == std::string::npos)
    problem(path + ".agent", fmt::format("'{}' must be host:port", member.agent_address));
  if (cluster.provider == Provider::host && !member.has_agent())
    problem(path, "needs agent (host:port), or agentSocket (provider host)");
  return member;
}

void Reader::read_credentials(const Value& spec, DatabaseCluster& cluster) {
  const std::string path = "spec.credentials";
  const Value& value =
      object(spec, path, "credentials", {"user", "passwordFile", "passwordEnv", "optionFile", "pgpassFile"});
  Credentials& credentials = cluster.credentials;
  credentials.user = text(value, path, "user");
  credentials.password.file = file(value, path, "passwordFile");
  credentials.password.env = text(value, path, "passwordEnv");
  credentials.option_file = file(value, path, "optionFile");
  credentials.pgpass_file = file(value, path, "pgpassFile");
  std::vector<std::string_view> places;
  for (const std::string_view place : {"passwordFile", "passwordEnv", "optionFile", "pgpassFile"})
    if (!value[place].is_null()) places.push_back(place);
  if (places.size() > 1) problem(path, fmt::format("has {}: a password is in one place", fmt::join(places, " and ")));
  if (credentials.user.empty() && !credentials.password.empty()) problem(path + ".user", "is missing");
  const bool postgres = cluster.engine == Engine::postgres;
  if (postgres && !credentials.option_file.empty())
    problem(path + ".optionFile", "is of MariaDB and MySQL; PostgreSQL has pgpassFile");
  if (!postgres && !credentials.pgpass_file.empty())
    problem(path + ".pgpassFile", "is of PostgreSQL; MariaDB and MySQL have optionFile");
}

void Reader::read_spec(const Value& spec, DatabaseCluster& cluster) {
  const std::string engine = text(spec, "spec", "engine");
  if (auto known = parse_engine(engine))
    cluster.engine = *known;
  else
    problem("spec.engine", engine.empty() ? "is missing; one of " + engine_names()
                                          : fmt::format("'{}' is not one of {}", engine, engine_names()));
  const std::string provider = text(spec, "spec", "provider");
  if (auto known = parse_provider(provider))
    cluster.provider = *known;
  else if (!provider.empty())
    problem("spec.provider", fmt::format("'{}' is not one of host, external", provider));

  const Value& replication = object(spec, "spec.replication", "replication", {"mode"});
  const std::string mode = text(replication, "spec.replication", "mode");
  const size_t described = spec["members"].items().size();
  cluster.replication = default_mode(cluster.engine, described);
  if (!mode.empty()) {
    auto known = parse_replication_mode(mode);
    if (!known)
      problem("spec.replication.mode",
              fmt::format("'{}' is not one of standalone, async, semi-sync, galera, streaming", mode));
    else if (!mode_fits(cluster.engine, *known))
      problem("spec.replication.mode", fmt::format("'{}' does not go with engine {}", mode, engine));
    else if (*known == ReplicationMode::standalone && described > 1)
      problem("spec.replication.mode", fmt::format("'{}' is of one server, and there are {} members", mode, described));
    else
      cluster.replication = *known;
  }
  read_credentials(spec, cluster);

  const Value& tls = object(spec, "spec.tls", "tls", {"required", "ca", "allowPlainText"});
  if (!tls["required"].is_null() && !tls["required"].is_bool()) problem("spec.tls.required", "must be true or false");
  if (!tls["allowPlainText"].is_null() && !tls["allowPlainText"].is_bool())
    problem("spec.tls.allowPlainText", "must be true or false");
  cluster.tls.ca = file(tls, "spec.tls", "ca");
  cluster.tls.required = tls["required"].boolean(!cluster.tls.ca.empty());
  cluster.tls.plain_text = tls["allowPlainText"].boolean();
  if (cluster.tls.required && cluster.tls.plain_text)
    problem("spec.tls", "asks for TLS and allows plain text: one of them");

  const Value& agents = object(spec, "spec.agents", "agents", {"ca", "certificate", "key"});
  cluster.agent_tls.ca = file(agents, "spec.agents", "ca");
  cluster.agent_tls.certificate = file(agents, "spec.agents", "certificate");
  cluster.agent_tls.key = file(agents, "spec.agents", "key");

  cluster.lineage = text(spec, "spec", "lineage");

  const Value& members = spec["members"];
  if (!members.is_list() || members.items().empty()) {
    problem("spec.members", "must be a list with at least one member");
    return;
  }
  std::set<std::string> names;
  std::set<int> ordinals;
  for (size_t i = 0; i < members.items().size(); ++i) {
    const std::string path = fmt::format("spec.members[{}]", i);
    Member member = read_member(members.items()[i], path, static_cast<int>(i), cluster);
    if (!names.insert(member.name.str()).second)
      problem(path + ".name", fmt::format("'{}' comes twice", member.name.str()));
    if (!ordinals.insert(member.ordinal).second)
      problem(path + ".ordinal", fmt::format("{} comes twice", member.ordinal));
    const bool remote = !member.agent_address.empty();
    member.agent_tls = cluster.agent_tls;
    if (remote &&
        (cluster.agent_tls.ca.empty() || cluster.agent_tls.certificate.empty() || cluster.agent_tls.key.empty()))
      problem(path + ".agent", "is reached with TLS: spec.agents needs ca, certificate and key");
    cluster.members.push_back(std::move(member));
  }
  std::sort(cluster.members.begin(), cluster.members.end(),
            [](const Member& a, const Member& b) { return a.ordinal < b.ordinal; });
}

DatabaseCluster Reader::read(const Value& document) {
  DatabaseCluster cluster;
  check_keys(document, "", {"apiVersion", "kind", "metadata", "spec", "status"});
  if (!document["metadata"].is_object()) problem("metadata", "is missing");
  const Value& metadata = document["metadata"];
  cluster.name = ClusterName(name(metadata, "metadata", "name", true));
  if (std::string ns = name(metadata, "metadata", "namespace", false); !ns.empty()) cluster.ns = ns;
  cluster.uid = uid(metadata);
  cluster.labels = labels(metadata, "labels");
  cluster.annotations = labels(metadata, "annotations");
  if (!document["spec"].is_object()) {
    problem("spec", "is missing");
    return cluster;
  }
  check_keys(document["spec"], "spec",
             {"engine", "provider", "replication", "credentials", "tls", "agents", "lineage", "members"});
  read_spec(document["spec"], cluster);
  return cluster;
}

}  // namespace

namespace {

/// What to write instead: as complete as it gets, and near to what was meant.
std::string hint_for(const Value& document, const DatabaseCluster& cluster) {
  bool elsewhere = false;
  for (const Value& member : document["spec"]["members"].items())
    elsewhere = elsewhere || (!member["host"].text().empty() && member["socket"].text().empty());
  const auto place = elsewhere ? ExamplePlace::other_hosts : ExamplePlace::this_machine;
  return fmt::format(
      "`holdfast cluster discover --engine {} {}` writes such a file; an example:\n{}", engine_name(cluster.engine),
      elsewhere ? "--host HOST --user USER --password-file FILE" : "--socket " + usual_socket(cluster.engine),
      example_cluster(cluster.engine, place));
}

}  // namespace

Result<DatabaseCluster> parse_cluster(const Value& document, const std::string& folder) {
  Reader reader(folder);
  DatabaseCluster cluster = reader.read(document);
  if (reader.problems().empty()) return cluster;
  return fail(ErrorClass::usage, "config.invalid",
              fmt::format("DatabaseCluster {}: {}", cluster.name.empty() ? "without a name" : cluster.name.str(),
                          fmt::join(reader.problems(), "; ")),
              hint_for(document, cluster));
}

Result<std::vector<DatabaseCluster>> parse_clusters(std::string_view yaml, const std::string& folder) {
  std::vector<DatabaseCluster> clusters;
  for (const Value& document : TRY(codec::parse_yaml(yaml))) {
    const std::string version = document["apiVersion"].text(), kind = document["kind"].text();
    if (version != kVersion)
      return fail(
          ErrorClass::usage, "config.version",
          version.empty() ? "a document without apiVersion" : fmt::format("apiVersion {} is not known here", version),
          fmt::format("write apiVersion: {}", kVersion));
    if (kind == "DatabaseCluster") {
      clusters.push_back(TRY(parse_cluster(document, folder)));
    } else if (kind.empty()) {
      return fail(ErrorClass::usage, "config.kind", "a document without kind", "write kind: DatabaseCluster");
    }
  }
  return clusters;
}

}  // namespace holdfast::cluster
