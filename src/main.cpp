// The program: real environment, real streams, real signals, and cli::run().
#include "cli/run.h"
#include "cli/signals.h"
#include "sys/environment.h"

int main(int argc, char** argv) {
  holdfast::sys::take_client_variables();
  holdfast::sys::keep_memory_private();
  auto stop = holdfast::cli::install_signal_handlers();
  return holdfast::cli::run({argv + 1, argv + argc}, holdfast::cli::Environment(holdfast::sys::callers_environment()),
                            holdfast::cli::Streams::process(), stop);
}
