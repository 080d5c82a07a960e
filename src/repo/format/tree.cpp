#include "repo/format/tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "codec/base64.h"
#include "codec/go_json.h"
#include "codec/json_reader.h"

namespace holdfast::repo {
namespace {

using codec::JsonReader;

constexpr const char* kTypeNames[] = {"file", "dir", "symlink", "dev", "chardev", "fifo", "socket", "irregular"};

uint32_t read_u32(JsonReader& reader) {
  const uint64_t value = reader.unsigned_integer();
  if (value > UINT32_MAX) reader.reject("a number beyond 32 bits");
  return static_cast<uint32_t>(value);
}

Timestamp read_time(JsonReader& reader) {
  const auto time = Timestamp::parse(reader.string_view());
  if (!time) reader.reject("not a time");
  return time.value_or(Timestamp{});
}

Id read_id(JsonReader& reader) {
  const auto id = Id::parse(reader.string_view());
  if (!id) reader.reject("not an id");
  return id.value_or(Id{});
}

NodeType read_type(JsonReader& reader) {
  const auto name = reader.string_view();
  const auto* at = std::find(std::begin(kTypeNames), std::end(kTypeNames), name);
  if (at == std::end(kTypeNames)) {
    reader.reject("unknown node type");
    return NodeType::irregular;
  }
  return static_cast<NodeType>(at - kTypeNames);
}

Buffer read_base64(JsonReader& reader) {
  if (reader.null()) return {};
  auto bytes = codec::from_base64(reader.string_view());
  if (!bytes) reader.reject("not base64");
  return bytes ? std::move(*bytes) : Buffer{};
}

std::vector<ExtendedAttribute> read_xattrs(JsonReader& reader) {
  std::vector<ExtendedAttribute> list;
  if (reader.null()) return list;
  reader.enter_array();
  while (reader.next_element()) {
    ExtendedAttribute attribute;
    reader.enter_object();
    while (auto key = reader.next_key()) {
      if (*key == "name") {
        attribute.name = reader.string();
      } else if (*key == "value") {
        attribute.value = as_text(read_base64(reader));
      } else {
        reader.skip();
      }
    }
    list.push_back(std::move(attribute));
  }
  return list;
}

void read_member(JsonReader& reader, std::string_view key, Node& node) {
  if (key == "name") {
    if (!codec::go_unquote(reader.string_view(), node.name)) reader.reject("a name that is not quoted right");
  } else if (key == "type") {
    node.type = read_type(reader);
  } else if (key == "mode") {
    node.mode = read_u32(reader);
  } else if (key == "mtime") {
    node.mtime = read_time(reader);
  } else if (key == "atime") {
    node.atime = read_time(reader);
  } else if (key == "ctime") {
    node.ctime = read_time(reader);
  } else if (key == "uid") {
    node.uid = read_u32(reader);
  } else if (key == "gid") {
    node.gid = read_u32(reader);
  } else if (key == "user") {
    node.user = reader.string();
  } else if (key == "group") {
    node.group = reader.string();
  } else if (key == "inode") {
    node.inode = reader.unsigned_integer();
  } else if (key == "device_id") {
    node.device_id = reader.unsigned_integer();
  } else if (key == "size") {
    node.size = reader.unsigned_integer();
  } else if (key == "links") {
    node.links = reader.unsigned_integer();
  } else if (key == "linktarget") {
    if (node.link_target.empty())
      node.link_target = reader.string();
    else
      reader.skip();
  } else if (key == "linktarget_raw") {
    const Buffer raw = read_base64(reader);
    if (!raw.empty()) node.link_target = as_text(raw);
  } else if (key == "extended_attributes") {
    node.xattrs = read_xattrs(reader);
  } else if (key == "generic_attributes") {
    node.generic_attributes = reader.raw();
  } else if (key == "device") {
    node.device = reader.unsigned_integer();
  } else if (key == "content") {
    if (reader.null()) return;
    node.has_content = true;
    reader.enter_array();
    while (reader.next_element()) node.content.push_back(read_id(reader));
  } else if (key == "subtree") {
    if (!reader.null()) node.subtree = read_id(reader);
  } else if (key == "error") {
    node.error = reader.string();
  } else {
    reader.skip();
  }
}

bool name_is_safe(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

void append_number(std::string& json, const char* key, uint64_t value) {
  if (value != 0) fmt::format_to(std::back_inserter(json), R"(,"{}":{})", key, value);
}

void append_text(std::string& json, const char* key, std::string_view value) {
  if (value.empty()) return;
  json += ",\"";
  json += key;
  json += "\":";
  codec::append_json_string(json, value);
}

}  // namespace

const char* node_type_name(NodeType type) {
  return kTypeNames[static_cast<size_t>(type)];
}

Result<Tree> parse_tree(std::string_view json) {
  Tree tree;
  JsonReader reader(json);
  reader.enter_object();
  while (auto key = reader.next_key()) {
    if (*key != "nodes") {
      reader.skip();
      continue;
    }
    if (reader.null()) continue;
    reader.enter_array();
    while (reader.next_element()) {
      Node node;
      node.has_content = false;
      reader.enter_object();
      while (auto member = reader.next_key()) {
        const std::string name(*member);
        read_member(reader, name, node);
      }
      if (!reader.ok()) break;
      if (!name_is_safe(node.name)) reader.reject("a name that is not allowed in a directory");
      if (!tree.nodes.empty() && tree.nodes.back().name >= node.name) reader.reject("names out of order");
      tree.nodes.push_back(std::move(node));
    }
  }
  if (!reader.finished()) {
    return fail(ErrorClass::verification_failed, "repo.tree.format", "tree: " + reader.problem(),
                "holdfast check -r REPO");
  }
  return tree;
}

void append_node(std::string& json, const Node& node) {
  auto out = std::back_inserter(json);
  json += R"({"name":)";
  codec::append_json_string(json, codec::go_quote(node.name));
  fmt::format_to(out, R"(,"type":"{}")", node_type_name(node.type));
  append_number(json, "mode", node.mode);
  fmt::format_to(out, R"(,"mtime":"{}","atime":"{}","ctime":"{}","uid":{},"gid":{})", node.mtime.to_string(),
                 node.atime.to_string(), node.ctime.to_string(), node.uid, node.gid);
  append_text(json, "user", node.user);
  append_text(json, "group", node.group);
  append_number(json, "inode", node.inode);
  append_number(json, "device_id", node.device_id);
  append_number(json, "size", node.size);
  append_number(json, "links", node.links);
  if (!node.link_target.empty()) {
    append_text(json, "linktarget", node.link_target);
    if (!codec::is_utf8(node.link_target)) {
      fmt::format_to(out, R"(,"linktarget_raw":"{}")", codec::to_base64(as_bytes(node.link_target)));
    }
  }
  if (!node.xattrs.empty()) {
    json += R"(,"extended_attributes":[)";
    for (size_t i = 0; i < node.xattrs.size(); ++i) {
      json += i > 0 ? R"(,{"name":)" : R"({"name":)";
      codec::append_json_string(json, node.xattrs[i].name);
      fmt::format_to(out, R"(,"value":"{}"}})", codec::to_base64(as_bytes(node.xattrs[i].value)));
    }
    json += ']';
  }
  if (!node.generic_attributes.empty()) json += R"(,"generic_attributes":)" + node.generic_attributes;
  append_number(json, "device", node.device);
  if (node.type == NodeType::file) {
    json += R"(,"content":[)";
    for (size_t i = 0; i < node.content.size(); ++i) {
      if (i > 0) json += ',';
      json += '"';
      json += node.content[i].hex();
      json += '"';
    }
    json += ']';
  } else {
    json += R"(,"content":null)";
  }
  if (node.subtree) fmt::format_to(out, R"(,"subtree":"{}")", node.subtree->hex());
  append_text(json, "error", node.error);
  json += '}';
}

std::string tree_text(std::string_view nodes) {
  std::string json = R"({"nodes":[)";
  json += nodes;
  json += "]}\n";
  return json;
}

std::string tree_text(std::vector<Node>& nodes) {
  std::sort(nodes.begin(), nodes.end(), [](const Node& a, const Node& b) { return a.name < b.name; });
  std::string entries;
  for (const auto& node : nodes) {
    if (!entries.empty()) entries += ',';
    append_node(entries, node);
  }
  return tree_text(entries);
}

}  // namespace holdfast::repo
