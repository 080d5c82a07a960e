#include "cli/output.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace holdfast::cli {
namespace {

constexpr std::string_view kSchemaVersion = "v1alpha1";

void write_fd(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // a reader that went away is not our failure; the exit code still tells the truth
    text.remove_prefix(static_cast<size_t>(written));
  }
}

// Columns a text takes on a terminal: code points, escape sequences not counted.
size_t width(std::string_view text) {
  size_t columns = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\033') {
      while (i < text.size() && text[i] != 'm') ++i;
      continue;
    }
    columns += (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
  }
  return columns;
}

// Control characters out of names and server messages must not reach the terminal; colours (ESC [ digits m) may.
std::string printable(std::string_view text) {
  std::string clean;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const unsigned char u = static_cast<unsigned char>(c);
    if (text.substr(i).starts_with("\033[")) {
      const size_t end = text.find_first_not_of("0123456789;", i + 2);
      if (end != std::string_view::npos && text[end] == 'm') {
        clean += text.substr(i, end + 1 - i);
        i = end;
        continue;
      }
    }
    if ((u < 0x20 && c != '\n' && c != '\t') || u == 0x7F) {
      clean += fmt::format("\\x{:02x}", u);
    } else {
      clean += c;
    }
  }
  return clean;
}

}  // namespace

Format format_of(std::string_view name) {
  if (name == "wide") return Format::wide;
  if (name == "json") return Format::json;
  if (name == "jsonl") return Format::jsonl;
  if (name == "yaml") return Format::yaml;
  return Format::human;
}

Streams Streams::process() {
  Streams streams;
  streams.out = [](std::string_view text) { write_fd(STDOUT_FILENO, text); };
  streams.err = [](std::string_view text) { write_fd(STDERR_FILENO, text); };
  streams.err_is_terminal = ::isatty(STDERR_FILENO) == 1;
  streams.out_is_terminal = ::isatty(STDOUT_FILENO) == 1;
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) streams.columns = size.ws_col;
  return streams;
}

Output::Output(Streams streams, OutputOptions options, std::string command)
    : streams_(std::move(streams)), options_(options), command_(std::move(command)) {}

void Output::result_text(std::string_view text) {
  if (options_.raw_stdout) {
    streams_.err(text);
  } else {
    streams_.out(text);
  }
}

void Output::clear_progress() {
  if (!progress_shown_) return;
  streams_.err("\r\033[K");
  progress_shown_ = false;
}

void Output::line(std::string_view text) {
  if (!is_human()) return;
  MutexLock lock(mutex_);
  clear_progress();
  result_text(std::string(text) + "\n");
}

void Output::note(std::string_view text) {
  if (!options_.quiet) line(text);
}

std::string Output::paint(Color color, std::string_view text) const {
  if (!options_.color || color == Color::none) return std::string(text);
  constexpr const char* kCodes[] = {"0", "32", "33", "31", "1", "2"};
  return fmt::format("\033[{}m{}\033[0m", kCodes[static_cast<int>(color)], text);
}

void Output::set_data(codec::Value data) {
  MutexLock lock(mutex_);
  data_ = std::move(data);
}

void Output::set_operation(std::string id) {
  MutexLock lock(mutex_);
  operation_ = std::move(id);
}

void Output::event(std::string_view type, codec::Value fields) {
  if (options_.format != Format::jsonl) return;
  auto event = codec::Value::object({{"type", type}});
  for (const auto& [name, value] : fields.members()) event.set(name, value);
  MutexLock lock(mutex_);
  result_text(codec::to_json(event) + "\n");
}

void Output::warning(std::string id, std::string message) {
  MutexLock lock(mutex_);
  if (is_human()) {
    clear_progress();
    streams_.err(fmt::format("{}: {}\n", paint(Color::yellow, "warning"), printable(message)));
  }
  warnings_.push_back(codec::Value::object({{"id", std::move(id)}, {"message", std::move(message)}}));
}

void Output::add_error(const Error& error) {
  {
    MutexLock lock(mutex_);
    if (is_human()) {
      clear_progress();
      streams_.err(fmt::format("{}: {}\n", paint(Color::red, "error"), printable(error.to_string())));
    }
    errors_.push_back(error_value(error));
  }
  event("error", error_value(error));
}

void Output::progress_line(std::string_view text) {
  MutexLock lock(mutex_);
  if (text.empty()) {
    clear_progress();
    return;
  }
  if (!streams_.err_is_terminal || options_.quiet || !is_human()) return;
  streams_.err(fmt::format("\r\033[K{}", text.substr(0, streams_.columns > 1 ? streams_.columns - 1 : 1)));
  progress_shown_ = true;
}

codec::Value Output::envelope(const Status& status) const {
  auto errors = errors_;
  int code = 0;
  std::string result = "ok";
  if (!status) {
    code = exit_code(status.error().error_class);
    result = error_class_name(status.error().error_class);
    errors.push_back(error_value(status.error()));
  }
  return codec::Value::object({
      {"schemaVersion", kSchemaVersion},
      {"command", command_},
      {"operation", operation_.empty() ? codec::Value() : codec::Value(operation_)},
      {"result", result},
      {"exitCode", code},
      {"warnings", codec::Value(warnings_)},
      {"errors", codec::Value(std::move(errors))},
      {"data", data_},
  });
}

int Output::finish(const Status& status) {
  MutexLock lock(mutex_);
  clear_progress();
  switch (options_.format) {
    case Format::human:
    case Format::wide:
      if (!status) {
        streams_.err(fmt::format("{}: {}\n", paint(Color::red, "holdfast"), printable(status.error().to_string())));
        if (!status.error().hint.empty()) {
          streams_.err(fmt::format("{}: {}\n", paint(Color::bold, "HINT"), printable(status.error().hint)));
        }
      }
      break;
    case Format::json:
      result_text(codec::to_json(envelope(status), 2) + "\n");
      break;
    case Format::yaml:
      result_text(codec::to_yaml(envelope(status)));
      break;
    case Format::jsonl: {
      auto last = codec::Value::object({{"type", "result"}});
      const auto whole = envelope(status);
      for (const auto& [name, value] : whole.members()) last.set(name, value);
      result_text(codec::to_json(last) + "\n");
      break;
    }
  }
  return status ? 0 : exit_code(status.error().error_class);
}

codec::Value error_value(const Error& error) {
  codec::Value::List context;
  for (auto it = error.context.rbegin(); it != error.context.rend(); ++it) context.emplace_back(*it);
  return codec::Value::object({
      {"id", error.id},
      {"class", error_class_name(error.error_class)},
      {"message", error.message},
      {"hint", error.hint},
      {"context", codec::Value(std::move(context))},
  });
}

void Table::print(Output& out) const {
  std::vector<size_t> widths(header_.size());
  auto measure = [&](const std::vector<std::string>& cells) {
    for (size_t i = 0; i < cells.size() && i < widths.size(); ++i) widths[i] = std::max(widths[i], width(cells[i]));
  };
  measure(header_);
  for (const auto& row : rows_) measure(row);
  auto text = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (size_t i = 0; i < cells.size(); ++i) {
      const std::string pad(widths[i] - width(cells[i]), ' ');
      const bool right = std::ranges::count(right_, i) > 0;
      if (i) line += "  ";
      line += right ? pad + cells[i] : cells[i] + pad;
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    return line;
  };
  out.line(out.paint(Color::bold, text(header_)));
  for (const auto& row : rows_) out.line(printable(text(row)));
}

}  // namespace holdfast::cli
