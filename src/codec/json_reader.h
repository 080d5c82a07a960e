// A strict pull reader for JSON: no tree in memory, no copies of plain strings. Repository indexes hold millions of
// blobs, so this reads them at memory speed; API objects use codec/json.h.
//
//   JsonReader reader(text);
//   reader.enter_object();
//   while (auto key = reader.next_key()) { if (*key == "id") id = reader.string(); else reader.skip(); }
//   if (!reader.finished()) ... reader.problem()
//
// The first error sticks: from then on every call returns nothing, and loops end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::codec {

class JsonReader {
 public:
  /// `text` must outlive the reader and every string_view it hands out.
  explicit JsonReader(std::string_view text) : at_(text.data()), begin_(text.data()), end_(text.data() + text.size()) {}

  bool enter_object();
  /// The next member's key, nothing at the object's end. A key with escapes is decoded into memory the reader owns
  /// until the next call.
  std::optional<std::string_view> next_key();
  bool enter_array();
  /// True while another element follows; leaves the array when false.
  bool next_element();

  /// A string's text. The view points into the input unless the string has escapes; then into the reader, until the
  /// next call.
  std::string_view string_view();
  std::string string() { return std::string(string_view()); }
  uint64_t unsigned_integer();
  int64_t integer();
  bool boolean();
  /// Consumes `null` if that is next.
  bool null();
  /// The value's own text, unparsed but checked for structure.
  std::string_view raw();
  void skip() { raw(); }

  bool ok() const { return problem_.empty(); }
  /// True if there was no error and nothing but white space is left.
  bool finished();
  /// "expected ',' at byte 17"; empty while all is well.
  const std::string& problem() const { return problem_; }
  /// Marks the document wrong for a reason the reader cannot see ("unknown type").
  void reject(std::string_view what);

 private:
  void blank();
  bool expect(char c);
  bool element(char close);
  bool literal(std::string_view word);
  std::string_view decode_string(const char* from);

  const char* at_;
  const char* begin_;
  const char* end_;
  std::string problem_;
  std::string scratch_;
  std::vector<bool> first_;  // one per open object or array: no element read yet
};

}  // namespace holdfast::codec
