// YAML text of a Value. Hand-written: yaml-cpp 0.7 leaves strings such as "017" or "yes" unquoted.
#include <cctype>

#include "codec/value.h"

namespace holdfast::codec {
namespace {

bool plain(std::string_view text) {
  if (text.empty()) return false;
  if (!std::isalpha(static_cast<unsigned char>(text[0])) && text[0] != '/' && text[0] != '_') return false;
  for (char c : text) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && !std::string_view("_-./@+ ").contains(c)) return false;
  }
  if (text.back() == ' ') return false;
  std::string low;
  for (char c : text) low += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (std::string_view word : {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}) {
    if (low == word) return false;
  }
  return true;
}

std::string scalar(const Value& value) {
  if (value.is_text() && plain(value.text())) return value.text();
  return to_json(value);  // a JSON scalar is a YAML scalar
}

bool nested(const Value& value) {
  return (value.is_list() && !value.items().empty()) || (value.is_object() && !value.members().empty());
}

// Writes a list or an object; `in_item` says that the first line continues after "- ".
void write(std::string& out, const Value& value, size_t indent, bool in_item) {
  bool first = in_item;
  auto pad = [&] {
    if (!first) out.append(indent, ' ');
    first = false;
  };
  for (const auto& item : value.items()) {
    pad();
    out += "- ";
    if (nested(item)) {
      write(out, item, indent + 2, true);
    } else {
      out += scalar(item) + "\n";
    }
  }
  for (const auto& [name, member] : value.members()) {
    pad();
    out += scalar(Value(name)) + ":";
    if (nested(member)) {
      out += '\n';
      write(out, member, indent + 2, false);
    } else {
      out += " " + scalar(member) + "\n";
    }
  }
}

}  // namespace

std::string to_yaml(const Value& value) {
  if (!nested(value)) return scalar(value) + "\n";
  std::string out;
  write(out, value, 0, false);
  return out;
}

}  // namespace holdfast::codec
