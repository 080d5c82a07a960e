// mariadb-dump and mysqldump: the stream is read as their client reads it, statement by statement, so that nothing a
// name, a literal, a comment or the body of a routine says is taken for the dump's own.
#include <optional>
#include <set>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "engine/dump_scan_dialect.h"
#include "engine/mysql_family/statement_head.h"

namespace holdfast::engine {
namespace {

constexpr uint64_t kLargestStatement = (1ULL << 30) - 1024;  // max_allowed_packet has no larger value
constexpr size_t kHeadBytes = 4096;          // enough for the names in a statement's head, behind a definer
constexpr size_t kPositionBytes = 16 << 20;  // a set of GTIDs may be long
constexpr std::string_view kPurged = "/* SET @@GLOBAL.GTID_PURGED=";

/// Offset of the first of the four characters in text[from...], or text.size().
template <char a, char b, char c, char d>
size_t find_any(std::string_view text, size_t from) {
#if defined(__SSE2__)
  const __m128i va = _mm_set1_epi8(a), vb = _mm_set1_epi8(b), vc = _mm_set1_epi8(c), vd = _mm_set1_epi8(d);
  for (; from + 16 <= text.size(); from += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + from));
    const __m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(block, va), _mm_cmpeq_epi8(block, vb)),
                                     _mm_or_si128(_mm_cmpeq_epi8(block, vc), _mm_cmpeq_epi8(block, vd)));
    if (const int mask = _mm_movemask_epi8(hit)) return from + static_cast<size_t>(__builtin_ctz(mask));
  }
#endif
  for (; from < text.size(); ++from) {
    const char x = text[from];
    if (x == a || x == b || x == c || x == d) return from;
  }
  return text.size();
}

/// Of the character sets clients speak, those with a backslash or a backtick as a second byte.
std::string_view first_bytes(std::string_view charset) {
  if (charset == "sjis" || charset == "cp932") return "\x81\x9f\xe0\xfc";
  if (charset == "gbk" || charset == "gb18030") return "\x81\xfe";
  return charset == "big5" ? "\xa1\xf9" : "";
}

class MysqlScan : public DialectScan {
 public:
  void feed(std::string_view text) override;
  bool between_statements() const override { return state_ == State::start; }

 private:
  enum class State {
    start,          ///< between statements
    start_dash,     ///< ... behind one '-'
    start_comment,  ///< ... in a line that is a comment
    delimiter,      ///< ... in a line that names a delimiter
    code,
    slash,         ///< code, behind '/'
    slash_star,    ///< ... behind "/*"
    slash_star_m,  ///< ... behind "/*M"
    star,          ///< ... behind '*'
    dash,          ///< ... behind '-'
    dashes,        ///< ... behind "--"
    quote,         ///< in a literal or quoted name
    escape,        ///< ... behind a backslash
    line_comment,  ///< inside a statement
    block_comment,
    block_star,  ///< ... behind '*'
    values,      ///< the rows of an INSERT, outside literals
  };

  void step(char c);
  void code(char c);
  void begin_statement();
  void end_statement();
  void end_start_comment();
  void end_block();
  void end_delimiter();
  void open_quote(char quote, State back);
  size_t skip_values(std::string_view text, size_t i);
  size_t skip_quote(std::string_view text, size_t i);
  void keep(char c) {
    if (head_.size() < kHeadBytes || (head_.size() < kPositionBytes && head_.starts_with(kPurged))) head_ += c;
  }
  void note_position(std::string_view line);
  void note_settings();
  std::optional<std::string_view> setting(std::string_view name) const;

