// holdfast help: texts from the command table.
#include <fmt/format.h>

#include "cli/help_text.h"
#include "cli/run.h"
#include "cli/suggest.h"
#include "cli/verbs.h"

namespace holdfast::cli {

Status show_help(Output& out, std::string_view topic) {
  std::string text;
  const Command* command = find_command(topic);
  if (topic.empty()) {
    text = overview_text();
  } else if (topic == "exit-codes") {
    text = exit_codes_text();
  } else if (command && has_verb(command->path)) {
    text = command_text(*command);
  } else if (const auto* group = find_group(topic)) {
    text = group_text(*group);
  } else {
    std::vector<std::string> topics{"exit-codes"};
    for (const auto* shown : shown_commands()) topics.emplace_back(shown->path);
    auto near = nearest(topic, topics);
    return fail(ErrorClass::usage, "cli.unknown_command", fmt::format("no help on '{}'", topic),
                near.empty() ? "holdfast help lists the commands" : "did you mean: holdfast help " + near);
  }
  if (out.is_human()) {
    text.pop_back();
    out.line(text);
    return {};
  }
  codec::Value::List list;
  for (const auto* shown : shown_commands()) {
    if (!topic.empty() && shown->path != topic && !shown->path.starts_with(std::string(topic) + " ")) continue;
    list.push_back(codec::Value::object({{"command", shown->path}, {"summary", shown->summary}}));
  }
  out.set_data(codec::Value::object({{"text", text}, {"commands", std::move(list)}}));
  return {};
}

Exit run_help(Context& context) {
  std::string topic;
  for (const auto& word : context.options.positionals()) topic += (topic.empty() ? "" : " ") + word;
  return show_help(context.out, topic);
}

}  // namespace holdfast::cli
