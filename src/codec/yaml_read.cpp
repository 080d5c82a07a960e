#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>

#include "codec/yaml.h"

namespace holdfast::codec {

namespace {

constexpr size_t kMaxBytes = 8 << 20;
constexpr size_t kMaxNodes = 200'000;
constexpr int kMaxDepth = 64;

std::unexpected<Error> bad(const YAML::Mark& mark, std::string_view what) {
  std::string where = mark.is_null() ? "" : fmt::format("line {}, column {}: ", mark.line + 1, mark.column + 1);
  return fail(ErrorClass::usage, "codec.yaml", where + std::string(what));
}

bool digits(std::string_view text, auto predicate) {
  if (text.empty()) return false;
  for (char c : text)
    if (!predicate(static_cast<unsigned char>(c))) return false;
  return true;
}

/// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool looks_float(std::string_view t) {
  size_t i = 0;
  auto run = [&] {
    size_t from = i;
    while (i < t.size() && std::isdigit(static_cast<unsigned char>(t[i]))) ++i;
    return i - from;
  };
  if (i < t.size() && (t[i] == '-' || t[i] == '+')) ++i;
  size_t whole = run(), fraction = 0;
  if (i < t.size() && t[i] == '.') {
    ++i;
    fraction = run();
  }
  if (!whole && !fraction) return false;
  if (i < t.size() && (t[i] == 'e' || t[i] == 'E')) {
    ++i;
    if (i < t.size() && (t[i] == '-' || t[i] == '+')) ++i;
    if (!run()) return false;
  }
  return i == t.size();
}

/// A plain (unquoted) scalar by the core schema.
Value plain(const std::string& t) {
  if (t.empty() || t == "~" || t == "null" || t == "Null" || t == "NULL") return {};
  if (t == "true" || t == "True" || t == "TRUE") return true;
  if (t == "false" || t == "False" || t == "FALSE") return false;
  auto number = [](std::string_view text, int base) -> Value {
    if (!text.empty() && text[0] == '-') {
      int64_t value = 0;
      auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
      if (error == std::errc() && end == text.data() + text.size()) return value;
    } else {
      uint64_t value = 0;
      auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
      if (error == std::errc() && end == text.data() + text.size()) {
        if (value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return static_cast<int64_t>(value);
        return value;
      }
    }
    return {};
  };
  std::string_view view(t);
  if (view.starts_with("0o") && digits(view.substr(2), [](int c) { return c >= '0' && c <= '7'; }))
    if (Value v = number(view.substr(2), 8); !v.is_null()) return v;
  if (view.starts_with("0x") && digits(view.substr(2), [](int c) { return std::isxdigit(c); }))
    if (Value v = number(view.substr(2), 16); !v.is_null()) return v;
  std::string_view unsigned_part = view[0] == '-' || view[0] == '+' ? view.substr(1) : view;
  if (digits(unsigned_part, [](int c) { return std::isdigit(c); }))
    if (Value v = number(view[0] == '+' ? unsigned_part : view, 10); !v.is_null()) return v;
  if (looks_float(view)) {
    double value = 0;
    std::string_view text = view[0] == '+' ? view.substr(1) : view;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc()) return value;
  }
  std::string_view inf = view[0] == '-' || view[0] == '+' ? view.substr(1) : view;
  if (inf == ".inf" || inf == ".Inf" || inf == ".INF")
    return view[0] == '-' ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  if (view == ".nan" || view == ".NaN" || view == ".NAN") return std::nan("");
  return t;
}

Result<Value> convert(const YAML::Node& node, int depth, size_t& count) {
  if (depth > kMaxDepth) return bad(node.Mark(), fmt::format("nested deeper than {}", kMaxDepth));
  if (++count > kMaxNodes) return bad(node.Mark(), fmt::format("more than {} values", kMaxNodes));
  const std::string& tag = node.Tag();
  constexpr std::string_view kCore = "tag:yaml.org,2002:";
  bool known = tag.empty() || tag == "?" || tag == "!";
  for (std::string_view name : {"str", "int", "float", "bool", "null", "map", "seq"})
    known = known || (tag.starts_with(kCore) && std::string_view(tag).substr(kCore.size()) == name);
  if (!known) return bad(node.Mark(), "tags are not used here: " + tag);
  switch (node.Type()) {
    case YAML::NodeType::Undefined:
    case YAML::NodeType::Null:
      return Value();
    case YAML::NodeType::Scalar:
      if (tag == "!" || tag == "tag:yaml.org,2002:str") return Value(node.Scalar());
      return plain(node.Scalar());
    case YAML::NodeType::Sequence: {
      Value::List items;
      for (const auto& item : node) items.push_back(TRY(convert(item, depth + 1, count)));
      return Value(std::move(items));
    }
    case YAML::NodeType::Map: {
      Value object = Value::object();
      for (const auto& entry : node) {
        if (!entry.first.IsScalar()) return bad(entry.first.Mark(), "a key must be a plain text");
        const std::string& key = entry.first.Scalar();
        if (object.find(key)) return bad(entry.first.Mark(), "the key '" + key + "' comes twice");
        object.set(key, TRY(convert(entry.second, depth + 1, count)));
      }
      return object;
    }
  }
  return Value();
}

}  // namespace

Result<std::vector<Value>> parse_yaml(std::string_view text) {
  if (text.size() > kMaxBytes) return bad(YAML::Mark::null_mark(), "larger than 8 MiB");
  std::vector<Value> documents;
  try {
    size_t count = 0;
    for (const YAML::Node& node : YAML::LoadAll(std::string(text))) {
      Value value = TRY(convert(node, 0, count));
      if (!value.is_null()) documents.push_back(std::move(value));
    }
  } catch (const YAML::Exception& error) {
    return bad(error.mark, error.msg);
  }
  return documents;
}

}  // namespace holdfast::codec
