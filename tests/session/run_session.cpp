// Runs one transcript against the program.
//
//   # comment
//   env NAME=VALUE            for all later commands ("env NAME=" removes it)
//   file NAME                 writes the lines up to "end" to a file in the session's directory
//   $ command line            run by sh in an empty directory of its own, with build/holdfast as `holdfast`
//   exit N                    its exit code (0 when not said)
//   | text                    one line of standard output; every line must be there, in order
//   ! text                    one line of standard error; the same
//   |... / !...               any number of lines
//
// In text lines, `*` stands for any run of characters. Output that is expected by no line of its kind is an error only
// when at least one line of that kind is given; with none, standard error must be empty and standard output is free.
#include <sys/stat.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "sys/file.h"
#include "tests/support/program.h"

namespace {

using holdfast::test::RunOptions;

struct Step {
  size_t line = 0;
  std::string command;
  int exit_code = 0;
  std::vector<std::string> out, err;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::stringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

bool matches(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p, ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

constexpr const char* kAnyLines = "...";

bool all_match(const std::vector<std::string>& expected, size_t e, const std::vector<std::string>& lines, size_t l) {
  if (e == expected.size()) return l == lines.size();
  if (expected[e] == kAnyLines) {
    for (size_t next = l; next <= lines.size(); ++next) {
      if (all_match(expected, e + 1, lines, next)) return true;
    }
    return false;
  }
  return l < lines.size() && matches(expected[e], lines[l]) && all_match(expected, e + 1, lines, l + 1);
}

bool run_step(const Step& step, const RunOptions& options, const std::string& transcript) {
  const auto result = holdfast::test::run_program({"/bin/sh", "-c", step.command}, options);
  std::vector<std::string> problems;
  if (result.timed_out) problems.push_back("ran out of time");
  if (result.exit_code != step.exit_code) {
    problems.push_back("exit code " + std::to_string(result.exit_code) + ", expected " +
                       std::to_string(step.exit_code));
  }
  if (!step.out.empty() && !all_match(step.out, 0, lines_of(result.out), 0))
    problems.push_back("standard output differs");
  if (step.err.empty() ? !result.err.empty() : !all_match(step.err, 0, lines_of(result.err), 0)) {
    problems.push_back("standard error differs");
  }
  if (problems.empty()) return true;
  std::cerr << transcript << ":" << step.line << ": $ " << step.command << "\n";
  for (const auto& problem : problems) std::cerr << "  " << problem << "\n";
  std::cerr << "--- standard output\n" << result.out << "--- standard error\n" << result.err << "---\n";
  return false;
}

int run_transcript(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    std::cerr << path << ": cannot be read\n";
    return 2;
  }
  auto folder = holdfast::sys::TempDir::create("session");
  if (!folder) {
    std::cerr << folder.error().to_string() << "\n";
    return 2;
  }
  RunOptions options;
  options.directory = folder->path();
  const std::string binary = holdfast::test::holdfast_binary();
  options.env = {{"PATH", binary.substr(0, binary.rfind('/')) + ":" + (std::getenv("PATH") ? std::getenv("PATH") : "")},
                 {"HOME", folder->path()},
                 {"XDG_CACHE_HOME", folder->path() + "/.cache"}};
  for (const char* name :
       {"RESTIC_REPOSITORY", "RESTIC_PASSWORD", "RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND",
        "HOLDFAST_BACKUPS_PATH", "HOLDFAST_OUTPUT", "HOLDFAST_CONFIG", "HOLDFAST_STATE_DIR", "NO_COLOR"}) {
    options.env[name] = "";
  }
  std::vector<Step> steps;
  size_t failed = 0, ran = 0, number = 0;
  auto flush = [&] {
    for (const auto& step : steps) {
      ++ran;
      if (!run_step(step, options, path)) ++failed;
    }
    steps.clear();
  };
  for (std::string line; std::getline(file, line);) {
    ++number;
    auto after = [&](size_t count) { return line.size() > count ? line.substr(count) : std::string(); };
    if (line.empty() || line.starts_with("#")) continue;
    if (line.starts_with("$ ")) {
      flush();
      steps.push_back({number, after(2), 0, {}, {}});
    } else if (line.starts_with("env ")) {
      flush();
      const auto equals = line.find('=');
      options.env[line.substr(4, equals - 4)] = line.substr(equals + 1);
    } else if (line.starts_with("file ")) {
      flush();
      std::ofstream target(options.directory + "/" + after(5));
      while (std::getline(file, line) && line != "end") ++number, target << line << "\n";
      ++number;
    } else if (steps.empty()) {
      std::cerr << path << ":" << number << ": not inside a command: " << line << "\n";
      return 2;
    } else if (line.starts_with("exit ")) {
      steps.back().exit_code = std::stoi(after(5));
    } else if (line == "|..." || line == "!...") {
      (line[0] == '|' ? steps.back().out : steps.back().err).push_back(kAnyLines);
    } else if (line[0] == '|' || line[0] == '!') {
      (line[0] == '|' ? steps.back().out : steps.back().err)
          .push_back(after(line.size() > 1 && line[1] == ' ' ? 2 : 1));
    } else {
      std::cerr << path << ":" << number << ": what is this: " << line << "\n";
      return 2;
    }
  }
  flush();
  std::cout << path << ": " << ran << " commands, " << failed << " failed\n";
  return failed == 0 && ran > 0 ? 0 : 1;
}

// docs/reference and man/ of the source tree must be what the program writes today.
int check_reference(const std::string& binary, const std::string& source) {
  auto folder = holdfast::sys::TempDir::create("reference");
  if (!folder) return 2;
  auto written = holdfast::test::run_program({binary, "docs", folder->path()});
  if (written.exit_code != 0) {
    std::cerr << written.err;
    return 1;
  }
  int stale = 0;
  for (const auto& path : lines_of(written.out)) {
    const std::string relative = path.substr(folder->path().size());
    std::stringstream now, then;
    now << std::ifstream(path).rdbuf();
    then << std::ifstream(source + relative).rdbuf();
    if (now.str() != then.str()) {
      std::cerr << "stale: " << relative.substr(1) << " (run: make docs)\n";
      ++stale;
    }
  }
  return stale == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && std::string(argv[1]) == "--reference") return check_reference(argv[2], argv[3]);
  if (argc == 2) return run_transcript(argv[1]);
  std::cerr << "usage: run_session TRANSCRIPT | --reference HOLDFAST SOURCE_TREE\n";
  return 2;
}
