// What a client program said on standard error, cut to what a person needs. Pure.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::backup {

/// Collects the first and the last bytes of what was said: a statement that failed may be as large as a blob, and the
/// server's words about it come last.
class ClientWords {
 public:
  void add(std::string_view text);
  /// The last error in full, then how the statement it is about begins, where the client printed it.
  std::string complaint() const;

 private:
  std::string first_, last_;
};

}  // namespace holdfast::backup
