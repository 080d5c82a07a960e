#include "backup/rebuild.h"

#include <fmt/format.h>

#include "engine/replication.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/process.h"

namespace holdfast::backup {
namespace {

using cluster::Engine;
using std::chrono::minutes;
using std::chrono::seconds;

// A row stands in one statement, its binary values twice their size.
constexpr const char* kLargestPacket = "--max-allowed-packet=1G";
constexpr const char* kReplicaHint = "the new primary serves; holdfast get status shows the state of each member";

Deadline soon() {
  return Deadline::in(seconds(60));
}
Deadline step() {
  return Deadline::in(minutes(5));
}

class MysqlKeeper : public AccountKeeper {
 public:
  MysqlKeeper(Engine engine, engine::MemberSetup setup, sql::MariadbConnection connection)
      : engine_(engine), setup_(std::move(setup)), connection_(std::move(connection)) {}

  Status restore_accounts(std::stop_token stop) override {
    TRY(connection_.query("FLUSH PRIVILEGES", soon(), stop));
    for (const char* host : {"localhost", "%"}) {
      TRY_VOID(account(setup_.socket.user, host, setup_.socket.password, "ALL PRIVILEGES", " WITH GRANT OPTION", stop));
    }
    if (setup_.replication_user.empty()) return {};
    return account(setup_.replication_user, "%", setup_.replication_password, "REPLICATION SLAVE", "", stop);
  }

  Status set_position(const std::string& position, std::stop_token stop) override {
    if (position.empty() || engine_ != Engine::mariadb) return {};
    // Replicas are copies of this server: they find where they are to start in mysql.gtid_slave_pos.
    TRY(connection_.query("SET GLOBAL gtid_slave_pos = " + sql::quote_mysql(position), soon(), stop));
    return {};
  }

 private:
  Status account(const std::string& user, const char* host, const Secret& password, const char* rights,
                 const char* option, std::stop_token stop) {
    const std::string name = fmt::format("{}@{}", sql::quote_mysql(user), sql::quote_mysql(host));
    for (const char* verb : {"CREATE USER IF NOT EXISTS", "ALTER USER"}) {
      Secret statement(fmt::format("{} {} IDENTIFIED BY ", verb, name));
      TRY(connection_.query(statement.append(sql::quote_mysql(password)).reveal(), soon(), stop));
    }
    TRY(connection_.query(fmt::format("GRANT {} ON *.* TO {}{}", rights, name, option), soon(), stop));
    return {};
  }

  const Engine engine_;
  const engine::MemberSetup setup_;
  sql::MariadbConnection connection_;
};

class PostgresKeeper : public AccountKeeper {
 public:
  PostgresKeeper(engine::MemberSetup setup, sql::PostgresConnection connection)
      : setup_(std::move(setup)), connection_(std::move(connection)) {}

  Status restore_accounts(std::stop_token stop) override {
    TRY_VOID(account(setup_.socket.user, setup_.socket.password, "SUPERUSER LOGIN", stop));
    if (setup_.replication_user.empty()) return {};
    return account(setup_.replication_user, setup_.replication_password, "LOGIN REPLICATION", stop);
  }
  Status set_position(const std::string&, std::stop_token) override { return {}; }  // a new system has its own WAL

 private:
  Status account(const std::string& user, const Secret& password, const char* rights, std::stop_token stop) {
    auto there = TRY(
        connection_.query("SELECT 1 AS x FROM pg_roles WHERE rolname = " + sql::quote_postgres(user), soon(), stop));
    Secret statement(fmt::format("{} ROLE {} WITH {} PASSWORD ", there.empty() ? "CREATE" : "ALTER",
                                 sql::quote_postgres_name(user), rights));
    TRY(connection_.query(statement.append(sql::quote_postgres(password)).reveal(), soon(), stop));
    return {};
  }

