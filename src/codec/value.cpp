#include "codec/value.h"

namespace holdfast::codec {
namespace {
const std::string kNoText;
const Value::List kNoItems;
const Value::Object kNoMembers;
const Value kNull;
}  // namespace

bool Value::boolean(bool fallback) const {
  auto* flag = std::get_if<bool>(&data_);
  return flag ? *flag : fallback;
}

int64_t Value::integer(int64_t fallback) const {
  if (auto* number = std::get_if<int64_t>(&data_)) return *number;
  if (auto* number = std::get_if<uint64_t>(&data_))
    return *number <= INT64_MAX ? static_cast<int64_t>(*number) : fallback;
  return fallback;
}

uint64_t Value::unsigned_integer(uint64_t fallback) const {
  if (auto* number = std::get_if<uint64_t>(&data_)) return *number;
  if (auto* number = std::get_if<int64_t>(&data_)) return *number >= 0 ? static_cast<uint64_t>(*number) : fallback;
  return fallback;
}

double Value::number(double fallback) const {
  if (auto* number = std::get_if<double>(&data_)) return *number;
  if (auto* number = std::get_if<int64_t>(&data_)) return static_cast<double>(*number);
  if (auto* number = std::get_if<uint64_t>(&data_)) return static_cast<double>(*number);
  return fallback;
}

const std::string& Value::text() const& {
  auto* text = std::get_if<std::string>(&data_);
  return text ? *text : kNoText;
}

std::string Value::text_or(std::string_view fallback) const {
  return is_text() ? text() : std::string(fallback);
}

const Value::List& Value::items() const& {
  auto* list = std::get_if<List>(&data_);
  return list ? *list : kNoItems;
}

const Value::Object& Value::members() const& {
  auto* object = std::get_if<Object>(&data_);
  return object ? *object : kNoMembers;
}

const Value* Value::find(std::string_view key) const& {
  for (const auto& [name, value] : members()) {
    if (name == key) return &value;
  }
  return nullptr;
}

const Value& Value::operator[](std::string_view key) const& {
  auto* found = find(key);
  return found ? *found : kNull;
}

Value Value::operator[](std::string_view key) && {
  if (auto* object = std::get_if<Object>(&data_))
    for (auto& [name, value] : *object)
      if (name == key) return std::move(value);
  return {};
}

Value& Value::set(std::string_view key, Value value) {
  if (!is_object()) data_ = Object{};
  auto& object = std::get<Object>(data_);
  for (auto& member : object) {
    if (member.first == key) return member.second = std::move(value);
  }
  return object.emplace_back(std::string(key), std::move(value)).second;
}

Value& Value::push(Value value) {
  if (!is_list()) data_ = List{};
  return std::get<List>(data_).emplace_back(std::move(value));
}

}  // namespace holdfast::codec
