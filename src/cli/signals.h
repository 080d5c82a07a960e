// SIGINT and SIGTERM become a stop request; a second one, after a moment, ends the process at once with 130.
#pragma once

#include <stop_token>

namespace holdfast::cli {

/// Call once, early in main(). SIGPIPE is neutralised by a handler rather than ignored, so that programs we start get
/// the default back.
std::stop_token install_signal_handlers();

/// While one lives, a second signal does not end the process: an operation that is being undone is carried through.
class SignalShield {
 public:
  SignalShield();
  ~SignalShield();
  SignalShield(const SignalShield&) = delete;
  SignalShield& operator=(const SignalShield&) = delete;
};

}  // namespace holdfast::cli
