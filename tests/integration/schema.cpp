#include "tests/integration/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "sys/file.h"

namespace holdfast::test {

using codec::Value;

namespace {

bool is_of_type(const Value& v, const std::string& type) {
  if (type == "object") return v.is_object();
  if (type == "array") return v.is_list();
  if (type == "string") return v.is_text();
  if (type == "integer") return v.is_integer();
  if (type == "number") return v.is_number();
  if (type == "boolean") return v.is_bool();
  return type == "null" && v.is_null();
}

class Checker {
 public:
  explicit Checker(const Value& root) : root_(root) {}

  std::string check(const Value& schema, const Value& v, const std::string& path) const {
    if (schema.is_bool()) return schema.boolean() ? "" : path + ": must not be here";
    for (const auto& [keyword, argument] : schema.members()) {
      std::string trouble = apply(keyword, argument, schema, v, path);
      if (!trouble.empty()) return trouble;
    }
    return {};
  }

 private:
  std::string apply(const std::string& keyword, const Value& a, const Value& schema, const Value& v,
                    const std::string& path) const {
    if (keyword == "type") {
      const bool fits = a.is_list()
                            ? std::ranges::any_of(a.items(), [&](const Value& t) { return is_of_type(v, t.text()); })
                            : is_of_type(v, a.text());
      return fits ? "" : fmt::format("{}: {} is not of type {}", path, to_json(v), to_json(a));
    }
    if (keyword == "properties") {
      for (const auto& [name, part] : a.members())
        if (const Value* member = v.find(name))
          if (auto trouble = check(part, *member, path + "/" + name); !trouble.empty()) return trouble;
      return {};
    }
    if (keyword == "required") {
      for (const auto& name : a.items())
        if (v.is_object() && !v.find(name.text())) return fmt::format("{}: '{}' is missing", path, name.text());
      return {};
    }
    if (keyword == "additionalProperties") {
      for (const auto& [name, member] : v.members()) {
        if (schema["properties"].find(name)) continue;
        if (a.is_bool() && !a.boolean()) return fmt::format("{}: '{}' is not described", path, name);
        if (auto trouble = check(a, member, path + "/" + name); !trouble.empty()) return trouble;
      }
      return {};
    }
    if (keyword == "items") {
      size_t i = 0;
      for (const auto& item : v.items())
        if (auto trouble = check(a, item, fmt::format("{}/{}", path, i++)); !trouble.empty()) return trouble;
      return {};
    }
    if (keyword == "enum") {
      const bool found = std::ranges::any_of(a.items(), [&](const Value& word) { return word == v; });
      return found ? "" : fmt::format("{}: {} is none of {}", path, to_json(v), to_json(a));
    }
    if (keyword == "minimum")
      return !v.is_number() || v.number() >= a.number() ? "" : fmt::format("{}: {} is too small", path, to_json(v));
    if (keyword == "minLength")
      return !v.is_text() || v.text().size() >= a.unsigned_integer() ? "" : path + ": too short";
    if (keyword == "pattern")
      return !v.is_text() || std::regex_search(v.text(), std::regex(a.text()))
                 ? ""
                 : fmt::format("{}: '{}' is not like {}", path, v.text(), a.text());
    if (keyword == "$ref") {
      const std::string prefix = "#/$defs/";
      const Value* target =
          a.text().starts_with(prefix) ? root_["$defs"].find(a.text().substr(prefix.size())) : nullptr;
      return target ? check(*target, v, path) : "the schema refers to " + a.text() + ", which is not there";
    }
    for (const char* note : {"$schema", "$id", "$defs", "title", "description"})
      if (keyword == note) return {};
    return "the schema uses '" + keyword + "', which is not checked here";
  }

  const Value& root_;
};

}  // namespace

std::string check_against(const Value& schema, const Value& document) {
  return Checker(schema).check(schema, document, "");
}

std::string check_schema(const std::string& schema_file, const Value& document) {
  const std::string path = std::string(HOLDFAST_SOURCE_DIR) + "/docs/reference/" + schema_file;
  auto text = sys::read_file(path);
  if (!text) return "no " + path;
  auto schema = codec::parse_value(as_text(text->span()));
  if (!schema) return path + ": " + schema.error().to_string();
  return check_against(*schema, document);
}

}  // namespace holdfast::test
