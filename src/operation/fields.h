// Strict reading of an object: each member is asked for by name and type, and at the end() nothing may be missing, of
// another type, or left over.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace holdfast::operation {

class Fields {
 public:
  /// `what` is for messages. The document must outlive this.
  Fields(const codec::Value& document, std::string_view what) : document_(document), what_(what) {
    if (!document.is_object()) complain("it is not an object");
  }
  std::string text(std::string_view name) {
    const codec::Value& value = any(name);
    if (!value.is_text()) complain(std::string(name) + " is not a string");
    return value.text();
  }
  /// Empty when there is no such member; one that is there is not empty.
  std::string text_if_there(std::string_view name) {
    if (!document_.find(name)) return {};
    std::string value = text(name);
    if (value.empty()) complain(std::string(name) + " is empty");
    return value;
  }
  bool boolean(std::string_view name) {
    const codec::Value& value = any(name);
    if (!value.is_bool()) complain(std::string(name) + " is neither true nor false");
    return value.boolean();
  }
  uint64_t number(std::string_view name) {
    const codec::Value& value = any(name);
    if (!value.is_integer() || value.integer() < 0) complain(std::string(name) + " is not a whole number");
    return value.unsigned_integer();
  }
  const codec::Value::List& list(std::string_view name) {
    const codec::Value& value = any(name);
    if (!value.is_list()) complain(std::string(name) + " is not a list");
    return value.items();
  }
  std::vector<std::string> texts(std::string_view name) {
    std::vector<std::string> all;
    for (const codec::Value& item : list(name)) {
      if (!item.is_text()) complain(std::string(name) + " holds something that is not a string");
      all.push_back(item.text());
    }
    return all;
  }
  const codec::Value& any(std::string_view name) {
    if (!document_.find(name)) complain(std::string(name) + " is missing");
    if (!seen_.insert(name).second) complain(std::string(name) + " is read twice");
    return document_[name];
  }
  Status end() {
    std::set<std::string_view> found;
    for (const auto& member : document_.members()) {
      if (!seen_.contains(member.first)) complain("there is an unknown member " + member.first);
      if (!found.insert(member.first).second) complain(member.first + " is there twice");
    }
    if (problem_.empty()) return {};
    return fail(ErrorClass::failed, "operation.fields", what_ + ": " + problem_);
  }

 private:
  void complain(const std::string& problem) {
    if (problem_.empty()) problem_ = problem;
  }
  const codec::Value& document_;
  std::string what_;
  std::set<std::string_view> seen_;
  std::string problem_;
};

}  // namespace holdfast::operation
