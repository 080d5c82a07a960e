#include "cli/parser.h"

#include <gtest/gtest.h>

#include <set>

#include "cli/progress.h"
#include "cli/repository_options.h"
#include "cli/run.h"
#include "cli/suggest.h"
#include "cli/verbs.h"
#include "sys/file.h"

namespace holdfast::cli {
namespace {

const Environment kNoEnv{std::map<std::string, std::string, std::less<>>{}};

struct Captured {
  std::string out, err;
  int code = 0;
};

Captured run_in_process(const std::vector<std::string>& args, const Environment& env = kNoEnv) {
  Captured captured;
  Streams streams;
  streams.out = [&](std::string_view text) { captured.out += text; };
  streams.err = [&](std::string_view text) { captured.err += text; };
  captured.code = run(args, env, streams, {});
  return captured;
}

TEST(CommandTable, names_and_shorthands_are_unique_per_command) {
  for (const auto& command : commands()) {
    std::set<std::string> seen;
    for (const auto& flag : flags_of(command)) {
      EXPECT_TRUE(seen.insert("--" + std::string(flag.name)).second) << command.path << " --" << flag.name;
      for (auto alias : flag.aliases)
        EXPECT_TRUE(seen.insert("--" + std::string(alias)).second) << command.path << " --" << alias;
      if (flag.shorthand) {
        EXPECT_TRUE(seen.insert(std::string("-") + flag.shorthand).second) << command.path << " -" << flag.shorthand;
      }
      const bool takes_value = flag.type != FlagType::boolean && flag.type != FlagType::count;
      EXPECT_EQ(takes_value, !flag.value_name.empty()) << command.path << " --" << flag.name;
      EXPECT_EQ(flag.type == FlagType::choice, !flag.choices.empty()) << command.path << " --" << flag.name;
      EXPECT_FALSE(flag.help.ends_with('.')) << command.path << " --" << flag.name;
    }
    for (auto words = std::string(command.path); words.find(' ') != std::string::npos;) {
      words = words.substr(0, words.rfind(' '));
      EXPECT_TRUE(find_group(words) || find_command(words)) << command.path;
    }
  }
}

TEST(CommandTable, a_flag_that_takes_a_value_takes_one_everywhere) {
  // Finding the command words relies on it: "holdfast -r x backup".
  std::map<std::string, bool> takes;
  for (const auto& command : commands()) {
    for (const auto& flag : flags_of(command)) {
      const bool value = flag.type != FlagType::boolean && flag.type != FlagType::count;
      std::vector<std::string> names{"--" + std::string(flag.name)};
      if (flag.shorthand) names.push_back(std::string("-") + flag.shorthand);
      for (const auto& name : names) {
        auto [at, fresh] = takes.emplace(name, value);
        EXPECT_EQ(at->second, value) << command.path << " " << name;
      }
    }
  }
}

Options parsed(std::vector<std::string> args, const Environment& env = kNoEnv) {
  auto invocation = parse(args, env);
  EXPECT_TRUE(invocation.has_value()) << (invocation ? "" : invocation.error().message);
  return invocation ? std::move(invocation->options) : Options();
}

TEST(Parser, flags_before_and_after_the_command) {
  auto options = parsed({"-o", "json", "version", "-vv", "--no-color=false"});
  EXPECT_EQ(options.text("output"), "json");
  EXPECT_EQ(options.count("verbose"), 2);
  EXPECT_FALSE(options.flag("no-color"));
  EXPECT_TRUE(options.given("no-color"));
  EXPECT_FALSE(options.given("quiet"));
}

TEST(Parser, a_choice_that_may_stand_alone) {
  EXPECT_EQ(parsed({"restore", "--verify", "--into", "x"}).text("verify"), "files");
  EXPECT_EQ(parsed({"restore", "--into", "x", "--verify"}).text("verify"), "files");
  EXPECT_EQ(parsed({"restore", "--verify", "rows", "--into", "x"}).text("verify"), "rows");
  EXPECT_EQ(parsed({"--verify", "checksums", "restore"}).text("verify"), "checksums");
  EXPECT_EQ(parsed({"--verify", "restore", "--into", "x"}).text("verify"), "files");
  EXPECT_FALSE(parsed({"restore", "--into", "x"}).given("verify"));
  EXPECT_FALSE(parse({"restore", "--verify=row"}, kNoEnv).has_value());
}

TEST(Parser, explicit_flag_wins_over_environment_wins_over_default) {
  EXPECT_EQ(parsed({"version"}).text("output"), "human");
  Environment env{std::map<std::string, std::string, std::less<>>{{"HOLDFAST_OUTPUT", "yaml"}}};
  auto options = parsed({"version"}, env);
  EXPECT_EQ(options.text("output"), "yaml");
  EXPECT_EQ(options.source("output"), OptionSource::environment);
  EXPECT_EQ(options.origin("output"), "$HOLDFAST_OUTPUT");
  EXPECT_EQ(parsed({"version", "-ojson"}, env).text("output"), "json");
}

TEST(Parser, usage_errors_name_what_is_wrong) {
  struct Case {
    std::vector<std::string> args;
    int code;
    std::string id;
  };
  for (const auto& [args, code, id] : std::vector<Case>{{{"versoin"}, 2, "cli.unknown_command"},
                                                        {{"version", "--ouput", "json"}, 2, "cli.unknown_flag"},
                                                        {{"version", "--output"}, 2, "cli.flag_value"},
                                                        {{"version", "--output", "x"}, 2, "cli.value"},
                                                        {{"version", "--quiet=maybe"}, 2, "cli.value"},
                                                        {{"completion"}, 2, "cli.missing_argument"},
                                                        {{"completion", "bash", "zsh"}, 2, "cli.extra_argument"},
                                                        {{"-v"}, 2, "cli.no_command"},
                                                        {{"version", "-f"}, 3, "cli.force_replaced"}}) {
    auto captured = run_in_process(args);
    EXPECT_EQ(captured.code, code) << args[0];
    EXPECT_TRUE(captured.out.empty()) << captured.out;
    EXPECT_TRUE(captured.err.starts_with("holdfast: ")) << captured.err;
    auto machine = args;
    machine.push_back("--json");
    if (args.back() == "--output") continue;
    captured = run_in_process(machine);
    auto envelope = codec::parse_value(captured.out);
    ASSERT_TRUE(envelope.has_value()) << captured.out;
    EXPECT_EQ((*envelope)["exitCode"].integer(), code);
    ASSERT_EQ((*envelope)["errors"].items().size(), 1u);
    EXPECT_EQ((*envelope)["errors"].items()[0]["id"].text(), id);
    EXPECT_TRUE(captured.err.empty());
  }
}

TEST(Suggest, near_words_only) {
  EXPECT_EQ(nearest("snapshtos", {"snapshots", "status"}), "snapshots");
  EXPECT_EQ(nearest("xyz", {"snapshots", "status"}), "");
  EXPECT_EQ(nearest("snap", {"snapshots", "status"}), "snapshots");
}

TEST(Progress, text_has_rate_and_time_left) {
  using std::chrono::duration;
  EXPECT_EQ(progress_text("reading", "", 512 << 20, 1 << 30, 0, duration<double>(2)),
            "reading  512.0 MiB of 1.0 GiB, 50%, 256.0 MiB/s, 2.0s left");
  EXPECT_EQ(progress_text("reading", "trees", 0, 0, 3, duration<double>(0.1)), "reading: trees, 3 items");
}

TEST(RepositoryOptions, words_and_spans) {
  EXPECT_EQ(split_words("a 'b c' d\\ e \"f \\\" g\" ''").value(),
            (std::vector<std::string>{"a", "b c", "d e", "f \" g", ""}));
  EXPECT_FALSE(split_words("a 'b").has_value());
  EXPECT_EQ(parse_span("1h30m", "x").value().count(), 5400);
  EXPECT_EQ(parse_span("0", "x").value().count(), 0);
  EXPECT_EQ(parse_span("250ms", "x").value().count(), 1);
  for (const char* bad : {"", "5", "m", "5x", "-5s", "1.2.3q"}) EXPECT_FALSE(parse_span(bad, "x").has_value()) << bad;
}

TEST(Password, file_and_command) {
  auto folder = sys::TempDir::create("password").value();
  const std::string file = folder.path() + "/p";
  ASSERT_TRUE(sys::publish_file(file, as_bytes(std::string_view("\xEF\xBB\xBF two words\r\n\n")), 0600).has_value());
  PasswordSource source{PasswordSource::Kind::file, {}, file, {}, {}};
  EXPECT_EQ(resolve_password(source, "", false, {}).value().reveal(), "two words");
  source = {PasswordSource::Kind::command, {}, {}, "printf 'two words\\n'", {}};
  EXPECT_EQ(resolve_password(source, "", false, {}).value().reveal(), "two words");
  source.command = "false";
  EXPECT_EQ(resolve_password(source, "", false, {}).error().id, "cli.password_command");
  source.command = "/no/such/program";
  EXPECT_EQ(resolve_password(source, "", false, {}).error().id, "cli.password_command");
  source = {PasswordSource::Kind::file, {}, folder.path() + "/none", {}, {}};
  EXPECT_EQ(resolve_password(source, "", false, {}).error().error_class, ErrorClass::usage);
}

}  // namespace
}  // namespace holdfast::cli
