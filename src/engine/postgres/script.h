// A script for psql, as pg_dump and pg_dumpall write it, cut into what psql takes its parts for. Knows string literals,
// dollar quotes, quoted names, comments, parentheses and SQL function bodies (BEGIN ATOMIC ... END), so no text inside
// of them is taken for a command. Pure, streaming: remembers a few words, whatever the size of a statement.
//
// Source: psql's psqlscan.l (statement ends, BEGIN ATOMIC), copy.c (end of COPY data).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::engine {

enum class ScriptUnit {
  blank,      ///< white space between statements
  comment,    ///< between statements
  statement,  ///< up to and with its semicolon
  meta,       ///< a backslash command, with its newline
  copy,       ///< rows of COPY ... FROM stdin: whole lines, but for the last piece of a chunk
  copy_end,   ///< the line \. behind them
};

struct ScriptPiece {
  ScriptUnit unit;
  std::string_view text;
  bool last;  ///< the unit ends with this piece
};

class ScriptLexer {
 public:
  using Take = std::function<void(const ScriptPiece&)>;

  /// The next bytes of the script, cut anywhere.
  void feed(std::string_view text, const Take& take);
  /// False inside a statement, a comment, a backslash command or COPY data.
  bool between_units() const { return state_ == State::between && !copy_next_ && held_.empty(); }
  /// A backslash stood inside a statement, outside of quotes: psql would have taken it for a command.
  bool stray_backslash() const { return stray_backslash_; }

 private:
  enum class State { between, line_comment, block_comment, statement, meta, copy };
  enum class Within { plain, quote, name, dollar_tag, dollar, line_comment, block_comment };

  /// Behind a literal: a quote at once, or behind blanks with a newline, continues it.
  enum class Reopens { no, at_once, behind_blank, behind_newline };

  size_t scan_between(std::string_view text, const Take& take);
  size_t scan_comment(std::string_view text, const Take& take);
  size_t scan_statement(std::string_view text, const Take& take);
  size_t scan_meta(std::string_view text, const Take& take);
  size_t scan_copy(std::string_view text, const Take& take);
  /// One character outside of quotes; true when it ended the statement.
  bool plain_character(char c);
  size_t skip_dollar_body(std::string_view text, size_t at);
  void end_of_word();
  void start_statement();
  void end_statement();

  State state_ = State::between;
  std::string held_;        ///< bytes that only the next ones explain
  bool copy_next_ = false;  ///< rows follow the next newline
  bool standard_strings_ = true;
  bool stray_backslash_ = false;
  bool line_start_ = true;  ///< COPY: the next byte starts a line

  // Inside a statement.
  Within within_ = Within::plain;
  char before_ = 0;       ///< the last plain character; 0 behind quotes and comments
  bool escapes_ = false;  ///< a backslash escapes in this literal
  bool escaped_ = false;
  Reopens reopens_ = Reopens::no;
  int comment_depth_ = 0;
  int parentheses_ = 0;
  int begins_ = 0;       ///< BEGIN and CASE of a function's SQL body
  std::string tag_;      ///< of the dollar quote, with both dollars
  size_t tag_seen_ = 0;  ///< bytes of it seen in the body
  std::string word_;     ///< the word that is being read, in lower case
  std::string last_word_, first_word_;
  std::string create_;  ///< first letters of the first words, when they are those of CREATE FUNCTION
  size_t words_ = 0;
  bool copies_in_ = false;
  std::string head_;  ///< the first bytes of the statement
};

/// The database that a \connect command of pg_dump names (or one in psql's single quotes), or nothing when it asks for
/// anything but another database of the same server.
std::optional<std::string> connect_database(std::string_view meta);

/// A name at the start of `text`, quoted or plain; `after`: where it ends.
std::string script_name(std::string_view text, size_t* after);

}  // namespace holdfast::engine
