// The password's text: from a file, a program, or a person.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "base/deadline.h"
#include "cli/repository_options.h"
#include "sys/file.h"
#include "sys/secret_file.h"

extern char** environ;

namespace holdfast::cli {
namespace {

std::unexpected<Error> usage(std::string id, std::string message, std::string hint = {}) {
  return fail(ErrorClass::usage, std::move(id), std::move(message), std::move(hint));
}

// A buffer that holds a password for a moment; as large from the start as it gets, so that no copy stays behind.
struct PasswordText {
  std::string text;
  PasswordText() { text.reserve(8192); }
  ~PasswordText() { ::explicit_bzero(text.data(), text.size()); }
};

// White space around the password goes, and so does a byte order mark: restic reads files and commands like that, and
// both programs must open a repository with the same file.
Secret trimmed(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const auto first = text.find_first_not_of(" \t\r\n\v\f");
  if (first == std::string_view::npos) return {};
  return Secret(text.substr(first, text.find_last_not_of(" \t\r\n\v\f") - first + 1));
}

Result<Secret> from_file(const std::string& path) {
  const auto text = sys::read_secret_file(path);
  if (!text) return usage("cli.password_file", "password file " + path + ": " + text.error().message);
  Secret secret = trimmed(text->reveal());
  if (secret.empty()) return usage("cli.password_file", "password file " + path + " is empty");
  return secret;
}

Result<Secret> from_command(const std::string& command, std::stop_token stop) {
  auto words = TRY(split_words(command));
  if (words.empty()) return usage("cli.password_command", "the password command is empty");
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(sys::errno_error(errno, "pipe"));
  sys::Fd read_end(ends[0]);
  sys::Fd write_end(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int problem = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  write_end.reset();
  if (problem != 0)
    return usage("cli.password_command",
                 fmt::format("password command {}: {}", words[0], sys::errno_error(problem, "start").message));

  PasswordText taken;
  std::string& text = taken.text;
  const auto deadline = Deadline::in(std::chrono::seconds(60));
  std::string trouble;
  while (trouble.empty()) {
    if (stop.stop_requested()) trouble = "interrupted";
    if (deadline.passed()) trouble = "gave no answer for 60 s";
    pollfd poll_fd{read_end.get(), POLLIN, 0};
    if (::poll(&poll_fd, 1, 200) <= 0) continue;
    char block[4096];
    const ssize_t got = ::read(read_end.get(), block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(block, static_cast<size_t>(got));
    ::explicit_bzero(block, sizeof block);
    if (text.size() > 1 << 20) trouble = "printed more than 1 MiB";
  }
  if (!trouble.empty()) ::kill(pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!trouble.empty()) return usage("cli.password_command", fmt::format("password command {}: {}", words[0], trouble));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return usage("cli.password_command", fmt::format("password command {} failed ({})", words[0],
                                                     WIFEXITED(status) ? fmt::format("exit {}", WEXITSTATUS(status))
                                                                       : fmt::format("signal {}", WTERMSIG(status))));
  }
  Secret secret = trimmed(text);
  if (secret.empty())
    return usage("cli.password_command", fmt::format("password command {} printed nothing", words[0]));
  return secret;
}

// Restores the terminal also when the read ends early.
class EchoOff {
 public:
  explicit EchoOff(int fd) : fd_(fd) {
    if (::tcgetattr(fd_, &old_) != 0) return;
    termios quiet = old_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    active_ = ::tcsetattr(fd_, TCSAFLUSH, &quiet) == 0;
  }
  ~EchoOff() {
    if (active_) ::tcsetattr(fd_, TCSAFLUSH, &old_);
  }

 private:
  int fd_;
  termios old_{};
  bool active_ = false;
};

Result<Secret> ask(int terminal, const std::string& prompt, std::stop_token stop) {
  TRY_VOID(sys::write_all(terminal, as_bytes(prompt + ": ")));
  PasswordText taken;
  std::string& line = taken.text;
  {
    EchoOff echo_off(terminal);
    while (true) {
      if (stop.stop_requested()) return fail(ErrorClass::interrupted, "cli.interrupted", "interrupted");
      pollfd poll_fd{terminal, POLLIN, 0};
      if (::poll(&poll_fd, 1, 200) <= 0) continue;
      char c = 0;
      const ssize_t got = ::read(terminal, &c, 1);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0 || c == '\n') break;
      line += c;
    }
  }
  TRY_VOID(sys::write_all(terminal, as_bytes("\n")));
  return Secret(line);
}

Result<Secret> from_prompt(const std::string& ways, const std::string& prompt, bool confirm, std::stop_token stop) {
  // Only a person at this terminal is asked: with standard input taken by a pipe, the terminal is still /dev/tty, but a
  // job without any person (cron, CI) has none.
  sys::Fd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC));
  if (!terminal || (::isatty(STDIN_FILENO) != 1 && ::isatty(STDERR_FILENO) != 1)) {
    return usage("cli.no_password", "no password is given, and there is no terminal to ask on",
                 ways.empty() ? "set RESTIC_PASSWORD_FILE or RESTIC_PASSWORD_COMMAND, or give --password-file" : ways);
  }
  Secret first = TRY(ask(terminal.get(), prompt, stop));
  if (first.empty()) return usage("cli.no_password", "an empty password is not a password");
  if (confirm) {
    Secret second = TRY(ask(terminal.get(), prompt + " again", stop));
    if (first.reveal() != second.reveal()) return usage("cli.password_differs", "the two passwords differ");
  }
  return first;
}

}  // namespace

Result<Secret> resolve_password(const PasswordSource& source, const std::string& prompt, bool confirm,
                                std::stop_token stop) {
  switch (source.kind) {
    case PasswordSource::Kind::literal:
      return source.literal;
    case PasswordSource::Kind::file:
      return from_file(source.file);
    case PasswordSource::Kind::command:
      return from_command(source.command, stop);
    case PasswordSource::Kind::prompt:
      return from_prompt(source.ways, prompt, confirm, stop);
  }
  return usage("cli.no_password", "no password is given");
}

}  // namespace holdfast::cli
