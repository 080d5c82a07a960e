// The program: real environment, real streams, real signals, and cli::run().
#include "cli/run.h"
#include "cli/signals.h"
#include "sys/memory_privacy.h"

int main(int argc, char** argv) {
  holdfast::sys::keep_memory_private();
  const auto environment = holdfast::cli::Environment::process();  // before the thread that waits for signals
  auto stop = holdfast::cli::install_signal_handlers();
  return holdfast::cli::run({argv + 1, argv + argc}, environment, holdfast::cli::Streams::process(), stop);
}
