// A password or key: cannot be formatted or copied by accident, wiped when freed.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace holdfast {

/// Overwrites everything that `text` has reserved, and empties it. Copies made elsewhere stay.
inline void wipe(std::string& text) {
  text.resize(text.capacity());
  ::explicit_bzero(text.data(), text.size());
  text.clear();
}

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view text) : value_(text) {}
  explicit Secret(const char* text) : value_(text) {}
  /// Leaves nothing in `text`: a string that is moved from keeps its bytes where it is short.
  explicit Secret(std::string&& text) : value_(text) { holdfast::wipe(text); }
  Secret(const Secret&) = default;
  Secret& operator=(const Secret& other) {
    if (this != &other) {
      holdfast::wipe(value_);
      value_ = other.value_;
    }
    return *this;
  }
  Secret(Secret&& other) noexcept { take(other); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      holdfast::wipe(value_);
      take(other);
    }
    return *this;
  }
  ~Secret() { holdfast::wipe(value_); }

  /// The secret itself: only for the call that needs it, never for a log, argument vector or URL. A NUL follows it.
  std::string_view reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

  /// For texts that a secret is a part of: what was outgrown is wiped.
  Secret& append(std::string_view text) {
    if (value_.size() + text.size() > value_.capacity()) {
      std::string larger;
      larger.reserve(2 * (value_.size() + text.size()));
      larger = value_;
      value_.swap(larger);
      holdfast::wipe(larger);
    }
    value_ += text;
    return *this;
  }
  Secret& append(const Secret& other) { return append(other.reveal()); }

 private:
  void take(Secret& other) {
    value_.swap(other.value_);  // short ones change places by copying
    holdfast::wipe(other.value_);
  }
  std::string value_;
};

}  // namespace holdfast