  State state_ = State::start;
  State back_ = State::code;  ///< where the quote was opened
  char quote_ = 0;
  bool backslashes_ = true;        ///< they escape: NO_BACKSLASH_ESCAPES is off
  bool ansi_quotes_ = false;       ///< names stand in double quotes
  std::string_view first_of_two_;  ///< ranges of bytes that begin a character whose second byte may be a backslash
  bool second_ = false;            ///< ... one has just passed
  bool conditional_ = false;       ///< inside /*! ... */
  std::string delimiter_ = ";";
  bool ended_ = false;             ///< a statement, with the byte that was just taken
  size_t matched_ = 0;             ///< bytes of the delimiter that have just passed
  bool line_begins_ = true;        ///< between statements: nothing but the newline came before
  bool comment_before_ = false;    ///< ... and the line before was a comment: this one may continue its text
  std::string head_;               ///< of the statement or comment that passes, as far as needed
  bool comment_only_ = false;      ///< all of the statement so far is a block comment
  bool comment_begins_ = false;    ///< in a block comment that has "/* " so far
  bool commented_option_ = false;  ///< the statement has a comment that is an option
  bool insert_ = false;            ///< the statement is an INSERT or REPLACE, its rows are to come
  int depth_ = 0;                  ///< parentheses in the rows
  std::string database_;
  std::set<std::string> databases_;
  TableName inserted_;
  uint64_t fed_ = 0, began_ = 0;  ///< bytes so far; where the statement began
  uint64_t* rows_ = nullptr;      ///< of the table whose rows pass by
};

void MysqlScan::feed(std::string_view text) {
  const uint64_t before = fed_;
  fed_ += text.size();
  for (size_t i = 0; i < text.size();) {
    if (state_ == State::values) {
      i = skip_values(text, i);
      if (state_ == State::start && before + i - began_ > kLargestStatement) too_large.insert(inserted_);
    } else if (state_ == State::quote && back_ == State::values) {
      i = skip_quote(text, i);
    } else {
      if (state_ == State::start) began_ = before + i;
      step(text[i++]);
    }
    if (std::exchange(ended_, false) && on_statement) on_statement({began_, before + i, delimiter_.size()});
  }
}

// The rows: "(1,'x'),(2,NULL);", each parenthesis outside of another one opens a row.
size_t MysqlScan::skip_values(std::string_view text, size_t i) {
  uint64_t rows = 0;
  while (true) {
    // A literal in double quotes never stands here: the dump programs write none.
    i = find_any<'\'', '(', ')', ';'>(text, i);
    if (i == text.size()) break;
    const char c = text[i++];
    if (c == '(') {
      rows += depth_++ == 0;
    } else if (c == ')') {
      --depth_;
    } else if (c == '\'') {
      state_ = State::quote;
      quote_ = '\'';
      back_ = State::values;
      i = skip_quote(text, i);
      if (state_ != State::values) break;
    } else if (depth_ == 0) {
      state_ = State::code;
      end_statement();
      break;
    }
  }
  counts.rows += rows;
  if (rows_) *rows_ += rows;
  return i;
}

size_t MysqlScan::skip_quote(std::string_view text, size_t i) {
  // A doubled quote closes the literal and opens it again at once.
  i = find_any<'\'', '\\', '\'', '\\'>(text, i);
  while (i < text.size() && text[i] == '\\') {
    if (i + 1 == text.size()) {
      state_ = State::escape;
      return text.size();
    }
    i = find_any<'\'', '\\', '\'', '\\'>(text, i + 2);
  }
  if (i >= text.size()) return text.size();
  state_ = State::values;
  return i + 1;
}

void MysqlScan::step(char c) {
  switch (state_) {
    case State::start:
      if (c == '\n' || c == ' ' || c == '\t' || c == '\r') {
        if (c == '\n') {
          comment_before_ = comment_before_ && !line_begins_;
          line_begins_ = true;
        }
        return;
      }
      head_.clear();
      keep(c);
      if (c == '#') {
        state_ = State::start_comment;
      } else if (c == '-') {
        state_ = State::start_dash;
      } else {
        begin_statement();
        code(c);
      }
      return;
    case State::start_dash:
      if (c == '-') {
        keep(c);
        state_ = State::start_comment;
      } else {
        begin_statement();
        state_ = State::dash;
        step(c);
      }
      return;
    case State::start_comment:
      if (c == '\n') return end_start_comment();
      return keep(c);
    case State::delimiter:
      if (c == '\n') return end_delimiter();
      return keep(c);
    default:
      keep(c);
      return code(c);
  }
}

