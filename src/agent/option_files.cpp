#include "agent/option_files.h"

#include <filesystem>
#include <sstream>

#include "engine/stored/files.h"

namespace holdfast::agent {

namespace fs = std::filesystem;

namespace {

constexpr size_t kMostFiles = 100;

std::string trimmed(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

}  // namespace

OptionFiles option_files(const std::vector<std::string>& arguments,
                         const std::function<std::string(const std::string&)>& at) {
  OptionFiles found;
  std::vector<std::string> named = {"/etc/my.cnf", "/etc/mysql/my.cnf"};
  for (const auto& argument : arguments) {
    if (argument.starts_with("--defaults-file=")) named = {argument.substr(16)};
    if (argument.starts_with("--defaults-extra-file=")) named.push_back(argument.substr(22));
    if (argument == "--no-defaults") return {};
  }
  // Files that are added at the end are read after those before them.
  for (size_t i = 0; i < named.size() && i < kMostFiles; ++i) {
    const auto text = engine::stored::read_small(at(named[i]));
    if (!text) continue;
    found.files.push_back(named[i]);
    std::istringstream lines(*text);
    for (std::string line; std::getline(lines, line);) {
      const size_t begin = line.find_first_not_of(" \t");
      if (begin == std::string::npos || line[begin] != '!') continue;
      std::istringstream words(line.substr(begin));
      std::string verb, path;
      words >> verb >> std::ws;
      std::getline(words, path);
      path = trimmed(std::move(path));
      std::error_code error;
      if (verb == "!includedir" && fs::is_directory(at(path), error)) found.directories.push_back(path);
      if (verb == "!include") named.push_back(path);
    }
  }
  return found;
}

}  // namespace holdfast::agent
