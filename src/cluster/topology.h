// Which member it is that a replica follows, that follows, that a view lists or that an address leads to. Pure: no
// names are looked up here, no clock.
//
// A server has several names: another network, a name of DNS, a port that is published. So texts like "db1:3306" are
// never compared; what they stand for is. From strong to weak:
//   MySQL       Source_UUID against server_uuid
//   MariaDB     Master_Server_Id against server_id, as long as one member alone has it and neither the address nor the
//               list of that member's replicas speaks against it
//   PostgreSQL  the system identifier, the replication slot in use, the application_name among a member's standbys
//   Galera      the uuid of the node, then its name
//   all         addresses: described, aliases, those to which the described names lead (asked by the observer), those
//               that the server says of itself, and all of its machine where an agent lists them
// localhost, a loopback address or a socket stands for the machine that says it.
//
// There are three answers. Unknown is not absent: that something is no member needs proof: the number of a server that
// no member has, or an address that none of them has where all addresses of all of them are known.
// (docs/decisions/0018-topology.md)
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/addresses.h"
#include "cluster/facts.h"

namespace holdfast::cluster {

/// A member, none of them, or not known. Members are told by their place in DatabaseCluster::members.
class Who {
 public:
  static Who is_member(size_t member, std::string how) { return {Kind::member, {member}, std::move(how)}; }
  static Who is_outside(std::string how) { return {Kind::outside, {}, std::move(how)}; }
  /// One of these, or none of the cluster.
  static Who one_of(std::set<size_t> candidates, std::string why) {
    return {Kind::unknown, std::move(candidates), std::move(why)};
  }

  std::optional<size_t> member() const {
    return kind_ == Kind::member ? std::optional(*candidates_.begin()) : std::nullopt;
  }
  bool is(size_t i) const { return member() == i; }
  /// Proven to be none of the cluster.
  bool outside() const { return kind_ == Kind::outside; }
  bool unknown() const { return kind_ == Kind::unknown; }
  /// It is this one, or not known not to be.
  bool may_be(size_t i) const { return candidates_.contains(i); }
  /// The member; of an unknown one those that it may be.
  const std::set<size_t>& candidates() const { return candidates_; }
  /// By what it is known, or why it is not.
  const std::string& how() const { return how_; }

 private:
  enum class Kind { member, outside, unknown };
  Who(Kind kind, std::set<size_t> candidates, std::string how)
      : kind_(kind), candidates_(std::move(candidates)), how_(std::move(how)) {}

  Kind kind_;
  std::set<size_t> candidates_;
  std::string how_;
};

/// Refers to `cluster` and to the facts, which must outlive it and must not move.
class Topology {
 public:
  /// `facts`: of any members, in any order; none where nothing was looked at.
  explicit Topology(const DatabaseCluster& cluster, const std::vector<MemberFacts>& facts = {});
  Topology(const DatabaseCluster& cluster, const std::vector<const MemberFacts*>& facts);

  /// Whom member `self` follows by this connection.
  Who source(size_t self, const Following& stream) const;
  /// The source that its agent is configured with; unknown, without candidates, where no agent says.
  Who wanted(size_t self) const;
  /// Where "host:port" leads for member `self`.
  Who at(size_t self, std::string_view address) const;
  /// Who it is that is connected to member `of` as a replica.
  Who follower(size_t of, const Follower& follower) const;
  /// A node of a Galera view. One whose uuid nobody has any more is told by name and address: it was started again.
  Who node(const GaleraFacts::Node& node) const;

  std::optional<size_t> find(std::string_view member) const;
  const MemberName& name(size_t i) const { return cluster_.members[i].name; }
  size_t size() const { return known_.size(); }
  /// Whether two members' servers share one loopback; nullopt = not known.
  std::optional<bool> one_machine(size_t a, size_t b) const;

 private:
  /// From whom a name or address is, from the best word to the least.
  enum class Word { described, resolved, server, machine };
  struct Endpoint {
    std::string host;
    int port = 0;
    Word word = Word::described;
  };
  struct Known {
    const MemberFacts* facts = nullptr;  ///< null where it was not looked at, or is another member's server
    std::string host;                    ///< as described; "" = by a socket only
    bool here = false;                   ///< described from its own machine: by a socket or a loopback address
    std::set<std::string> home;          ///< IP addresses of `host`
    std::set<std::string> loopback;      ///< loopback addresses to which it is bound
    std::vector<Endpoint> endpoints;
    std::set<std::string> interfaces;  ///< all addresses of its machine; empty = not known
    std::set<int> local_ports;         ///< where its server listens, as seen on its own machine
    bool port_known = false;           ///< they are its own word, its agent's, or seen from its own machine
  };
  using Members = std::set<size_t>;

  void learn(size_t i, const MemberFacts* facts);
  void add(Known& known, const std::string& host, int port, Word word);
  std::set<std::string> leads_to(const std::string& host) const;
  bool leads_to_itself(size_t self, const std::string& host, const std::set<std::string>& ips) const;
  bool all_known_of(size_t i) const { return !known_[i].interfaces.empty() && known_[i].port_known; }
  Members everybody() const { return {same_as_.begin(), same_as_.end()}; }
  bool has_address(size_t i, const std::string& ip) const;

  std::string uuid_of(size_t i) const;
  std::optional<uint64_t> server_id_of(size_t i) const;
  /// Whether `source` lists `self` among its replicas; nullopt = not known.
  std::optional<bool> serves(size_t source, size_t self, const Following& stream) const;
  bool has_another_stream_from(size_t self, const Following& stream, size_t source) const;

  Who by_uuid(const Following& stream, const Who& address) const;
  Who by_server_id(size_t self, const Following& stream, const Who& address) const;
  Who by_walsender(size_t self, const Following& stream, const Who& address) const;
  Who follower_by_number(const Follower& follower) const;
  Who standby(size_t of, const Follower& follower) const;

  const DatabaseCluster& cluster_;
  std::vector<Known> known_;
  std::vector<size_t> same_as_;  ///< each member, or the one whose server it turned out to be
  std::map<std::string, std::set<std::string>> resolved_;
};

/// Two descriptions have led to one server: it says the same of itself, and was started at one time.
bool is_same_server(const MemberFacts& a, const MemberFacts& b);

}  // namespace holdfast::cluster