void MysqlScan::begin_statement() {
  state_ = State::code;
  comment_before_ = conditional_ = insert_ = comment_only_ = comment_begins_ = commented_option_ = false;
  matched_ = 0;
}

void MysqlScan::open_quote(char quote, State back) {
  state_ = State::quote;
  quote_ = quote;
  back_ = back;
}

// One byte inside a statement; it is in head_ already.
void MysqlScan::code(char c) {
  if (!first_of_two_.empty()) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::exchange(second_, false) && byte >= 0x40) return;
    for (size_t i = 0; i < first_of_two_.size(); i += 2)
      second_ = second_ || (byte >= static_cast<unsigned char>(first_of_two_[i]) &&
                            byte <= static_cast<unsigned char>(first_of_two_[i + 1]));
  }
  switch (state_) {
    case State::quote:
      if (c == '\\' && backslashes_ && quote_ != '`' && !(quote_ == '"' && ansi_quotes_)) {
        state_ = State::escape;
      } else if (c == quote_) {
        state_ = back_;
      }
      return;
    case State::escape:
      state_ = State::quote;
      return;
    case State::line_comment:
      if (c == '\n') state_ = State::code;
      return;
    case State::block_comment:
      // "/* `name`=value */", "/* TRANSACTIONAL=1 */": so MariaDB shows an option that the storage engine does not
      // know.
      if (std::exchange(comment_begins_, false) && (c == '`' || (c >= 'A' && c <= 'Z'))) commented_option_ = true;
      if (c == '*') state_ = State::block_star;
      return;
    case State::block_star:
      if (c == '/' && comment_only_) return end_block();
      if (c != '*') state_ = c == '/' ? State::code : State::block_comment;
      return;
    case State::slash:
      if (c == '*') {
        state_ = State::slash_star;
        return;
      }
      break;
    case State::slash_star:
      if (c == 'M') {
        state_ = State::slash_star_m;
        return;
      }
      [[fallthrough]];
    case State::slash_star_m:  // "/*M!" is MariaDB's
      if (c == '!' || (c == '+' && state_ == State::slash_star)) {
        conditional_ = true;
        state_ = State::code;
      } else {
        comment_only_ = head_.size() <= 4 && head_.starts_with("/*");
        state_ = c == '*' ? State::block_star : State::block_comment;
        comment_begins_ = c == ' ';
      }
      return;
    case State::star:
      if (c == '/' && conditional_) {
        conditional_ = false;
        state_ = State::code;
        return;
      }
      break;
    case State::dash:
      if (c == '-') {
        state_ = State::dashes;
        return;
      }
      break;
    case State::dashes:
      if (c == ' ' || c == '\t' || c == '\n') {
        state_ = c == '\n' ? State::code : State::line_comment;
        return;
      }
      if (c == '-') return;
      break;
    default:
      break;
  }
  state_ = State::code;
  if (insert_ && c == 'V') {  // of VALUES: the names of columns are quoted
    state_ = State::values;
    depth_ = 0;
    return;
  }
  if (c != delimiter_[matched_]) matched_ = 0;
  if (c == delimiter_[matched_]) {
    if (++matched_ == delimiter_.size()) return end_statement();
  } else if (c == '\'' || c == '"' || c == '`') {
    open_quote(c, State::code);
  } else if (c == '/') {
    state_ = State::slash;
  } else if (c == '*') {
    state_ = State::star;
  } else if (c == '-') {
    state_ = State::dash;
  } else if (c == '#') {
    state_ = State::line_comment;
  } else if (c == ' ' && head_ == "DELIMITER ") {
    state_ = State::delimiter;
  } else if (!insert_ && head_.size() < kHeadBytes && c == ' ' && head_[0] != '/') {
    // "INSERT INTO `t` VALUES": the space behind the name.
    const size_t at = insert_target(head_);
    if (at == std::string_view::npos) return;
    size_t after = 0;
    const std::string name = quoted_name(std::string_view(head_).substr(at), '`', &after);
    if (after == 0) return;
    insert_ = true;
    inserted_ = {database_, "", name};
    rows_ = &counts.table_rows[inserted_];
  }
}

