#include "position/gtid_vector.h"

#include <fmt/format.h>

#include <algorithm>

#include "position/scanner.h"

namespace holdfast::position {

namespace {

Result<MariaGtid> scan_gtid(Scanner& scanner) {
  MariaGtid gtid;
  gtid.domain = static_cast<uint32_t>(TRY(scanner.number("a domain id", 0, UINT32_MAX)));
  if (!scanner.take('-')) return scanner.error("expected '-' and a server id");
  gtid.server = static_cast<uint32_t>(TRY(scanner.number("a server id", 0, UINT32_MAX)));
  if (!scanner.take('-')) return scanner.error("expected '-' and a sequence number");
  gtid.seq = TRY(scanner.number("a sequence number", 0, UINT64_MAX));
  return gtid;
}

/// Calls take(gtid, scanner at its beginning) -> Status for each of a list with commas.
template <class Take>
Status scan_list(std::string_view text, std::string_view what, Take take) {
  Scanner scanner(text, what);
  scanner.skip_space();
  if (scanner.at_end()) return {};
  do {
    scanner.skip_space();
    const Scanner before = scanner;
    const MariaGtid gtid = TRY(scan_gtid(scanner));
    TRY_VOID(take(gtid, before));
    scanner.skip_space();
  } while (scanner.take(','));
  if (!scanner.at_end()) return scanner.error("expected ','");
  return {};
}

std::string join(const std::vector<MariaGtid>& gtids) {
  std::string text;
  for (const MariaGtid& gtid : gtids) {
    if (!text.empty()) text += ',';
    text += gtid.to_string();
  }
  return text;
}

/// Rules V1 to V4 for one domain; a sequence number 0 stands for none.
Order compare_domain(const MariaGtid& a, const MariaGtid& b) {
  if (a.seq == 0 || b.seq == 0 || a.server == b.server) return order_of(a.seq > b.seq, b.seq > a.seq);
  return a.seq == b.seq ? Order::diverged : Order::incomparable;
}

}  // namespace

Result<MariaGtid> MariaGtid::parse(std::string_view text) {
  Scanner scanner(text, "GTID");
  MariaGtid gtid = TRY(scan_gtid(scanner));
  if (!scanner.at_end()) return scanner.error("nothing may follow");
  return gtid;
}

std::string MariaGtid::to_string() const {
  return fmt::format("{}-{}-{}", domain, server, seq);
}

Result<GtidVector> GtidVector::parse(std::string_view text) {
  GtidVector vector;
  TRY_VOID(scan_list(text, "GTID position", [&](const MariaGtid& gtid, const Scanner& at) -> Status {
    if (vector.domains_.contains(gtid.domain)) return at.error(fmt::format("domain {} comes twice", gtid.domain));
    vector.set(gtid);
    return {};
  }));
  return vector;
}

std::string GtidVector::to_string() const {
  return join(entries());
}

std::vector<MariaGtid> GtidVector::entries() const {
  std::vector<MariaGtid> result;
  result.reserve(domains_.size());
  for (const auto& [domain, gtid] : domains_) result.push_back(gtid);
  return result;
}

MariaGtid GtidVector::of_domain(uint32_t domain) const {
  const auto found = domains_.find(domain);
  return found == domains_.end() ? MariaGtid{domain, 0, 0} : found->second;
}

void GtidVector::set(const MariaGtid& gtid) {
  if (gtid.seq == 0) {
    domains_.erase(gtid.domain);
  } else {
    domains_[gtid.domain] = gtid;
  }
}

Order compare(const GtidVector& a, const GtidVector& b) {
  Order order = Order::equal;
  for (const MariaGtid& gtid : a.entries()) order = both(order, compare_domain(gtid, b.of_domain(gtid.domain)));
  for (const MariaGtid& gtid : b.entries()) {
    if (a.of_domain(gtid.domain).seq == 0) order = both(order, Order::before);
  }
  return order;
}

std::string MissingRange::to_string() const {
  const MariaGtid last{domain, server, up_to_seq};
  if (after_seq + 1 == up_to_seq) return last.to_string();
  return MariaGtid{domain, server, after_seq + 1}.to_string() + ".." + last.to_string();
}

Result<GtidState> GtidState::parse(std::string_view text) {
  GtidState state;
  TRY_VOID(scan_list(text, "GTID state", [&](const MariaGtid& gtid, const Scanner& at) -> Status {
    if (state.seq_of(gtid.domain, gtid.server) != 0)
      return at.error(fmt::format("domain {} with server {} comes twice", gtid.domain, gtid.server));
    state.record(gtid);
    return {};
  }));
  return state;
}

GtidState GtidState::from(const GtidVector& vector) {
  GtidState state;
  for (const MariaGtid& gtid : vector.entries()) state.record(gtid);
  return state;
}

std::string GtidState::to_string() const {
  return join(entries());
}

std::vector<MariaGtid> GtidState::entries() const {
  std::vector<MariaGtid> result;
  for (const auto& [domain, in] : domains_) {
    for (const auto& [server, seq] : in.servers)
      if (server != in.last) result.push_back({domain, server, seq});
    result.push_back({domain, in.last, in.servers.at(in.last)});
  }
  return result;
}

GtidVector GtidState::last() const {
  GtidVector vector;
  for (const auto& [domain, in] : domains_) vector.set({domain, in.last, in.servers.at(in.last)});
  return vector;
}

uint64_t GtidState::seq_of(uint32_t domain, uint32_t server) const {
  const auto in = domains_.find(domain);
  if (in == domains_.end()) return 0;
  const auto entry = in->second.servers.find(server);
  return entry == in->second.servers.end() ? 0 : entry->second;
}

bool GtidState::contains(const MariaGtid& gtid) const {
  return seq_of(gtid.domain, gtid.server) >= gtid.seq;
}

bool GtidState::contains(const GtidVector& vector) const {
  const auto entries = vector.entries();
  return std::all_of(entries.begin(), entries.end(), [this](const MariaGtid& gtid) { return contains(gtid); });
}

std::vector<MissingRange> GtidState::missing_from(const GtidState& other) const {
  std::vector<MissingRange> result;
  for (const auto& [domain, in] : domains_) {
    for (const auto& [server, seq] : in.servers) {
      const uint64_t theirs = other.seq_of(domain, server);
      if (theirs < seq) result.push_back({domain, server, theirs, seq});
    }
  }
  return result;
}

void GtidState::record(const MariaGtid& gtid) {
  if (gtid.seq == 0) return;
  Domain& in = domains_[gtid.domain];
  in.servers[gtid.server] = gtid.seq;
  in.last = gtid.server;
}

GtidState GtidState::merge(const GtidState& other) const {
  GtidState result = *this;
  for (const auto& [domain, theirs] : other.domains_) {
    const auto mine = domains_.find(domain);
    if (mine == domains_.end()) {
      result.domains_[domain] = theirs;
      continue;
    }
    Domain& in = result.domains_[domain];
    for (const auto& [server, seq] : theirs.servers) in.servers[server] = std::max(in.servers[server], seq);
    if (mine->second.last == theirs.last) continue;
    for (const auto& [server, seq] : in.servers)
      if (seq >= in.servers[in.last]) in.last = server;
  }
  return result;
}

Order compare(const GtidState& a, const GtidState& b) {
  return order_of(!b.contains(a), !a.contains(b));
}

}  // namespace holdfast::position
