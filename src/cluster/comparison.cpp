#include "cluster/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

namespace holdfast::cluster {

using codec::Value;

bool Comparison::covers(std::string_view member) const {
  return std::ranges::find(members, member) != members.end();
}

bool Comparison::differs(std::string_view member) const {
  return std::ranges::any_of(differences, [&](const Difference& d) { return d.member == member; });
}

Value comparison_value(const Comparison& c) {
  Value differences{Value::List()};
  for (const auto& d : c.differences)
    differences.push(Value::object({{"member", d.member},
                                    {"table", d.table},
                                    {"range", d.range},
                                    {"what", d.what},
                                    {"keys", Value::list_of(d.keys)}}));
  return Value::object({{"finished", c.finished},
                        {"reference", c.reference},
                        {"members", Value::list_of(c.members)},
                        {"positions", Value::list_of(c.positions)},
                        {"tables", c.tables},
                        {"rows", c.rows},
                        {"equal", c.differences.empty()},
                        {"differences", differences},
                        {"notCompared", Value::list_of(c.not_compared)}});
}

Result<Comparison> parse_comparison(const Value& document) {
  Comparison c;
  const auto texts = [](const Value& list) {
    std::vector<std::string> found;
    for (const auto& item : list.items()) found.push_back(item.text());
    return found;
  };
  c.finished = document["finished"].integer();
  c.reference = document["reference"].text();
  c.members = texts(document["members"]);
  c.positions = texts(document["positions"]);
  c.tables = document["tables"].unsigned_integer();
  c.rows = document["rows"].unsigned_integer();
  c.not_compared = texts(document["notCompared"]);
  for (const auto& d : document["differences"].items())
    c.differences.push_back(
        {d["member"].text(), d["table"].text(), d["range"].text(), d["what"].text(), texts(d["keys"])});
  if (c.finished <= 0 || c.reference.empty() || c.members.size() < 2)
    return fail(ErrorClass::failed, "compare.record", "the record of the last comparison cannot be read",
                "run holdfast compare again");
  return c;
}

std::string minute_text(int64_t seconds) {
  const std::chrono::sys_seconds at{std::chrono::seconds(seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{at - day};
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                     time.minutes().count());
}

std::string comparison_sentence(const Comparison& c) {
  std::string text = fmt::format("contents were compared {}", minute_text(c.finished));
  if (c.positions.size() == 1 && !c.positions[0].empty() && c.positions[0].size() <= 60)
    text += " at " + c.positions[0];
  if (c.differences.empty()) return text + fmt::format(": {} members equal in {} tables", c.members.size(), c.tables);
  std::set<std::string> members, tables;
  for (const auto& d : c.differences) {
    members.insert(d.member);
    tables.insert(d.table);
  }
  std::string names;
  for (const auto& name : members) names += (names.empty() ? "" : ", ") + name;
  return text + fmt::format(": {} differ{} from {} in {} table{}", names, members.size() == 1 ? "s" : "", c.reference,
                            tables.size(), tables.size() == 1 ? "" : "s");
}

}  // namespace holdfast::cluster
