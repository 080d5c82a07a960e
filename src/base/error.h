// What went wrong, in the form every layer hands upward and the CLI renders.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

/// What the caller should do about an error. Each class has one exit code (exit_code()).
enum class ErrorClass {
  bug,                  ///< 1: Holdfast is wrong
  usage,                ///< 2: the call is wrong
  refused,              ///< 3: a guard said no; nothing changed
  unhealthy,            ///< 4: the check worked and found something unhealthy
  partial,              ///< 5: part of the work was done
  unavailable,          ///< 6: something could not be reached; a retry is safe
  conflict,             ///< 7: somebody else holds it
  failed,               ///< 8: tried, failed, undone
  needs_operator,       ///< 9: tried, failed, could not be undone alone
  verification_failed,  ///< 10: a proof did not hold: damaged or different data
  interrupted,          ///< 130: stopped by the user
};

/// Process exit code of a class; explained in docs/reference/exit-codes.md.
int exit_code(ErrorClass error_class);

/// The word used for a class in machine output ("refused", "conflict", ...).
std::string_view error_class_name(ErrorClass error_class);

/// An error value. `id` is stable and dotted ("repo.key.wrong_password"); `hint` names the next command.
struct Error {
  ErrorClass error_class = ErrorClass::bug;
  std::string id;
  std::string message;
  std::string hint;
  std::vector<std::string> context;  ///< innermost first: "reading index 1a2b", "opening repository /x"

  /// "opening repository /x: reading index 1a2b: message"
  std::string to_string() const;

  Error&& with_context(std::string what) &&;
  Error&& with_hint(std::string text) &&;
};

}  // namespace holdfast
