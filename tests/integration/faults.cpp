#include "tests/integration/faults.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <sstream>

namespace holdfast::test {

using codec::Value;
using std::chrono::seconds;

namespace {

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> list;
  for (std::string word; in >> word;) list.push_back(word);
  return list;
}

std::string authority_of(const Value& data, const Patient& p) {
  std::string text = data["authority"].text();
  const std::string member = data["authorityMember"].text();
  return member.empty() ? text : text + " " + member.substr(p.cluster().size() + 1);
}

/// "" when the report says what the fault is, else what it says instead.
std::string difference(const Fault& fault, const Patient& p, const Patient::Look& look) {
  std::string wrong;
  auto say = [&](std::string text) { wrong += "    " + std::move(text) + "\n"; };
  if (look.exit_code != fault.exit_code) say(fmt::format("exit code {}, not {}", look.exit_code, fault.exit_code));
  std::set<std::string> expected(fault.also.begin(), fault.also.end());
  for (const auto& line : fault.diagnoses) {
    const auto parts = words(line);
    expected.insert(parts[0]);
    std::set<std::string> wanted, seen;
    for (size_t i = 1; i < parts.size(); ++i) wanted.insert(p.name(std::stoi(parts[i])));
    bool found = false;
    for (const auto& d : look.data["diagnoses"].items()) {
      if (d["id"].text() != parts[0]) continue;
      found = true;
      for (const auto& member : d["members"].items()) seen.insert(member.text());
    }
    if (!found)
      say("no diagnosis " + parts[0]);
    else if (seen != wanted)
      say(fmt::format("{} names {}, not {}", parts[0], fmt::join(seen, ","), fmt::join(wanted, ",")));
  }
  for (const auto& d : look.data["diagnoses"].items()) {
    const bool grave = d["severity"].text() == "error" || d["severity"].text() == "critical";
    if (grave && !expected.contains(d["id"].text())) say("also said " + d["id"].text() + ": " + d["summary"].text());
  }
  for (const auto& m : look.data["members"].items()) {
    std::string is = fmt::format("{} {} {}", m["ordinal"].integer(), m["verdict"].text(), m["action"].text());
    std::string should = fmt::format("{} healthy nothing", m["ordinal"].integer());
    for (const auto& line : fault.members)
      if (line.starts_with(fmt::format("{} ", m["ordinal"].integer()))) should = line;
    if (should.ends_with(" *")) is = is.substr(0, is.rfind(' ')) + " *";
    if (is != should) say(fmt::format("member {}, not {} ({})", is, should, m["sentence"].text()));
  }
  const auto is = authority_of(look.data, p);
  const bool any =
      fault.authority.ends_with(" *") && is.starts_with(fault.authority.substr(0, fault.authority.size() - 1));
  if (!any && is != fault.authority) say("authority " + is + ", not " + fault.authority);
  return wrong;
}

}  // namespace

void run_faults(Patient& p, const std::vector<Fault>& faults) {
  const char* only = std::getenv("HOLDFAST_FAULT");
  std::string table;
  size_t good = 0, all = 0;
  for (const auto& fault : faults) {
    if (only && fault.name.find(only) == std::string::npos) continue;
    SCOPED_TRACE(fault.name);
    ++all;
    const auto begun = std::chrono::steady_clock::now();
    const auto since = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count(); };
    fault.inject(p);
    const double injected = since();
    std::string wrong, lie;
    Patient::Look look;
    int looks = 0;
    const bool right = *sys::wait_until(
        [&] {
          look = p.triage();
          ++looks;
          wrong = difference(fault, p, look);
          const std::string authority = authority_of(look.data, p);
          if (lie.empty() && fault.authority.starts_with("provable") && !fault.authority.ends_with("*") &&
              authority.starts_with("provable") && authority != fault.authority)
            lie = authority;
          return wrong.empty();
        },
        Deadline::in(seconds(15)));
    const double seen = since();
    EXPECT_TRUE(right) << p.cluster() << ", " << fault.name << ":\n" << wrong << look.text;
    EXPECT_TRUE(lie.empty()) << "meanwhile it said authority " << lie;
    if (!right)
      for (int i = 0; i < p.size(); ++i)
        if (auto log = sys::read_file(p.dir(i) + "/log/server.log"))
          fmt::print("{} log of {}:\n{}\n", fault.name, p.name(i),
                     as_text(log->span()).substr(log->size() > 3000 ? log->size() - 3000 : 0));
    if (fault.undo)
      fault.undo(p);
    else
      p.restore();
    Patient::Look after;
    const bool healthy =
        *sys::wait_until([&] { return (after = p.triage()).exit_code == 0; }, Deadline::in(seconds(40)));
    EXPECT_TRUE(healthy) << "not healthy after undoing " << fault.name << "\n" << after.text;
    const bool ok = right && healthy && lie.empty();
    good += ok;
    table += fmt::format("  {:4} {:52} inject {:4.1f} s, right after {} looks {:4.1f} s, healthy {:4.1f} s\n{}",
                         ok ? "ok" : "FAIL", fault.name, injected, looks, seen - injected, since() - seen,
                         right ? "" : wrong);
    if (!healthy) p.restore();
  }
  fmt::print("{}: {} of {} faults told right\n{}", p.cluster(), good, all, table);
  EXPECT_GT(all, 0u) << "HOLDFAST_FAULT names no fault of " << p.cluster();
}

}  // namespace holdfast::test
