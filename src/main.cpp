// The program: real environment, real streams, real signals, and cli::run().
#include "cli/run.h"
#include "cli/signals.h"

int main(int argc, char** argv) {
  auto stop = holdfast::cli::install_signal_handlers();
  return holdfast::cli::run({argv + 1, argv + argc}, holdfast::cli::Environment::process(),
                            holdfast::cli::Streams::process(), stop);
}
