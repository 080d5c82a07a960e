#include "tests/integration/triage/faults.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>

#include "lab/content.h"
#include "lab/hosts.h"
#include "tests/support/require.h"
#include "tests/support/sample.h"

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
    if (should.ends_with(" * *"))
      is = fmt::format("{} * *", m["ordinal"].integer());
    else if (should.ends_with(" *"))
      is = is.substr(0, is.rfind(' ')) + " *";
    if (is != should) say(fmt::format("member {}, not {} ({})", is, should, m["sentence"].text()));
  }
  const auto is = authority_of(look.data, p);
  const bool any =
      fault.authority.ends_with(" *") && is.starts_with(fault.authority.substr(0, fault.authority.size() - 1));
  if (!any && is != fault.authority) say("authority " + is + ", not " + fault.authority);
  return wrong;
}

/// What triage says, in a few lines: the whole document would bury it.
std::string brief(const Value& data) {
  std::string text = "    it says:\n";
  for (const auto& m : data["members"].items())
    text += fmt::format("      {} {} {}: {}\n", m["ordinal"].integer(), m["verdict"].text(), m["action"].text(),
                        m["sentence"].text());
  for (const auto& d : data["diagnoses"].items())
    text += fmt::format("      {} {}: {}\n", d["severity"].text(), d["id"].text(), d["summary"].text());
  return text;
}

/// The end of every member's log.
std::string logs(Patient& p) {
  std::string text;
  for (int i = 0; i < p.size(); ++i)
    if (auto log = sys::read_file(p.dir(i) + "/log/server.log")) {
      const std::string_view whole = as_text(log->span());
      text += fmt::format("    end of the log of {}:\n{}\n", p.name(i),
                          whole.substr(whole.size() > 2000 ? whole.size() - 2000 : 0));
    }
  return text;
}

/// The plan these arguments make now.
Value plan_now(Patient& p, std::vector<std::string> command) {
  command.insert(command.end(), {"--dry-run", "-o", "json"});
  const auto dry = p.lab().holdfast(command);
  EXPECT_EQ(dry.exit_code, 0) << dry.out << dry.err;
  const auto document = codec::parse_value(dry.out).value_or(Value());
  return document["data"]["plan"];
}

/// What the plan asks to be accepted, bound to it.
std::vector<std::string> acceptances(const Value& plan) {
  std::vector<std::string> asked;
  for (const auto& loss : plan["losses"].items())
    asked.push_back("--accept=" + loss["acceptance"].text() + "@" + plan["hash"].text().substr(0, 12));
  EXPECT_FALSE(asked.empty()) << "the plan asks for no acceptance: " << codec::to_json(plan);
  return asked;
}

/// Every member holds what the one that takes writes holds, and that has every acknowledged row.
void expect_nothing_lost(Patient& p) {
  const std::string leader = p.triage().data["leader"].text();
  int source = 0;
  for (int i = 0; i < p.size(); ++i)
    if (p.name(i) == leader) source = i;
  p.stop_writer();
  lab::Content wanted, is;
  for (int i = 0; i < p.size(); ++i) {
    if (i == source) continue;
    // What a replica missed while it was down it applies no faster than it was written.
    const bool equal = *sys::wait_until([&] { return (wanted = p.content(source)) == (is = p.content(i)); },
                                        Deadline::in(seconds(120)));
    EXPECT_TRUE(equal) << p.name(i) << " differs from " << p.name(source);
    for (const auto& [table, sum] : wanted)
      if (is[table] != sum) ADD_FAILURE() << table << ": " << is[table] << ", not " << sum;
  }
  EXPECT_GT(wanted.size(), 3u);
  const auto lost = p.acknowledged_rows_missing(source);
  EXPECT_TRUE(lost.empty()) << lost.size() << " acknowledged rows are not on " << p.name(source) << ", the first is "
                            << lost[0];
  p.start_writer();
}

