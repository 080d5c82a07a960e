// Output: everything a command says. stdout carries results only; errors, warnings and progress go to stderr.
//
// human, wide: text as it comes. json, yaml: one envelope at the end, for failures too. jsonl: one event per line as
// things happen, the envelope as the last line (type "result"). For a command whose stdout is the payload itself
// (`dump`), results go to stderr. Thread-safe.
#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/mutex.h"
#include "codec/value.h"

namespace holdfast::cli {

enum class Format { human, wide, json, jsonl, yaml };
/// human for anything unknown.
Format format_of(std::string_view name);

/// Where bytes go; tests hand in their own.
struct Streams {
  std::function<void(std::string_view)> out;
  std::function<void(std::string_view)> err;
  bool err_is_terminal = false;
  bool out_is_terminal = false;
  size_t columns = 80;
  static Streams process();
};

struct OutputOptions {
  Format format = Format::human;
  bool quiet = false;
  bool color = false;
  bool raw_stdout = false;
};

enum class Color { none, green, yellow, red, bold, dim };

class Output {
 public:
  Output(Streams streams, OutputOptions options, std::string command);

  Format format() const { return options_.format; }
  bool is_human() const { return options_.format == Format::human || options_.format == Format::wide; }
  bool is_wide() const { return options_.format == Format::wide; }
  bool quiet() const { return options_.quiet; }
  const Streams& streams() const { return streams_; }

  /// A line of the result for people; nothing in machine formats.
  void line(std::string_view text = {});
  /// A remark for people ("created repository ..."), left out by --quiet.
  void note(std::string_view text);
  /// Text in a colour where colours are on.
  std::string paint(Color color, std::string_view text) const;
  /// `data` of the envelope.
  void set_data(codec::Value data);
  /// Id of the operation, for commands that have one.
  void set_operation(std::string id);
  /// A typed event: a line in jsonl, nothing otherwise.
  void event(std::string_view type, codec::Value fields);
  void warning(std::string id, std::string message);
  /// One of several errors of a command that goes on (each damage a check finds); the command's own end is finish().
  void add_error(const Error& error);

  /// Draws `text` as the progress line (terminals only), replacing the last one; "" clears it.
  void progress_line(std::string_view text);

  /// Ends the output: the error for people, or the envelope. Returns the exit code.
  int finish(const Status& status);

 private:
  void result_text(std::string_view text) REQUIRES(mutex_);
  void clear_progress() REQUIRES(mutex_);
  codec::Value envelope(const Status& status) const REQUIRES(mutex_);

  const Streams streams_;
  const OutputOptions options_;
  const std::string command_;

  Mutex mutex_;  // guards the order of writes as well
  codec::Value data_ GUARDED_BY(mutex_);
  std::string operation_ GUARDED_BY(mutex_);
  codec::Value::List warnings_ GUARDED_BY(mutex_);
  codec::Value::List errors_ GUARDED_BY(mutex_);
  bool progress_shown_ GUARDED_BY(mutex_) = false;
};

/// {id, class, message, hint, context}
codec::Value error_value(const Error& error);

/// Rows under a header, columns aligned; numbers to the right where `right` says so.
class Table {
 public:
  explicit Table(std::vector<std::string> header, std::vector<size_t> right = {})
      : header_(std::move(header)), right_(std::move(right)) {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  void print(Output& out) const;

 private:
  std::vector<std::string> header_;
  std::vector<size_t> right_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace holdfast::cli
