#include "engine/login.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sql/transport.h"
#include "sys/act_as.h"
#include "sys/environment.h"
#include "sys/secret_file.h"
#include "sys/user.h"

namespace holdfast::engine {
namespace {

using cluster::DatabaseCluster;
using cluster::Engine;
using cluster::Member;

/// "~/.my.cnf" as a shell reads it.
std::string with_home(const std::string& path) {
  return path.starts_with("~/") ? sys::variable("HOME").value_or("") + path.substr(1) : path;
}

/// A file that clients of databases read, too. `what`: "option file", of `field` in spec.credentials.
Result<Secret> client_file(const DatabaseCluster& cluster, const std::string& path, const char* what,
                           const char* field) {
  auto text = sys::read_secret_file(path);
  if (text) return text;
  return fail(ErrorClass::usage, "config.credentials",
              fmt::format("the {} of {}: {}", what, cluster.full_name(), text.error().message),
              fmt::format("make it readable, or correct spec.credentials.{} in the cluster's file", field));
}

/// Such a file with a password in it is its owner's; clients leave it out otherwise, or should.
Status closed_to_others(const DatabaseCluster& cluster, const std::string& path, const char* what) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0 || (info.st_mode & S_IRWXO) == 0) return {};
  return fail(ErrorClass::usage, "config.credentials",
              fmt::format("the {} of {}: {} has a password and is open to every user of this machine", what,
                          cluster.full_name(), path),
              "chmod 600 " + path);
}

Result<Secret> password_of(const DatabaseCluster& cluster, const EnvironmentLookup& env) {
  const auto& from = cluster.credentials.password;
  if (!from.env.empty()) {
    if (auto value = env(from.env); value && !value->empty()) return Secret(std::move(*value));
    return fail(ErrorClass::usage, "config.credentials",
                fmt::format("the password of {} is not in ${}", cluster.full_name(), from.env),
                "set it, or name another one in spec.credentials of the cluster's file");
  }
  if (from.file.empty()) return Secret();
  auto password = sys::read_password_file(from.file);
  if (password && !password->empty()) return password;
  return fail(ErrorClass::usage, "config.credentials",
              fmt::format("the password file of {}: {}", cluster.full_name(),
                          password ? from.file + " is empty" : password.error().message),
              "make it readable, or correct spec.credentials.passwordFile in the cluster's file");
}

/// Who connects where the server asks the kernel: the unix user with the name of the account. Where the system has
/// none, the server's own user for PostgreSQL, which its configuration may know; the others know root.
std::optional<sys::Identity> peer_of(Engine engine, const sql::Target& target) {
  if (::geteuid() != 0 || target.socket.empty() || !target.password.empty()) return std::nullopt;
  if (auto user = sys::find_user(target.user)) return user->uid == 0 ? std::nullopt : std::optional(std::move(*user));
  return engine == Engine::postgres ? sys::owner_of(target.socket) : std::nullopt;
}

void take_pgpass(const Login& login, sql::Target& target) {
  const auto [host, port] = sql::postgres_address(target);
  const PgpassLine* line = find_pgpass(login.pgpass, host, port, login.user);
  // The clients' name for what does not leave the machine.
  if (!line && !target.socket.empty()) line = find_pgpass(login.pgpass, "localhost", port, login.user);
  if (line) target.password = line->password;
  if (target.user.empty()) target.user = line ? line->user : "postgres";
}

}  // namespace

Result<Login> cluster_login(const DatabaseCluster& cluster, const EnvironmentLookup& env) {
  const auto& credentials = cluster.credentials;
  Login login;
  login.user = credentials.user;
  if (!credentials.pgpass_file.empty()) {
    const std::string path = with_home(credentials.pgpass_file);
    const Secret text = TRY(client_file(cluster, path, "pgpass file", "pgpassFile"));
    login.pgpass = parse_pgpass(text.reveal());
    if (!login.pgpass.empty()) TRY_VOID(closed_to_others(cluster, path, "pgpass file"));
    return login;
  }
  if (!credentials.option_file.empty()) {
    const std::string path = with_home(credentials.option_file);
    const Secret text = TRY(client_file(cluster, path, "option file", "optionFile"));
    OptionFile file = parse_option_file(text.reveal());
    if (!file.password.empty()) TRY_VOID(closed_to_others(cluster, path, "option file"));
    if (login.user.empty()) login.user = std::move(file.user);
    login.password = std::move(file.password);
    login.socket = std::move(file.socket);
  } else {
    login.password = TRY(password_of(cluster, env));
  }
  if (login.user.empty()) {
    if (cluster.engine == Engine::postgres)
      login.user = "postgres";
    else
      login.user = TRY(sys::own_user_name());
  }
  return login;
}

sql::Target member_target(const DatabaseCluster& cluster, const Member& member, const Login& login) {
  sql::Target target;
  target.host = member.host;
  target.port = member.port;
  target.user = login.user;
  target.password = login.password;
  const std::string& socket = member.host.empty() && member.socket.empty() ? login.socket : member.socket;
  // A member without a host, or without a password, has only its socket, also while its server is down.
  const bool only_socket = member.host.empty() || (login.password.empty() && login.pgpass.empty());
  if (!socket.empty() && (only_socket || ::access(socket.c_str(), F_OK) == 0)) target.socket = socket;
  if (!cluster.credentials.pgpass_file.empty()) take_pgpass(login, target);
  target.peer = peer_of(cluster.engine, target);
  target.tls = cluster.tls.required;
  target.tls_ca = cluster.tls.ca;
  target.plain_text = cluster.tls.plain_text;
  return target;
}

}  // namespace holdfast::engine
