// Value: a document in memory (null, bool, integer, number, text, list, object in insertion order), and its JSON and
// YAML texts. The one currency for machine output, sidecar files and resource files.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace holdfast::codec {

class Value {
 public:
  using List = std::vector<Value>;
  using Member = std::pair<std::string, Value>;
  using Object = std::vector<Member>;

  Value() = default;
  Value(std::nullptr_t) {}
  Value(bool flag) : data_(flag) {}
  template <class T>
    requires(std::is_integral_v<T> && !std::is_same_v<T, bool>)
  Value(T number) {
    if constexpr (std::is_signed_v<T>) {
      data_ = static_cast<int64_t>(number);
    } else {
      data_ = static_cast<uint64_t>(number);
    }
  }
  Value(double number) : data_(number) {}
  Value(std::string text) : data_(std::move(text)) {}
  Value(std::string_view text) : data_(std::string(text)) {}
  Value(const char* text) : data_(std::string(text)) {}
  Value(List list) : data_(std::move(list)) {}
  Value(Object object) : data_(std::move(object)) {}

  /// Value::object({{"name", "shop"}, {"members", 3}})
  static Value object(std::initializer_list<Member> members = {}) { return Value(Object(members)); }
  static Value list(std::initializer_list<Value> items = {}) { return Value(List(items)); }
  template <class Range>
  static Value list_of(const Range& range) {
    List items;
    for (const auto& item : range) items.emplace_back(item);
    return Value(std::move(items));
  }

  bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_integer() const { return std::holds_alternative<int64_t>(data_) || std::holds_alternative<uint64_t>(data_); }
  bool is_number() const { return is_integer() || std::holds_alternative<double>(data_); }
  bool is_text() const { return std::holds_alternative<std::string>(data_); }
  bool is_list() const { return std::holds_alternative<List>(data_); }
  bool is_object() const { return std::holds_alternative<Object>(data_); }

  /// The content, or the fallback when the value is of another kind.
  bool boolean(bool fallback = false) const;
  int64_t integer(int64_t fallback = 0) const;
  uint64_t unsigned_integer(uint64_t fallback = 0) const;
  double number(double fallback = 0) const;
  const std::string& text() const&;  ///< "" for anything but text
  std::string text_or(std::string_view fallback) const;
  const List& items() const&;      ///< empty for anything but a list
  const Object& members() const&;  ///< empty for anything but an object
  /// Of a value that is gone after the expression: `for (const auto& item : parsed()["items"].items())` must not look
  /// into it (g++ 12 does not keep it for the loop).
  std::string text() && { return taken<std::string>(); }
  List items() && { return taken<List>(); }
  Object members() && { return taken<Object>(); }

  /// Member of an object, or nullptr.
  const Value* find(std::string_view key) const&;
  const Value* find(std::string_view key) const&& = delete;
  /// Member of an object, or the null value: `doc["spec"]["members"].items()`.
  const Value& operator[](std::string_view key) const&;
  Value operator[](std::string_view key) &&;
  /// Adds or replaces a member; a null value becomes an object first. Returns the member.
  Value& set(std::string_view key, Value value);
  /// Appends to a list; a null value becomes a list first. Returns the item.
  Value& push(Value value);

  bool operator==(const Value&) const = default;

 private:
  template <class T>
  T taken() {
    auto* content = std::get_if<T>(&data_);
    return content ? std::move(*content) : T();
  }

  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, List, Object> data_;
};

/// One line when indent is 0. Text that is not UTF-8 has its bad bytes replaced by U+FFFD.
std::string to_json(const Value& value, int indent = 0);
/// Block style, strings quoted whenever YAML 1.1 or 1.2 could read them as something else; ends in a newline.
std::string to_yaml(const Value& value);
/// Refuses more than 64 MiB and nesting deeper than 200; trailing bytes are an error. Error id "codec.json".
Result<Value> parse_value(std::string_view text);

}  // namespace holdfast::codec