/// One attempt. True when the cluster is healed by it.
bool attempt_repair(Patient& p, const Fault& fault, const std::string& attempt, std::string& said) {
  const auto colon = attempt.rfind(": ");
  const std::string outcome = colon == std::string::npos ? attempt : attempt.substr(colon + 2);
  auto arguments = words(colon == std::string::npos ? "" : attempt.substr(0, colon));
  std::vector<std::string> command = {"repair", "-c", p.cluster()};
  if (!arguments.empty() && arguments[0] == "bootstrap") {
    command[0] = "bootstrap";
    arguments.erase(arguments.begin());
  }
  command.insert(command.end(), {"-r", p.repository()});
  const bool accept = std::erase(arguments, "ACCEPT") > 0;
  command.insert(command.end(), arguments.begin(), arguments.end());
  const auto asking = command;
  Value shown;
  if (accept) {
    shown = plan_now(p, asking);
    const auto asked = acceptances(shown);
    command.insert(command.end(), asked.begin(), asked.end());
  }
  command.insert(command.end(), {"-o", "json"});
  const auto begun = std::chrono::steady_clock::now();
  const auto result = p.lab().holdfast(command);
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  said += fmt::format("{}{} {:.1f} s", said.empty() ? "" : ", ", attempt, took);
  EXPECT_LT(took, 180) << attempt;
  const auto document = codec::parse_value(result.out).value_or(Value());
  const auto& errors = document["errors"].items();
  const std::string id = errors.empty() ? "" : errors[0]["id"].text();
  const std::string operation = document["data"]["operation"].text();
  if (id == "operation.plan_changed")
    ADD_FAILURE() << "accepted: " << codec::to_json(shown) << "\nplanned now: " << codec::to_json(plan_now(p, asking));
  const std::string all = fmt::format(
      "{}: {}\n{}\n{}{}", attempt, result.exit_code,
      errors.empty() ? codec::to_json(document["data"]["plan"]) : codec::to_json(document["errors"]), result.err,
      document["data"].find("after") ? "    after it\n" + brief(document["data"]["after"]) : "");
  if (outcome.starts_with("healed")) {
    EXPECT_EQ(result.exit_code, 0) << all;
    const size_t plans_wanted = outcome == "healed" ? 1 : std::stoul(outcome.substr(outcome.find(" by ") + 4));
    EXPECT_EQ(document["data"]["further"].items().size() + 1, plans_wanted) << all;
    EXPECT_NE(operation, "") << all;
    auto plans = document["data"]["further"];
    plans.push(document["data"]);
    for (const auto& done : plans.items()) {
      const auto& steps = done["plan"]["steps"].items();
      if (std::ranges::none_of(steps, [](const Value& step) { return step["kind"].text() == "take_escrow"; })) continue;
      const auto kept = p.lab().holdfast({"get", "snapshots", "-r", p.repository(), "--tag",
                                          "type=escrow,job=" + done["operation"].text(), "-o", "json"});
      EXPECT_EQ((codec::parse_value(kept.out).value_or(Value()))["data"]["snapshots"].items().size(), 1u) << kept.out;
    }
    return result.exit_code == 0;
  }
  if (outcome == "partial") {
    EXPECT_EQ(id, "repair.partial") << all;
    EXPECT_NE(operation, "") << all;
    return false;
  }
  if (outcome == "failed") {
    EXPECT_EQ(id, "operation.failed_undone") << all;
    return false;
  }
  if (outcome == "nothing") {
    EXPECT_EQ(result.exit_code, 0) << all;
    EXPECT_EQ(operation, "") << all;
    return false;
  }
  // "one|another": which it is depends on what the writer has done meanwhile.
  EXPECT_NE(("|" + outcome + "|").find("|" + id + "|"), std::string::npos) << all;
  EXPECT_NE(id, "") << all;
  if (outcome != "operation.failed_undone") {
    EXPECT_EQ(operation, "") << all;
  }
  EXPECT_FALSE(!errors.empty() && errors[0]["hint"].text().empty()) << "no hint: " << all;
  // Nothing has changed.
  std::string wrong;
  Patient::Look look;
  EXPECT_TRUE(*sys::wait_until([&] { return (wrong = difference(fault, p, look = p.triage())).empty(); },
                               Deadline::in(seconds(45))))
      << "after " << attempt << ":\n"
      << wrong << brief(look.data);
  return false;
}

