#include "base/error.h"

#include <utility>

namespace holdfast {

int exit_code(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::bug:
      return 1;
    case ErrorClass::usage:
      return 2;
    case ErrorClass::refused:
      return 3;
    case ErrorClass::unhealthy:
      return 4;
    case ErrorClass::partial:
      return 5;
    case ErrorClass::unavailable:
      return 6;
    case ErrorClass::conflict:
      return 7;
    case ErrorClass::failed:
      return 8;
    case ErrorClass::needs_operator:
      return 9;
    case ErrorClass::verification_failed:
      return 10;
    case ErrorClass::interrupted:
      return 130;
  }
  return 1;
}

std::string_view error_class_name(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::bug:
      return "bug";
    case ErrorClass::usage:
      return "usage";
    case ErrorClass::refused:
      return "refused";
    case ErrorClass::unhealthy:
      return "unhealthy";
    case ErrorClass::partial:
      return "partial";
    case ErrorClass::unavailable:
      return "unavailable";
    case ErrorClass::conflict:
      return "conflict";
    case ErrorClass::failed:
      return "failed";
    case ErrorClass::needs_operator:
      return "needs_operator";
    case ErrorClass::verification_failed:
      return "verification_failed";
    case ErrorClass::interrupted:
      return "interrupted";
  }
  return "bug";
}

std::string Error::to_string() const {
  std::string text;
  for (auto it = context.rbegin(); it != context.rend(); ++it) {
    text += *it;
    text += ": ";
  }
  return text + message;
}

Error&& Error::with_context(std::string what) && {
  context.push_back(std::move(what));
  return std::move(*this);
}

Error&& Error::with_hint(std::string text) && {
  if (hint.empty()) hint = std::move(text);
  return std::move(*this);
}

}  // namespace holdfast
