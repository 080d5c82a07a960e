// A cluster of the lab whose agents also listen on the network, and callers who know it by that alone: they have a
// certificate and the cluster's file, run as another user where the test is root, and could not read a member's files.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/client.h"
#include "agent/config.h"
#include "net/pki.h"
#include "tests/integration/repair_world.h"

namespace holdfast::test {

class NetworkWorld : public RepairWorld {
 public:
  NetworkWorld(cluster::Engine engine, const std::string& cluster, int members)
      : RepairWorld(engine, cluster), engine_(engine), members_(members) {}

  /// With `authority` certificates of that directory, which is made where it is missing.
  void up();
  /// holdfast VERB -c orders ARGS... -o json of a caller with that role.
  RunResult caller(net::Role role, const std::string& verb, std::vector<std::string> args = {});
  /// Program and arguments run as the caller's user.
  RunResult as_caller(std::vector<std::string> argv);
  agent::Address address(int i, net::Role role) const;
  /// Where the callers' files are: certificates, the cluster's file orders-ROLE.yaml, their repository.
  const std::string& home() const { return home_->path(); }
  std::string member_dir(int i) const { return lab.state_dir() + "/lab/" + cluster() + "/" + name(i); }
  std::string pki() const { return lab.state_dir() + "/pki"; }
  std::string certificate(net::Role role) const { return home() + "/" + std::string(net::role_name(role)); }

 private:
  void listen();
  void write_callers();
  const cluster::Engine engine_;
  const int members_;
  std::map<int, int> ports_;
  std::optional<sys::TempDir> home_;
};

}  // namespace holdfast::test
