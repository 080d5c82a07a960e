// holdfast cluster discover: the DatabaseCluster of servers that exist, from one of them. Changes nothing.
#include <fmt/format.h>

#include <filesystem>

#include "cli/cluster_options.h"
#include "cli/verbs.h"
#include "cluster/resource.h"
#include "provider/discover.h"

namespace holdfast::cli {
namespace {

using cluster::DatabaseCluster;
using cluster::Engine;

/// As the file that is written shall name it, wherever that is put.
std::string file_of(const Options& options, std::string_view flag) {
  const std::string name = options.text(flag);
  return name.empty() ? name : std::filesystem::absolute(name).lexically_normal().string();
}

Result<Engine> engine_of(const Options& options) {
  if (const auto engine = cluster::parse_engine(options.text("engine"))) return *engine;
  return fail(ErrorClass::usage, "cli.missing_flag", "cluster discover: no engine is named",
              "-e ENGINE, one of " + cluster::engine_names());
}

Result<cluster::Place> start_of(const Options& options, Engine engine) {
  cluster::Place place{.host = options.text("host"), .socket = options.text("socket")};
  if (place.host.empty() == place.socket.empty())
    return fail(
        ErrorClass::usage, "cli.missing_flag",
        place.host.empty() ? "cluster discover: no server is named" : "cluster discover: one server is asked first",
        "--socket " + cluster::usual_socket(engine) + ", or --host HOST");
  const int64_t port = options.integer("port").value_or(cluster::default_port(engine));
  if (port < 1 || port > 65535)
    return fail(ErrorClass::usage, "cli.port", fmt::format("{} is not a port", port), "--port 1 to 65535");
  if (!place.host.empty() || options.given("port")) place.port = static_cast<int>(port);
  if (!place.socket.empty()) place.socket = std::filesystem::absolute(place.socket).lexically_normal().string();
  return place;
}

/// What is asked with, and what the file then says.
Result<DatabaseCluster> like(const Options& options, Engine engine) {
  DatabaseCluster cluster;
  cluster.engine = engine;
  cluster.name = ClusterName(options.text("name"));
  if (const std::string ns = options.text("namespace"); !ns.empty()) cluster.ns = ns;
  cluster.credentials.user = options.text("user");
  cluster.credentials.password.file = file_of(options, "password-file");
  cluster.credentials.password.env = options.text("password-env");
  cluster.credentials.option_file = file_of(options, "option-file");
  cluster.credentials.pgpass_file = file_of(options, "pgpass-file");
  if (options.given("ca") && options.flag("allow-plain-text"))
    return fail(ErrorClass::usage, "config.invalid", "--ca asks for TLS, and --allow-plain-text does without",
                "one of them: holdfast help cluster discover");
  cluster.tls.ca = file_of(options, "ca");
  cluster.tls.required = !cluster.tls.ca.empty();
  cluster.tls.plain_text = options.flag("allow-plain-text");
  // The rules of a resource are the rules here: it is read back as it would be written.
  DatabaseCluster sample = cluster;
  sample.replication = cluster::ReplicationMode::standalone;
  if (sample.name.empty()) sample.name = ClusterName("sample");
  cluster::Member member;
  member.name = MemberName("sample");
  member.port = cluster::default_port(engine);
  member.socket = "/sample";
  sample.members.push_back(std::move(member));
  if (auto read = cluster::parse_cluster(cluster::cluster_value(sample), "/"); !read) {
    Error error = std::move(read).error();
    error.hint = "holdfast help cluster discover";
    return fail(std::move(error));
  }
  return cluster;
}

}  // namespace

Exit run_cluster_discover(Context& context) {
  const Options& options = context.options;
  const Engine engine = TRY(engine_of(options));
  const auto start = TRY(start_of(options, engine));
  const auto patience = std::chrono::seconds(std::max<int64_t>(1, options.integer("member-timeout").value_or(5)));
  auto discovered = provider::discover(TRY(like(options, engine)), start, patience, context.stop);
  if (!discovered) {
    Error error = std::move(discovered).error();
    if (error.id == "sql.plain_text") error.hint = "--ca FILE, or --allow-plain-text where that network is trusted";
    return fail(std::move(error));
  }
  const auto& found = *discovered;
  context.out.set_data(cluster::cluster_value(found.cluster));
  if (context.out.is_human()) {
    std::string text = cluster::discovery_text(found);
    if (text.ends_with('\n')) text.pop_back();
    context.out.line(text);
    return {};
  }
  for (size_t i = 0; i < found.members.size(); ++i)
    if (!found.members[i].answered)
      context.out.warning(
          "discover.no_answer",
          fmt::format("{} did not answer: {}", found.cluster.members[i].name.str(), found.members[i].problem));
  for (const auto& member : found.left_out)
    context.out.warning("discover.left_out", fmt::format("{} is left out: {}", member.place.text(), member.problem));
  for (const auto& sentence : found.remarks) context.out.warning("discover.remark", sentence);
  return {};
}

}  // namespace holdfast::cli
