#include "agent/galera_node.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "agent/copy.h"
#include "agent/launch.h"
#include "sql/mariadb.h"
#include "sql/rows.h"
#include "sys/file.h"

namespace holdfast::agent {

namespace {

/// The name of an option, as the server takes it: "--wsrep_start_position=x" -> "wsrep-start-position".
std::string option_name(const std::string& argument) {
  if (!argument.starts_with("--")) return {};
  std::string name = argument.substr(2, argument.find('=') - 2);
  std::ranges::replace(name, '_', '-');
  constexpr std::string_view kLoose = "loose-";
  return name.starts_with(kLoose) ? name.substr(kLoose.size()) : name;
}

bool has_option(const std::vector<std::string>& arguments, std::string_view name) {
  return std::ranges::any_of(arguments, [&](const std::string& argument) { return option_name(argument) == name; });
}

/// The name of the user it runs as; "" = not known.
std::string user_name(uid_t uid) {
  std::array<char, 4096> text{};
  passwd entry{}, *found = nullptr;
  if (::getpwuid_r(uid, &entry, text.data(), text.size(), &found) != 0 || !found) return {};
  return found->pw_name;
}

}  // namespace

std::vector<std::string> nodes_of(const std::string& address) {
  const size_t begin = address.find("://");
  const std::string list =
      begin == std::string::npos ? address : address.substr(begin + 3, address.find('?') - begin - 3);
  std::vector<std::string> nodes;
  for (size_t at = 0; at < list.size();) {
    const size_t end = std::min(list.find(',', at), list.size());
    std::string node = list.substr(at, end - at);
    std::erase(node, ' ');
    if (!node.empty()) nodes.push_back(std::move(node));
    at = end + 1;
  }
  return nodes;
}

Result<GaleraNode> read_node(const std::map<std::string, std::string>& settings, std::optional<bool> own_account) {
  const auto value = [&](const char* name) {
    const auto found = settings.find(name);
    return found == settings.end() ? std::string() : found->second;
  };
  if (value("wsrep_on") != "ON" || value("wsrep_provider").empty() || value("wsrep_provider") == "none")
    return fail(ErrorClass::refused, "adopt.engine", "the server is not a Galera node: wsrep_on is off",
                "--engine mariadb, where it is meant to be none");
  GaleraNode node{.name = value("wsrep_node_name"),
                  .cluster = value("wsrep_cluster_name"),
                  .address = value("wsrep_cluster_address"),
                  .remarks = {}};
  if (nodes_of(node.address).empty())
    return fail(ErrorClass::refused, "adopt.new_component",
                fmt::format("wsrep_cluster_address of {} is '{}', which has no node: each start of it forms a new "
                            "component beside the others",
                            node.name, node.address),
                "set it to the addresses of all nodes in its configuration (gcomm://10.0.0.5,10.0.0.6,10.0.0.7), and "
                "SET GLOBAL wsrep_cluster_address to the same");
  const std::string method = value("wsrep_sst_method");
  // With the first, a donor logs in to itself as the user it runs as; the other one takes a password.
  const bool needs_login =
      (method.starts_with("mariabackup") || method.starts_with("xtrabackup")) && !own_account.value_or(true);
  if (value("wsrep_sst_auth").empty() && (method == "mysqldump" || needs_login))
    node.remarks.push_back(fmt::format(
        "it cannot give its state to a joining node: wsrep_sst_method is {} and wsrep_sst_auth is empty. Set "
        "wsrep_sst_auth=USER:PASSWORD in its configuration",
        method));
  return node;
}

Status check_node_unit(const std::string& unit, const std::string& how_it_starts) {
  for (const char* option : {"--wsrep-new-cluster", "--wsrep_new_cluster"})
    if (how_it_starts.find(option) != std::string::npos)
      return fail(ErrorClass::refused, "adopt.new_component",
                  fmt::format("{} starts its server with {}: each start of it forms a new component beside the others",
                              unit, option),
                  "stop it when the other nodes run, start the unit that joins (mariadb.service), then adopt");
  return {};
}

std::optional<bool> has_own_account(const MemberConfig& config, Deadline deadline, const std::stop_token& stop) {
  const std::string user = user_name(config.uid);
  const auto target = detail::admin_target(config);
  if (!target || user.empty()) return std::nullopt;
  auto connection = sql::MariadbConnection::connect(*target, deadline, stop);
  if (!connection) return std::nullopt;
  const auto known = connection->query(
      fmt::format("SELECT count(*) AS n FROM mysql.global_priv WHERE User = '{}' AND Host = 'localhost'", user),
      deadline, stop);
  if (!known) return std::nullopt;
  return known->text("n") != "0";
}

bool is_position_recovery(const std::vector<std::string>& arguments) {
  return has_option(arguments, "wsrep-recover");
}

bool is_told_its_position(const std::vector<std::string>& arguments) {
  return has_option(arguments, "wsrep-start-position");
}

std::vector<std::string> lasting_arguments(std::vector<std::string> arguments) {
  std::erase_if(arguments, [](const std::string& argument) {
    const std::string name = option_name(argument);
    return name == "wsrep-new-cluster" || name == "wsrep-start-position";
  });
  return arguments;
}

std::string start_file(const MemberConfig& config) {
  return config.socket_dir + ".start.cnf";
}

Status tell_node(const MemberConfig& config, const std::vector<std::string>& words) {
  const std::string path = start_file(config);
  if (words.empty()) {
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
    return fail(sys::errno_error(errno, "remove " + path));
  }
  std::string text =
      fmt::format("# Of the Holdfast agent of {}: for the start that it has asked for now.\n[mysqld{}]\n",
                  config.member, detail::group_suffix(*config.existing));
  for (const auto& word : words) text += (word.starts_with("--") ? word.substr(2) : word) + "\n";
  // Beside the directory of the server's user, who must not be able to say how the next start is made.
  TRY_VOID(sys::make_directories(std::filesystem::path(path).parent_path().string(), 0755));
  return sys::publish_file(path, as_bytes(text), 0644);
}

}  // namespace holdfast::agent
