// A value, or the reason why it is not known: what is read from a data directory nobody vouches for.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "base/error.h"

namespace holdfast::engine::stored {

/// "Unknown" is the state before anybody looked, too. An unknown value is never the same as an absent thing.
template <class T>
class Known {
 public:
  Known() = default;
  Known(T value) : value_(std::move(value)) {}
  static Known unknown(std::string why) {
    Known result;
    result.why_ = std::move(why);
    return result;
  }
  static Known unknown(const Error& error) { return unknown(error.to_string()); }

  explicit operator bool() const { return value_.has_value(); }
  const T& operator*() const { return *value_; }
  const T* operator->() const { return &*value_; }
  T& operator*() { return *value_; }
  T* operator->() { return &*value_; }
  /// Why it is unknown; empty when it is known.
  std::string why() const { return value_ ? std::string() : why_; }

 private:
  std::optional<T> value_;
  std::string why_ = "not checked";
};

}  // namespace holdfast::engine::stored
