#include "lab/break.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "agent/client.h"
#include "agent/server_files.h"
#include "lab/cluster_up.h"
#include "lab/host_faults.h"
#include "lab/surroundings.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/any_process.h"
#include "sys/process.h"

namespace holdfast::lab {

namespace fs = std::filesystem;
using agent::MemberConfig;
using cluster::Engine;
using codec::Value;
using std::chrono::seconds;

namespace {

struct Found {
  ClusterPlan plan;
  MemberConfig config;
};

Result<Found> find_member(const Layout& layout, const std::string& name) {
  std::string all;
  for (const auto& plan : cluster_plans())
    for (auto& config : existing_members(layout, plan)) {
      all += (all.empty() ? "" : ", ") + config.member;
      if (config.member == name) return Found{plan, std::move(config)};
    }
  return fail(ErrorClass::usage, "lab.no_member", "the lab has no member " + name,
              all.empty() ? "holdfast lab up" : "one of: " + all);
}

Result<Value> ask(const MemberConfig& c, const std::string& op, std::initializer_list<Value::Member> fields,
                  Deadline deadline, std::stop_token stop) {
  auto client = TRY(agent::Client::connect(c.agent_socket(), deadline));
  return client.call_now(op, Value::object(fields), deadline, stop).context(c.member);
}

Result<pid_t> server_pid(const MemberConfig& c, Deadline deadline, std::stop_token stop) {
  auto status = TRY(ask(c, "status", {}, deadline, stop));
  auto pid = static_cast<pid_t>(status["server"]["pid"].integer(-1));
  if (pid <= 1)
    return fail(ErrorClass::refused, "lab.not_running", "the server of " + c.member + " does not run",
                "holdfast lab up");
  return pid;
}

Status send_signal(const MemberConfig& c, int signal_number, Deadline deadline, std::stop_token stop) {
  const pid_t pid = TRY(server_pid(c, deadline, stop));
  auto pidfd = TRY(sys::open_pidfd(pid));
  if (::syscall(SYS_pidfd_send_signal, pidfd.get(), signal_number, nullptr, 0) != 0)
    return fail(sys::errno_error(errno, "signal the server"));
  return {};
}

/// Until its agent knows: a heal that comes before would take it for running, and leave it dead.
Status kill_server(const MemberConfig& c, Deadline deadline, std::stop_token stop) {
  TRY_VOID(send_signal(c, SIGKILL, deadline, stop));
  Result<Value> status;
  const auto known = [&] {
    status = ask(c, "status", {}, deadline, stop);
    return !status || (*status)["server"]["pid"].integer(-1) < 0;
  };
  const bool told = TRY(sys::wait_until(known, deadline.at_most(std::chrono::seconds(20)), stop));
  if (!status) return fail(std::move(status).error());
  if (told) return {};
  return fail(ErrorClass::failed, "lab.not_killed", "the server of " + c.member + " does not die of SIGKILL",
              "a process that waits for a hung disk cannot die: look at the disk");
}

Status stop_hard(const MemberConfig& c, Deadline deadline, std::stop_token stop) {
  TRY(ask(c, "stop", {{"mode", "immediate"}}, deadline, stop));
  return {};
}

/// The biggest table file of the user's data.
Result<std::string> largest_table_file(const MemberConfig& c) {
  std::string best;
  uintmax_t best_size = 0;
  std::error_code error;
  for (auto it = fs::recursive_directory_iterator(c.data_dir(), fs::directory_options::skip_permission_denied, error);
       it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (error) break;
    const std::string path = it->path().string(), relative = path.substr(c.data_dir().size() + 1);
    bool table = false;
    if (c.engine == Engine::postgres) {
      const std::string name = it->path().filename().string();
      table =
          relative.starts_with("base/") && !name.empty() && name.find_first_not_of("0123456789.") == std::string::npos;
    } else {
      table = relative.ends_with(".ibd") && !relative.starts_with("mysql/") && !relative.starts_with("sys/") &&
              relative.find('/') != std::string::npos;
    }
    std::error_code ignored;
    if (!table || !it->is_regular_file(ignored)) continue;
    if (auto size = it->file_size(ignored); size > best_size) {
      best_size = size;
      best = path;
    }
  }
  if (best.empty())
    return fail(ErrorClass::refused, "lab.no_tables", c.member + " has no table files to damage",
                "holdfast lab load -c " + c.cluster);
  return best;
}

Result<std::string> corrupt_pages(const std::string& path, size_t page) {
  sys::Fd fd = TRY(sys::open_file(path, O_RDWR));
  const auto pages = fs::file_size(path) / page;
  const uint64_t count = std::clamp<uint64_t>(pages / 20, 1, 8), first = pages / 2;
  std::string garbage(page - 64, '\xa5');
  uint64_t done = 0;
  for (uint64_t i = 0; i < count && first + i < pages; ++i, ++done)
    if (::pwrite(fd.get(), garbage.data(), garbage.size(), static_cast<off_t>((first + i) * page + 64)) < 0)
      return fail(sys::errno_error(errno, "write " + path));
  if (::fsync(fd.get()) != 0) return fail(sys::errno_error(errno, "fsync " + path));
  return fmt::format("overwrote {} pages of {}", done, path);
}

Result<std::string> by_sql(const Found& found, bool drop, Deadline deadline, std::stop_token stop) {
  const MemberConfig& c = found.config;
  sql::Target target;
  target.socket = c.server_socket();
  target.user = c.admin_user;
  target.password = TRY(agent::read_password(c.admin_password_file));
  if (c.engine == Engine::postgres) {
    if (!drop) target.database = "shop";
    auto connection = TRY(sql::PostgresConnection::connect(target, deadline, stop));
    if (drop) {
      TRY(connection.query("DROP DATABASE shop WITH (FORCE)", deadline, stop));
      return std::string("dropped the database shop");
    }
    auto tables = TRY(connection.query(
        "SELECT format('%I.%I', schemaname, tablename) AS t FROM pg_tables WHERE schemaname = 'shop'", deadline, stop));
    std::string list;
    for (size_t i = 0; i < tables.rows.size(); ++i) list += (i ? ", " : "") + tables.text("t", i);
    TRY(connection.query("TRUNCATE " + list, deadline, stop));
    return fmt::format("emptied {} tables of shop", tables.rows.size());
  }
  auto connection = TRY(sql::MariadbConnection::connect(target, deadline, stop));
  if (drop) {
    TRY(connection.query("DROP DATABASE shop", deadline, stop));
    return std::string("dropped the schema shop");
  }
  TRY(connection.query("SET foreign_key_checks = 0", deadline, stop));
  auto tables = TRY(connection.query(
      "SELECT TABLE_NAME AS t FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND TABLE_TYPE = 'BASE TABLE'",
      deadline, stop));
  for (size_t i = 0; i < tables.rows.size(); ++i)
    TRY(connection.query("TRUNCATE TABLE shop." + sql::quote_mysql_name(tables.text("t", i)), deadline, stop));
  return fmt::format("emptied {} tables of shop", tables.rows.size());
}

/// Where the zeros at the end of a file begin: servers take room before they need it. In whole megabytes.
Result<uint64_t> written_part(const std::string& path) {
  const sys::Fd fd = TRY(sys::open_file(path, O_RDONLY));
  Buffer block(1 << 20);
  uint64_t end = fs::file_size(path);
  while (end > 0) {
    const uint64_t begin = (end - 1) / block.size() * block.size();
    const ssize_t got = ::pread(fd.get(), block.data(), end - begin, static_cast<off_t>(begin));
    if (got < 0) return fail(sys::errno_error(errno, "read " + path));
    if (std::any_of(block.data(), block.data() + got, [](uint8_t byte) { return byte != 0; })) break;
    end = begin;
  }
  return end;
}

Result<std::string> fill_disk(const MemberConfig& c, Deadline deadline, std::stop_token stop) {
  if (on_small_disk(c)) {
    TRY(fill_small_disk(c));
    return "filled the disk of " + c.member + " again";
  }
  TRY(ask(c, "stop", {{"mode", "fast"}}, deadline, stop));
  auto moved = move_to_small_disk(c, deadline, stop);
  auto started = ask(c, "start", {}, deadline, stop);
  TRY_VOID(std::move(moved));
  if (!started) return fail(std::move(started).error());
  const uint64_t taken = TRY(fill_small_disk(c));
  return fmt::format("put the data of {} on a file system of its own and took the last {} free bytes of it", c.member,
                     taken);
}

/// Undoes fill-disk, partition and what was done to the host; what was done, or "".
Result<std::string> mend_surroundings(const Layout& layout, const MemberConfig& c, Deadline deadline,
                                      std::stop_token stop) {
  std::string done;
  if (TRY(heal_host(layout, c, deadline, stop))) done = "restored the network of the host of " + c.member;
  if (is_cut(c)) {
    TRY_VOID(mend_network(c));
    done += (done.empty() ? "" : "; ") + ("joined " + c.member + " to the network again");
  }
  if (on_small_disk(c)) {
    TRY_VOID(empty_small_disk(c));
    TRY(ask(c, "stop", {{"mode", "fast"}}, deadline, stop));
    TRY_VOID(leave_small_disk(c, deadline, stop));
    done += (done.empty() ? "" : "; ") + ("gave " + c.member + " its disk back");
  }
  return done;
}

}  // namespace

const std::vector<std::string>& break_kinds() {
  static const std::vector<std::string> kinds = {"kill",          "stop",          "continue",    "delete-data",
                                                 "corrupt-pages", "truncate-file", "drop-schema", "truncate-tables",
                                                 "fill-disk",     "partition",     "host-cut",    "host-deaf",
                                                 "host-slow"};
  return kinds;
}

namespace {

Result<Beyond> beyond_of(const Layout& layout, const MemberConfig& c, const std::string& from) {
  if (from.empty()) return Beyond{"all others", ""};
  if (from == "caller") return Beyond{from, HostNetwork::address(subnet_of(c).value_or(0), kCallersHost)};
  const Found other = TRY(find_member(layout, from));
  if (other.config.net_namespace.empty() || other.config.net_namespace == c.net_namespace)
    return fail(ErrorClass::refused, "lab.no_host", fmt::format("{} and {} are not on two hosts", c.member, from),
                "choose two members of `holdfast lab status -o wide` with different hosts");
  return Beyond{from, other.config.host};
}

Result<std::string> break_host(const Options& options, const Layout& layout, const MemberConfig& c,
                               const Damage& damage, Deadline deadline, std::stop_token stop) {
  TRY_VOID(can_break_host(c));
  const Beyond beyond = TRY(beyond_of(layout, c, damage.from));
  if (damage.kind == "host-slow") {
    TRY_VOID(slow_host(layout, c, own_program(options), deadline, stop));
    return fmt::format("slowed down the host of {} ({}): 50 ms more in each direction, 1 % is lost", c.member, c.host);
  }
  if (damage.kind == "host-deaf") {
    TRY_VOID(deafen_host(c, beyond));
    return fmt::format("the host of {} ({}) receives nothing from {}; what it sends arrives", c.member, c.host,
                       beyond.name);
  }
  TRY_VOID(cut_host(layout, c, beyond, deadline, stop));
  return fmt::format("cut the host of {} ({}) off from {}; unix sockets still answer", c.member, c.host, beyond.name);
}

}  // namespace

Result<std::string> break_member(const Options& options, const Damage& damage, Deadline deadline,
                                 std::stop_token stop) {
  const std::string &kind = damage.kind, &member = damage.member;
  if (std::find(break_kinds().begin(), break_kinds().end(), kind) == break_kinds().end())
    return fail(ErrorClass::usage, "lab.break", "the lab cannot break '" + kind + "'",
                fmt::format("one of: {}", fmt::join(break_kinds(), ", ")));
  if (!damage.from.empty() && kind != "host-cut" && kind != "host-deaf")
    return fail(ErrorClass::usage, "lab.break", "--from belongs to host-cut and host-deaf",
                fmt::format("holdfast lab break host-cut {} --from {}", member, damage.from));
  if (kind == "fill-disk" || kind == "partition") TRY_VOID(can_break_surroundings(kind));
  if (kind.starts_with("host-")) TRY_VOID(can_have_hosts());
  const Layout layout(options.state_dir);
  const Found found = TRY(find_member(layout, member));
  const MemberConfig& c = found.config;
  if (kind.starts_with("host-")) return break_host(options, layout, c, damage, deadline, stop);
  if (kind == "fill-disk") return fill_disk(c, deadline, stop);
  if (kind == "partition") {
    TRY(server_pid(c, deadline, stop));
    TRY_VOID(cut_network(c));
    return "cut " + member + " off: no packet leaves or reaches its server; its unix socket still answers";
  }
  if (kind == "kill") {
    TRY_VOID(kill_server(c, deadline, stop));
    return "killed the server of " + member;
  }
  if (kind == "stop") {
    TRY_VOID(send_signal(c, SIGSTOP, deadline, stop));
    return "stopped the server of " + member + " (SIGSTOP): connections are accepted and not answered";
  }
  if (kind == "continue") {
    TRY_VOID(send_signal(c, SIGCONT, deadline, stop));
    return "let the server of " + member + " continue";
  }
  if (kind == "drop-schema" || kind == "truncate-tables") return by_sql(found, kind == "drop-schema", deadline, stop);
  TRY_VOID(stop_hard(c, deadline, stop));
  if (kind == "delete-data") {
    std::error_code error;
    const auto files = fs::remove_all(c.data_dir(), error);
    if (error) return fail(sys::errno_error(error.value(), "remove " + c.data_dir()));
    return fmt::format("killed the server of {} and removed {} ({} files)", member, c.data_dir(), files);
  }
  const sys::ActAs as_server(agent::server_identity(c));
  const std::string path = TRY(largest_table_file(c));
  if (kind == "corrupt-pages")
    return TRY(corrupt_pages(path, c.engine == Engine::postgres ? 8192 : 16384)) + "; the server is down";
  const auto size = fs::file_size(path);
  const uint64_t half = TRY(written_part(path)) / 2;
  if (::truncate(path.c_str(), static_cast<off_t>(half)) != 0) return fail(sys::errno_error(errno, "truncate " + path));
  return fmt::format("cut {} from {} to {} bytes; the server is down", path, size, half);
}

Result<std::string> heal_member(const Options& options, const std::string& member, Deadline deadline,
                                std::stop_token stop) {
  const Layout layout(options.state_dir);
  const Found found = TRY(find_member(layout, member));
  const MemberConfig& c = found.config;
  (void)send_signal(c, SIGCONT, deadline, stop);
  auto status = ask(c, "status", {}, deadline, stop);
  if (!status) return fail(std::move(status).error().with_hint("holdfast lab up starts its agent"));
  const std::string mended = TRY(mend_surroundings(layout, c, deadline, stop));
  if (!mended.empty()) status = ask(c, "status", {}, deadline, stop);
  if (status && (*status)["server"]["state"].text() == "running") return mended.empty() ? member + " serves" : mended;
  auto started = ask(c, "start", {}, deadline, stop);
  if (started) return (mended.empty() ? "" : mended + "; ") + "started " + member;
  if (c.engine != Engine::galera && c.role == agent::Role::primary)
    return fail(ErrorClass::refused, "lab.needs_restore",
                member + " is the primary and does not start: " + started.error().message,
                "restore it: holdfast restore -c " + c.cluster + " --snapshot latest --accept=replace-data");
  auto aside = TRY(ask(c, "set_aside", {}, deadline, stop));
  TRY(ask(c, "initialise", {{"from", c.engine == Engine::postgres ? "basebackup" : "empty"}, {"timeoutSeconds", 120}},
          deadline, stop));
  TRY(ask(c, "start", {{"timeoutSeconds", 120}}, deadline, stop));
  UpContext context{layout, 0, "", false, [](const std::string&) {}, deadline, stop};
  TRY_VOID(connect_replication(context, found.plan, existing_members(layout, found.plan)));
  const std::string old = aside["path"].text();
  return fmt::format("rebuilt {} from the other members{}", member, old.empty() ? "" : "; what it had is in " + old);
}

}  // namespace holdfast::lab
