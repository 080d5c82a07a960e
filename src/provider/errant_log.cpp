#include "provider/errant_log.h"

#include "agent/errant_log.h"
#include "provider/agent_call.h"

namespace holdfast::provider {

using cluster::DatabaseCluster;
using cluster::Member;
using codec::Value;
using std::chrono::seconds;

namespace {

constexpr seconds kConnect{10}, kMore{5};

Result<Value> from_agent(const DatabaseCluster& cluster, const Member& member, const ErrantLogRequest& request,
                         engine::ErrantLogSink& to, const std::stop_token& stop) {
  auto client = TRY(connect_agent(member, Deadline::in(kConnect), stop));
  TRY(client.call("ping", Value::object(), Deadline::in(kConnect), stop));  // which tells its version
  auto arguments = Value::object({{"transactions", request.transactions},
                                  {"heartbeatTables", Value::list_of(cluster::heartbeat_tables(cluster))},
                                  {"most", request.limits.most},
                                  {"mostRecords", request.limits.most_records},
                                  {"altered", request.altered},
                                  {"timeoutSeconds", request.deadline.left().count() / 1000 + 1}});
  const auto stream = TRY(
      std::move(client).open("errant_log", std::move(arguments), Deadline::in(request.deadline.left() + kMore), stop));
  return agent::receive_errant_log(*stream, to, stop);
}

Result<Value> from_here(const DatabaseCluster& cluster, const Member& member, const ErrantLogRequest& request,
                        engine::ErrantLogSink& to, const std::stop_token& stop) {
  engine::ErrantSearch search;
  search.engine = cluster.engine;
  search.data_dir = member.data_dir;
  search.transactions = request.transactions;
  search.heartbeat_tables = cluster::heartbeat_tables(cluster);
  search.most = request.limits.most;
  search.deadline = request.deadline;
  search.stop = stop;
  return engine::read_errant_log(search, {request.altered, request.limits.most_records}, to);
}

}  // namespace

Result<engine::ErrantLog> fetch_errant_log(const DatabaseCluster& cluster, const Member& member,
                                           const ErrantLogRequest& request, const std::string& folder,
                                           std::stop_token stop) {
  engine::ErrantLogFiles files(cluster.engine, folder, request.limits);
  auto result = from_agent(cluster, member, request, files, stop);
  const bool unseen = !result && (result.error().id == "agent.unreachable" || result.error().id == "provider.external");
  if (unseen && !member.data_dir.empty()) result = from_here(cluster, member, request, files, stop);
  return std::move(files).finish(TRY(std::move(result).context(member.name.str())));
}

Result<engine::Adoptable> fetch_adoptable(const DatabaseCluster& cluster, const Member& member,
                                          const std::string& transactions, Deadline deadline, std::stop_token stop) {
  const auto folder = TRY(sys::TempDir::create("adopt"));
  ErrantLogRequest request;
  request.transactions = transactions;
  request.altered = true;
  // More than is adopted of row events: what is around them counts here, too.
  request.limits = {.most = engine::kMostAdopted, .most_records = 0, .most_bytes = 4 * engine::kMostAdoptedBytes};
  request.deadline = deadline;
  const auto log = TRY(fetch_errant_log(cluster, member, request, folder.path(), std::move(stop)));
  return engine::read_adoptable(log, transactions);
}

}  // namespace holdfast::provider
