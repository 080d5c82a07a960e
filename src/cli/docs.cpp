// holdfast docs (hidden): writes the generated reference pages into a source tree.
#include "agent/protocol.h"
#include "cli/help_text.h"
#include "cli/verbs.h"
#include "sys/file.h"

namespace holdfast::cli {

Exit run_docs(Context& context) {
  const std::string top = context.options.positionals().at(0);
  codec::Value::List written;
  auto write = [&](const std::string& path, const std::string& text) -> Status {
    TRY_VOID(sys::make_directories(path.substr(0, path.rfind('/')), 0755));
    TRY_VOID(sys::publish_file(path, as_bytes(text), 0644));
    written.emplace_back(path);
    context.out.line(path);
    return {};
  };
  TRY_VOID(write(top + "/docs/reference/cli.md", reference_markdown()));
  TRY_VOID(write(top + "/docs/reference/agent-protocol.md", agent::protocol_page()));
  TRY_VOID(write(top + "/man/holdfast.1", man_page(nullptr)));
  for (const auto* command : shown_commands()) {
    std::string name(command->path);
    for (char& c : name) c = c == ' ' ? '-' : c;
    TRY_VOID(write(top + "/man/holdfast-" + name + ".1", man_page(command)));
  }
  context.out.set_data(codec::Value::object({{"files", std::move(written)}}));
  return {};
}

}  // namespace holdfast::cli