/// The faults this run tries: those HOLDFAST_FAULT names, or all, or a quarter of the list, another one each time.
std::vector<Fault> chosen(const std::vector<Fault>& faults) {
  std::vector<Fault> some;
  if (const char* only = std::getenv("HOLDFAST_FAULT")) {
    std::ranges::copy_if(faults, std::back_inserter(some), [&](const auto& f) { return f.name.contains(only); });
    return some;
  }
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  const std::vector<std::string> kinds(faults.size(), "");
  const std::string what = std::string(test->test_suite_name()) + "." + test->name();
  for (const size_t i : sample(std::getenv("HOLDFAST_HOSTS") ? "Hosts/" + what : what, kinds, 0.25))
    some.push_back(faults[i]);
  return some;
}

/// Whether it says what is wrong, and not only what comes and goes beside it (a server that starts).
bool names_one_of(const Fault& fault, const Patient::Look& look) {
  return std::ranges::any_of(look.data["diagnoses"].items(), [&](const codec::Value& d) {
    return std::ranges::any_of(fault.diagnoses, [&](const std::string& expected) {
      return expected.substr(0, expected.find(' ')) == d["id"].text();
    });
  });
}

/// A verdict "healthy" later than this after the injection is a lie, and so is one after the fault was seen.
constexpr double kHealthyForSeconds = 10;

void run_faults(Patient& p, const std::vector<Fault>& faults) {
  std::string table;
  size_t good = 0, all = 0;
  for (const auto& fault : faults) {
    SCOPED_TRACE(fault.name);
    ++all;
    const auto failures = [] {
      return ::testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
    };
    const int failures_before = failures();
    const auto begun = std::chrono::steady_clock::now();
    const auto since = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count(); };
    fault.inject(p);
    const double injected = since();
    const bool took = failures() == failures_before;  // what it did not do cannot be told
    std::string wrong = took ? "" : "    the injection failed\n", lie, said, healthy_again;
    double healthy_until = 0;
    bool shown = false;
    Patient::Look look;
    int looks = 0;
    const bool right =
        took && *sys::wait_until(
                    [&] {
                      look = p.triage();
                      ++looks;
                      wrong = difference(fault, p, look);
                      if (const auto more = fault.check ? fault.check(p, look) : std::string(); !more.empty())
                        wrong += "    " + more + "\n";
                      if (fault.exit_code != 0 && look.exit_code == 0) {
                        healthy_until = since() - injected;
                        if (shown || healthy_until > kHealthyForSeconds)
                          healthy_again = fmt::format("{:.1f} s after the injection{}", healthy_until,
                                                      shown ? ", when it had been seen" : "");
                      }
                      shown = shown || names_one_of(fault, look);
                      const std::string authority = authority_of(look.data, p);
                      if (lie.empty() && fault.authority.starts_with("provable") && !fault.authority.ends_with("*") &&
                          authority.starts_with("provable") && authority != fault.authority)
                        lie = authority;
                      return wrong.empty();
                    },
                    Deadline::in(seconds(45)));
    const double seen = since();
    EXPECT_TRUE(right) << p.cluster() << ", " << fault.name << ":\n" << wrong << brief(look.data);
    EXPECT_TRUE(lie.empty()) << "meanwhile it said authority " << lie;
    EXPECT_TRUE(healthy_again.empty()) << "it said that all is healthy " << healthy_again;
    if (!right) fmt::print("{}", logs(p));
    bool healed = false;
    for (const auto& attempt : fault.repair)
      if (right && !healed) healed = attempt_repair(p, fault, attempt, said);
    if (healed) expect_nothing_lost(p);
    if (healed && fault.tidy)
      fault.tidy(p);
    else if (!healed && fault.undo)
      fault.undo(p);
    else if (!healed)
      p.restore();
    Patient::Look after;
    const bool healthy =
        *sys::wait_until([&] { return (after = p.triage()).exit_code == 0; }, Deadline::in(seconds(90)));
    EXPECT_TRUE(healthy) << "not healthy after " << (healed ? "repairing " : "undoing ") << fault.name << "\n"
                         << brief(after.data);
    const bool ok = failures() == failures_before;
    good += ok;
    table += fmt::format("  {:4} {:52} inject {:4.1f} s, right after {} looks {:4.1f} s{}, {}, done {:4.1f} s\n{}",
                         ok ? "ok" : "FAIL", fault.name, injected, looks, seen - injected,
                         healthy_until > 0 ? fmt::format(" (healthy until {:.1f} s)", healthy_until) : "",
                         said.empty() ? "no repair tried" : said, since() - seen, right ? "" : wrong);
    if (ok) continue;
    p.restore();  // the next one is not to suffer
    (void)sys::wait_until([&] { return p.triage().exit_code == 0; }, Deadline::in(seconds(90)));
  }
  fmt::print("{}: {} of {} faults told and repaired right\n{}", p.cluster(), good, all, table);
}

}  // namespace

