#include "tests/interop/interop.h"

#include <unistd.h>

#include <filesystem>
#include <map>

namespace holdfast::test {
namespace {

Outcome expecting(const Command& command, int expected) {
  Outcome outcome;
  try {
    outcome = run(command);
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
    return outcome;
  }
  std::string line;
  for (const auto& word : command.argv) line += word + " ";
  EXPECT_EQ(outcome.code, expected) << line << "\n" << outcome.describe();
  return outcome;
}

Command at(Command command, const std::string& repository) {
  command.argv.push_back("-r");
  command.argv.push_back(repository);
  return command;
}

}  // namespace

void Interop::SetUp() {
  NEED_PEER("restic");
  ASSERT_EQ(::access(holdfast_program().c_str(), X_OK), 0) << holdfast_program() << " is not built";
}

// A `--` in the arguments ends the flags: -r goes before it.
static Command placed(Command command, const std::string& repository) {
  for (size_t i = 0; i < command.argv.size(); ++i) {
    if (command.argv[i] != "--") continue;
    command.argv.insert(command.argv.begin() + static_cast<std::ptrdiff_t>(i), {"-r", repository});
    return command;
  }
  return at(std::move(command), repository);
}

Outcome Interop::holdfast_at(const std::string& repository, Args args, int expected) {
  return expecting(placed(box.holdfast(std::move(args)), repository), expected);
}
Outcome Interop::restic_at(const std::string& repository, Args args, int expected) {
  return expecting(placed(box.restic(std::move(args)), repository), expected);
}
Outcome Interop::holdfast(Args args, int expected) {
  return holdfast_at(repo, std::move(args), expected);
}
Outcome Interop::restic(Args args, int expected) {
  return restic_at(repo, std::move(args), expected);
}

Outcome Interop::holdfast_stream(const std::string& content, const std::string& name, Args more) {
  auto command = at(box.holdfast({"backup", "--stdin", "--path", name}), repo);
  command.argv.insert(command.argv.end(), more.begin(), more.end());
  command.stdin_text = content;
  return expecting(command, 0);
}

Outcome Interop::restic_stream(const std::string& content, const std::string& name, Args more) {
  auto command = at(box.restic({"backup", "--stdin", "--stdin-filename", name}), repo);
  command.argv.insert(command.argv.end(), more.begin(), more.end());
  command.stdin_text = content;
  return expecting(command, 0);
}

void Interop::init_by(const std::string& tool, const Args& init) {
  // An init costs a second or two of key derivation on purpose: each kind is made once and then copied.
  static Sandbox kept("interop-made");
  static std::map<Args, std::string> made;
  Args kind = init;
  kind.push_back(tool);
  auto& original = made[kind];
  if (original.empty()) {
    const auto place = kept.path(std::to_string(made.size()));
    tool == "restic" ? restic_at(place, init) : holdfast_at(place, init);
    if (HasFailure()) return;
    use_cheap_key(box, place);
    original = place;
  }
  std::filesystem::copy(original, repo, std::filesystem::copy_options::recursive);
}

void Interop::init_by_holdfast(Args more) {
  more.insert(more.begin(), {"repo", "init"});
  init_by("holdfast", more);
}

void Interop::init_by_restic(Args more) {
  more.insert(more.begin(), "init");
  init_by("restic", more);
}

void Interop::expect_clean() {
  SCOPED_TRACE("both programs check " + repo);
  restic({"check", "--read-data"});
  holdfast({"check", "--read-data"});
}

std::string some_dump(size_t size, unsigned seed) {
  std::string text;
  text.reserve(size + 200);
  uint64_t state = seed * 0x9e3779b97f4a7c15ull + 1;
  const auto next = [&] { return state = state * 6364136223846793005ull + 1442695040888963407ull, state >> 20; };
  for (unsigned row = 0; text.size() < size; ++row) {
    text += "(" + std::to_string(row) + ",'" + std::to_string(next()) + "','status-" + std::to_string(next() % 7) +
            "'," + std::to_string(next() % 100'000) + ",'2026-11-" + std::to_string(10 + next() % 20) + "')" +
            (row % 5000 == 4999 ? ";\n" : ",");
  }
  text.resize(size);
  return text;
}

}  // namespace holdfast::test
