#include "cluster/server_words.h"

#include <algorithm>
#include <charconv>

#include "position/gtid_vector.h"

namespace holdfast::cluster {

namespace {

/// The GTID behind these words.
std::optional<position::MariaGtid> gtid_after(std::string_view text, std::string_view words) {
  const auto at = text.find(words);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + words.size());
  auto gtid = position::MariaGtid::parse(text.substr(0, text.find_first_not_of("0123456789-")));
  return gtid ? std::optional(*gtid) : std::nullopt;
}

}  // namespace

std::optional<std::pair<int, int>> release_of(Engine engine, std::string_view version) {
  if (version.starts_with("5.5.5-")) version.remove_prefix(6);  // what MariaDB 10 says to old clients
  std::pair<int, int> release{0, 0};
  auto [at, error] = std::from_chars(version.data(), version.data() + version.size(), release.first);
  if (error != std::errc()) return std::nullopt;
  if (engine == Engine::postgres) return release;
  if (at == version.data() + version.size() || *at != '.') return std::nullopt;
  if (std::from_chars(at + 1, version.data() + version.size(), release.second).ec != std::errc()) return std::nullopt;
  return release;
}

bool turns_account_away(int number) {
  return number == 1045 || number == 1130 || number == 1698 || number == 1862 || number == 3118 || number == 4151;
}

bool refuses_what_it_logged(int number, std::string_view error) {
  constexpr int kOutOfOrder = 1950;
  if (number != kOutOfOrder) return false;
  const auto refused = gtid_after(error, "attempt was made to binlog GTID ");
  const auto there = gtid_after(error, "with existing GTID ");
  return refused && there && refused->domain == there->domain && refused->server == there->server &&
         refused->seq <= there->seq;
}

bool refuses_what_it_logged(Engine engine, const MemberFacts& member) {
  return engine == Engine::mariadb && std::ranges::any_of(member.following, [](const Following& f) {
           return refuses_what_it_logged(f.apply_errno, f.apply_error);
         });
}

bool noted_late(Engine engine, const MemberFacts& member) {
  return refuses_what_it_logged(engine, member) && has_atomic_ddl(member.version) && member.unnoted &&
         member.unnoted->is_only(ErrantClass::ddl);
}

bool has_atomic_ddl(std::string_view version) {
  return release_of(Engine::mariadb, version) >= std::pair(10, 6);
}

std::string logged_behind(std::string_view binlog_state, std::string_view slave_pos) {
  const auto state = position::GtidState::parse(binlog_state);
  const auto noted = position::GtidVector::parse(slave_pos);
  if (!state || !noted) return "";
  std::string text;
  for (const auto& last : state->entries()) {
    const uint64_t seq = noted->of_domain(last.domain).seq;
    if (last.seq <= seq) continue;
    text += (text.empty() ? "" : ",") + position::MissingRange{last.domain, last.server, seq, last.seq}.to_string();
  }
  return text;
}

std::optional<Errant> logged_beside_source(Engine engine, const MemberFacts& member) {
  if (!refuses_what_it_logged(engine, member) || noted_late(engine, member)) return std::nullopt;
  if (member.unnoted && member.unnoted->any()) return member.unnoted;
  Errant errant;
  errant.transactions = logged_behind(member.executed, member.slave_pos);
  return errant.any() ? std::optional(errant) : std::nullopt;
}

}  // namespace holdfast::cluster
