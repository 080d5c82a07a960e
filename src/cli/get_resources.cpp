// holdfast get policies and holdfast get repositories: resources of --config and of the state directory.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cli/verbs.h"
#include "codec/yaml.h"
#include "lab/lab.h"
#include "sys/file.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

Result<std::vector<codec::Value>> documents_of_kind(Context& context, std::string_view kind) {
  std::vector<std::string> files;
  std::error_code ignored;
  auto add = [&](const std::string& path) {
    if (!fs::is_directory(path, ignored)) {
      files.push_back(path);
      return;
    }
    std::vector<std::string> inside;
    for (const auto& entry : fs::directory_iterator(path, ignored)) {
      const auto extension = entry.path().extension();
      if (extension == ".yaml" || extension == ".yml") inside.push_back(entry.path().string());
    }
    std::ranges::sort(inside);
    files.insert(files.end(), inside.begin(), inside.end());
  };
  for (const auto& path : context.options.list("config")) add(path);
  std::string state = context.options.text("state-dir");
  if (state.empty()) state = lab::default_state_dir();
  if (fs::is_directory(state + "/clusters", ignored)) add(state + "/clusters");
  std::vector<codec::Value> found;
  for (const auto& file : files) {
    auto text = sys::read_file(file);
    if (!text)
      return fail(ErrorClass::usage, "config.unreadable", text.error().message, "see --config and HOLDFAST_CONFIG");
    for (auto& document : TRY(codec::parse_yaml(as_text(*text)).context(file))) {
      if (document["kind"].text() == kind) found.push_back(std::move(document));
    }
  }
  return found;
}

std::string text_of(const codec::Value& value) {
  if (value.is_text()) return value.text();
  return value.is_null() ? "-" : codec::to_json(value);
}

}  // namespace

Exit run_get_policies(Context& context) {
  const auto documents = TRY(documents_of_kind(context, "BackupPolicy"));
  Table table({"NAME", "MODE", "BACKUP SCHEDULE", "TRIAGE SCHEDULE", "RETENTION", "REPOSITORIES"});
  for (const auto& document : documents) {
    const auto& spec = document["spec"];
    table.row({document["metadata"]["name"].text(), text_of(spec["mode"]), text_of(spec["backupSchedule"]),
               text_of(spec["triageSchedule"]), text_of(spec["retention"]), text_of(spec["repositories"])});
  }
  context.out.set_data(codec::Value::object({{"policies", codec::Value(documents)}}));
  table.empty() ? context.out.line("no policies") : table.print(context.out);
  return {};
}

Exit run_get_repositories(Context& context) {
  const auto documents = TRY(documents_of_kind(context, "BackupRepository"));
  Table table({"NAME", "REPOSITORY"});
  for (const auto& document : documents) {
    table.row({document["metadata"]["name"].text(), text_of(document["spec"]["restic"]["repository"])});
  }
  context.out.set_data(codec::Value::object({{"repositories", codec::Value(documents)}}));
  table.empty() ? context.out.line("no repositories") : table.print(context.out);
  return {};
}

}  // namespace holdfast::cli
