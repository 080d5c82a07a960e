#include "provider/external_member.h"

#include <fmt/format.h>

#include "agent/client.h"
#include "engine/errant.h"

namespace holdfast::provider {

using cluster::DatabaseCluster;
using cluster::Errant;
using cluster::Member;
using codec::Value;
using std::chrono::milliseconds;

Error no_agent_runs_it(const Member& member) {
  return {
      ErrorClass::refused,
      "provider.external",
      fmt::format("{} has no agent: its server and data directory cannot be replaced from here", member.name.str()),
      "restore --over-sql loads its databases by SQL, --into DIR makes a stand-alone server, export writes the dump "
      "to a file",
      {}};
}

namespace {

engine::ErrantSearch search_here(const DatabaseCluster& cluster, const Member& member, const std::string& transactions,
                                 Deadline deadline, const std::stop_token& stop) {
  engine::ErrantSearch search;
  search.engine = cluster.engine;
  search.data_dir = member.data_dir;
  search.transactions = transactions;
  search.heartbeat_tables = cluster::heartbeat_tables(cluster);
  search.deadline = deadline;
  search.stop = stop;
  return search;
}

class ExternalMember : public MemberAccess, private MemberFiles {
 public:
  ExternalMember(std::shared_ptr<const DatabaseCluster> cluster, const Member& member)
      : MemberAccess(std::move(cluster), member) {}

  bool supervised() const override { return false; }
  bool controllable() const override { return false; }
  bool clients_way() const override { return !by_socket(); }
  void look(cluster::MemberFacts&, milliseconds, const std::stop_token&) override {}
  Result<sql::Target> sql_as(const engine::Login& login, Deadline, const std::stop_token&) override {
    return engine::member_target(cluster(), member(), login);
  }
  Result<Value> request(const std::string&, Value, Deadline, const std::stop_token&) override {
    return fail(no_agent());
  }
  Result<std::unique_ptr<engine::MemberControl>> control(const std::stop_token&, const CurrentEpoch&) override {
    return fail(no_agent_runs_it(member()));
  }
  MemberFiles& files() override { return *this; }

 private:
  Errant errant(Errant wanted, milliseconds limit, const std::stop_token& stop) override {
    if (!member().data_dir.empty()) return errant_from_here(cluster(), member(), wanted, limit, stop);
    wanted.unseen = "its data directory is not known here";
    return wanted;
  }
  Result<engine::ErrantLog> errant_log(const ErrantLogRequest& request, const std::string& folder,
                                       const std::stop_token& stop) override {
    if (member().data_dir.empty()) return fail(no_agent());
    engine::ErrantLogFiles to(cluster().engine, folder, request.limits);
    auto told = errant_log_from_here(cluster(), member(), request, to, stop).context(member().name.str());
    return std::move(to).finish(TRY(std::move(told)));
  }
  Result<std::unique_ptr<MemberTree>> tree(const std::string&, std::stop_token) override { return fail(no_agent()); }
  Error no_agent() const { return agent::Address::of(member()).error(); }
};

}  // namespace

Errant errant_from_here(const DatabaseCluster& cluster, const Member& member, const Errant& wanted, milliseconds limit,
                        const std::stop_token& stop) {
  auto found = engine::find_errant(search_here(cluster, member, wanted.transactions, Deadline::in(limit), stop)).errant;
  found.against = wanted.against;
  return found;
}

Result<Value> errant_log_from_here(const DatabaseCluster& cluster, const Member& member,
                                   const ErrantLogRequest& request, engine::ErrantLogSink& to,
                                   const std::stop_token& stop) {
  auto search = search_here(cluster, member, request.transactions, request.deadline, stop);
  search.most = request.limits.most;
  return engine::read_errant_log(search, {request.altered, request.limits.most_records}, to);
}

std::unique_ptr<MemberAccess> external_member(std::shared_ptr<const DatabaseCluster> cluster, const Member& member) {
  return std::make_unique<ExternalMember>(std::move(cluster), member);
}

}  // namespace holdfast::provider
