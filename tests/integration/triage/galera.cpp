#include "tests/integration/triage/galera.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace holdfast::test::galera {

using std::chrono::seconds;

std::string status(Patient& p, int i, const std::string& variable) {
  return p.try_sql(
      i, {"SELECT variable_value FROM information_schema.global_status WHERE variable_name = '" + variable + "'"},
      seconds(10));
}

void await_status(Patient& p, int i, const std::string& variable, const std::string& value) {
  await(
      fmt::format("{} of {} is {}", variable, p.name(i), value), [&] { return status(p, i, variable) == value; },
      seconds(60));
}

void be_quick(Patient& p) {
  for (int i = 0; i < p.size(); ++i)
    p.sql(i, {"SET GLOBAL wsrep_provider_options = 'evs.suspect_timeout=PT2S;evs.inactive_timeout=PT4S'"});
}

void isolate(Patient& p, int i, bool on) {
  p.sql(i, {fmt::format("SET GLOBAL wsrep_provider_options = 'gmcast.isolate={}'", on ? 1 : 0)});
}

std::string grastate(Patient& p, int i) {
  return p.data(i) + "/grastate.dat";
}

void replace_line(const std::string& path, const std::string& key, const std::string& line) {
  const std::string text = text_of(path);
  const size_t at = text.find(key), end = text.find('\n', at);
  ASSERT_NE(at, std::string::npos) << path << " has no " << key;
  rewrite(path, text.substr(0, at) + line + text.substr(end));
}

void make_foreign(Patient& p, int i) {
  replace_line(grastate(p, i), "uuid:", "uuid:    11111111-2222-3333-4444-555555555555");
}

void forget_history(Patient& p, int i) {
  replace_line(grastate(p, i), "uuid:", "uuid:    00000000-0000-0000-0000-000000000000");
  replace_line(grastate(p, i), "seqno:", "seqno:   -1");
}

}  // namespace holdfast::test::galera