void MysqlScan::end_start_comment() {
  // Text of a comment that runs over lines (a name with newlines in it) is not the dump's own word.
  if (!comment_before_ && line_begins_ &&
      (head_.starts_with("-- SET GLOBAL gtid_slave_pos=") ||
       head_.starts_with("-- CHANGE MASTER TO MASTER_LOG_FILE=") ||
       head_.starts_with("-- CHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE=")))
    note_position(head_);
  comment_before_ = true;
  line_begins_ = true;
  state_ = State::start;
  head_.clear();
}

// A block comment by itself is no statement: nothing ends it but its own end.
void MysqlScan::end_block() {
  if (head_.starts_with(kPurged)) note_position(head_);
  state_ = State::start;
  line_begins_ = comment_before_ = false;
  head_.clear();
}

void MysqlScan::end_delimiter() {
  std::string_view word = std::string_view(head_).substr(sizeof "DELIMITER " - 1);
  while (!word.empty() && (word.back() == '\r' || word.back() == ' ')) word.remove_suffix(1);
  if (!word.empty()) delimiter_ = word;
  matched_ = 0;
  state_ = State::start;
  line_begins_ = true;
  comment_before_ = false;
  head_.clear();
}

void MysqlScan::end_statement() {
  using Kind = StatementHead::Kind;
  matched_ = 0;
  ended_ = true;
  state_ = State::start;
  line_begins_ = comment_before_ = false;
  if (insert_) {
    insert_ = false;
    head_.clear();
    return;
  }
  const auto head = statement_head(head_);
  switch (head.kind) {
    case Kind::use:
      database_ = head.name;
      break;
    case Kind::database:
      if (databases_.insert(head.name).second) ++counts.databases;
      break;
    case Kind::table:
      ++counts.tables;
      rows_ = &counts.table_rows[{database_, "", head.name}];
      if (commented_option_) unknown_options.insert({database_, "", head.name});
      break;
    case Kind::view:
      ++counts.views;
      break;
    case Kind::sequence:
      ++counts.sequences;
      break;
    case Kind::routine:
      ++counts.routines;
      break;
    case Kind::trigger:
      ++counts.triggers;
      break;
    case Kind::event:
      ++counts.events;
      break;
    case Kind::set:
      note_settings();
      break;
    case Kind::other:
      break;
  }
  head_.clear();
}

// "SET ..., sql_mode = 'ONE,OTHER'", "SET character_set_client = sjis": what follows was written under it, and the
// server reads it so.
void MysqlScan::note_settings() {
  const auto modes = setting("sql_mode");
  if (modes) {
    backslashes_ = modes->find("NO_BACKSLASH_ESCAPES") == std::string_view::npos;
    ansi_quotes_ = modes->find("ANSI_QUOTES") != std::string_view::npos;
  }
  if (const auto charset = setting("character_set_client")) first_of_two_ = first_bytes(*charset);
}

/// What the SET in head_ makes of the variable, without quotes; nothing where it does not name it.
std::optional<std::string_view> MysqlScan::setting(std::string_view name) const {
  const std::string_view text = head_;
  std::optional<std::string_view> value;
  for (size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    const size_t equal = text.find_first_not_of(' ', at + name.size());
    if (at == 0 || (text[at - 1] != ' ' && text[at - 1] != ',')) continue;
    if (equal == std::string_view::npos || text[equal] != '=') continue;
    std::string_view rest = text.substr(std::min(text.size(), text.find_first_not_of(' ', equal + 1)));
    const bool quoted = rest.starts_with('\'');
    if (quoted) rest.remove_prefix(1);
    value = rest.substr(0, rest.find_first_of(quoted ? "'" : " ,;*"));
  }
  return value;
}

void MysqlScan::note_position(std::string_view line) {
  if (position_lines.size() + line.size() < kPositionBytes) {
    position_lines.append(line);
    position_lines += '\n';
  }
}

}  // namespace

std::unique_ptr<DialectScan> mysql_dump_scan() {
  return std::make_unique<MysqlScan>();
}

}  // namespace holdfast::engine