std::string words_of(const Patient::Look& look, const std::string& diagnosis) {
  for (const auto& d : look.data["diagnoses"].items()) {
    if (d["id"].text() != diagnosis) continue;
    std::string text = d["summary"].text() + "\n" + d["remedy"].text();
    for (const auto& line : d["evidence"].items()) text += "\n" + line.text();
    return text;
  }
  return {};
}

std::string lacks(const std::string& text, const std::vector<std::string>& parts) {
  std::string missing;
  for (const auto& part : parts)
    if (text.find(part) == std::string::npos) missing += fmt::format("'{}' is not in: {}\n", part, text);
  return missing;
}

namespace {

std::map<int, int64_t> frozen_pids;

int64_t server_pid(Patient& p, int i) {
  return p.agent(i, "status")["server"]["pid"].integer(-1);
}

}  // namespace

std::function<void(Patient&)> freeze(int i) {
  return [i](Patient& p) {
    frozen_pids[i] = server_pid(p, i);
    ASSERT_GT(frozen_pids[i], 1);
    p.freeze(i);
  };
}

std::function<void(Patient&)> is_same_process(int i) {
  return [i](Patient& p) { EXPECT_EQ(server_pid(p, i), frozen_pids[i]) << "it was started anew"; };
}

Fault started_by_hand(int i, const std::string& authority) {
  const auto inject = [i](Patient& p) {
    const pid_t pid = p.start_outside(i);
    // What its agent is asked to do to the directory meanwhile it refuses, naming the process.
    for (const char* op : {"stop", "set_aside", "start"}) {
      const auto reply = p.agent(i, op, codec::Value::object(), true);
      EXPECT_EQ(reply["error"]["id"].text(), "agent.in_use") << op;
      EXPECT_NE(reply["error"]["message"].text().find(std::to_string(pid)), std::string::npos) << op;
    }
    EXPECT_EQ(p.try_sql(i, {"SELECT 1"}, seconds(5)), "1") << "its socket is still there";
  };
  const auto undo = [i](Patient& p) {
    p.stop_outside(i);
    p.start(i);
  };
  return {.name = "server started by hand",
          .inject = inject,
          .diagnoses = {fmt::format("server-outside-agent {}", i)},
          .members = {fmt::format("{} broken nothing", i)},
          .authority = authority,
          .undo = undo,
          .repair = {"repair.outside_agent", fmt::format("-i {}: repair.outside_agent", i)}};
}

std::function<void(Patient&)> sql_on(int i, std::vector<std::string> statements) {
  return [i, statements](Patient& p) { p.sql(i, statements); };
}

void run_faults_on(const std::string& cluster, std::vector<Fault> faults) {
  const char* hosts = std::getenv("HOLDFAST_HOSTS");
  if (hosts) {
    HOLDFAST_NEED("root", lab::can_have_hosts(), "network namespaces need root, and a container that allows them");
    std::erase_if(faults, [](const Fault& fault) { return fault.one_machine; });
    HOLDFAST_NEED("fault", !faults.empty(), "all of these are about one machine");
  }
  ASSERT_FALSE(faults.empty());
  const auto now = chosen(faults);
  HOLDFAST_NEED("fault", !now.empty(), "HOLDFAST_FAULT names none of these");
  LabGuard lab;
  Patient patient(lab, cluster);
  ASSERT_TRUE(patient.prepare(hosts ? std::atoi(hosts) : 0));
  run_faults(patient, now);
}

}  // namespace holdfast::test
