// A process that works on a toy cluster, to be killed:  toy_operation run|resume|undo|hold ROOT [kill|term|term2 N]
//
// Dies (SIGKILL), or gets one SIGTERM (or two), at the Nth point. Prints the points it passed with N = 0. `hold` takes
// the lock, says "got" or the error's id, and keeps it until standard input ends. Exit code: as holdfast's.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "cli/signals.h"
#include "operation/file_store.h"
#include "tests/operation/toy.h"

namespace holdfast::test {
namespace {

int told(const Error& error) {
  std::cout << error.id << "\n" << error.to_string() << "\n" << error.hint << std::endl;
  return exit_code(error.error_class);
}

int hold(const std::string& root) {
  operation::FileOperationStore store(root + "/state");
  const auto lock = store.acquire({operation::ClusterKey("toys/shop"), "op-" + std::to_string(::getpid()), "hold"});
  if (!lock) return told(lock.error());
  std::cout << "got " << (*lock)->epoch() << std::endl;
  char byte;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
  return 0;
}

int work(const std::string& verb, const std::string& root, const std::string& how, long at) {
  const std::stop_token stop = cli::install_signal_handlers();
  const cli::SignalShield shield;
  long passed = 0;
  const auto points = [&](const std::string& where) {
    ++passed;
    if (how.empty()) std::cerr << where << "\n";
    if (passed != at) return;
    if (how == "kill") ::raise(SIGKILL);
    for (int i = 0; i < (how == "term2" ? 2 : 1); ++i) ::raise(SIGTERM);
    while (!stop.stop_requested()) ::usleep(100);  // the request comes by way of a thread
  };
  auto options = toy_options(root, points);
  options.stop = stop;
  operation::Executor executor(options);
  Result<operation::Report> report = fail(ErrorClass::usage, "toy", "which verb?");
  if (verb == "run") {
    report = executor.execute(toy_plan(root));
  } else {
    const auto id = options.store->find("latest");
    if (!id) return told(id.error());
    report = verb == "resume" ? executor.resume(*id) : executor.undo(*id);
  }
  return report ? 0 : told(report.error());
}

}  // namespace
}  // namespace holdfast::test

int main(int argc, char** argv) {
  using namespace holdfast::test;
  if (argc < 3) return 2;
  if (std::string(argv[1]) == "hold") return hold(argv[2]);
  return work(argv[1], argv[2], argc > 4 ? argv[3] : "", argc > 4 ? std::atol(argv[4]) : 0);
}
