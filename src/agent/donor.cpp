// Which member a copy is taken from, and whether there is room for it.
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <filesystem>

#include "agent/copy.h"
#include "agent/peer_copy.h"
#include "agent/server_files.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using cluster::Engine;

namespace {

std::unexpected<Error> no_donor(std::string why, std::string hint = "choose another donor") {
  return fail(ErrorClass::refused, "agent.donor", std::move(why), std::move(hint));
}

/// Logs and caches that a physical copy leaves out.
bool is_left_out(Engine engine, const std::string& name) {
  if (engine == Engine::postgres) return false;
  return name.starts_with("binlog.") || name.starts_with("relay.") || name == "galera.cache" ||
         name.starts_with("ib_logfile") || name.starts_with("ibtmp") || name.starts_with("#ib_redo");
}

/// Bytes a copy takes; refuses data that lies elsewhere, because a copy would share it with its donor.
Result<uint64_t> measure(const MemberConfig& donor, const std::string& data_dir) {
  const Engine engine = donor.engine;
  const auto owner = sys::owner_of(data_dir);
  const sys::ActAs as_server(owner ? owner : server_identity(donor));
  uint64_t bytes = 0;
  std::error_code error;
  for (auto it = fs::recursive_directory_iterator(data_dir, error); it != fs::recursive_directory_iterator();
       it.increment(error)) {
    if (error) break;
    const std::string name = it->path().filename().string();
    struct stat info{};
    if (::lstat(it->path().c_str(), &info) != 0) continue;  // a temporary file that is gone
    const bool tablespace = it->path().parent_path().filename() == "pg_tblspc";
    if (name.ends_with(".isl") || (S_ISLNK(info.st_mode) && (engine != Engine::postgres || tablespace)))
      return no_donor(it->path().string() + " says that a part of the data is outside of the data directory",
                      "move it inside; a copy would share it with the donor");
    if (!is_left_out(engine, name)) bytes += static_cast<uint64_t>(info.st_blocks) * 512;
  }
  if (error) return fail(sys::errno_error(error.value(), "reading " + data_dir).with_context("the donor's data"));
  return bytes;
}

Status check_same_cluster(const MemberConfig& member, const MemberConfig& donor, const std::string& name) {
  if (donor.member == name && donor.cluster == member.cluster && donor.ns == member.ns && donor.engine == member.engine)
    return {};
  return no_donor(fmt::format("what answers as {} is {} of {}/{}, not a member of {}/{}", name, donor.member, donor.ns,
                              donor.cluster, member.ns, member.cluster));
}

}  // namespace

Result<Donor> find_donor(const MemberConfig& member, const std::string& name, Deadline deadline, std::stop_token stop) {
  if (name == member.member) return no_donor(name + " cannot be its own donor");
  if (!member.find_peer(name)) {
    std::string all;
    for (const auto& peer : member.peers)
      if (peer.name != member.member) all += (all.empty() ? "" : ", ") + peer.name;
    return no_donor(fmt::format("{} knows no member '{}'", member.member, name), "one of: " + all);
  }
  if (const Peer& peer = *member.find_peer(name); !peer.agent.empty()) {
    auto donor = ask_donor(member, peer, deadline, stop);
    if (!donor) return fail(std::move(donor).error().with_context("the donor " + name));
    TRY_VOID(check_same_cluster(member, donor->config, name));
    return donor;
  }
  auto config = read_config((fs::path(member.dir).parent_path() / name).string());
  if (!config) return fail(std::move(config).error().with_context("the donor " + name));
  TRY_VOID(check_same_cluster(member, *config, name));
  auto donor = describe_donor(std::move(*config), deadline, std::move(stop));
  if (!donor && donor.error().id != "agent.donor")
    return fail(std::move(donor).error().with_context("the donor " + name));
  return donor;
}

Result<Donor> describe_donor(MemberConfig config, Deadline deadline, std::stop_token stop) {
  Donor donor;
  donor.config = std::move(config);
  const MemberConfig& d = donor.config;
  donor.socket = TRY(detail::admin_target(d));
  if (d.engine == Engine::postgres) {
    auto connection = TRY(sql::PostgresConnection::connect(donor.socket, deadline, stop));
    donor.data_dir = TRY(connection.query("SHOW data_directory", deadline, stop)).text("data_directory");
  } else {
    auto connection = TRY(sql::MariadbConnection::connect(donor.socket, deadline, stop));
    donor.data_dir = TRY(connection.query("SELECT @@GLOBAL.datadir AS d", deadline, stop)).text("d");
    if (d.engine == Engine::galera) {
      auto state = TRY(connection.query("SHOW GLOBAL STATUS LIKE 'wsrep_local_state_comment'", deadline, stop));
      auto primary = TRY(connection.query("SHOW GLOBAL STATUS LIKE 'wsrep_cluster_status'", deadline, stop));
      if (state.text("Value") != "Synced" || primary.text("Value") != "Primary")
        return no_donor(fmt::format("{} is {} in a {} component, not Synced in a Primary one", d.member,
                                    state.text("Value"), primary.text("Value")));
    }
  }
  while (donor.data_dir.size() > 1 && donor.data_dir.back() == '/') donor.data_dir.pop_back();
  donor.bytes = TRY(measure(d, donor.data_dir));
  return donor;
}

Status check_space(const MemberConfig& config, uint64_t needed, uint64_t reserve) {
  struct statvfs info{};
  const std::string home = config.data_home();
  if (::statvfs(home.c_str(), &info) != 0) return fail(sys::errno_error(errno, "statvfs " + home));
  const uint64_t free = static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  if (free >= needed && free - needed >= reserve) return {};
  return fail(ErrorClass::refused, "agent.no_space",
              fmt::format("the copy needs {} bytes and {} in reserve, and the volume of {} has {} free", needed,
                          reserve, home, free),
              "free some space there; nothing was touched");
}

}  // namespace holdfast::agent