  const engine::MemberSetup setup_;
  sql::PostgresConnection connection_;
};

Result<bool> wait_for(const std::function<bool()>& done, std::stop_token stop) {
  return sys::wait_until(done, step(), stop);
}

using OwnChannels = std::map<std::string, std::string>;

/// The connection to its source as its supervisor last saw it: TLS, delay, filters, name, and the address by which it
/// reached it. nullopt: not known.
Result<std::optional<engine::Channel>> noted_channel(engine::MemberControl& replica, const OwnChannels& own_channels) {
  const auto& setup = replica.setup();
  const auto own = own_channels.find(setup.name);
  if (own == own_channels.end()) return std::optional<engine::Channel>();
  auto noted = TRY(replica.noted_channels());
  for (auto& channel : noted) {
    if (channel.name != own->second || !channel.by_gtid) continue;
    if (channel.user == setup.replication_user || channel.password.empty()) {
      channel.user = setup.replication_user;
      channel.password = setup.replication_password;
    }
    return std::optional(std::move(channel));
  }
  return std::optional<engine::Channel>();
}

Status follow(Engine engine, engine::MemberControl& member, const OwnChannels& own_channels, std::stop_token stop) {
  const auto& replica = member.setup();
  const auto channel = TRY(noted_channel(member, own_channels));
  if (channel)
    TRY_VOID(
        engine::write_channel(engine, replica.socket, *channel, {.with_delay = false, .start = true}, soon(), stop));
  else
    TRY_VOID(engine::follow(
        engine, replica.socket,
        {replica.upstream_host, replica.upstream_port, replica.replication_user, replica.replication_password}, soon(),
        stop));
  auto follows = engine::wait_for_replication(engine, replica.socket, channel ? channel->name : "", true, step(), stop);
  if (follows && channel && channel->delay_seconds > 0)
    return engine::set_delay(engine, replica.socket, *channel, soon(), stop);
  if (follows) return {};
  return fail(ErrorClass::needs_operator, "restore.replication",
              fmt::format("{} does not follow its primary: {}", replica.name, follows.error().message), kReplicaHint);
}

Status start_mysql_family(Engine engine, std::vector<std::unique_ptr<engine::MemberControl>>& members,
                          const OwnChannels& own_channels, const Say& say, std::stop_token stop) {
  for (auto& member : members) TRY_VOID(member->start({}, step()));
  for (size_t i = 1; i < members.size(); ++i) {
    TRY_VOID(follow(engine, *members[i], own_channels, stop));
    if (say) say(fmt::format("{}: replicates", members[i]->setup().name));
  }
  return {};
}

Status start_galera(std::vector<std::unique_ptr<engine::MemberControl>>& members, const Say& say,
                    std::stop_token stop) {
  TRY_VOID(members[0]->start({.new_cluster = true}, step()));
  for (size_t i = 1; i < members.size(); ++i) TRY_VOID(members[i]->start({}, step()));
  for (auto& member : members) {
    auto connection = TRY(sql::MariadbConnection::connect(member->setup().socket, soon(), stop));
    const bool synced = TRY(wait_for(
        [&] {
          auto status = connection.query(
              "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_local_state_comment','wsrep_cluster_size')", soon(),
              stop);
          if (!status || status->rows.size() != 2) return false;
          std::string state, size;
          for (const auto& row : status->rows)
            (row[0].value_or("") == "wsrep_cluster_size" ? size : state) = row[1].value_or("");
          return state == "Synced" && size == std::to_string(members.size());
        },
        stop));
    if (!synced)
      return fail(ErrorClass::needs_operator, "restore.replication", member->setup().name + " did not reach Synced",
                  kReplicaHint);
    if (say) say(fmt::format("{}: Synced", member->setup().name));
  }
  return {};
}

Status start_postgres(std::vector<std::unique_ptr<engine::MemberControl>>& members, const Say& say,
                      std::stop_token stop) {
  TRY_VOID(members[0]->start({}, step()));
  auto connection = TRY(sql::PostgresConnection::connect(members[0]->setup().socket, soon(), stop));
  for (size_t i = 1; i < members.size(); ++i) {
    const std::string slot = sql::quote_postgres(members[i]->setup().slot);
    TRY(connection.query(fmt::format("SELECT pg_create_physical_replication_slot({0}, true) WHERE NOT EXISTS "
                                     "(SELECT FROM pg_replication_slots WHERE slot_name = {0})",
                                     slot),
                         soon(), stop));
    TRY_VOID(members[i]->initialise_basebackup(Deadline::in(std::chrono::hours(6))));
    TRY_VOID(members[i]->start({}, step()));
  }
  // A commit the standbys replay: until they have seen one, they cannot tell their lag.
  TRY(connection.query("SELECT pg_logical_emit_message(true, 'holdfast', 'restored')", soon(), stop));
  const bool streaming = TRY(wait_for(
      [&] {
        auto rows = connection.query(
            "SELECT count(*) AS n FROM pg_stat_replication WHERE state = 'streaming' AND replay_lsn >= "
            "pg_current_wal_flush_lsn()",
            soon(), stop);
        return rows && rows->text("n") == std::to_string(members.size() - 1);
      },
      stop));
  if (!streaming)
    return fail(ErrorClass::needs_operator, "restore.replication", "not every standby streams from the primary",
                kReplicaHint);
  for (size_t i = 1; i < members.size(); ++i) {
    if (say) say(fmt::format("{}: streams", members[i]->setup().name));
  }
  return {};
}

}  // namespace

std::vector<std::string> loading_args(Engine engine) {
  switch (engine) {
    case Engine::mariadb:
    case Engine::galera:
      return {"--skip-log-bin",
              "--sync-binlog=0",
              "--innodb-flush-log-at-trx-commit=0",
              "--innodb-flush-log-at-timeout=5",
              "--skip-slave-start",
              kLargestPacket};
    case Engine::mysql:
      return {"--skip-log-bin", "--innodb-flush-log-at-trx-commit=0", "--skip-replica-start", kLargestPacket,
              "--loose-federated=ON"};
    case Engine::postgres:
      return {"-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_wal_size=2GB"};
  }
  return {};
}

Result<std::unique_ptr<AccountKeeper>> AccountKeeper::open(Engine engine, const engine::MemberSetup& setup,
                                                           std::stop_token stop) {
  if (engine == Engine::postgres) {
    auto connection = TRY(sql::PostgresConnection::connect(setup.socket, soon(), stop));
    return std::make_unique<PostgresKeeper>(setup, std::move(connection));
  }
  auto connection = TRY(sql::MariadbConnection::connect(setup.socket, soon(), stop));
  // The replay may take hours; this session only waits.
  TRY(connection.query("SET SESSION wait_timeout = 31536000", soon(), stop));
  return std::make_unique<MysqlKeeper>(engine, setup, std::move(connection));
}

// Tells a filled server where its history ends, before anybody can write: its fresh binary log starts there.
Status set_log_position(Engine engine, engine::MemberControl& member, const std::string& position) {
  TRY_VOID(member.start({.isolated = true}, step()));
  {
    auto connection = TRY(sql::MariadbConnection::connect(member.setup().socket, soon()));
    if (engine == Engine::mysql) {
      TRY(connection.query("RESET BINARY LOGS AND GTIDS", soon()));
      TRY(connection.query("SET GLOBAL gtid_purged = " + sql::quote_mysql(position), soon()));
    } else {
      TRY(connection.query("RESET MASTER", soon()));
      TRY(connection.query("SET GLOBAL gtid_binlog_state = " + sql::quote_mysql(position), soon()));
    }
  }
  return member.stop(step());
}

Status copy_to_replicas(Engine engine, std::vector<std::unique_ptr<engine::MemberControl>>& members,
                        const std::string& position, const Say& say) {
  if (engine == Engine::postgres) return {};  // base backups, once the primary serves
  // The primary was filled without a binary log, so no copy carries one that names another member's files.
  engine::MemberControl& primary = *members[0];
  for (size_t i = 1; i < members.size(); ++i) {
    TRY_VOID(members[i]->initialise_copy(primary.setup().name, Deadline::in(std::chrono::hours(6))));
    if (say) say(fmt::format("{}: copied from {}", members[i]->setup().name, primary.setup().name));
  }
  if (position.empty() || engine == Engine::galera) return {};
  // Of every member: a position that a member's own log does not bear out proves nothing of its data.
  for (auto& member : members) TRY_VOID(set_log_position(engine, *member, position));
  return {};
}

Status start_cluster(Engine engine, std::vector<std::unique_ptr<engine::MemberControl>>& members,
                     const OwnChannels& own_channels, const Say& say, std::stop_token stop) {
  switch (engine) {
    case Engine::galera:
      return start_galera(members, say, stop);
    case Engine::postgres:
      return start_postgres(members, say, stop);
    default:
      return start_mysql_family(engine, members, own_channels, say, stop);
  }
}

}  // namespace holdfast::backup
