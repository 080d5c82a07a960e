// holdfast explain: the runbook page of a diagnosis, as it stands in docs/runbook.
#include <fmt/format.h>

#include "cli/runbook.h"
#include "cli/suggest.h"
#include "cli/verbs.h"
#include "cluster/triage.h"

namespace holdfast::cli {

Exit run_explain(Context& context) {
  const auto& words = context.options.positionals();
  if (words.empty()) {
    Table table({"DIAGNOSIS", "SEVERITY", "MEANS"});
    codec::Value list{codec::Value::List()};
    for (const auto& rule : cluster::all_rules()) {
      table.row({std::string(rule.id), std::string(cluster::severity_name(rule.severity)), std::string(rule.title)});
      list.push(codec::Value::object({{"id", rule.id},
                                      {"severity", cluster::severity_name(rule.severity)},
                                      {"verdict", cluster::verdict_name(rule.verdict)},
                                      {"action", cluster::action_name(rule.action)},
                                      {"title", rule.title}}));
    }
    table.print(context.out);
    context.out.set_data(codec::Value::object({{"diagnoses", list}}));
    return {};
  }
  const std::string_view page = runbook_page(words[0]);
  if (page.empty()) {
    std::vector<std::string> ids;
    for (const auto& rule : cluster::all_rules()) ids.emplace_back(rule.id);
    const auto close = nearest(words[0], ids);
    return fail(
        ErrorClass::usage, "explain.unknown", fmt::format("there is no diagnosis '{}'", words[0]),
        close.empty() ? "holdfast explain (without a word) lists them" : fmt::format("holdfast explain {}", close));
  }
  context.out.line(page);
  context.out.set_data(codec::Value::object({{"id", words[0]}, {"page", page}}));
  return {};
}

}  // namespace holdfast::cli
