// Result<T>: a value or an Error, never dropped silently; TRY() hands an error to the caller.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "base/error.h"

namespace holdfast {

template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using Base = std::expected<T, Error>;
  using Base::Base;

  /// Adds "what" to the error's context, or passes the value through.
  Result context(std::string what) && {
    if (!this->has_value()) return std::unexpected(std::move(this->error()).with_context(std::move(what)));
    return std::move(*this);
  }
};

using Status = Result<void>;

/// Builds the failure side of any Result: `return fail(ErrorClass::usage, "cli.flag", "...", "hint")`.
inline std::unexpected<Error> fail(ErrorClass error_class, std::string id, std::string message, std::string hint = {}) {
  return std::unexpected(Error{error_class, std::move(id), std::move(message), std::move(hint), {}});
}

inline std::unexpected<Error> fail(Error error) {
  return std::unexpected(std::move(error));
}

}  // namespace holdfast

/// Value of a Result, or return its error from the enclosing function.
#define TRY(expression)                                                                   \
  __extension__({                                                                         \
    auto try_result_ = (expression);                                                      \
    if (!try_result_.has_value()) return std::unexpected(std::move(try_result_).error()); \
    std::move(*std::move(try_result_));                                                   \
  })
/// The same for a Status.
#define TRY_VOID(expression)                                                              \
  do {                                                                                    \
    auto try_status_ = (expression);                                                      \
    if (!try_status_.has_value()) return std::unexpected(std::move(try_status_).error()); \
  } while (false)
