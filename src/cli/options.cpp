#include "cli/options.h"

#include <stdexcept>

namespace holdfast::cli {

const Options::Entry& Options::entry(std::string_view name) const {
  auto found = entries_.find(name);
  if (found == entries_.end()) throw std::logic_error("the command table has no flag --" + std::string(name) + " here");
  return found->second;
}

bool Options::flag(std::string_view name) const {
  const auto& values = entry(name).values;
  return !values.empty() && values.back() == "true";
}

int Options::count(std::string_view name) const {
  const auto& values = entry(name).values;
  return values.empty() ? 0 : std::stoi(values.back());
}

std::string Options::text(std::string_view name) const {
  return maybe(name).value_or("");
}

std::optional<std::string> Options::maybe(std::string_view name) const {
  const auto& values = entry(name).values;
  if (values.empty()) return std::nullopt;
  return values.back();
}

std::vector<std::string> Options::list(std::string_view name) const {
  return entry(name).values;
}

std::optional<int64_t> Options::integer(std::string_view name) const {
  const auto& values = entry(name).values;
  if (values.empty()) return std::nullopt;
  return std::stoll(values.back());
}

bool Options::given(std::string_view name) const {
  const auto source = entry(name).source;
  return source == OptionSource::command_line || source == OptionSource::environment;
}

}  // namespace holdfast::cli
