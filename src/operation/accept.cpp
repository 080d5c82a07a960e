#include "operation/accept.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>
#include <set>

namespace holdfast::operation {

namespace {

constexpr size_t kShortHash = 12;

std::string flags_of(const std::vector<std::string>& names, std::string_view hash) {
  std::string text;
  for (const auto& name : names) text += fmt::format("{}--accept={}@{}", text.empty() ? "" : " ", name, hash);
  return text;
}

}  // namespace

Result<Acceptance> parse_acceptance(std::string_view text) {
  const auto bad = [&](std::string why) {
    return fail(ErrorClass::usage, "operation.bad_acceptance", fmt::format("--accept={}: {}", text, why),
                "write --accept=NAME, NAME:ARGUMENT, and @HASH of the plan at the end to bind it to that plan");
  };
  Acceptance acceptance;
  const auto at = text.rfind('@');
  acceptance.name = text.substr(0, at);
  if (at != std::string_view::npos) {
    acceptance.hash = text.substr(at + 1);
    std::ranges::transform(acceptance.hash, acceptance.hash.begin(),
                           [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 'a' - 'A') : c; });
    if (acceptance.hash.size() < kShortHash || acceptance.hash.size() > 64 ||
        acceptance.hash.find_first_not_of("0123456789abcdef") != std::string::npos)
      return bad("what follows the @ is not a plan hash");
  }
  const auto colon = acceptance.name.find(':');
  if (colon == 0 || acceptance.name.empty()) return bad("it has no name");
  if (colon == acceptance.name.size() - 1) return bad("there is nothing after the colon");
  return acceptance;
}

Status check_acceptances(const Plan& plan, const std::vector<std::string>& given) {
  std::vector<Acceptance> acceptances;
  for (const auto& text : given) acceptances.push_back(TRY(parse_acceptance(text)));
  const std::string hash = plan_hash(plan), shown = hash.substr(0, kShortHash);
  std::set<std::string> needed, accepted;
  for (const Loss& loss : plan.losses) needed.insert(loss.acceptance);
  for (const Acceptance& acceptance : acceptances) {
    if (!acceptance.hash.empty() && !hash.starts_with(acceptance.hash)) {
      return fail(ErrorClass::refused, "operation.plan_changed",
                  fmt::format("{} was accepted for plan {}, but the plan is now {}", acceptance.name,
                              acceptance.hash.substr(0, kShortHash), shown),
                  "look at the plan again with --dry-run, and accept what it says now");
    }
  }
  for (const Acceptance& acceptance : acceptances) {
    if (!needed.contains(acceptance.name)) {
      return fail(ErrorClass::usage, "operation.acceptance_not_needed",
                  fmt::format("--accept={} is not needed: plan {} {}", acceptance.name, shown,
                              needed.empty() ? "loses nothing" : fmt::format("asks for {}", fmt::join(needed, ", "))),
                  "leave it out; a danger is accepted only where there is one");
    }
    accepted.insert(acceptance.name);
  }
  std::vector<std::string> missing, sentences;
  bool adds = true;
  for (const Loss& loss : plan.losses) {
    if (accepted.contains(loss.acceptance)) continue;
    adds = adds && loss.adds();
    missing.push_back(loss.acceptance);
    sentences.push_back(loss.what);
  }
  if (missing.empty()) return {};
  return fail(ErrorClass::refused, "operation.not_accepted",
              fmt::format("plan {} would {} what was not accepted: {}", shown, adds ? "write" : "lose",
                          fmt::join(sentences, "; ")),
              "if that is wanted, add " + flags_of(missing, shown));
}

}  // namespace holdfast::operation
