#include "engine/mysql_family/json_exact.h"

#include <fmt/format.h>

#include <vector>

#include "codec/hex.h"
#include "sql/rows.h"

namespace holdfast::engine {
namespace {

struct Value {
  std::string path;
  std::string_view token;  ///< as the document writes it; "" of arrays and objects
};

// Values in the order in which MySQL finds them by '$**.*' and by '$**[*]': at each node, parents first, its own
// members or cells.
class Walk {
 public:
  explicit Walk(std::string_view text) : text_(text) {}
  bool run() {
    Node root;
    if (!value("$", root) || at_ != text_.size()) return false;
    root_ = root.value;
    order(root);
    return true;
  }
  Value root_;
  std::vector<Value> members_, cells_;

 private:
  struct Node {
    Value value;
    bool object = false;
    std::vector<Node> children;
  };

  void order(const Node& node) {
    for (const auto& child : node.children) (node.object ? members_ : cells_).push_back(child.value);
    for (const auto& child : node.children) order(child);
  }
  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  std::string_view string() {
    const size_t from = at_++;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    at_ = std::min(at_ + 1, text_.size());
    return text_.substr(from, at_ - from);
  }
  bool value(const std::string& path, Node& node) {
    if (path.size() > 4096 || at_ >= text_.size()) return false;
    node.value.path = path;
    if (text_[at_] == '{') {
      ++at_;
      node.object = true;
      if (take("}")) return true;
      do {
        if (at_ >= text_.size() || text_[at_] != '"') return false;
        const std::string key(string());
        if (!take(": ") || !value(path + "." + key, node.children.emplace_back())) return false;
      } while (take(", "));
      return take("}");
    }
    if (text_[at_] == '[') {
      ++at_;
      if (take("]")) return true;
      do {
        const size_t index = node.children.size();
        if (!value(fmt::format("{}[{}]", path, index), node.children.emplace_back())) return false;
      } while (take(", "));
      return take("]");
    }
    if (text_[at_] == '"') {
      node.value.token = string();
      return true;
    }
    const size_t end = std::min(text_.find_first_of(",]}", at_), text_.size());
    node.value.token = text_.substr(at_, end - at_);
    at_ = end;
    return !node.value.token.empty();
  }

  const std::string_view text_;
  size_t at_ = 0;
};

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> found;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (end > 0) found.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return found;
}

/// What a value of this type is in SQL; "" when its text is exact; nullopt when nothing gives it.
std::optional<std::string> typed(std::string_view token, std::string_view type) {
  if (type == "DECIMAL") return std::string(token);
  std::string_view inner = token.size() > 2 ? token.substr(1, token.size() - 2) : "";
  if (type == "DATE") return fmt::format("CAST('{}' AS DATE)", inner);
  if (type == "TIME") return fmt::format("CAST('{}' AS TIME(6))", inner);
  if (type == "DATETIME") return fmt::format("CAST('{}' AS DATETIME(6))", inner);
  constexpr std::string_view kBinary = "base64:type15:";
  if (type == "BLOB" && inner.starts_with(kBinary))
    return fmt::format("FROM_BASE64('{}')", inner.substr(kBinary.size()));
  if (type == "BLOB" || type == "BIT" || type == "OPAQUE" || type == "TIMESTAMP" || type == "GEOMETRY")
    return std::nullopt;
  return "";
}

}  // namespace

std::string json_types_expression(std::string_view column) {
  const std::string text = fmt::format("CAST({} AS CHAR CHARACTER SET utf8mb4)", column);
  const auto list = [&](std::string_view path) {
    return fmt::format(
        "IFNULL((SELECT GROUP_CONCAT(IFNULL(REPLACE(JSON_TYPE(v),' ','_'),'NULL') ORDER BY n SEPARATOR ' ') FROM "
        "JSON_TABLE(JSON_EXTRACT({},'{}'),'$[*]' COLUMNS (n FOR ORDINALITY, v JSON PATH '$')) jt),'')",
        column, path);
  };
  // A decimal may take as many bytes as the double that its text would become, and print alike.
  return fmt::format(
      "IF(JSON_STORAGE_SIZE({0}) <> JSON_STORAGE_SIZE(CAST({1} AS JSON)) OR SHA2({1}, 256) <> SHA2(CAST(CAST({1} AS "
      "JSON) AS "
      "CHAR CHARACTER SET utf8mb4), 256) OR IF(LENGTH({1}) > 65536, LOCATE('.', {1}) > 0, {1} REGEXP '[0-9][.][0-9]'), "
      "CONCAT(JSON_TYPE({0}),'/',{2},'/',{3}), NULL)",
      column, text, list("$**.*"), list("$**[*]"));
}

std::optional<std::string> json_expression(std::string_view text, std::string_view types) {
  const size_t first = types.find('/'), second = types.find('/', first + 1);
  Walk walk(text);
  if (second == std::string_view::npos || !walk.run()) return std::nullopt;
  std::string arguments;
  const auto add = [&](const Value& value, std::string_view type) {
    if (value.token.empty()) return true;
    const auto sql = typed(value.token, type);
    if (!sql) return false;
    if (!sql->empty()) arguments += fmt::format(", {}, {}", sql::quote_mysql(value.path), *sql);
    return true;
  };
  const auto members = words(types.substr(first + 1, second - first - 1)), cells = words(types.substr(second + 1));
  if (members.size() != walk.members_.size() || cells.size() != walk.cells_.size()) return std::nullopt;
  if (!add(walk.root_, types.substr(0, first))) return std::nullopt;
  for (size_t i = 0; i < members.size(); ++i)
    if (!add(walk.members_[i], members[i])) return std::nullopt;
  for (size_t i = 0; i < cells.size(); ++i)
    if (!add(walk.cells_[i], cells[i])) return std::nullopt;
  const std::string document = fmt::format("_utf8mb4 X'{}'", codec::to_hex(as_bytes(text)));
  return arguments.empty() ? document : fmt::format("JSON_REPLACE({}{})", document, arguments);
}

}  // namespace holdfast::engine
