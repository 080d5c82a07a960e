// The program: real environment, real streams, real signals, and cli::run().
#include "cli/run.h"
#include "cli/signals.h"
#include "sys/environment.h"

int main(int argc, char** argv) {
  holdfast::sys::keep_memory_private();
  // Before the thread that waits for signals: both change the environment.
  holdfast::sys::take_client_variables();
  const auto environment = holdfast::cli::Environment::process();
  auto stop = holdfast::cli::install_signal_handlers();
  return holdfast::cli::run({argv + 1, argv + argc}, environment, holdfast::cli::Streams::process(), stop);
}
