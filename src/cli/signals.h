// SIGINT and SIGTERM become a stop request; a second one ends the process at once with 130.
#pragma once

#include <stop_token>

namespace holdfast::cli {

/// Call once, early in main(). SIGPIPE is neutralised by a handler rather than ignored, so that programs we start get
/// the default back.
std::stop_token install_signal_handlers();

}  // namespace holdfast::cli
